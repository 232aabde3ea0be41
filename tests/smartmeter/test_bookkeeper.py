"""The bookkeeper on the executable specification: what it does whatever ledger, readings and homes do."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from assets.commitments.groups import SECP256K1
from assets.intervals import IntervalGrid
from assets.keys import Address, Signer, SigningKey
from assets.ledger import SpecLedger
from assets.notes import Kind, Note, issued
from assets.port import Entry
from assets.transactions import (
    Authorisation,
    Domain,
    FeederCapacity,
    PriceChange,
    Regulate,
    Signed,
    Transact,
    Transaction,
    Withdraw,
    sign,
)
from contracts.errors import NodeError, Reorganised
from smartmeter.billing import recompute
from smartmeter.book import Book, BookError, Fate
from smartmeter.bookkeeper import Bookkeeper
from smartmeter.commitments.blinding import BlindingSecret
from smartmeter.commitments.book import CommitmentBook
from smartmeter.commitments.committer import Committer
from smartmeter.commitments.price_guard import PriceGuard
from smartmeter.flags import Flag, Quality
from smartmeter.identity import DepositSeed, OwnerSeed
from smartmeter.journal import CounterLimits, Journal, Reading
from smartmeter.standard_set import StandardSet
from smartmeter.wiring import Mounted, Role, Wiring

GRID = IntervalGrid(100_000, 3600)
DOMAIN = Domain(7, Address(b"\x01" * 20))
DSO, KEY, SEED = SigningKey(b"\x0d" * 32), SigningKey(b"\x11" * 32), b"\x22" * 32
NOTES = StandardSet(100, 2, 2, 1, 1000)
GATE_S = 600
COUNTERS = ("grid/import_energy", "grid/export_energy")


class World:
    """One meter, its ledger, its files, and the time."""

    def __init__(
        self,
        path: Path,
        *,
        prices: bool = True,
        authorised: bool = True,
        key: Signer = KEY,
        mounted: Sequence[Mounted] = (Mounted("grid", Role.GRID),),
    ) -> None:
        self.path, self.key = path, key
        self.ledger = SpecLedger(DOMAIN, GRID, DSO.address, time_s=GRID.genesis_s)
        self.down = False
        self.regulate(
            feeders=(FeederCapacity(1, 10**6, 10**6),),
            prices=(PriceChange(GRID.genesis_s, 240, 90),) if prices else (),
            authorise=(Authorisation(3, KEY.address, 1, 10**6, 10**6, 10**9),) if authorised else (),
        )
        self.wiring = Wiring(mounted, GRID.interval_s)
        self.journal = Journal(
            path / "journal.db", GRID, {c: CounterLimits(20_000) for c in self.wiring.counters}, 10**9
        )
        self.restart()

    def restart(self) -> None:
        self.book = Book(self.path / "book.db", 3, DOMAIN)
        self.books = Bookkeeper(
            3, self.key, SEED, DOMAIN, GRID, NOTES, GATE_S, 1, 4 * 3600, self.wiring, self.journal, self.book, self.open
        )  # fmt: skip

    def open(self) -> SpecLedger:
        if self.down:
            raise NodeError("down")
        return self.ledger

    def regulate(self, **fields: tuple[object, ...]) -> None:
        tx = Regulate(self.ledger.regulation_nonce(), **fields)  # type: ignore[arg-type]
        self.ledger.submit([sign(DOMAIN, tx, DSO)])[0].require()

    def read(self, now_s: int, import_wh: int) -> None:
        for counter, wh in zip(COUNTERS, (import_wh, 0), strict=True):
            self.journal.append([Reading(counter, now_s * 1000, b"", wh)])
        self.journal.use()

    def at(self, hours: float, import_wh: int | None = None) -> None:
        now_s = GRID.genesis_s + int(hours * 3600)
        if import_wh is not None:
            self.read(now_s, import_wh)
        self.ledger.advance_to(now_s)
        self.books.step(now_s)

    def deposit(self, window: int, index: int, owner: Address | None = None) -> None:
        """Move note ``index`` of a window's set to a deposit address."""
        entry = next(
            e for e in self.ledger.entries() if isinstance(e.signed.tx, Withdraw) and e.signed.tx.window == window
        )
        assert isinstance(entry.signed.tx, Withdraw)
        note = issued(entry.signed.tx.outputs, entry.digest)[index]
        to = owner or DepositSeed(SEED).address(window, index)
        moved = replace(note.note, owner=to)
        key = OwnerSeed(SEED).key(window, index)
        self.ledger.submit([sign(DOMAIN, Transact((note,), (moved,)), key)])[0].require()


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_the_standard_set_is_issued_once_per_window_to_the_addresses_of_the_seed(world: World) -> None:
    for tenth in range(31):
        world.at(tenth / 10, 10 * tenth)
        world.restart()
    sets = [e.signed.tx for e in world.ledger.entries() if isinstance(e.signed.tx, Withdraw)]
    assert [tx.window for tx in sets] == [1, 2, 3, 4]
    assert [tx.nonce for tx in sets] == [0, 1, 2, 3]
    assert [n.owner for n in sets[1].outputs] == OwnerSeed(SEED).owners(2, 5)
    world.at(3.1, 310)
    assert {i.fate for i in world.book.issues()} == {Fate.RECORDED}


