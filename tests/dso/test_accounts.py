"""Statements from meters, received by the DSO on the executable specification of the ledger."""

from dataclasses import fields, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.intervals import IntervalGrid
from assets.keys import Address, ThrowAwayKeys
from assets.ledger import SpecLedger
from assets.notes import fa
from assets.statement import SignedStatement, Statement, sign_statement
from assets.transactions import (
    Authorisation,
    Domain,
    FeederCapacity,
    PriceChange,
    Regulate,
    Settlement,
    Withdraw,
    sign,
)
from dso.accounts import Accounts, FeederBalance, Missing, Reason, StatementRefused
from dso.operator import Dso
from dso.tariff import Tariff
from smartmeter.meter import Meter
from smartmeter.standard_set import StandardSet

DOMAIN = Domain(1, Address(bytes(19) + b"\x01"))
GRID = IntervalGrid(1_000_000, 3600)
GATE_S = 600
KEYS = ThrowAwayKeys(1, "accounts")
DSO_KEY, NEW_KEY, *METER_KEYS = [KEYS.fresh() for _ in range(5)]
END = 8
"""Intervals 0..7 are over and closed for deposits once the world is closed."""


class World:
    """Meters 0 and 1 on feeder 1, meter 2 on feeder 2; dearer energy from interval 4 on."""

    def __init__(self, closed: bool = True) -> None:
        self.ledger = SpecLedger(DOMAIN, GRID, DSO_KEY.address, time_s=0)
        self.dso = Dso(DSO_KEY, self.ledger)
        feeders = [FeederCapacity(f, 10**6, 10**6) for f in (1, 2)]
        grants = [Authorisation(i, METER_KEYS[i].address, 1 + (i == 2), 10**6, 10**6, 10**9) for i in range(3)]
        self.ledger.submit([self.dso.enrol(feeders, grants)])[0].require()
        prices = Tariff.parse("0:0.20/0.10, 4:0.30/0.15").price_changes(GRID)
        self.ledger.submit([self.dso.announce(prices)])[0].require()
        self.accounts = Accounts(self.ledger, GATE_S)
        if closed:
            self.close()

    def close(self) -> None:
        """Let the intervals 0..7 end, and their deposit deadlines pass."""
        self.ledger.advance_to(GRID.end_s(END - 1) + GATE_S)


def stated(meter: int, first: int, last: int, nonce: int = 0, **totals: int) -> Statement:
    energy = {"import_wh": 0, "export_wh": 0, "fa_withdrawn_nano": 0, "fa_deposited_nano": 0, "bill_nano": 0}
    return Statement(meter=meter, nonce=nonce, first=first, last=last, **(energy | totals))


def signed(statement: Statement) -> SignedStatement:
    return sign_statement(DOMAIN, statement, METER_KEYS[statement.meter])


@pytest.fixture
def world() -> World:
    return World()


def refusal(world: World, statement: SignedStatement) -> Reason:
    with pytest.raises(StatementRefused, match=f"statement of meter {statement.statement.meter} refused: ") as caught:
        world.accounts.receive(statement)
    return caught.value.reason


def test_statements_are_booked_and_reconciled_over_all_feeders(world: World) -> None:
    # Meter 0 sold 100 Wh to meter 2 on the other feeder; meter 1 took no part.
    for s in (
        stated(0, 0, 3, fa_deposited_nano=15_000_000, bill_nano=-15_000_000),
        stated(1, 0, 3, import_wh=50, bill_nano=50 * 200_000),
        stated(2, 0, 3, export_wh=10, bill_nano=-10 * 100_000),
    ):
        world.accounts.receive(signed(s))
    r = world.accounts.reconcile(0, 3, {1: -50, 2: 90})
    assert r.feeders == (FeederBalance(1, 50, -50), FeederBalance(2, -10, 90))
    assert [f.traded_in_wh for f in r.feeders] == [-100, 100]
    assert (r.residual_wh, r.measured_wh, r.energy_shortfall_wh) == (40, 40, 0)
    assert r.owed_nano == 50 * 200_000 - 10 * 100_000
    assert r.paid_nano == r.owed_nano - 15_000_000
    assert (r.fa_outstanding_nano, r.shortfall_nano, r.balanced) == (-15_000_000, 15_000_000, False)


