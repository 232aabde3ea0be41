"""A follower's store in one SQLite file: after a crash at any instant it holds whole blocks, each exactly once.

The file is read with suspicion. Every event carries the running hash of all events up to it; a tally, changed together
with the cursor, has their number and last hash and a seal over itself and the blocks. So a file that lost or changed
anything is refused, not believed. The hashes have no key: they find damage and careless edits, not forgery.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import NoReturn

from assets.transactions import Domain
from contracts.sync.store import WINDOW, BlockId, LogRecord, StoreError

FORMAT = "petra-sync-2"
"""Name and version of the file's format."""

OLDER_FORMATS = ("petra-sync-1",)
"""Formats of the same events without a tally."""

WORD = 32
"""Bytes of a topic."""

SCHEMA = """
CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE block (number INTEGER PRIMARY KEY, hash BLOB NOT NULL) STRICT;
CREATE TABLE log (
    seq INTEGER PRIMARY KEY, block INTEGER NOT NULL, position INTEGER NOT NULL,
    topics BLOB NOT NULL, data BLOB NOT NULL, hash BLOB NOT NULL, UNIQUE (block, position)
) STRICT;
CREATE TABLE tally (events INTEGER NOT NULL, head BLOB NOT NULL, seal BLOB NOT NULL) STRICT;
"""

REMEDY = "delete it, and all is read again from the chain"

MACHINE_FAULTS = frozenset(
    {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_BUSY}
    | {sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PERM, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_INTERRUPT}
)
"""Primary result codes that say nothing about what is in the file."""


@dataclass(frozen=True, slots=True)
class _Tally:
    events: int
    head: bytes
    """Running hash of all events."""

    def seal(self, blocks: Sequence[BlockId]) -> bytes:
        parts = [b"%d %b" % (self.events, self.head), *(b"%d %b" % (b.number, b.hash) for b in blocks)]
        return sha256(b"".join(sha256(part).digest() for part in parts)).digest()


NOTHING = _Tally(0, bytes(32))


