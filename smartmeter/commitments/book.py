"""The commitment book: what a meter has committed to and opened, durably, so that it never does either twice."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from smartmeter.billing import BillingRecord, from_json, to_json

_SCHEMA = """
CREATE TABLE IF NOT EXISTS owner (meter INTEGER NOT NULL, ledger BLOB NOT NULL, grp TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS committed (t INTEGER PRIMARY KEY, sheet INTEGER NOT NULL, record TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS opened (nonce INTEGER PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL);
"""


class BookMismatch(ValueError):
    """The book belongs to another meter, ledger or group."""


class CommitmentBook:
    """Final bills that were committed to, by interval, and periods that were opened. One SQLite file (WAL).

    Everything is on disk before it is published: a meter killed at any instant finds here what it may have sent.
    """

    def __init__(self, path: Path | str, meter: int, ledger: bytes, group: str) -> None:
        """``path``: the file, or ``:memory:`` for a simulation. ``ledger``: the domain separator.

        Raises :class:`BookMismatch` if the file is another meter's, ledger's or group's.
        """
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.executescript(_SCHEMA)
        owner = self._db.execute("SELECT meter, ledger, grp FROM owner").fetchone()
        if owner is None:
            self._db.execute("INSERT INTO owner VALUES (?, ?, ?)", (meter, ledger, group))
        elif owner != (meter, ledger, group):
            self._db.close()
            raise BookMismatch(
                f"the commitment book is of meter {owner[0]} on {owner[2]}, not of meter {meter} on {group} "
                "on this ledger; give each its own file"
            )

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @property
    def next_interval(self) -> int | None:
        """The interval after the last one committed to, or opened; ``None`` before the first."""
        sql = "SELECT MAX(t) FROM (SELECT t FROM committed UNION ALL SELECT last AS t FROM opened)"
        (last,) = self._db.execute(sql).fetchone()
        return None if last is None else int(last) + 1

    def records(self, first: int, last: int) -> list[BillingRecord]:
        """The bills committed to within ``first..last``, by interval."""
        rows = self._db.execute("SELECT record FROM committed WHERE t BETWEEN ? AND ? ORDER BY t", (first, last))
        return [from_json(line) for (line,) in rows]

    def sheet_spans(self, first: int, last: int) -> list[tuple[int, int]]:
        """First and last interval of every sheet that touches ``first..last``."""
        rows = self._db.execute(
            "SELECT MIN(t), MAX(t) FROM committed WHERE sheet IN "
            "(SELECT sheet FROM committed WHERE t BETWEEN ? AND ?) GROUP BY sheet ORDER BY 1",
            (first, last),
        )
        return [(int(low), int(high)) for low, high in rows]

    def commit(self, records: Sequence[BillingRecord]) -> None:
        """Write down the bills of a new sheet, all or none."""
        first = records[0].t
        self._atomically("INSERT INTO committed VALUES (?, ?, ?)", [(r.t, first, to_json(r)) for r in records])

    def periods(self) -> dict[tuple[int, int], int]:
        """The periods opened so far, first and last interval, with their nonces, in order."""
        rows = self._db.execute("SELECT first, last, nonce FROM opened ORDER BY nonce")
        return {(int(first), int(last)): int(nonce) for first, last, nonce in rows}

    def open(self, nonce: int, first: int, last: int) -> None:
        """Write down that a period was opened."""
        self._atomically("INSERT INTO opened VALUES (?, ?, ?)", [(nonce, first, last)])

    def _atomically(self, sql: str, rows: Sequence[tuple[object, ...]]) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._db.executemany(sql, rows)
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:  # SQLite ends it itself when the disk is full
                self._db.execute("ROLLBACK")
            raise