def test_a_community_that_returns_its_fa_is_balanced(world: World) -> None:
    for meter in range(3):
        world.accounts.receive(signed(stated(meter, 0, 7, import_wh=10, bill_nano=10 * 250_000)))
    r = world.accounts.reconcile(0, 7, {1: 20, 2: 10})
    assert r.balanced
    assert (r.owed_nano, r.paid_nano, r.missing) == (7_500_000, 7_500_000, ())
    assert not world.accounts.reconcile(0, 7, {1: 20, 2: 11}).balanced
    assert world.accounts.reconcile(0, 7, {1: 20, 2: 11}).energy_shortfall_wh == 1


def test_missing_meters_and_gaps_are_listed(world: World) -> None:
    world.accounts.receive(signed(stated(0, 0, 7)))
    world.accounts.receive(signed(stated(1, 1, 2)))
    world.accounts.receive(signed(stated(1, 5, 5, nonce=1)))
    assert world.accounts.missing(0, 7) == (
        Missing(1, 0, 0),
        Missing(1, 3, 4),
        Missing(1, 6, 7),
        Missing(2, 0, 7),
    )
    assert world.accounts.missing(1, 2) == (Missing(2, 1, 2),)
    assert not world.accounts.reconcile(0, 7, {1: 0, 2: 0}).balanced


@pytest.mark.parametrize("name", [f.name for f in fields(Statement)])
def test_a_statement_changed_in_any_field_is_refused(world: World, name: str) -> None:
    genuine = signed(stated(0, 2, 5, import_wh=10, export_wh=1, fa_deposited_nano=9, bill_nano=2_000_000))
    value = getattr(genuine.statement, name)
    forged = replace(genuine, statement=replace(genuine.statement, **{name: value + 1}))
    assert refusal(world, forged) is Reason.BAD_SIGNATURE
    if name == "bill_nano":
        forged = replace(genuine, statement=replace(genuine.statement, bill_nano=-value))
        assert refusal(world, forged) is Reason.BAD_SIGNATURE
    assert world.accounts.missing(0, 7) == tuple(Missing(i, 0, 7) for i in range(3))


def test_another_meters_signature_is_refused(world: World) -> None:
    statement = stated(0, 0, 3)
    assert refusal(world, sign_statement(DOMAIN, statement, METER_KEYS[1])) is Reason.BAD_SIGNATURE
    assert refusal(world, SignedStatement(statement, b"")) is Reason.BAD_SIGNATURE
    other_ledger = sign_statement(replace(DOMAIN, chain_id=2), statement, METER_KEYS[0])
    assert refusal(world, other_ledger) is Reason.BAD_SIGNATURE
    assert refusal(world, sign_statement(DOMAIN, replace(statement, meter=9), METER_KEYS[0])) is Reason.UNKNOWN_METER


def test_duplicates_contradictions_and_gaps_in_numbers_are_told_apart(world: World) -> None:
    first = signed(stated(0, 0, 3))
    other = signed(stated(0, 0, 3, import_wh=1, bill_nano=200_000))
    world.accounts.receive(first)
    assert refusal(world, first) is Reason.DUPLICATE
    for _ in range(2):
        assert refusal(world, other) is Reason.CONTRADICTORY
    assert world.accounts.contradictions == [(first, other)]
    assert refusal(world, signed(stated(0, 4, 5, nonce=2))) is Reason.OUT_OF_ORDER
    for period in ((3, 4), (0, 0), (0, 7)):
        assert refusal(world, signed(stated(0, *period, nonce=1))) is Reason.OVERLAP
    world.accounts.receive(signed(stated(0, 4, 5, nonce=1)))


def test_a_period_that_still_takes_deposits_is_refused(world: World) -> None:
    early = signed(stated(0, END - 1, END))
    assert refusal(world, early) is Reason.TOO_EARLY
    world.ledger.advance_to(GRID.end_s(END) + GATE_S - 1)
    assert refusal(world, early) is Reason.TOO_EARLY
    world.ledger.advance_to(GRID.end_s(END) + GATE_S)
    world.accounts.receive(early)


