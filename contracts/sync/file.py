"""A follower's store in one SQLite file: after a crash at any instant it holds whole blocks, each exactly once."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from assets.transactions import Domain
from contracts.sync.store import WINDOW, BlockId, LogRecord, StoreError

FORMAT = "petra-sync-1"
"""Name and version of the file's format."""

WORD = 32
"""Bytes of a topic."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS block (number INTEGER PRIMARY KEY, hash BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS log (
    seq INTEGER PRIMARY KEY, block INTEGER NOT NULL, position INTEGER NOT NULL,
    topics BLOB NOT NULL, data BLOB NOT NULL, UNIQUE (block, position)
) STRICT;
"""


class FileStore:
    """Events and cursor of one ledger in the file ``path``; one process at a time may follow into it."""

    def __init__(self, path: Path, ledger: Domain) -> None:
        """Open the file, or make it. Raises :class:`~contracts.sync.store.StoreError`."""
        self._path = path
        about = {"format": FORMAT, "chain": str(ledger.chain_id), "contract": "0x" + ledger.contract.hex()}
        try:
            self._db = sqlite3.connect(path, isolation_level=None, timeout=5)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")  # events and cursor go together: a power cut loses both
            self._db.executescript(f"BEGIN IMMEDIATE; {SCHEMA} COMMIT;")
            with self._change():
                if not self._db.execute("SELECT 1 FROM about").fetchone():
                    self._db.executemany("INSERT INTO about VALUES (?, ?)", about.items())
                found = dict(self._db.execute("SELECT name, value FROM about").fetchall())
        except sqlite3.Error as failure:
            raise StoreError(f"{path} cannot be used as a store ({failure}); give another file") from failure
        if found != about:
            self._db.close()
            raise StoreError(f"{path} is of another ledger or format ({found}); give another file, or remove it")

    def close(self) -> None:
        """Close the file; everything is in it already."""
        self._db.close()

    def window(self) -> list[BlockId]:
        """The newest blocks read, oldest first."""
        rows = self._ask("SELECT number, hash FROM block ORDER BY number")
        return [BlockId(number, block_hash) for number, block_hash in rows]

    def count(self) -> int:
        """Number of events kept."""
        ((count,),) = self._ask("SELECT COALESCE(MAX(seq) + 1, 0) FROM log")
        return count  # type: ignore[no-any-return]  # of an INTEGER column

    def records(self, start: int = 0) -> list[LogRecord]:
        """The events from the ``start``-th on."""
        rows = self._ask("SELECT block, position, topics, data FROM log WHERE seq >= ? ORDER BY seq", start)
        return [LogRecord(block, position, _split(topics), data) for block, position, topics, data in rows]

    def append(self, cursor: BlockId | None, records: Sequence[LogRecord], blocks: Sequence[BlockId]) -> None:
        """Keep what followed ``cursor``, all of it or nothing."""
        with self._change():
            newest = self._db.execute("SELECT number, hash FROM block ORDER BY number DESC LIMIT 1").fetchone()
            if cursor != (BlockId(*newest) if newest else None):
                raise StoreError(f"another process follows the ledger into {self._path}; give each a file of its own")
            seq = self.count()
            rows = [(seq + i, r.block, r.position, b"".join(r.topics), r.data) for i, r in enumerate(records)]
            self._db.executemany("INSERT INTO log VALUES (?, ?, ?, ?, ?)", rows)
            self._db.executemany("INSERT INTO block VALUES (?, ?)", [(b.number, b.hash) for b in blocks])
            old = "DELETE FROM block WHERE number NOT IN (SELECT number FROM block ORDER BY number DESC LIMIT ?)"
            self._db.execute(old, (WINDOW,))

    def rollback(self, number: int) -> None:
        """Forget the blocks after ``number`` and their events, all of them or none."""
        with self._change():
            self._db.execute("DELETE FROM block WHERE number > ?", (number,))
            self._db.execute("DELETE FROM log WHERE block > ?", (number,))

    def _ask(self, question: str, *values: object) -> list[Any]:
        try:
            return self._db.execute(question, values).fetchall()
        except sqlite3.Error as failure:
            raise StoreError(f"{self._path} cannot be read ({failure}); remove it, and all is read again") from failure

    @contextmanager
    def _change(self) -> Iterator[None]:
        """One transaction of the database."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
        except sqlite3.Error as failure:
            raise StoreError(
                f"{self._path} cannot be written ({failure}); free the disk, or give another file"
            ) from failure


def _split(topics: bytes) -> tuple[bytes, ...]:
    return tuple(topics[at : at + WORD] for at in range(0, len(topics), WORD))
