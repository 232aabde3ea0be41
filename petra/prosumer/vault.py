"""Records in one SQLite file that shows nothing: values encrypted, names hashed under a secret, lengths in steps.

A change is durable when the call returns (WAL, ``synchronous=FULL``). Changes to the file that its owner did not make
are noticed when it is opened: each value carries its own name and a seal, and a sum over all records tells that none
was taken away, or put back to what it was. An old copy of the *whole* file is sound in itself, and is not noticed.
"""

import hmac
import json
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from nacl.exceptions import CryptoError
from nacl.secret import SecretBox

PADDED_TO = 256
"""Values are padded to a multiple of so many bytes."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS record (
    seq INTEGER PRIMARY KEY, kind BLOB NOT NULL, name BLOB NOT NULL UNIQUE, value BLOB NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS of_kind ON record (kind, seq);
CREATE TABLE IF NOT EXISTS tally (one INTEGER PRIMARY KEY CHECK (one = 1), value BLOB NOT NULL) STRICT;
"""

_MODULUS = 2**256

Value = dict[str, int | str | bool | None]
"""What a record holds."""


class VaultError(ValueError):
    """A file that cannot be used, or was changed by somebody else; says what to do."""


class Vault:
    """Encrypted records, each with a kind and a name. Usable from several threads and processes."""

    def __init__(self, path: Path, secret: bytes) -> None:
        """Open the file, or make it; ``secret`` is 32 bytes. Raises :class:`VaultError`."""
        self._path = path
        self._box = SecretBox(hmac.digest(secret, b"petra vault values", "sha256"))
        self._name_key = hmac.digest(secret, b"petra vault names", "sha256")
        self._sum_key = hmac.digest(secret, b"petra vault sum", "sha256")
        self._lock = threading.RLock()
        self._inside = False
        try:
            if str(path) != ":memory:":
                os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            self._db = sqlite3.connect(path, isolation_level=None, timeout=10, check_same_thread=False)
            try:
                self._db.execute("PRAGMA journal_mode=WAL")
                self._db.execute("PRAGMA synchronous=FULL")
                self._db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")
                self._check()
            except BaseException:
                self._db.close()
                raise
        except (sqlite3.Error, OSError) as failure:
            raise VaultError(f"{path} cannot be used ({failure}); free the disk, or restore the wallet") from None

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def get(self, kind: str, name: str) -> Value | None:
        """The record of that kind and name, if there is one."""
        with self._lock:
            row = self._db.execute("SELECT value FROM record WHERE name = ?", (self._hash(kind, name),)).fetchone()
        return None if row is None else self._open(kind, row[0])[1]

    def all(self, kind: str) -> list[tuple[str, Value]]:
        """Name and value of every record of a kind, in the order in which they were first put."""
        with self._lock:
            rows = self._db.execute("SELECT value FROM record WHERE kind = ? ORDER BY seq", (self._hash(kind),))
            return [self._open(kind, value) for (value,) in rows]

    def count(self, kind: str) -> int:
        """Number of records of a kind."""
        with self._lock:
            (count,) = self._db.execute("SELECT COUNT(*) FROM record WHERE kind = ?", (self._hash(kind),)).fetchone()
        return int(count)

    def put(self, kind: str, name: str, value: Value) -> None:
        """Keep ``value``, in place of what was there; durable when this returns, or when :meth:`change` ends."""
        hashed, sealed = self._hash(kind, name), self._seal(kind, name, value)
        with self.change():
            count, total = self._tally()
            old = self._db.execute("SELECT value FROM record WHERE name = ?", (hashed,)).fetchone()
            if old is None:
                row = (self._hash(kind), hashed, sealed)
                self._db.execute("INSERT INTO record (kind, name, value) VALUES (?, ?, ?)", row)
                count += 1
            else:
                self._db.execute("UPDATE record SET value = ? WHERE name = ?", (sealed, hashed))
                total -= self._term(hashed, old[0])
            self._store_tally(count, (total + self._term(hashed, sealed)) % _MODULUS)

    @contextmanager
    def change(self) -> Iterator[None]:
        """All changes within happen together or not at all, and no other process changes anything meanwhile."""
        with self._lock:
            if self._inside:
                yield
                return
            try:
                self._db.execute("BEGIN IMMEDIATE")
                self._inside = True
                try:
                    yield
                except BaseException:
                    if self._db.in_transaction:  # SQLite ends it itself when the disk is full
                        self._db.execute("ROLLBACK")
                    raise
                finally:
                    self._inside = False
                self._db.execute("COMMIT")
            except sqlite3.Error as failure:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise VaultError(f"{self._path} cannot be written ({failure}); free the disk, and try again") from None

    def __repr__(self) -> str:
        return "Vault()"

    def _check(self) -> None:
        """Raise unless the records are those that were written last."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            fresh = self._db.execute("SELECT 1 FROM tally").fetchone() is None
            rows = self._db.execute("SELECT name, value FROM record").fetchall()
            if fresh and not rows:
                self._store_tally(0, 0)
            total = sum(self._term(name, value) for name, value in rows) % _MODULUS
            if (fresh and rows) or self._tally() != (len(rows), total):
                self._refuse("records are missing, or were changed")
        finally:
            self._db.execute("COMMIT")

    def _tally(self) -> tuple[int, int]:
        row = self._db.execute("SELECT value FROM tally").fetchone()
        if row is None:
            self._refuse("its tally is missing")
        value = self._open("tally", row[0])[1]
        return int(value["count"] or 0), int(str(value["sum"]), 16)

    def _store_tally(self, count: int, total: int) -> None:
        sealed = self._seal("tally", "", {"count": count, "sum": f"{total:x}"})
        self._db.execute("INSERT OR REPLACE INTO tally VALUES (1, ?)", (sealed,))

    def _term(self, name: bytes, sealed: bytes) -> int:
        """What a record adds to the sum: keyed, so that nobody else finds other records with the same sum."""
        return int.from_bytes(hmac.digest(self._sum_key, name + sealed, "sha256"), "big")

    def _hash(self, kind: str, name: str | None = None) -> bytes:
        text = json.dumps([kind] if name is None else [kind, name])
        return hmac.digest(self._name_key, text.encode(), "sha256")

    def _seal(self, kind: str, name: str, value: Value) -> bytes:
        plain = json.dumps([kind, name, value], separators=(",", ":")).encode()
        return bytes(self._box.encrypt(plain + b" " * (-len(plain) % PADDED_TO)))

    def _open(self, kind: str, sealed: bytes) -> tuple[str, Value]:
        try:
            found, name, value = json.loads(self._box.decrypt(sealed))
        except CryptoError:
            self._refuse("a record was changed, or it is of another wallet")
        if found != kind:
            self._refuse("a record was put in another one's place")
        return name, value

    def _refuse(self, what: str) -> NoReturn:
        raise VaultError(f"{self._path} is not to be trusted: {what}; make the wallet anew: petra wallet restore")
