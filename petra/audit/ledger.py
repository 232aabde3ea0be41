"""Replay ``ledger.jsonl`` through the executable specification."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from assets.chainlog import LogReader
from assets.errors import LogTampered, Refusal
from assets.ledger import LedgerState, apply, check
from assets.notes import Kind
from assets.port import Entry
from assets.statement import billed_window, first_open_interval
from assets.transactions import NO_MEMO, Settle, Transact, Withdraw, digest
from assets.units import energy_wh
from petra.audit.error import AuditError
from petra.trade import Trade, trades_of

ByMeter = Counter[tuple[int, int]]
"""A quantity by (meter, interval)."""


@dataclass
class Replay:
    """The ledger's state after its last entry, and what the audit of the bills needs to know of the way there."""

    state: LedgerState
    gate_s: int
    entries: int = 0
    signatures: int = 0
    issued: dict[Kind, ByMeter] = field(default_factory=lambda: {kind: Counter() for kind in Kind})
    """Energy (Wh) or FA (nano-units) that each meter issued, by the interval on whose bill it stands."""
    trades: list[Trade] = field(default_factory=list)
    """Settled fills, in the ledger's order."""
    mix_peers: list[int] = field(default_factory=list)
    """Number of notes of each mix."""
    note_sets: set[tuple[tuple[int, int], ...]] = field(default_factory=set)
    """(kind, quantity) of the notes of each withdrawal, every distinct list once."""

    def follow(self, entry: Entry) -> None:
        """Check ``entry`` by all rules of the ledger and apply it. Raises ``ValueError`` or a ``Refusal``."""
        if entry.time_s < self.state.time_s:
            raise ValueError(f"ledger time runs backwards, from {self.state.time_s} to {entry.time_s}")
        tx = entry.signed.tx
        if digest(self.state.domain, tx) != entry.digest:
            raise ValueError("the digest is not that of the transaction")
        self.state.time_s = entry.time_s
        check(self.state, entry.signed, entry.digest)
        apply(self.state, tx, entry.digest)
        self.entries += 1
        self.signatures += len(entry.signed.signatures)
        if isinstance(tx, Withdraw):
            self._count(tx, entry.time_s)
            self.note_sets.add(tuple((note.kind, note.quantity) for note in tx.outputs))
        elif isinstance(tx, Transact) and tx.memo != NO_MEMO:
            self.mix_peers.append(len(tx.inputs))
        elif isinstance(tx, Settle):
            self.trades += trades_of((entry,), self.state.grid.interval_s)
            self.signatures += sum(len(s.signatures) for fill in tx.fills for s in (fill.sell, fill.buy))

    def _count(self, tx: Withdraw, time_s: int) -> None:
        grid = self.state.grid
        first_open = first_open_interval(grid, time_s, self.gate_s)
        for note in tx.outputs:
            kind = Kind(note.kind)
            if kind == Kind.FA:
                self.issued[kind][tx.meter, billed_window(grid, tx.window, time_s, self.gate_s)] += note.amount_nano
                continue
            for t in range(max(note.start, first_open), note.end + 1):
                self.issued[kind][tx.meter, t] += energy_wh(note.power_w, grid.interval_s)


def replay_ledger(path: Path, gate_s: int, head: str) -> Replay:
    """Replay the log at ``path``, whose last hash was published as ``head``.

    Raises :class:`AuditError` naming the line of the first entry that was changed or that breaks a rule.
    """
    try:
        with path.open("rb") as file:
            return _replay(path.name, file, gate_s, head)
    except LogTampered as tampered:
        raise AuditError(path.name, tampered.line_number, tampered.reason) from tampered


def _replay(name: str, lines: Iterator[bytes], gate_s: int, head: str) -> Replay:
    reader = LogReader(lines, counted=True)
    genesis = reader.genesis
    replay = Replay(LedgerState(genesis.domain, genesis.grid, genesis.dso, time_s=0), gate_s)
    for entry in reader:
        try:
            replay.follow(entry)
        except (Refusal, ValueError) as error:
            raise AuditError(name, reader.line_number, str(error)) from error
    if "0x" + reader.head.hex() != head:
        reason = f"the log ends with hash 0x{reader.head.hex()}, but summary.json publishes {head!r}; lines are missing"
        raise AuditError(name, reader.line_number, reason)
    return replay
