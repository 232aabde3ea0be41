"""Taking in private statements: verified against their sheets and the ledger, on disk, and only then acknowledged."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from assets.commitments.codec import read_publication
from assets.commitments.errors import BadStatement
from assets.commitments.group import Group
from assets.commitments.statement import PrivateStatement
from assets.port import Ledger
from assets.statement import first_open_interval
from dso.private_statements import PrivateStatements

BOOKED = "booked"
MAX_BYTES = 16_000_000
"""Largest publication: ten times a month of quarter-hours."""


class PublicationStore:
    """Publications on disk, as they came: an SQLite file. What is written is on disk when the method returns."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS publications (seq INTEGER PRIMARY KEY, body BLOB NOT NULL UNIQUE, "
            "received_s INTEGER NOT NULL, verdict TEXT NOT NULL)"
        )

    def keep(self, body: bytes, received_s: int, verdict: str) -> None:
        """Keep a publication; one that was kept before with this very content changes nothing, unless it is booked now.

        It may be refused because it comes too early, and be good later: its place is then behind all others.
        """
        how = "REPLACE" if verdict == BOOKED else "IGNORE"
        insert = f"INSERT OR {how} INTO publications VALUES (NULL, ?, ?, ?)"  # noqa: S608 - one of two constants, above; what came from outside is bound
        self._db.execute(insert, (body, received_s, verdict))

    def verdict(self, body: bytes) -> str | None:
        """What was decided on a publication that came before."""
        row = self._db.execute("SELECT verdict FROM publications WHERE body = ?", (body,)).fetchone()
        return None if row is None else str(row[0])

    def all(self) -> Iterator[tuple[bytes, int, str]]:
        """Publications with ledger time and verdict, in the order of their arrival."""
        yield from self._db.execute("SELECT body, received_s, verdict FROM publications ORDER BY seq").fetchall()

    def close(self) -> None:
        """Close the file."""
        self._db.close()


class PrivateIntake:
    """A desk for each group of commitments whose every booking is in a store. Safe to call from several threads."""

    def __init__(self, ledger: Ledger, store: PublicationStore, gate_s: int, late_s: int = 86_400) -> None:
        """``late_s``: seconds after the deposit deadline of its last interval at which a statement is late."""
        self._ledger, self._store, self._gate_s, self._late_s = ledger, store, gate_s, late_s
        self._lock = Lock()
        self._replay()

    def _replay(self) -> None:
        self._stale = True
        self._desks: dict[str, PrivateStatements] = {}
        self._booked: list[tuple[PrivateStatement, int]] = []
        self._refused: list[tuple[int, str]] = []
        for body, received_s, verdict in self._store.all():
            group, sheets, signed = read_publication(body)
            desk = self._desk(group)
            for sheet in sheets:
                try:
                    desk.receive_sheet(sheet, restored=True)
                except BadStatement:
                    if verdict == BOOKED:
                        raise
            if verdict == BOOKED:
                desk.receive(signed, restored=True)
                self._booked.append((signed.statement, received_s))
            else:
                self._refused.append((signed.statement.meter, verdict))
        self._stale = False

    @contextmanager
    def _books(self) -> Iterator[None]:
        """Nobody else at the books, and in them what is on disk: read anew where memory may hold something else."""
        with self._lock:
            if self._stale:
                self._replay()
            yield

    def reload(self) -> None:
        """Read disk and ledger anew at the next request, after the chain dropped entries that were read before."""
        with self._lock:
            self._stale = True

    def _desk(self, group: Group) -> PrivateStatements:
        return self._desks.setdefault(group.name, PrivateStatements(self._ledger, self._gate_s, group))

    def receive(self, body: bytes) -> bool:
        """Book a publication; ``True`` if it is new, ``False`` if it was booked before (a repeated delivery).

        Raises ``EncodingError`` for what is no publication, and ``BadStatement`` with the field that does not hold;
        such a publication is kept as evidence if its meter signed all of it, and nobody else left out a part.
        """
        group, sheets, signed = read_publication(body)
        with self._books():
            s = signed.statement
            if self._store.verdict(body) == BOOKED or any(s == booked for booked, _ in self._booked):
                return False
            now_s, desk = self._ledger.now_s, self._desk(group)
            desk.check_signature(signed, sheets)
            whole = sum(k.sheet.last - k.sheet.first + 1 for k in sheets) >= s.last - s.first + 1
            try:
                if self._covers(s.meter, s.first, s.last):
                    raise BadStatement(s.meter, "first", "the period overlaps one that was billed before")
                for sheet in sheets:
                    desk.receive_sheet(sheet)
                desk.receive(signed)
            except BadStatement as bad:
                if whole:
                    self._store.keep(body, now_s, bad.field)
                    self._refused.append((s.meter, bad.field))
                raise
            try:
                self._store.keep(body, now_s, BOOKED)
            except Exception:
                self._stale = True  # memory holds what the disk does not: forget it
                raise
            self._booked.append((s, now_s))
            return True

    def statements(self) -> list[PrivateStatement]:
        """All that was booked, in the order of arrival."""
        with self._books():
            return [s for s, _ in self._booked]

    def covers(self, meter: int, first: int, last: int) -> bool:
        """Whether a booked statement of the meter has any of the intervals ``first..last``."""
        with self._books():
            return self._covers(meter, first, last)

    def _covers(self, meter: int, first: int, last: int) -> bool:
        return any(s.meter == meter and s.first <= last and first <= s.last for s, _ in self._booked)

    def states(self, meter: int, first: int, last: int) -> bool:
        """Whether booked statements of the meter have all of the intervals ``first..last``."""
        with self._books():
            spans = [range(s.first, s.last + 1) for s, _ in self._booked if s.meter == meter]
        return all(any(t in span for span in spans) for t in range(first, last + 1))

    def faults(self) -> dict[str, list[int]]:
        """Meters by fault: late, contradictory, implausible."""
        with self._books():
            late = {
                s.meter
                for s, received_s in self._booked
                if s.last < first_open_interval(self._ledger.grid, received_s - self._late_s, self._gate_s)
            }
            twofold = {kept.sheet.meter for desk in self._desks.values() for kept, _ in desk.contradictions}
            wrong = {meter for meter, _ in self._refused}
        return {"late": sorted(late), "contradictory": sorted(twofold), "implausible": sorted(wrong - twofold)}
