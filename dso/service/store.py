"""Statements on disk: what was acknowledged survives the death of the process, once."""

import sqlite3
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

from assets.statement import SignedStatement, Statement

FIELDS = tuple(f.name for f in fields(Statement))
_COLUMNS = ", ".join(FIELDS)
_MARKS = ", ".join("?" * (len(FIELDS) + 1))


class StatementStore:
    """An SQLite file. A method that writes returns only when the disk has it."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        # Totals may exceed SQLite's 64 bits, so they are text.
        columns = ", ".join(f"{name} TEXT NOT NULL" for name in FIELDS)
        self._db.execute(
            f"CREATE TABLE IF NOT EXISTS booked (seq INTEGER PRIMARY KEY, {columns}, signature BLOB NOT NULL, "
            "received_s INTEGER NOT NULL, UNIQUE (meter, nonce))"
        )
        self._db.execute(
            f"CREATE TABLE IF NOT EXISTS refused (seq INTEGER PRIMARY KEY, {columns}, signature BLOB NOT NULL, "
            "received_s INTEGER NOT NULL, reason TEXT NOT NULL)"
        )

    def book(self, signed: SignedStatement, received_s: int) -> None:
        """Keep a statement that was accepted. Raises ``sqlite3.Error``, keeping nothing."""
        insert = f"INSERT INTO booked VALUES (NULL, {_MARKS}, ?)"  # noqa: S608 - constants
        self._db.execute(insert, (*_row(signed), received_s))

    def count(self) -> int:
        """How many statements were accepted."""
        return int(self._db.execute("SELECT COUNT(*) FROM booked").fetchone()[0])

    def refuse(self, signed: SignedStatement, received_s: int, reason: str) -> None:
        """Keep a statement that was refused, as evidence; refused again for the same reason, it changes nothing."""
        known = "SELECT 1 FROM refused WHERE signature = ? AND reason = ?"
        insert = f"INSERT INTO refused SELECT NULL, {_MARKS}, ?, ? WHERE NOT EXISTS ({known})"
        self._db.execute(insert, (*_row(signed), received_s, reason, signed.signature, reason))

    def booked(self) -> Iterator[tuple[SignedStatement, int]]:
        """All accepted statements in the order of their arrival, each with its ledger time."""
        query = f"SELECT {_COLUMNS}, signature, received_s FROM booked ORDER BY seq"  # noqa: S608 - constants
        for *row, received_s in self._db.execute(query):
            yield _signed(row), received_s

    def refused(self) -> Iterator[tuple[SignedStatement, int, str]]:
        """All refused statements, each with its ledger time and the reason."""
        query = f"SELECT {_COLUMNS}, signature, received_s, reason FROM refused ORDER BY seq"  # noqa: S608 - constants
        for *row, received_s, reason in self._db.execute(query):
            yield _signed(row), received_s, reason

    def close(self) -> None:
        """Close the file."""
        self._db.close()


def _row(signed: SignedStatement) -> tuple[object, ...]:
    return (*(str(getattr(signed.statement, name)) for name in FIELDS), signed.signature)


def _signed(row: list[object]) -> SignedStatement:
    *numbers, signature = row
    values = {name: int(str(text)) for name, text in zip(FIELDS, numbers, strict=True)}
    if not isinstance(signature, bytes):
        raise ValueError("the store holds a signature that is no bytes; restore a backup")
    return SignedStatement(Statement(**values), signature)