def test_bills_follow_from_readings_and_deposits_and_survive_restarts(world: World) -> None:
    for tenth in range(42):
        world.at(tenth / 10, 10 * tenth)
        if tenth == 22:  # within window 2: one EPA is gone, all else comes back
            for index in (1, 2, 3, 4):
                world.deposit(2, index)
        world.restart()
    bills = world.book.bills()
    assert [b.t for b in bills] == [0, 1, 2]
    for bill in bills:
        recompute(bill)
    assert bills[2].measured_wh == 100
    assert (bills[2].epa_withdrawn_wh, bills[2].epa_deposited_wh) == (200, 100)
    assert bills[2].fa_deposited_nano == bills[2].fa_withdrawn_nano == 1000
    assert bills[2].residual_wh == 100 + 100
    assert bills[2].quality == Quality.MEASURED


def test_a_late_deposit_is_refused_with_its_reason_and_told_after_a_restart(world: World) -> None:
    for tenth in range(40):
        world.at(tenth / 10, 10 * tenth)
    world.deposit(1, 1)
    world.at(4.0, 400)
    world.restart()
    (refused,) = world.book.refused()
    assert (refused.kind, refused.first, refused.last) == (Kind.EPA, 1, 1)
    assert "deadline" in refused.reason
    assert world.book.bills()[1].epa_deposited_wh == 0


def test_foreign_epa_without_eca_is_flagged_and_not_credited(world: World) -> None:
    other = SigningKey(b"\x44" * 32)
    world.regulate(authorise=(Authorisation(4, other.address, 1, 10**6, 10**6, 10**9),))
    foreign = Note(Kind.EPA, DepositSeed(SEED).address(1, 9), 100, 1, 1)
    world.at(0.1, 0)
    world.ledger.submit([sign(DOMAIN, Withdraw(4, 0, 1, (foreign,)), other)])[0].require()
    for index in range(5):
        world.deposit(1, index)
    for tenth in range(2, 30):
        world.at(tenth / 10, 10 * tenth)
    bill = world.book.bills()[1]
    assert bill.flags & Flag.ECA_KEPT
    assert (bill.epa_deposited_wh, bill.matched_wh, bill.residual_wh) == (300, 0, 100)


def test_an_unreachable_ledger_loses_nothing(world: World) -> None:
    world.down = True
    for tenth in range(25):
        with pytest.raises(NodeError):
            world.at(tenth / 10, 10 * tenth)
    world.down = False
    world.at(2.5, 250)
    assert [(b.t, b.measured_wh) for b in world.book.bills()] == [(0, 100), (1, 100)]


def test_a_dead_analyser_delays_bills_and_its_energy_is_carried_to_the_next_one(world: World) -> None:
    for tenth in range(15):
        world.at(tenth / 10, 10 * tenth)
    world.at(3)
    assert [b.t for b in world.book.bills()] == [0]
    world.at(6.5)  # four hours after the deadline of interval 1: it is billed without readings
    assert [(b.t, b.measured_wh, b.quality) for b in world.book.bills()][1:] == [(1, 0, Quality.MISSING)]
    world.at(6.6, 660)
    bills = world.book.bills()
    assert [b.measured_wh for b in bills[:3]] == [100, 0, 200]
    assert bills[2].flags & Flag.CARRIED
    assert sum(b.measured_wh for b in bills) == world.book.base_wh == 100 * len(bills)


