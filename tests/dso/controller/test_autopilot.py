"""The automatic loop on the executable specification and the real power flow."""

from dataclasses import replace

import pytest

pytest.importorskip("power_grid_model", reason="pip install 'petra[grid]'")

from assets.errors import MeterLimit
from assets.intervals import IntervalGrid
from assets.keys import Address, ThrowAwayKeys
from assets.ledger import SpecLedger
from assets.notes import eca
from assets.transactions import Authorisation, Domain, FeederCapacity, PriceChange, Regulate, Withdraw, sign
from dso.controller.autopilot import Autopilot
from dso.controller.controller import Bounds, Controller
from dso.controller.memory import Memory
from dso.desk.approvals import NotApproved, Policy
from dso.desk.desk import Desk, KeySigner
from dso.desk.log import ActionLog
from dso.grid.check import GridCheck
from dso.grid.cigre import NODE_BUS, residential

DOMAIN = Domain(1, Address(bytes(19) + b"\x01"))
DSO, METER, OWNER, APPROVER = (ThrowAwayKeys(1, f"autopilot {i}").fresh() for i in range(4))
GRID = IntervalGrid(1_000_000, 21_600)
PER_DAY = 4
FEEDERS = tuple(NODE_BUS)
BASE = PriceChange(0, 240_000, 90_000)


@pytest.fixture(scope="module")
def check():
    return GridCheck(residential(), FEEDERS)


def nameplates(max_w):
    return {i: Authorisation(i, METER.address, f, max_w, max_w, 0) for i, f in enumerate(FEEDERS)}


def world(tmp_path, check, max_w, controller=None, policy=None):
    """Five meters, one on each feeder, at their nameplates."""
    ledger = SpecLedger(DOMAIN, GRID, DSO.address, time_s=GRID.genesis_s - 100)
    nameplate = nameplates(max_w)
    enrol = Regulate(
        0,
        feeders=tuple(FeederCapacity(f, 10**9, 10**9) for f in FEEDERS),
        authorise=tuple(nameplate.values()),
        prices=(replace(BASE, time_s=GRID.genesis_s),),
    )
    ledger.submit([sign(DOMAIN, enrol, DSO)])[0].require()
    desk = Desk(ledger, ActionLog(tmp_path / "actions.jsonl"), policy)
    return ledger, Autopilot(desk, KeySigner(DSO), nameplate, controller, check)


def withdraw(ledger, meter, power_w, t=0):
    tx = Withdraw(meter, ledger.meter_nonce(meter), t, (eca(OWNER.address, power_w, t, t),))
    return ledger.submit([sign(DOMAIN, tx, METER)])[0]


def test_limits_are_lowered_before_notes_are_issued_and_the_log_names_element_and_margin(tmp_path, check):
    ledger, autopilot = world(tmp_path, check, 60_000)
    guarded = autopilot.guard(0, 3)
    assert guarded.receipt.accepted
    assert 0 < guarded.shares.eca == guarded.shares.epa < 1000
    permitted = 60_000 * guarded.shares.eca // 1000
    assert check.violations([[permitted] * 5, [-permitted] * 5]) == 0
    assert check.violations([[60_000] * 5]) == 1
    assert isinstance(withdraw(ledger, 0, permitted + 1).refusal, MeterLimit)
    assert withdraw(ledger, 0, permitted).accepted
    logged = next(a for a in autopilot.desk.log.actions if a["action"] == "guard")
    assert guarded.cut.worst.element in logged["why"]
    assert "margin" in logged["why"]


def test_limits_that_are_right_are_left_alone_and_small_rises_wait(tmp_path, check):
    ledger, autopilot = world(tmp_path, check, 60_000)
    autopilot.guard(0, 0)
    entries = len(ledger.entries())
    assert autopilot.guard(1, 1).receipt is None
    assert autopilot.guard(1, 1, {3: [-100]}).receipt is None
    assert len(ledger.entries()) == entries
    lowered = autopilot.guard(2, 2, {8: [20_000]})
    assert lowered.receipt.accepted
    raised = autopilot.guard(3, 3)
    assert raised.shares.eca > lowered.shares.eca
    assert raised.receipt.accepted


def test_what_was_issued_before_is_named_because_it_cannot_be_taken_back(tmp_path, check):
    ledger, autopilot = world(tmp_path, check, 60_000)
    withdraw(ledger, 0, 60_000).require()
    (sentence,) = autopilot.guard(0, 0).beyond
    assert "60000 W issued before for interval 0 on feeder 3" in sentence
    assert autopilot.guard(1, 1).beyond == ()


def test_a_ban_is_not_lifted_and_a_key_ruled_for_later_is_not_lost(tmp_path, check):
    ledger, autopilot = world(tmp_path, check, 60_000)
    new = Authorisation(1, OWNER.address, FEEDERS[1], 60_000, 60_000, 0)
    ruled = Regulate(1, authorise=(new,), time_s=GRID.start_s(1))
    for tx in (ruled, Regulate(2, ban=(0,))):
        ledger.submit([sign(DOMAIN, tx, DSO)])[0].require()
    autopilot.guard(0, 0).receipt.require()
    assert ledger.state.meters[0].ruling.at(ledger.now_s).banned
    ledger.advance_to(GRID.start_s(1))
    assert ledger.state.meters[1].ruling.at(ledger.now_s).authorisation == new
    autopilot.guard(1, 1).receipt.require()
    held = ledger.state.meters[1].ruling.at(ledger.now_s).authorisation
    assert held.key == OWNER.address
    assert held.max_eca_w < 60_000


