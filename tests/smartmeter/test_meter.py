"""The meter against the executable specification of the ledger."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.errors import FractionalEnergy
from assets.intervals import IntervalGrid
from assets.keys import ZERO_ADDRESS, Address, SigningKey, ThrowAwayKeys
from assets.ledger import SpecLedger
from assets.notes import IssuedNote, Kind, Note, eca, epa, fa, issued
from assets.statement import first_open_interval
from assets.transactions import (
    Authorisation,
    Domain,
    FeederCapacity,
    PriceChange,
    Regulate,
    Transact,
    Withdraw,
    digest,
    sign,
)
from smartmeter.billing import BillingRecord, paper_residual_wh, recompute
from smartmeter.deposits import DepositAddresses
from smartmeter.meter import Meter
from smartmeter.standard_set import StandardSet
from smartmeter.tally import LedgerGap

DOMAIN = Domain(1, Address(bytes(19) + b"\x01"))
GRID = IntervalGrid(1_000_000, 3600)
GATE_S = 600
SET = StandardSet(note_power_w=100, epa_notes=2, eca_notes=2, fa_notes=1, fa_amount_nano=1000)
PRICE = PriceChange(0, 240_000, 90_000)
LIMIT = 10**9
KEYS = ThrowAwayKeys(7, "dso and meters")
DSO, *METER_KEYS = [KEYS.fresh() for _ in range(4)]
START_S = 900_000

Held = tuple[IssuedNote, SigningKey]


class Community:
    """Homes with a meter each, on one ledger; the notes each home holds, with their keys."""

    def __init__(self, homes: int = 2) -> None:
        self.ledger = SpecLedger(DOMAIN, GRID, DSO.address, time_s=0)
        self.keys = ThrowAwayKeys(1, "owners")
        self.meters = [self.meter(i) for i in range(homes)]
        grants = [Authorisation(i, METER_KEYS[i].address, 1, LIMIT, LIMIT, LIMIT) for i in range(homes)]
        regulate = Regulate(0, (FeederCapacity(1, LIMIT, LIMIT),), tuple(grants), prices=(PRICE,))
        self.ledger.submit([sign(DOMAIN, regulate, DSO)])[0].require()
        self.ledger.advance_to(START_S)

    def meter(self, number: int) -> Meter:
        keys = ThrowAwayKeys(2, f"deposits of {number}")
        return Meter(number, METER_KEYS[number], keys, DOMAIN, GRID, SET, GATE_S)

    def withdraw(self, home: int, window: int) -> list[Held]:
        owners = [self.keys.fresh() for _ in range(SET.count)]
        signed = self.meters[home].withdraw(window, self.ledger.meter_nonce(home), [k.address for k in owners])
        self.ledger.submit([signed])[0].require()
        return list(zip(issued(signed.tx.outputs, digest(DOMAIN, signed.tx)), owners, strict=True))

    def move(self, inputs: Sequence[Held], outputs: Sequence[Note]) -> None:
        tx = Transact(tuple(note for note, _ in inputs), tuple(outputs))
        self.ledger.submit([sign(DOMAIN, tx, *(key for _, key in inputs))])[0].require()

    def deposit(self, home: int, held: Held, window: int) -> None:
        self.move([held], [replace(held[0].note, owner=self.meters[home].deposit_address(window))])

    def bill(self, home: int, t: int, net_wh: int) -> BillingRecord:
        self.ledger.advance_to(GRID.end_s(t) + GATE_S)
        meter = self.meters[home]
        now_s = self.ledger.now_s
        meter.follow(self.ledger.entries(meter.cursor), now_s)
        meter.record_reading(t, net_wh)
        record = meter.bill(t, PRICE)
        recompute(record)
        return record


@pytest.fixture
def community() -> Community:
    return Community()


# --- Withdrawing ------------------------------------------------------------------------------------------


def test_a_withdrawal_is_exactly_the_standard_set(community: Community) -> None:
    owners = [community.keys.fresh().address for _ in range(5)]
    signed = community.meters[0].withdraw(3, 0, owners)
    assert signed.tx.outputs == (
        epa(owners[0], 100, 3, 3),
        epa(owners[1], 100, 3, 3),
        eca(owners[2], 100, 3, 3),
        eca(owners[3], 100, 3, 3),
        fa(owners[4], 1000),
    )
    assert community.ledger.submit([signed])[0].accepted


def test_a_withdrawal_takes_fresh_addresses_of_the_prosumer_one_per_note(community: Community) -> None:
    meter = community.meters[0]
    owners = [community.keys.fresh().address for _ in range(5)]
    others = [community.keys.fresh().address for _ in range(4)]
    meter.withdraw(0, 0, owners)
    for bad, message in (
        (others, "needs 5 owner addresses"),
        ([*others, owners[0]], "used before"),
        ([*others, others[0]], "used before"),
        ([*others, ZERO_ADDRESS], "neither zero"),
        ([*others, Address(b"short")], "20-byte"),
        ([*others, meter.deposit_address(0)], "nor a deposit address"),
    ):
        with pytest.raises(ValueError, match=message):
            meter.withdraw(1, 1, bad)
    meter.withdraw(1, 1, [*others, community.keys.fresh().address])


def test_a_window_gets_one_standard_set_and_a_closed_one_none(community: Community) -> None:
    community.withdraw(0, 0)
    community.meters[0].follow(community.ledger.entries())
    with pytest.raises(ValueError, match="one standard set per window"):
        community.withdraw(0, 0)
    community.meters[0].follow([], GRID.end_s(1) + GATE_S)
    for window in (-1, 1):
        with pytest.raises(ValueError, match="closed"):
            community.withdraw(0, window)
        with pytest.raises(ValueError, match="closed"):
            community.meters[0].deposit_address(window)


def test_a_withdrawal_that_the_ledger_never_recorded_does_not_count(community: Community) -> None:
    community.meters[0].withdraw(0, 0, [community.keys.fresh().address for _ in range(5)])
    assert community.bill(0, 0, 50).epa_withdrawn_wh == 0


def test_a_power_without_whole_watt_hours_is_refused() -> None:
    with pytest.raises(FractionalEnergy):
        Meter(0, METER_KEYS[0], ThrowAwayKeys(1, "x"), DOMAIN, IntervalGrid(0, 900), replace(SET, note_power_w=101), 0)
    with pytest.raises(ValueError, match="gate_s"):
        Meter(0, METER_KEYS[0], ThrowAwayKeys(1, "x"), DOMAIN, GRID, SET, -1)


@pytest.mark.parametrize(
    "change",
    [{"note_power_w": 0}, {"fa_amount_nano": 2**63}, {"epa_notes": -1}, {"eca_notes": 300}],
)
def test_a_standard_set_that_the_ledger_would_refuse_cannot_be_made(change: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"standard set|2\*\*63"):
        replace(SET, **change)
    with pytest.raises(ValueError, match="standard set"):
        StandardSet(1, 0, 0, 0, 1)


# --- Depositing -------------------------------------------------------------------------------------------


def test_a_trade_is_billed_as_the_example_in_the_docs(community: Community) -> None:
    seller, buyer = community.withdraw(0, 0), community.withdraw(1, 0)
    community.ledger.advance_to(GRID.start_s(0))
    # The seller gives 100 W of EPA for 100 W of ECA and 600 nano; both deposit all they hold.
    at = [m.deposit_address for m in community.meters]
    community.move(
        [seller[0], buyer[2], buyer[4]],
        [epa(at[1](0), 100, 0, 0), eca(at[0](0), 100, 0, 0), fa(at[0](0), 600), fa(at[1](0), 400)],
    )
    for home, held in ((0, seller[1:]), (1, [buyer[0], buyer[1], buyer[3]])):
        for note in held:
            community.deposit(home, note, 0)
    sold, bought = community.bill(0, 0, -150), community.bill(1, 0, 120)
    assert (sold.matched_wh, sold.residual_wh, sold.bill_nano) == (-100, -50, -600 - 50 * 90_000)
    assert (bought.matched_wh, bought.residual_wh, bought.bill_nano) == (100, 20, 600 + 20 * 240_000)
    for r in (sold, bought):
        assert r.residual_wh == paper_residual_wh(
            measured_wh=r.measured_wh, epa_withdrawn_wh=r.epa_withdrawn_wh, epa_deposited_wh=r.epa_deposited_wh
        )


def test_a_deposit_counts_until_the_deadline_and_is_refused_from_then_on(community: Community) -> None:
    notes = community.withdraw(0, 0)
    deadline_s = GRID.end_s(0) + GATE_S
    community.ledger.advance_to(deadline_s - 1)
    for note in (notes[0], notes[4]):
        community.deposit(0, note, 0)
    community.ledger.advance_to(deadline_s)
    for note in (notes[1], notes[2]):
        community.deposit(0, note, 0)
    fa_address = community.meters[0].deposit_address(0)
    record = community.bill(0, 0, 0)
    assert (record.epa_withdrawn_wh, record.epa_deposited_wh, record.eca_deposited_wh) == (200, 100, 0)
    assert record.fa_deposited_nano == 1000
    assert [(r.seq, r.index, r.kind, r.first, r.last) for r in community.meters[0].refused_deposits] == [
        (4, 0, Kind.EPA, 0, 0),
        (5, 0, Kind.ECA, 0, 0),
    ]
    assert all(
        r.reason == f"recorded at {deadline_s}, not before the deposit deadline {deadline_s}"
        for r in community.meters[0].refused_deposits
    )
    # FA that comes too late for its window is refused as well.
    other = community.withdraw(1, 1)
    community.move([other[4]], [fa(fa_address, 1000)])
    community.meters[0].follow(community.ledger.entries())
    late = community.meters[0].refused_deposits[-1]
    assert (late.kind, late.first, late.last) == (Kind.FA, 0, 0)
    assert community.meters[0].bill(0, PRICE) == record


def test_of_a_long_note_only_the_late_intervals_are_refused(community: Community) -> None:
    first, second = community.withdraw(0, 0), community.withdraw(0, 1)
    community.ledger.advance_to(GRID.end_s(0) + GATE_S)
    community.move([first[0], second[0]], [epa(community.meters[0].deposit_address(1), 100, 0, 1)])
    assert community.bill(0, 0, 0).epa_deposited_wh == 0
    assert community.bill(0, 1, 0).epa_deposited_wh == 100
    assert [(r.first, r.last) for r in community.meters[0].refused_deposits] == [(0, 0)]


def test_fa_held_back_until_its_bill_was_closed_stands_on_the_next_one(community: Community) -> None:
    meter = community.meters[0]
    signed = meter.withdraw(0, 0, [community.keys.fresh().address for _ in range(5)])
    community.ledger.advance_to(GRID.end_s(0) + GATE_S)
    closed = community.bill(0, 0, 10)
    assert closed.fa_withdrawn_nano == 0
    community.ledger.submit([signed])[0].require()
    meter.follow(community.ledger.entries())
    assert meter.bill(0, PRICE) == closed
    assert community.bill(0, 1, 0).fa_withdrawn_nano == 1000


def test_a_note_at_another_meters_address_is_not_ours(community: Community) -> None:
    notes = community.withdraw(0, 0)
    community.deposit(1, notes[0], 0)
    community.move([notes[1]], [replace(notes[1][0].note, owner=community.keys.fresh().address)])
    record = community.bill(0, 0, 0)
    assert record.epa_deposited_wh == 0
    assert community.meters[0].refused_deposits == ()


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=6))
@settings(max_examples=30)
def test_overlapping_ranges_of_the_ledger_count_once(ranges: list[tuple[int, int]]) -> None:
    community = Community(1)
    for note in community.withdraw(0, 0):
        community.deposit(0, note, 0)
    entries = community.ledger.entries()
    for start, end in ranges:
        start = min(start, community.meters[0].cursor)
        community.meters[0].follow(entries[start:end])
    record = community.bill(0, 0, 0)
    assert (record.epa_deposited_wh, record.eca_deposited_wh, record.fa_deposited_nano) == (200, 200, 1000)
    assert record.bill_nano == 0


@given(st.lists(st.integers(1, 99), min_size=0, max_size=5, unique=True))
@settings(max_examples=30)
def test_split_deposits_count_exactly(cuts: list[int]) -> None:
    community = Community(1)
    first, second = community.withdraw(0, 0), community.withdraw(0, 1)
    borders = [0, *sorted(cuts), 100]
    meter = community.meters[0]
    outputs = [epa(meter.deposit_address(0), b - a, 0, 1) for a, b in pairwise(borders)]
    community.move([first[0], second[0]], outputs)
    for t in (0, 1):
        assert community.bill(0, t, 0).epa_deposited_wh == 100


def test_a_gap_or_a_step_back_in_time_counts_nothing(community: Community) -> None:
    for note in community.withdraw(0, 0):
        community.deposit(0, note, 0)
    entries = community.ledger.entries()
    meter = community.meters[0]
    with pytest.raises(LedgerGap, match="ledger entry 2 is missing"):
        meter.follow([*entries[:2], *entries[3:]])
    with pytest.raises(LedgerGap, match="ledger entry 0 is missing"):
        meter.follow(entries[1:])
    with pytest.raises(LedgerGap, match="older"):
        meter.follow([*entries[:3], replace(entries[3], time_s=5)])
    assert meter.cursor == 0
    assert community.bill(0, 0, 0).bill_nano == 0


# --- Measuring and billing --------------------------------------------------------------------------------


def test_a_reading_is_never_changed(community: Community) -> None:
    meter = community.meters[0]
    meter.record_reading(0, 5)
    meter.record_reading(0, 5)
    with pytest.raises(ValueError, match="never changed"):
        meter.record_reading(0, 6)
    for t, net_wh in ((-1, 5), (1, 5.0), (1, True)):
        with pytest.raises(ValueError, match="whole number"):
            meter.record_reading(t, net_wh)
    assert community.bill(0, 0, 5).measured_wh == 5


def test_a_bill_waits_for_its_reading_its_deadline_and_the_ledgers_price(community: Community) -> None:
    meter = community.meters[0]
    meter.follow(community.ledger.entries(), GRID.end_s(0) + GATE_S - 1)
    with pytest.raises(ValueError, match="no reading"):
        meter.bill(0, PRICE)
    meter.record_reading(0, 5)
    with pytest.raises(ValueError, match="follow the ledger to the deadline"):
        meter.bill(0, PRICE)
    meter.follow([], GRID.end_s(0) + GATE_S)
    with pytest.raises(ValueError, match="not the ledger's price"):
        meter.bill(0, replace(PRICE, production_nano_per_wh=90_001))
    assert meter.bill(0, PRICE).bill_nano == 5 * 240_000


def test_a_statement_has_the_totals_and_the_next_nonce(community: Community) -> None:
    notes = community.withdraw(0, 1)
    community.deposit(0, notes[4], 2)
    readings = (100, -40, 7, 1)
    records = [community.bill(0, t, net_wh) for t, net_wh in enumerate(readings)]
    meter = community.meters[0]
    price_of = community.ledger.price_at
    signed = meter.statement(0, 2, price_of)
    s = signed.statement
    assert signed.signer(DOMAIN) == meter.address == METER_KEYS[0].address
    assert (s.meter, s.nonce, s.first, s.last) == (0, 0, 0, 2)
    assert (s.import_wh, s.export_wh) == (100 + 160 + 7, 0)
    assert (s.fa_withdrawn_nano, s.fa_deposited_nano) == (1000, 1000)
    assert s.bill_nano == sum(r.bill_nano for r in records[:3])
    assert meter.statement(0, 2, price_of) == signed
    for first, last in ((0, 3), (2, 3), (5, 6), (4, 3)):
        with pytest.raises(ValueError, match=r"statement starts at interval 3|a period is"):
            meter.statement(first, last, price_of)
    with pytest.raises(ValueError, match="no reading"):
        meter.statement(3, 4, price_of)
    with pytest.raises(ValueError, match="no price"):
        meter.statement(3, 3, lambda t: None)
    assert meter.statement(3, 3, price_of).statement.nonce == 1


def test_nothing_secret_shows(community: Community) -> None:
    address = community.meters[0].deposit_address(0)
    assert repr(community.meters[0]) == "Meter(number=0)"
    assert address.hex() not in repr(vars(community.meters[0])["_addresses"])


def test_a_key_source_that_repeats_itself_is_refused() -> None:
    class Stuck:
        def fresh(self) -> SigningKey:
            return METER_KEYS[0]

    addresses = DepositAddresses(Stuck())
    addresses.fresh(0)
    with pytest.raises(ValueError, match="twice"):
        addresses.fresh(0)
    with pytest.raises(ValueError, match="from 0"):
        addresses.fresh(-1)


# --- Whatever the prosumers do ------------------------------------------------------------------------------

WINDOWS = 3


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_whatever_prosumers_do_the_dso_loses_nothing(data: st.DataObject) -> None:
    """Withdrawals held back, splits, gifts, thefts, late and misplaced deposits; read bit by bit, or at the end."""
    community = Community(3)
    meters, ledger = community.meters, community.ledger
    twins = [community.meter(i) for i in range(3)]
    held_back = [
        [(meters[i].withdraw(w, w, [k.address for k in owners]), owners) for w, owners in enumerate(sets)]
        for i, sets in enumerate(
            [[community.keys.fresh() for _ in range(SET.count)] for _ in range(WINDOWS)] for _ in range(3)
        )
    ]
    held: list[Held] = []
    ledger.advance_to(GRID.start_s(0))
    for _ in range(data.draw(st.integers(5, 30))):
        ledger.advance_to(ledger.now_s + data.draw(st.sampled_from([0, 0, 0, 600, 3600])))
        home, window = data.draw(st.integers(0, 2)), data.draw(st.integers(0, WINDOWS - 1))
        if held_back[home] and (not held or data.draw(st.booleans())):
            signed, owners = held_back[home].pop(0)
            ledger.submit([signed])[0].require()
            held += zip(issued(signed.tx.outputs, digest(DOMAIN, signed.tx)), owners, strict=True)
        elif held:
            note, key = held.pop(data.draw(st.integers(0, len(held) - 1)))
            owner = community.keys.fresh().address
            if data.draw(st.integers(0, 5)):
                try:
                    owner = meters[home].deposit_address(window)
                except ValueError:  # the window is closed
                    continue
                assert twins[home].deposit_address(window) == owner
            part = data.draw(st.sampled_from([0, 1, note.note.quantity // 2]))
            parts = [part, note.note.quantity - part] if part else [note.note.quantity]
            community.move([(note, key)], [replace(note.note, owner=owner, quantity=q) for q in parts])
        reader = meters[data.draw(st.integers(0, 2))]
        reader.follow(ledger.entries(data.draw(st.integers(0, reader.cursor))), ledger.now_s)
    # One interval beyond the windows takes up the FA whose own bill was closed.
    end = max(WINDOWS, first_open_interval(GRID, ledger.now_s, GATE_S)) + 1
    records = [community.bill(i, t, data.draw(st.integers(-300, 300))) for t in range(end) for i in range(3)]
    for t in range(end):
        at_t = [r for r in records if r.t == t]
        assert sum(r.residual_wh for r in at_t) >= sum(r.measured_wh for r in at_t)
        assert sum(r.epa_deposited_wh for r in at_t) <= sum(r.epa_withdrawn_wh for r in at_t)
    withdrawn = [note for e in ledger.entries() if isinstance(e.signed.tx, Withdraw) for note in e.signed.tx.outputs]
    issued_nano = sum(note.quantity for note in withdrawn if note.kind == Kind.FA)
    assert sum(r.fa_withdrawn_nano for r in records) == issued_nano
    assert sum(r.fa_deposited_nano for r in records) <= issued_nano
    assert sum(r.bill_nano for r in records) >= sum(r.energy_nano for r in records)
    for twin in twins:
        twin.follow(ledger.entries(), ledger.now_s)
        assert twin.refused_deposits == meters[twin.number].refused_deposits
        for record in (r for r in records if r.meter == twin.number):
            twin.record_reading(record.t, record.measured_wh)
            assert twin.bill(record.t, PRICE) == record
