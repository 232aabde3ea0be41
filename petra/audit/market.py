"""``trades.csv`` and ``prices.csv`` against the ledger."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from assets.keys import Digest
from assets.ledger import price_at
from petra.audit.error import AuditError
from petra.audit.ledger import Replay
from petra.rundir import PRICE_COLUMNS, TRADE_COLUMNS

FIRST_LINE = 2
"""Line of the first row, after the header."""

MAX_DIGITS = 30
"""Digits of the largest number that a row may hold; money and energy need fewer."""


@dataclass(frozen=True, slots=True)
class TradeRow:
    """One trade: its interval, and what changed hands."""

    t: int
    energy_wh: int
    price_nano_per_wh: int


def audit_trades(path: Path, replay: Replay) -> list[TradeRow]:
    """Every row is one settled fill on the ledger, and every settled fill has its row."""
    settled = {(trade.settlement, trade.place): trade for trade in replay.trades}
    trades = []
    for line, row in _rows(path, TRADE_COLUMNS):
        t, energy, price, amount_nano, place = (_integer(path, line, row[i]) for i in (0, 1, 2, 3, 5))
        trade = settled.pop((_digest(path, line, row[4]), place), None)
        if trade is None:
            raise AuditError(path.name, line, "no settlement of the ledger has this fill, or an earlier row names it")
        if (t, energy) != (trade.t, trade.energy_wh):
            raise AuditError(path.name, line, f"the ledger's trade is {trade.energy_wh} Wh in interval {trade.t}")
        if (price, amount_nano) != (trade.price_nano_per_wh, trade.amount_nano):
            reason = f"the ledger's trade pays {trade.price_nano_per_wh} per Wh, {trade.amount_nano} nano in all"
            raise AuditError(path.name, line, reason)
        trades.append(TradeRow(t, energy, price))
    if settled:
        raise AuditError(path.name, len(trades) + 2, f"{len(settled)} trades of the ledger have no row")
    return trades


def audit_prices(path: Path, replay: Replay, trades: Sequence[TradeRow]) -> None:
    """The DSO's prices are those on the ledger; the local price is that of every trade of the interval."""
    local = {t: {trade.price_nano_per_wh for trade in trades if trade.t == t} for t in {trade.t for trade in trades}}
    for line, row in _rows(path, PRICE_COLUMNS):
        t, consumption, production = (_integer(path, line, row[i]) for i in (0, 2, 3))
        if t != line - FIRST_LINE:
            raise AuditError(path.name, line, f"expected interval {line - FIRST_LINE}: one row for each, in order")
        price = price_at(replay.state, t)
        if price is None or (price.consumption_nano_per_wh, price.production_nano_per_wh) != (consumption, production):
            raise AuditError(path.name, line, f"the ledger's prices of interval {t} are others")
        claimed = {_integer(path, line, row[4])} if row[4] else set()
        if claimed != local.get(t, set()):
            raise AuditError(path.name, line, f"the trades of interval {t} were made at {sorted(local.get(t, set()))}")
        local.pop(t, None)
    if local:
        raise AuditError(path.name, 1, f"interval {min(local)} has trades and no row")


def _rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    line = 0
    try:
        with path.open(encoding="utf-8", newline="") as file:
            for line, row in enumerate(csv.reader(file), start=1):
                if len(row) != len(columns) or (line == 1 and row != list(columns)):
                    raise AuditError(path.name, line, f"expected the columns {', '.join(columns)}")
                if line > 1:
                    yield line, row
    except (UnicodeDecodeError, csv.Error) as error:
        raise AuditError(path.name, line + 1, f"no CSV in UTF-8: {error}") from error


def _integer(path: Path, line: int, text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > MAX_DIGITS:
        raise AuditError(path.name, line, f"{text[:MAX_DIGITS]!r} is not a whole number of at most {MAX_DIGITS} digits")
    return int(text)


def _digest(path: Path, line: int, text: str) -> Digest:
    try:
        return Digest(bytes.fromhex(text.removeprefix("0x")))
    except ValueError:
        raise AuditError(path.name, line, f"{text!r} is not a digest") from None
