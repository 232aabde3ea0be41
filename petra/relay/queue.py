"""What a relay has taken and not yet carried for good: in a file, so that it survives ``kill -9``.

Rows are ordered by digest, and nothing tells when or from whom one came: who gets hold of the file learns what the
ledger will show anyway.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import RLock

from assets.hashing import keccak
from assets.keys import Digest
from assets.transactions import Cancel, Domain, Transact, Withdraw
from petra.relay.refusals import InTheWay
from petra.relay.wire import Carried, decoded

SCHEMA = """
CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS item (
    digest BLOB PRIMARY KEY, body BLOB NOT NULL, recorded_s INTEGER
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS claim (what BLOB PRIMARY KEY, digest BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS claim_digest ON claim (digest);
"""


@dataclass(frozen=True, slots=True)
class Item:
    """One transaction that was taken."""

    digest: Digest
    body: bytes
    """Canonical JSON."""
    recorded_s: int | None
    """Since when it was seen on the ledger, Unix seconds; ``None`` while it is to be carried."""

    @property
    def signed(self) -> Carried:
        """The transaction."""
        return decoded(self.body)


def claims_of(tx: Withdraw | Transact | Cancel) -> tuple[bytes, ...]:
    """What only one transaction at a time can have: the notes it spends, the meter's number, the owner."""
    match tx:
        case Transact(inputs=inputs):
            return tuple(note.id for note in inputs)
        case Withdraw(meter=meter, nonce=nonce):
            return (keccak(b"meter %d %d" % (meter, nonce)),)
        case Cancel(owner=owner):
            return (keccak(b"owner " + owner),)


class Queue:
    """The file. Safe to use from several threads."""

    def __init__(self, path: Path, domain: Domain) -> None:
        """Raises ``ValueError`` if the file is of another ledger, ``ConnectionError`` if it cannot be used."""
        self._lock = RLock()
        try:
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
            for pragma in ("journal_mode=WAL", "synchronous=FULL"):
                self._db.execute(f"PRAGMA {pragma}")
            self._db.executescript(SCHEMA)
            with self._change():
                self._db.execute("INSERT OR IGNORE INTO about VALUES ('ledger', ?)", (domain.separator,))
            (found,) = self._db.execute("SELECT value FROM about WHERE name = 'ledger'").fetchone()
        except sqlite3.Error as error:
            raise ConnectionError(
                f"the relay's queue {path} cannot be used ({error}); free the disk, or move it"
            ) from None
        if found != domain.separator:
            raise ValueError(f"{path} is the queue for another ledger; give each ledger's relay a file of its own")

    @contextmanager
    def _change(self) -> Iterator[None]:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # SQLite ends it itself when the disk is full
                    self._db.execute("ROLLBACK")
                raise

    def add(self, digest: Digest, body: bytes, tx: Withdraw | Transact | Cancel) -> bool:
        """Take a transaction, durably; ``False`` if it was there. Raises :class:`InTheWay`."""
        with self._change():
            if self._db.execute("SELECT 1 FROM item WHERE digest = ?", (digest,)).fetchone():
                return False
            for what in claims_of(tx):
                if self._db.execute("SELECT 1 FROM claim WHERE what = ?", (what,)).fetchone():
                    raise InTheWay(
                        "another transaction that uses the same note, meter or owner waits here; wait for its verdict"
                    )
                self._db.execute("INSERT INTO claim VALUES (?, ?)", (what, digest))
            self._db.execute("INSERT INTO item VALUES (?, ?, NULL)", (digest, body))
            return True

    def has(self, digest: Digest) -> bool:
        """Whether it was taken, and is not yet forgotten."""
        with self._lock:
            return self._db.execute("SELECT 1 FROM item WHERE digest = ?", (digest,)).fetchone() is not None

    def waiting(self) -> int:
        """How many are to be carried."""
        with self._lock:
            return int(self._db.execute("SELECT count(*) FROM item WHERE recorded_s IS NULL").fetchone()[0])

    def items(self) -> list[Item]:
        """All, in the order of their digests."""
        with self._lock:
            rows = self._db.execute("SELECT digest, body, recorded_s FROM item ORDER BY digest").fetchall()
        return [Item(Digest(digest), body, recorded_s) for digest, body, recorded_s in rows]

    def note_recorded(self, digests: Iterable[Digest], recorded_s: int | None) -> None:
        """They are on the ledger since ``recorded_s``, or, with ``None``, not any more.

        What is recorded stands in nobody's way: its notes are spent.
        """
        with self._change():
            for digest in digests:
                self._db.execute("UPDATE item SET recorded_s = ? WHERE digest = ?", (recorded_s, digest))
                self._db.execute("DELETE FROM claim WHERE digest = ?", (digest,))

    def drop(self, digests: Iterable[Digest]) -> None:
        """Forget them."""
        with self._change():
            for digest in digests:
                self._db.execute("DELETE FROM item WHERE digest = ?", (digest,))
                self._db.execute("DELETE FROM claim WHERE digest = ?", (digest,))

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()
