"""``trades.csv`` and ``prices.csv`` against the ledger."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from assets.keys import Digest
from assets.ledger import price_at
from assets.notes import Kind
from assets.transactions import NO_MEMO, Transact
from assets.units import energy_wh
from petra.audit.error import AuditError
from petra.audit.ledger import Replay
from petra.rundir import PRICE_COLUMNS, TRADE_COLUMNS


@dataclass(frozen=True, slots=True)
class TradeRow:
    """One trade: its interval, and what changed hands."""

    t: int
    energy_wh: int
    price_nano_per_wh: int


def audit_trades(path: Path, replay: Replay) -> list[TradeRow]:
    """Every row is one joint transaction on the ledger, and every joint transaction has its row."""
    joint = {d: tx for d, tx in replay.transfers.items() if _is_trade(tx)}
    trades = []
    for line, row in _rows(path, TRADE_COLUMNS):
        t, energy, price, amount_nano = (_integer(path, line, value) for value in row[:-1])
        tx = joint.pop(_digest(path, line, row[-1]), None)
        if tx is None:
            raise AuditError(path.name, line, "no trade of the ledger has this digest, or an earlier row names it")
        sold = next(i.note for i in tx.inputs if i.note.kind == Kind.EPA)
        expected_wh = energy_wh(sold.power_w, replay.state.grid.interval_s) * (sold.end - sold.start + 1)
        if (t, energy) != (sold.start, expected_wh):
            raise AuditError(path.name, line, f"the ledger's trade is {expected_wh} Wh in interval {sold.start}")
        if amount_nano != price * energy:
            raise AuditError(path.name, line, f"{energy} Wh at {price} are {price * energy} nano, not {amount_nano}")
        if amount_nano and amount_nano not in {o.quantity for o in tx.outputs if o.kind == Kind.FA}:
            raise AuditError(path.name, line, f"no output of the ledger's trade pays {amount_nano} nano")
        trades.append(TradeRow(t, energy, price))
    if joint:
        raise AuditError(path.name, len(trades) + 2, f"{len(joint)} trades of the ledger have no row")
    return trades


def audit_prices(path: Path, replay: Replay, trades: Sequence[TradeRow]) -> None:
    """The DSO's prices are those on the ledger; the local price is that of every trade of the interval."""
    local = {t: {trade.price_nano_per_wh for trade in trades if trade.t == t} for t in {trade.t for trade in trades}}
    for line, row in _rows(path, PRICE_COLUMNS):
        t, consumption, production = (_integer(path, line, row[i]) for i in (0, 2, 3))
        price = price_at(replay.state, t)
        if price is None or (price.consumption_nano_per_wh, price.production_nano_per_wh) != (consumption, production):
            raise AuditError(path.name, line, f"the ledger's prices of interval {t} are others")
        claimed = {_integer(path, line, row[4])} if row[4] else set()
        if claimed != local.get(t, set()):
            raise AuditError(path.name, line, f"the trades of interval {t} were made at {sorted(local.get(t, set()))}")


def _is_trade(tx: Transact) -> bool:
    kinds = {i.note.kind for i in tx.inputs}
    return tx.memo == NO_MEMO and {Kind.EPA, Kind.ECA} <= kinds


def _rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    with path.open(encoding="utf-8", newline="") as file:
        for line, row in enumerate(csv.reader(file), start=1):
            if len(row) != len(columns) or (line == 1 and row != list(columns)):
                raise AuditError(path.name, line, f"expected the columns {', '.join(columns)}")
            if line > 1:
                yield line, row


def _integer(path: Path, line: int, text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise AuditError(path.name, line, f"{text!r} is not a whole number")
    return int(text)


def _digest(path: Path, line: int, text: str) -> Digest:
    try:
        return Digest(bytes.fromhex(text.removeprefix("0x")))
    except ValueError:
        raise AuditError(path.name, line, f"{text!r} is not a digest") from None
