"""A day of one meter in simulated time, by processes that are killed: ``meter_day.py FOLDER INTERVALS KILLS SEED``.

Readings, the ledger's time and what the prosumer does follow from the time of the newest reading alone, so a process
that was killed goes on where the one before it stood. All else is the real thing: journal, book, ledger on a node.
Each process is forked from one that has imported everything, because starting Python would take most of the time.
"""

import importlib
import os
import random
import signal
import sys
import time
import traceback
from pathlib import Path

from assets.keys import SigningKey
from assets.notes import Kind, Note, issued
from assets.port import Ledger, NoteStatus
from assets.transactions import Transact, sign
from smartmeter.bookkeeper import Bookkeeper
from smartmeter.daemon import open_ledger
from smartmeter.folder import MeterFolder
from smartmeter.identity import DepositSeed, OwnerSeed
from smartmeter.journal import Journal, Reading
from tests.e2e.meter_world import KEY, SEED

STEP_S, BOOKS_S = 60, 300


def shown(second: int) -> tuple[int, int]:
    """What the counters show: an evening peak of imports, exports around noon, and a roll-over of the import."""
    imported = sum(1 + (7 * (s // 600) % 40) for s in range(0, second, 60))
    exported = sum((s // 60) % 9 for s in range(0, second, 60) if s % 7_200 > 3_600)
    return (2**32 - 500 + imported) % 2**32, exported


def read(journal: Journal, genesis_s: int, now_s: int) -> None:
    for counter, raw_wh in zip(("import", "export"), shown(now_s - genesis_s), strict=True):
        words = raw_wh.to_bytes(4, "big")
        journal.append([Reading(f"grid/{counter}_energy", now_s * 1000, words, raw_wh)])
    journal.use()


def deposit(books: Bookkeeper, ledger: Ledger, folder: MeterFolder, t: int) -> None:
    """The prosumer keeps one ECA note in every third window, sells an EPA note elsewhere, and deposits all else."""
    owners, deposits = OwnerSeed(SEED), DepositSeed(SEED)
    issue = next((i for i in folder.book().issues() if i.window == t), None)
    if issue is None:
        return
    entry = next((e for e in ledger.entries() if e.signed.tx == issue.signed.tx), None)
    if entry is None:
        return
    for index, note in enumerate(issued(issue.signed.tx.outputs, entry.digest)):
        if ledger.status(note.id) is not NoteStatus.UNSPENT:
            continue
        owner = deposits.address(t, index)
        if index == 0:
            owner = SigningKey(b"\x77" * 32).address
        elif note.note.kind == Kind.ECA and index == 2 and t % 3 == 0:
            continue
        moved = Note(note.note.kind, owner, note.note.quantity, note.note.start, note.note.end)
        ledger.submit([sign(ledger.domain, Transact((note,), (moved,)), owners.key(t, index))])[0].require()


def work(path: str, intervals: int, told: int) -> None:
    """The meter, from where the process before it stood to the end of the day; tells of each reading."""
    folder = MeterFolder(Path(path))
    grid = folder.config.ledger.grid
    ledger, journal, book = open_ledger(folder), folder.journal(), folder.book()
    journal.use()
    books = Bookkeeper(
        folder.config.number, SigningKey(KEY), SEED, ledger.domain, grid, folder.config.notes, folder.config.gate_s,
        folder.config.standard_set.lead, 86_400, folder.wiring, journal, book, lambda: ledger,
    )  # fmt: skip
    raw = journal.raw()
    # Both counters are one reading: a process killed between the two does it again.
    now_s = max((r.time_ms for r in raw), default=(grid.genesis_s + 30) * 1000) // 1000
    while now_s <= grid.genesis_s + (intervals + 1) * grid.interval_s + STEP_S:
        read(journal, grid.genesis_s, now_s)
        if (now_s - grid.genesis_s) % BOOKS_S < STEP_S or len(raw):
            raw = []
            ledger.advance_to(now_s)
            books.step(now_s)
            deposit(books, ledger, folder, grid.index(now_s))
        now_s += STEP_S
        os.write(told, b".")


def day(path: str, intervals: int, kills: int, seed: int) -> int:
    """Run the day until it is over, killed ``kills`` times at instants spread over it; how many kills hit."""
    draw, hits = random.Random(seed), 0
    most = intervals * MeterFolder(Path(path)).config.ledger.interval_s // STEP_S // (kills + 1)
    while True:
        reading, told = os.pipe()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                work(path, intervals, told)
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)
        os.close(told)
        if hits < kills:
            for _ in range(draw.randint(1, most)):
                os.read(reading, 1)
            time.sleep(draw.uniform(0, 0.1))  # so that it dies while it reads, stores, sends, counts or bills
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        os.close(reading)
        if status == 0:
            return hits
        if not os.WIFSIGNALED(status):
            sys.exit("the day failed; its traceback is above")
        hits += 1


def preload() -> None:
    """Import what the meter imports where it needs it, so that no child has to."""
    for name in ("web3", "web3.middleware", "contracts.ledger", "contracts.nodes", "contracts.provider"):
        importlib.import_module(name)
    importlib.import_module("contracts.sync.file")


if __name__ == "__main__":
    preload()
    print(day(sys.argv[1], *map(int, sys.argv[2:5])))
