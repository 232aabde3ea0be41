"""``trades.csv`` and ``prices.csv`` against the ledger."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from assets.keys import Digest
from assets.ledger import price_at
from petra.audit.error import AuditError
from petra.audit.ledger import Replay
from petra.audit.lines import audit_rows, read_lines
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


def audit_prices(path: Path, replay: Replay, trades: Sequence[TradeRow], start: datetime, intervals: int) -> None:
    """One row for each interval of the run: its start, the ledger's prices, and the price of all its trades."""
    audit_rows(path, _price_rows(path, replay, trades, start, intervals))


def _price_rows(
    path: Path, replay: Replay, trades: Sequence[TradeRow], start: datetime, intervals: int
) -> Iterator[Sequence[object]]:
    local: dict[int, set[int]] = {}
    for trade in trades:
        local.setdefault(trade.t, set()).add(trade.price_nano_per_wh)
    yield PRICE_COLUMNS
    step = timedelta(seconds=replay.state.grid.interval_s)
    for t in range(intervals):
        price, paid = price_at(replay.state, t), sorted(local.pop(t, set()))
        if price is None or len(paid) > 1:
            reason = f"the ledger has no price for interval {t}" if price is None else f"its trades were made at {paid}"
            raise AuditError(path.name, FIRST_LINE + t, reason)
        prices = price.consumption_nano_per_wh, price.production_nano_per_wh
        yield [t, (start + t * step).isoformat(), *prices, paid[0] if paid else ""]
    if local:
        raise AuditError(path.name, FIRST_LINE + intervals, f"interval {min(local)} has trades and no row")


def _rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """The cells of each row. What needs quotes is no cell of ours, so a row has one spelling."""
    rows = read_lines(path)
    if not rows or rows[0] != ",".join(columns):
        raise AuditError(path.name, 1, f"expected the columns {', '.join(columns)}")
    for line, text in enumerate(rows[1:], start=FIRST_LINE):
        cells = text.split(",")
        if len(cells) != len(columns):
            raise AuditError(path.name, line, f"expected the columns {', '.join(columns)}")
        yield line, cells


def _integer(path: Path, line: int, text: str) -> int:
    if not re.fullmatch(rf"0|[1-9][0-9]{{0,{MAX_DIGITS - 1}}}", text):
        raise AuditError(path.name, line, f"{text[:MAX_DIGITS]!r} is not a whole number of at most {MAX_DIGITS} digits")
    return int(text)


def _digest(path: Path, line: int, text: str) -> Digest:
    if not re.fullmatch("0x[0-9a-f]{64}", text):
        raise AuditError(path.name, line, f"{text[:80]!r} is not a digest: 0x and 64 hex digits")
    return Digest(bytes.fromhex(text[2:]))