def test_a_meter_that_reads_for_the_first_time_does_not_wait_for_what_it_never_saw(world: World) -> None:
    world.at(0.1)
    world.at(2.5, 5_000)
    for tenth in range(26, 50):
        world.at(tenth / 10, 5_000 + 10 * (tenth - 25))
    bills = world.book.bills()
    assert [(b.t, b.measured_wh, b.quality) for b in bills][:3] == [
        (0, 0, Quality.MISSING),
        (1, 0, Quality.MISSING),
        (2, 50, Quality.MISSING),
    ]
    assert bills[2].flags & Flag.FIRST
    assert bills[3].measured_wh == 100


def test_without_a_price_nothing_is_issued_and_billing_begins_with_the_first_price(tmp_path: Path) -> None:
    world = World(tmp_path, prices=False)
    world.at(0.1, 10)
    world.at(0.9, 90)
    assert world.book.issues() == []
    world.regulate(prices=(PriceChange(GRID.start_s(1), 240, 90),))
    for tenth in range(10, 30):
        world.at(tenth / 10, 10 * tenth)
    bills = world.book.bills()
    assert [b.t for b in bills] == [1]
    assert bills[0].measured_wh == 190
    assert bills[0].flags & Flag.CARRIED


def test_a_refused_withdrawal_is_told_and_the_next_window_is_tried(tmp_path: Path) -> None:
    world = World(tmp_path, authorised=False)
    world.at(0.1, 10)
    (issue,) = world.book.issues()
    assert issue.fate is Fate.REFUSED
    assert issue.reason
    world.regulate(authorise=(Authorisation(3, KEY.address, 1, 10**6, 10**6, 10**9),))
    world.at(1.1, 110)
    world.at(1.2, 120)
    assert [i.fate for i in world.book.issues()] == [Fate.REFUSED, Fate.RECORDED]


def test_a_reorganisation_counts_again_and_comes_to_the_same(world: World) -> None:
    for tenth in range(15):
        world.at(tenth / 10, 10 * tenth)
    world.deposit(1, 1)
    world.at(1.6, 160)
    asked: list[int] = []

    class Forked:
        """The ledger, whose chain was just reorganised."""

        now_s, grid, domain = world.ledger.now_s, GRID, DOMAIN

        def entries(self, start: int = 0) -> list[Entry]:
            asked.append(start)
            if len(asked) == 1:
                raise Reorganised(0)
            return world.ledger.entries(start)

        def submit(self, batch: Sequence[Signed[Transaction]]) -> list[object]:
            raise AssertionError("nothing is due")

    world.books.follow(Forked(), GRID.genesis_s + 5_800)  # type: ignore[arg-type]
    assert asked[1] == 0
    for tenth in range(17, 30):
        world.at(tenth / 10, 10 * tenth)
    assert world.book.bills()[1].epa_deposited_wh == 100