class FileStore:
    """Events and cursor of one ledger in the file ``path``; one process at a time may follow into it."""

    def __init__(self, path: Path, ledger: Domain) -> None:
        """Open the file, or make it. Raises :class:`~contracts.sync.store.StoreError`."""
        self._path = path
        about = {"format": FORMAT, "chain": str(ledger.chain_id), "contract": "0x" + ledger.contract.hex()}
        try:
            self._db = sqlite3.connect(path, isolation_level=None, timeout=5)
            try:
                found = self._found(about)
            except BaseException:
                self._db.close()
                raise
        except sqlite3.Error as failure:
            raise StoreError(f"{path} cannot be used as a store ({failure}); give another file") from failure
        if found != about:
            self._db.close()
            if found.get("format") in OLDER_FORMATS and found | {"format": FORMAT} == about:
                raise StoreError(f"{path} is of an older format; {REMEDY}")
            raise StoreError(f"{path} is of another ledger or format ({found}); give another file, or remove it")

    def _found(self, about: dict[str, str]) -> dict[str, str]:
        """What the file says of itself; an empty file becomes a store first."""
        self._db.execute("BEGIN IMMEDIATE")
        tables = {name for (name,) in self._db.execute("SELECT name FROM sqlite_master")}
        if not tables:
            for statement in SCHEMA.split(";"):
                self._db.execute(statement)
            self._db.executemany("INSERT INTO about VALUES (?, ?)", about.items())
            self._db.execute("INSERT INTO tally VALUES (?, ?, ?)", (NOTHING.events, NOTHING.head, NOTHING.seal([])))
        found = dict(self._db.execute("SELECT name, value FROM about").fetchall()) if tables >= {"about"} else {}
        self._db.execute("COMMIT")
        if not tables or found == about:
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")  # events and cursor go together: a power cut loses both
        return found if tables else about

    def close(self) -> None:
        """Close the file; everything is in it already."""
        self._db.close()

    def window(self) -> list[BlockId]:
        """The newest blocks read, oldest first."""
        with self._transaction("read"):
            return self._sealed()[1]

    def count(self) -> int:
        """Number of events kept."""
        with self._transaction("read"):
            return self._sealed()[0].events

    def records(self, start: int = 0) -> list[LogRecord]:
        """The events from the ``start``-th on, each compared with its hash."""
        with self._transaction("read"):
            tally, _ = self._sealed()
            start = min(start, tally.events)
            head = self._head(start - 1)
            rows = self._db.execute("SELECT * FROM log WHERE seq >= ? ORDER BY seq", (start,)).fetchall()
        records = []
        for expected, (seq, block, position, topics, data, written) in enumerate(rows, start):
            record = LogRecord(block, position, _split(topics), data)
            head = _chained(head, record)
            if seq != expected:
                self._refuse(f"event {expected} is missing")
            if head != written:
                self._refuse(f"event {seq} was changed")
            records.append(record)
        if (start + len(records), head) != (tally.events, tally.head):
            self._refuse(f"it has {start + len(records)} of {tally.events} events, or others")
        return records

    def append(self, cursor: BlockId | None, records: Sequence[LogRecord], blocks: Sequence[BlockId]) -> None:
        """Keep what followed ``cursor``, all of it or nothing."""
        with self._transaction("written"):
            tally, window = self._sealed()
            if cursor != (window[-1] if window else None):
                raise StoreError(f"another process follows the ledger into {self._path}; give each a file of its own")
            if self._head(tally.events - 1) != tally.head:
                self._refuse("its last event was changed")
            head, rows = tally.head, []
            for seq, r in enumerate(records, tally.events):
                head = _chained(head, r)
                rows.append((seq, r.block, r.position, b"".join(r.topics), r.data, head))
            self._db.executemany("INSERT INTO log VALUES (?, ?, ?, ?, ?, ?)", rows)
            self._db.executemany("INSERT INTO block VALUES (?, ?)", [(b.number, b.hash) for b in blocks])
            old = "DELETE FROM block WHERE number NOT IN (SELECT number FROM block ORDER BY number DESC LIMIT ?)"
            self._db.execute(old, (WINDOW,))
            self._settle(_Tally(tally.events + len(rows), head))

    def rollback(self, number: int) -> None:
        """Forget the blocks after ``number`` and their events, all of them or none."""
        with self._transaction("written"):
            tally, _ = self._sealed()
            # The new tally is taken from what is left: what is missing now could not be noticed afterwards.
            extent = self._db.execute("SELECT COUNT(*), COALESCE(MIN(seq), 0), COALESCE(MAX(seq) + 1, 0) FROM log")
            if extent.fetchone() != (tally.events, 0, tally.events) or self._head(tally.events - 1) != tally.head:
                self._refuse("events are missing or were changed")
            self._db.execute("DELETE FROM block WHERE number > ?", (number,))
            self._db.execute("DELETE FROM log WHERE block > ?", (number,))
            ((left,),) = self._db.execute("SELECT COUNT(*) FROM log")
            self._settle(_Tally(left, self._head(left - 1)))

    def _sealed(self) -> tuple[_Tally, list[BlockId]]:
        """Tally and newest blocks, which go together."""
        rows = self._db.execute("SELECT events, head, seal FROM tally").fetchall()
        tally, blocks = _Tally(*rows[0][:2]) if rows else NOTHING, self._blocks()
        if len(rows) != 1 or tally.seal(blocks) != rows[0][2]:
            self._refuse("its blocks or its tally were changed")
        return tally, blocks

    def _settle(self, tally: _Tally) -> None:
        row = tally.events, tally.head, tally.seal(self._blocks())
        self._db.execute("UPDATE tally SET events = ?, head = ?, seal = ?", row)

    def _blocks(self) -> list[BlockId]:
        return [BlockId(*row) for row in self._db.execute("SELECT number, hash FROM block ORDER BY number")]

    def _head(self, seq: int) -> bytes:
        """The running hash up to the event ``seq``, as written; -1 is before the first."""
        if seq < 0:
            return NOTHING.head
        row: tuple[bytes] | None = self._db.execute("SELECT hash FROM log WHERE seq = ?", (seq,)).fetchone()
        if row is None:
            self._refuse(f"event {seq} is missing")
        return row[0]

    def _refuse(self, what: str) -> NoReturn:
        raise StoreError(f"{self._path} is damaged: {what}; {REMEDY}")

    @contextmanager
    def _transaction(self, what: str) -> Iterator[None]:
        """One transaction of the database, in which the file is ``what``."""
        try:
            self._db.execute("BEGIN IMMEDIATE" if what == "written" else "BEGIN")
            try:
                yield
            except BaseException:
                if self._db.in_transaction:  # SQLite ends it itself when the disk is full
                    self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
        except sqlite3.Error as failure:
            code = getattr(failure, "sqlite_errorcode", None)
            machine = code is not None and code & 0xFF in MACHINE_FAULTS
            remedy = "free the disk, or give another file" if machine else f"it is damaged: {REMEDY}"
            raise StoreError(f"{self._path} cannot be {what} ({failure}); {remedy}") from failure


def _chained(head: bytes, record: LogRecord) -> bytes:
    topics = b"".join(record.topics)
    return sha256(b"%b%d %d %d %b%b" % (head, record.block, record.position, len(topics), topics, record.data)).digest()


def _split(topics: bytes) -> tuple[bytes, ...]:
    return tuple(topics[at : at + WORD] for at in range(0, len(topics), WORD))