def test_the_fa_withdrawn_must_be_the_ledgers(world: World) -> None:
    # Withdrawn for window 2, but held back until only interval 8 was still open: it stands on that bill.
    for window, amount_nano in ((2, 70), (9, 5)):
        tx = Withdraw(0, world.ledger.meter_nonce(0), window, (fa(KEYS.fresh().address, amount_nano),))
        world.ledger.submit([sign(DOMAIN, tx, METER_KEYS[0])])[0].require()
    world.ledger.advance_to(GRID.end_s(END) + GATE_S)
    wrong = stated(0, 0, 8, fa_withdrawn_nano=69, bill_nano=69)
    assert refusal(world, signed(wrong)) is Reason.WRONG_FA
    assert refusal(world, signed(stated(0, 0, 7, fa_withdrawn_nano=70, bill_nano=70))) is Reason.WRONG_FA
    world.accounts.receive(signed(replace(wrong, fa_withdrawn_nano=70, bill_nano=70)))
    assert world.accounts.settlements(0, 8) == (Settlement(0, 70),)
    world.ledger.submit([world.dso.settle(world.accounts.settlements(0, 8))])[0].require()
    assert world.ledger.state.meters[0].fa_outstanding_nano == 5


@given(st.lists(st.integers(-1000, 1000), min_size=END, max_size=END), st.integers(0, 10**6))
@settings(max_examples=60)
def test_every_honest_total_is_possible_and_a_bill_beyond_the_prices_is_not(
    residuals_wh: list[int], fa_deposited_nano: int
) -> None:
    world = World()
    prices = [world.ledger.price_at(t) for t in range(END)]
    energy_nano = sum(
        e * (p.consumption_nano_per_wh if e >= 0 else p.production_nano_per_wh)
        for e, p in zip(residuals_wh, prices, strict=True)
        if p is not None
    )
    honest = stated(
        0,
        0,
        END - 1,
        import_wh=sum(e for e in residuals_wh if e > 0),
        export_wh=-sum(e for e in residuals_wh if e < 0),
        fa_deposited_nano=fa_deposited_nano,
        bill_nano=energy_nano - fa_deposited_nano,
    )
    lowest_nano = honest.import_wh * 200_000 - honest.export_wh * 150_000
    highest_nano = honest.import_wh * 300_000 - honest.export_wh * 100_000
    for beyond_nano in (lowest_nano - 1, highest_nano + 1):
        wrong = replace(honest, bill_nano=beyond_nano - fa_deposited_nano)
        assert refusal(world, signed(wrong)) is Reason.WRONG_PRICE
    world.accounts.receive(signed(honest))


def test_a_banned_meter_still_owes_and_a_new_key_replaces_the_old_one(world: World) -> None:
    world.ledger.submit([world.dso.ban([0])])[0].require()
    world.accounts.receive(signed(stated(0, 0, 3)))
    grant = Authorisation(0, NEW_KEY.address, 1, 1, 1, 1)
    world.ledger.submit([world.dso.enrol(authorisations=[grant])])[0].require()
    later = stated(0, 4, 7, nonce=1)
    assert refusal(world, signed(later)) is Reason.BAD_SIGNATURE
    world.accounts.receive(sign_statement(DOMAIN, later, NEW_KEY))


def scheduled(world: World, time_s: int, *grants: Authorisation) -> None:
    tx = Regulate(world.ledger.regulation_nonce(), authorise=grants, time_s=time_s)
    world.ledger.submit([sign(DOMAIN, tx, DSO_KEY)])[0].require()


def test_a_key_authorised_for_later_signs_nothing_before_and_everything_after(world: World) -> None:
    change_s = world.ledger.now_s + 100
    scheduled(world, change_s, Authorisation(0, NEW_KEY.address, 1, 1, 1, 1))
    first, later = stated(0, 0, 3), stated(0, 4, 7, nonce=1)
    assert refusal(world, sign_statement(DOMAIN, first, NEW_KEY)) is Reason.BAD_SIGNATURE
    world.accounts.receive(signed(first))
    world.ledger.advance_to(change_s)
    assert refusal(world, signed(later)) is Reason.BAD_SIGNATURE
    world.accounts.receive(sign_statement(DOMAIN, later, NEW_KEY))


