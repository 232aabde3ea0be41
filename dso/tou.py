"""Time-of-use tables: prices by time of day and kind of day, expanded into the price changes of coming days."""

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from assets.errors import PriceInversion
from assets.transactions import PriceChange
from dso.tariff import parse_price

COLUMNS = ("days", "from", "consumption", "production")
DAYS = {"all": range(7), "weekday": range(5), "weekend": range(5, 7)}
_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])", re.ASCII)
DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Row:
    """Prices from a time of day on, until the next row of the same day."""

    days: str
    """``all``, ``weekday`` or ``weekend``."""
    from_s: int
    """Seconds after local midnight."""
    consumption_nano_per_wh: int
    production_nano_per_wh: int


@dataclass(frozen=True, slots=True)
class TimeOfUse:
    """A table. Raises ``ValueError`` unless every day of the week has one price at each time, from midnight on."""

    rows: tuple[Row, ...]

    def __post_init__(self) -> None:
        for weekday in range(7):
            starts = [row.from_s for row in self.rows_of(weekday)]
            if 0 not in starts:
                raise ValueError("every day of the week needs a price from 00:00 on")
            if len(set(starts)) < len(starts):
                raise ValueError("two rows begin at the same time of the same day; keep one of them")

    @classmethod
    def read(cls, lines: Iterable[str]) -> "TimeOfUse":
        """The table of a CSV file ``days,from,consumption,production``, prices in currency units per kWh.

        Raises one ``ValueError`` that lists every bad line.
        """
        rows = csv.reader(lines)
        if tuple(next(rows, ())) != COLUMNS:
            raise ValueError(f"the first line of a time-of-use table is {','.join(COLUMNS)}")
        found, wrong = [], []
        for number, row in enumerate(rows, start=2):
            try:
                found.append(_row(row))
            except (ValueError, PriceInversion) as error:
                wrong.append(f"line {number}: {error}")
        if wrong:
            raise ValueError("; ".join(wrong))
        return cls(tuple(found))

    def rows_of(self, weekday: int) -> list[Row]:
        """The rows of a weekday (0 is Monday), by time."""
        return sorted((row for row in self.rows if weekday in DAYS[row.days]), key=lambda row: row.from_s)

    def price_changes(self, now_s: int, days: int, utc_offset_s: int = 0) -> tuple[PriceChange, ...]:
        """The changes of the ``days`` that begin at the next local midnight after ledger time ``now_s``.

        ``utc_offset_s``: local standard time minus UTC; a table knows no daylight saving.
        """
        midnight_s = ((now_s + utc_offset_s) // DAY_S + 1) * DAY_S
        changes = []
        for day in range(days):
            start_s = midnight_s + day * DAY_S
            weekday = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=start_s)).weekday()
            changes += [
                PriceChange(
                    start_s + row.from_s - utc_offset_s, row.consumption_nano_per_wh, row.production_nano_per_wh
                )
                for row in self.rows_of(weekday)
            ]
        return tuple(changes)


def _row(row: list[str]) -> Row:
    if len(row) != len(COLUMNS):
        raise ValueError(f"{len(row)} columns instead of {len(COLUMNS)}")
    days, start, consumption, production = row
    if days not in DAYS:
        raise ValueError(f"days is one of {', '.join(DAYS)}")
    match = _TIME.fullmatch(start)
    if match is None:
        raise ValueError("from is a time of day such as 17:00")
    sells, buys = parse_price(consumption), parse_price(production)
    if sells < buys:
        raise PriceInversion(sells, buys)
    return Row(days, (int(match[1]) * 60 + int(match[2])) * 60, sells, buys)