def test_a_feeder_capacity_ruled_for_later_is_not_trusted_and_not_lost(tmp_path, check):
    ledger, autopilot = world(tmp_path, check, 60_000)
    autopilot.guard(0, 0).receipt.require()
    safe = autopilot.desk.registry().capacity(FEEDERS[0], ledger.now_s)
    later = FeederCapacity(FEEDERS[0], 10**9, 10**9), FeederCapacity(FEEDERS[1], 10, 20)
    ruled = Regulate(2, feeders=later, time_s=GRID.start_s(1))
    ledger.submit([sign(DOMAIN, ruled, DSO)])[0].require()
    autopilot.guard(1, 1).receipt.require()
    assert autopilot.guard(1, 1).receipt is None
    ledger.advance_to(GRID.start_s(1))
    registry = autopilot.desk.registry()
    assert registry.capacity(FEEDERS[0], ledger.now_s) == safe
    assert registry.capacity(FEEDERS[1], ledger.now_s) == later[1]


def test_an_installed_meter_that_the_network_cannot_place_is_named(tmp_path, check):
    ledger, autopilot = world(tmp_path, check, 1000)
    elsewhere = Authorisation(77, METER.address, 99, 10**6, 10**6, 0)
    ruled = Regulate(1, feeders=(FeederCapacity(99, 10**9, 10**9),), authorise=(elsewhere,))
    ledger.submit([sign(DOMAIN, ruled, DSO)])[0].require()
    with pytest.raises(ValueError, match="meter 77 is on feeder 99, which the network has not"):
        autopilot.guard(0, 0)
    ledger.submit([sign(DOMAIN, Regulate(2, ban=(77,)), DSO)])[0].require()
    assert autopilot.guard(0, 0).shares.eca == 1000


def test_a_day_of_prices_is_on_the_ledger_before_it_begins_and_is_never_inverted(tmp_path, check):
    ledger, autopilot = world(tmp_path, check, 1000, Controller(PER_DAY))
    history = {0: 100, 1: 5000, 2: 2000, 3: 1000}
    ledger.advance_to(GRID.start_s(4) - 1)
    decisions = autopilot.plan_day(4, lambda t: BASE, history)
    assert [d.level for d in decisions] == [-1, 1, 0, -1]
    for d in decisions:
        price = ledger.price_at(d.t)
        found = price.consumption_nano_per_wh, price.production_nano_per_wh
        assert found == (d.consumption_nano_per_wh, d.production_nano_per_wh)
        assert found[0] >= found[1]
    assert "interval 5, level +1" in autopilot.desk.log.actions[0]["moved"][1]


def test_after_the_planned_day_prices_are_what_they_were_ruled_to_be(tmp_path, check):
    ledger, autopilot = world(tmp_path, check, 1000, Controller(PER_DAY))
    dearer = PriceChange(GRID.start_s(9), 300_000, 90_000)
    ledger.submit([sign(DOMAIN, Regulate(1, prices=(dearer,)), DSO)])[0].require()
    before = [ledger.price_at(t).consumption_nano_per_wh for t in (3, 8, 9, 50)]
    for _ in range(2):
        assert autopilot.plan_day(4, lambda t: BASE, {0: 100, 1: 5000, 2: 2000, 3: 1000})[-1].level < 0
    assert ledger.price_at(7).consumption_nano_per_wh < BASE.consumption_nano_per_wh
    assert [ledger.price_at(t).consumption_nano_per_wh for t in (3, 8, 9, 50)] == before


def test_when_prices_are_at_their_bound_the_controller_lowers_import_limits_and_not_exports(tmp_path, check):
    ledger, autopilot = world(tmp_path, check, 1000, Controller(PER_DAY, Bounds(max_level=1)))
    history = {0: 100, 1: 5000, 2: 2000, 3: 1000}
    autopilot.plan_day(4, lambda t: BASE, history)
    autopilot.plan_day(4, lambda t: BASE, history)
    Memory(4, {}, {}, autopilot.limit_permille).write(tmp_path / "controller.json")
    guarding = Autopilot(autopilot.desk, KeySigner(DSO), nameplates(1000), None, check)
    guarding.limit_permille.update(Memory.read(tmp_path / "controller.json").limit_permille)
    guarded = guarding.guard(5, 5)
    assert guarded.shares.epa == 1000
    assert guarded.shares.eca == 500
    assert ledger.state.meters[0].ruling.at(ledger.now_s).authorisation.max_eca_w == 500


def test_where_no_meter_is_installed_no_limit_is_set(tmp_path, check):
    ledger, autopilot = world(tmp_path, check, 60_000)
    stranger = {99: Authorisation(99, METER.address, FEEDERS[0], 1, 1, 0)}
    with pytest.raises(ValueError, match="authorise them first"):
        Autopilot(autopilot.desk, KeySigner(DSO), stranger, None, check).guard(0, 0)
    assert len(ledger.entries()) == 1


def test_a_desk_that_wants_approvals_has_no_autopilot(tmp_path, check):
    ledger, autopilot = world(tmp_path, check, 60_000, policy=Policy(1, (APPROVER.address,)))
    autopilot._controller = Controller(PER_DAY)
    for act in (lambda: autopilot.guard(0, 0), lambda: autopilot.plan_day(4, lambda t: BASE, {0: 100})):
        with pytest.raises(NotApproved, match="no automatic loop"):
            act()
    assert len(ledger.entries()) == 1
    assert autopilot.desk.log.actions == []