def test_a_meter_owes_statements_from_its_installation_on(world: World) -> None:
    install_s = GRID.start_s(30) - 1
    scheduled(world, install_s - 50, Authorisation(3, NEW_KEY.address, 1, 1, 1, 1))
    scheduled(world, install_s, Authorisation(3, NEW_KEY.address, 1, 1, 1, 1))  # replaces the date above
    statement = sign_statement(DOMAIN, stated(3, 0, 3), NEW_KEY)
    assert refusal(world, statement) is Reason.UNKNOWN_METER
    assert 3 not in {m.meter for m in world.accounts.missing(0, 7)}
    world.ledger.advance_to(GRID.end_s(40))
    assert world.accounts.missing(20, 40)[-1] == Missing(3, 29, 40)


def test_what_was_booked_is_restored_though_the_meter_has_another_key_now(world: World) -> None:
    first = signed(stated(0, 0, 3))
    world.accounts.receive(first)
    scheduled(world, 0, Authorisation(0, NEW_KEY.address, 1, 1, 1, 1))
    again = Accounts(world.ledger, GATE_S)
    again.restore(first)
    with pytest.raises(StatementRefused):
        again.receive(first)
    with pytest.raises(StatementRefused, match="not signed"):
        again.restore(sign_statement(DOMAIN, stated(0, 4, 7, nonce=1), DSO_KEY))
    again.receive(sign_statement(DOMAIN, stated(0, 4, 7, nonce=1), NEW_KEY))


def test_an_interval_without_a_price_cannot_be_billed() -> None:
    world = World()
    bare = SpecLedger(DOMAIN, GRID, DSO_KEY.address, time_s=0)
    bare.submit([world.ledger.entries()[0].signed])[0].require()
    bare.submit([Dso(DSO_KEY, bare).announce([PriceChange(GRID.start_s(1), 2, 1)])])[0].require()
    bare.advance_to(GRID.start_s(9))
    with pytest.raises(StatementRefused, match="impossible with the prices"):
        Accounts(bare, GATE_S).receive(signed(stated(0, 0, 3)))


def test_a_period_that_cuts_a_statement_and_unmeasured_feeders_are_refused(world: World) -> None:
    world.accounts.receive(signed(stated(0, 0, 3)))
    with pytest.raises(ValueError, match=r"meter 0 stated 0\.\.3, which crosses the borders of 2\.\.7"):
        world.accounts.reconcile(2, 7, {1: 0, 2: 0})
    for measured in ({1: 0}, {1: 0, 2: 0, 3: 0}):
        with pytest.raises(ValueError, match=r"each of the feeders \[1, 2\]"):
            world.accounts.reconcile(0, 7, measured)


def test_what_real_meters_state_is_accepted_and_adds_up() -> None:
    world = World(closed=False)
    standard_set = StandardSet(note_power_w=100, epa_notes=1, eca_notes=1, fa_notes=1, fa_amount_nano=500)
    meters = [
        Meter(i, key, ThrowAwayKeys(i, "deposits"), DOMAIN, GRID, standard_set, GATE_S)
        for i, key in enumerate(METER_KEYS)
    ]
    for meter in meters:
        owners = [KEYS.fresh().address for _ in range(3)]
        world.ledger.submit([meter.withdraw(5, 0, owners)])[0].require()
    world.close()
    for meter in meters:
        for t in range(END):
            meter.record_reading(t, 10 * t - 20 * meter.number)
        meter.follow(world.ledger.entries(), world.ledger.now_s)
        world.accounts.receive(meter.statement(0, END - 1, world.ledger.price_at))
    r = world.accounts.reconcile(0, END - 1, {1: 280 + 280 - 160, 2: 280 - 320})
    assert r.balanced
    # Nobody traded and nobody deposited: each home owes for the energy and the money it kept.
    assert r.residual_wh - r.measured_wh == 3 * 100
    assert r.fa_outstanding_nano == r.paid_nano - r.owed_nano == 3 * 500
    assert world.accounts.settlements(0, END - 1) == tuple(Settlement(i, 500) for i in range(3))
