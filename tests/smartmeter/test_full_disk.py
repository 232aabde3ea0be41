"""A full disk, as the kernel makes it for this process: the cause is told, nothing is half stored, and all goes on."""

import resource
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from assets.intervals import IntervalGrid
from assets.keys import Address
from assets.transactions import Domain
from smartmeter.book import Book
from smartmeter.commitments.book import CommitmentBook
from smartmeter.journal import CounterLimits, Journal, Reading

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the limit is Linux's")

C = "grid/import_energy"


@contextmanager
def full_disk() -> Iterator[None]:
    """No file of this process can grow beyond one block."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def readings(first: int) -> list[Reading]:
    return [Reading(C, (first + i) * 60_000, bytes(2000), first + i) for i in range(40)]


def test_a_journal_says_that_the_disk_is_full_stores_nothing_and_goes_on(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.db", IntervalGrid(0, 3600), {C: CounterLimits(20_000)})
    journal.append(readings(1))
    journal.use()
    with full_disk(), pytest.raises(sqlite3.OperationalError, match="disk"):
        journal.append(readings(100))
    assert len(journal.raw()) == 40
    journal.append(readings(200))
    with full_disk(), pytest.raises(sqlite3.OperationalError, match="disk"):
        journal.use()
    assert journal.use() == 40
    again, same = journal.replayed()
    assert same
    again.close()
    journal.close()


def test_a_book_says_that_the_disk_is_full_and_changes_nothing(tmp_path: Path) -> None:
    book = Book(tmp_path / "book.db", 3, Domain(7, Address(b"\x01" * 20)))

    def fill() -> None:
        with book.change():
            for t in range(200):
                book._db.execute("INSERT INTO bill VALUES (?, ?, 0)", (t, "x" * 2000))

    with full_disk(), pytest.raises(sqlite3.OperationalError, match="disk"):
        fill()
    assert book.next_bill is None
    assert book.start(5) == 5
    book.close()


def test_a_book_of_commitments_says_that_the_disk_is_full_and_goes_on(tmp_path: Path) -> None:
    book = CommitmentBook(tmp_path / "commitments.db", 3, bytes(32), "secp256k1")
    with full_disk(), pytest.raises(sqlite3.OperationalError, match="disk"):
        book.open(0, 1, 2)
    book.open(0, 1, 2)
    book.close()