def test_a_withdrawal_that_a_reorganisation_dropped_is_sent_again_as_it_was(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for tenth in range(15):
        world.at(tenth / 10, 10 * tenth)
    *kept, dropped = world.ledger.entries()
    assert isinstance(dropped.signed.tx, Withdraw)
    assert dropped.signed.tx.window == 2
    forked = SpecLedger(DOMAIN, GRID, DSO.address, time_s=GRID.genesis_s)
    for entry in kept:
        forked.advance_to(entry.time_s)
        forked.submit([entry.signed])[0].require()
    forked.advance_to(world.ledger.now_s)
    failures: list[Exception] = [Reorganised(0), NodeError("down")]

    def entries(start: int = 0) -> list[Entry]:
        if failures:
            raise failures.pop(0)
        return list(SpecLedger.entries(forked, start))

    monkeypatch.setattr(forked, "entries", entries)
    world.ledger = forked
    world.restart()
    with pytest.raises(NodeError):
        world.at(1.5, 150)
    world.restart()  # what is open is on the disk
    world.at(1.6, 160)
    world.at(1.7, 170)  # what the ledger took is read
    sets = [e.signed for e in forked.entries() if isinstance(e.signed.tx, Withdraw)]
    assert [signed.tx.window for signed in sets] == [1, 2]
    assert sets[1] == dropped.signed
    assert {i.fate for i in world.book.issues()} == {Fate.RECORDED}


def test_a_withdrawal_that_a_node_took_and_lost_before_it_was_read_is_sent_again(world: World) -> None:
    for tenth in range(10):
        world.at(tenth / 10, 10 * tenth)
    kept = world.ledger.entries()
    world.at(1.0, 100)
    taken = world.ledger.entries()[len(kept) :]
    assert [e.signed.tx.window for e in taken if isinstance(e.signed.tx, Withdraw)] == [2]
    forked = SpecLedger(DOMAIN, GRID, DSO.address, time_s=GRID.genesis_s)
    for entry in kept:
        forked.advance_to(entry.time_s)
        forked.submit([entry.signed])[0].require()
    world.ledger = forked
    world.restart()
    for tenth in range(11, 25):
        world.at(tenth / 10, 10 * tenth)
    sets = [e.signed for e in forked.entries() if isinstance(e.signed.tx, Withdraw)]
    assert [(signed.tx.window, signed.tx.nonce) for signed in sets] == [(1, 0), (2, 1), (3, 2)]
    assert sets[1] in [e.signed for e in taken]


def test_a_failure_while_storing_leaves_neither_bill_nor_count(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for tenth in range(12):
        world.at(tenth / 10, 10 * tenth)
    before = world.book.tally()

    def full(*_: object) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(world.book, "store_tally", full)
        with pytest.raises(OSError, match="disk full"):
            world.at(1.5, 150)
    assert world.book.bills() == []
    assert world.book.tally() == before
    world.at(1.5, 150)
    assert [b.measured_wh for b in world.book.bills()] == [100]


def test_a_book_is_one_meters_on_one_ledger(world: World) -> None:
    with pytest.raises(BookError, match="another meter"):
        Book(world.path / "book.db", 4, DOMAIN)


def test_a_period_is_stated_once_and_one_way(world: World) -> None:
    world.book.state_period(0, 9, "private")
    world.book.state_period(0, 9, "private")
    for first, last, kind in ((0, 9, "plain"), (5, 12, "private"), (9, 9, "plain")):
        with pytest.raises(BookError, match=r"0\.\.9 were stated as private"):
            world.book.state_period(first, last, kind)
    world.book.state_period(10, 12, "plain")
    assert len(world.book.stated()) == 2


def test_a_meter_restored_without_its_book_issues_no_window_twice_and_finds_its_deposits(world: World) -> None:
    for tenth in range(12):
        world.at(tenth / 10, 10 * tenth)
    world.deposit(2, 1)
    world.book.close()
    for file in world.path.glob("book.db*"):
        file.unlink()
    world.restart()
    for tenth in range(12, 33):
        world.at(tenth / 10, 10 * tenth)
    sets = [e.signed.tx for e in world.ledger.entries() if isinstance(e.signed.tx, Withdraw)]
    assert [tx.window for tx in sets] == [1, 2, 3, 4]
    bills = {b.t: b for b in world.book.bills()}
    assert bills[2].epa_deposited_wh == 100
    assert bills[2].fa_withdrawn_nano == 1000


def test_a_withdrawal_that_the_process_before_sent_is_found_on_the_ledger_and_not_sent_twice(world: World) -> None:
    world.at(0.1, 10)
    (issue,) = world.book.issues()
    world.book.settle_issue(issue.window, Fate.SENT)  # as if killed before the verdict was written down
    world.restart()
    world.books.issue(world.ledger, GRID.genesis_s + 400)
    assert [i.fate for i in world.book.issues()] == [Fate.SENT]
    world.at(0.2, 20)
    assert [i.fate for i in world.book.issues()] == [Fate.RECORDED]
    assert sum(isinstance(e.signed.tx, Withdraw) for e in world.ledger.entries()) == 1


class SecureElement:
    """Signs, counts, and has nothing that could be read out but its address."""

    def __init__(self) -> None:
        self.address, self.signed = KEY.address, 0

    def sign(self, digest: bytes) -> bytes:
        self.signed += 1
        return KEY.sign(digest)


def test_all_that_a_meter_signs_is_signed_by_whatever_signs(tmp_path: Path) -> None:
    element = SecureElement()
    world = World(tmp_path, key=element)
    world.at(0.1, 10)
    world.at(0.2, 10)
    assert [i.fate for i in world.book.issues()] == [Fate.RECORDED]
    for hour in range(1, 5):
        world.at(hour, 10 * hour)
    records = world.book.bills()
    secret = BlindingSecret(b"\x33" * 32, DOMAIN, SECP256K1, 3)
    book = CommitmentBook(":memory:", 3, DOMAIN.separator, SECP256K1.name)
    committer = Committer(3, element, secret, DOMAIN, SECP256K1, book, PriceGuard(1))
    before = element.signed
    committer.commit_all(records, 96)
    made = committer.state(records[0].t, records[-1].t)
    book.close()
    assert element.signed >= before + 2
    assert made.statement.signer(DOMAIN, SECP256K1) == KEY.address


def test_a_bill_does_without_a_silent_analyser_that_it_does_not_depend_on(tmp_path: Path) -> None:
    world = World(tmp_path, mounted=(Mounted("grid", Role.GRID), Mounted("sun", Role.GENERATION)))
    for hour in (0, 1, 2, 2.2):
        if hour < 2:  # then the inverter falls silent
            for counter, wh in (("sun/import_energy", 0), ("sun/export_energy", int(500 * hour))):
                world.journal.append([Reading(counter, int(GRID.genesis_s + 3600 * hour) * 1000, b"", wh)])
        world.at(hour, int(300 * hour))
    assert [b.t for b in world.book.bills()] == [0], "the next one waits ten minutes after its deadline"
    world.at(2.4, 720)
    first, second = world.book.bills()
    assert (second.measured_wh, Quality(second.quality), Flag(second.flags)) == (300, Quality.MEASURED, Flag.GAP)
    assert not first.flags & Flag.GAP


def test_any_number_of_intervals_before_the_first_price_is_passed_over(tmp_path: Path) -> None:
    world = World(tmp_path, prices=False)
    world.at(0.5, 0)
    world.ledger.advance_to(GRID.genesis_s + 3000 * 3600)
    world.regulate(prices=(PriceChange(GRID.genesis_s + 3001 * 3600, 240, 90),))
    world.at(3000.5, 100)
    assert world.book.next_bill is not None
    assert world.book.next_bill >= 2999


def test_a_generation_analyser_that_is_added_takes_no_energy_from_the_bill(tmp_path: Path) -> None:
    world = World(tmp_path, mounted=(Mounted("grid", Role.GRID), Mounted("sun", Role.GENERATION)))
    for tenth in range(11):
        world.at(tenth / 10, 10 * tenth)
    for counter in ("sun/import_energy", "sun/export_energy"):
        world.journal.append([Reading(counter, (GRID.genesis_s + 3960) * 1000, b"", 0)])
    world.at(1.2, 120)
    world.at(1.4, 140)
    (bill,) = world.book.bills()
    assert (bill.t, bill.measured_wh, bill.flags & Flag.GAP) == (0, 100, Flag.GAP)


def test_a_chain_that_dropped_entries_and_then_does_not_answer_is_counted_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for tenth in range(15):
        world.at(tenth / 10, 10 * tenth)
    failures: list[Exception] = [Reorganised(0), NodeError("down")]
    honest = world.ledger.entries

    def entries(start: int = 0) -> list[Entry]:
        if failures:
            raise failures.pop(0)
        return list(honest(start))

    monkeypatch.setattr(world.ledger, "entries", entries)
    with pytest.raises(NodeError):
        world.at(1.5, 150)
    tally = world.book.tally()
    assert tally is not None
    assert tally.cursor == 0
    world.at(1.6, 160)
    assert world.books.meter.cursor == len(list(honest(0)))
