"""What the ledger says by window, what that makes in lines, and how long trades took."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from assets.intervals import IntervalGrid
from assets.keys import ThrowAwayKeys
from assets.ledger import SpecLedger
from assets.orders import Side
from assets.transactions import Withdraw, sign
from dso.tariff import Tariff
from petra.homes.profile import HomeProfile, Profiles
from petra.ledgers import SPEC_DOMAIN
from petra.prosumer.records import OrderFate, OrderRecord
from petra.scenario import default_scenario
from petra.simulation import simulate
from petra.village.events import between
from petra.village.facts import Bills, Facts, stage
from petra.village.founding import rulings
from petra.village.homes import scenario
from petra.village.latency import Latency, from_gate, from_posting
from petra.village.market import Market, copied
from petra.village.options import Options
from petra.village.reading import covered
from petra.village.state import Condition, Phase, ProcessState, VillageState
from petra.village.view import shown, text


@pytest.fixture(scope="module")
def run():
    homes = tuple(
        HomeProfile(n, (500, 500, 500) if n > 2 else (0, 0, 0), (0, 0, 0) if n > 2 else (700, 700, 700))
        for n in range(1, 5)
    )
    profiles = Profiles(datetime(2025, 4, 1, 12), 3600, homes, "two sellers and two buyers")
    return simulate(default_scenario(profiles, 3, "spec", Tariff.parse("0.24/0.09")), lambda done: None)


def test_the_market_is_what_the_simulation_did(run) -> None:
    market = Market(run.grid.ledger.grid)
    market.follow(run.entries)
    assert market.cursor == len(run.entries)
    for played in run.markets:
        window = market.windows[played.t]
        assert window.withdrawals == 4
        assert sorted(window.mixes) == sorted(played.mix_peers)
        assert window.trades == list(played.trades)
        # Every note is mixed, and traded or deposited; a trade pays with one note and gives change.
        assert window.deposits > 0
    assert sum(len(played.trades) for played in run.markets) > 0


def test_a_report_in_the_middle_leaves_out_trades_of_what_is_not_billed(run) -> None:
    traded = [m.t for m in run.markets if m.trades]
    cut = covered(run.entries, traded[-1])
    assert 0 < len(cut) < len(run.entries)
    market = Market(run.grid.ledger.grid)
    market.follow(cut)
    assert [t for t, window in sorted(market.windows.items()) if window.trades] == traded[:-1]
    assert covered(run.entries, 3) == list(run.entries)


def order(window, posted_ms, closed_ms, fate=OrderFate.SETTLED):
    zero = bytes(32)
    return OrderRecord(zero, window, Side.SELL, zero, 1, 1, bytes(20), bytes(20), 1, posted_ms, 1, fate, closed_ms, 1)


def test_median_and_95th_percentile_are_seconds_that_some_order_took() -> None:
    orders = [order(1, 1_000, 1_000 + 1_000 * n) for n in range(1, 21)]
    assert from_posting(orders) == Latency(20, 10.0, 19.0)
    assert from_gate(orders, {1: 1.5}) == Latency(20, 9.5, 18.5)
    assert from_gate(orders, {2: 1.5}) == Latency(0, None, None)


def test_orders_that_did_not_settle_or_that_a_restore_found_say_nothing() -> None:
    orders = [order(1, None, 5_000), order(1, 1_000, 9_000, OrderFate.EXPIRED), order(1, 1_000, 3_000)]
    assert from_posting(orders) == Latency(1, 2.0, 2.0)


@pytest.mark.parametrize(
    ("t", "into_s", "says"),
    [
        (-1, 0, "before interval 0"),
        (0, 0, "withdraw the notes of window 1"),
        (0, 900, "mix and post orders for window 1"),
        (0, 2_880, "auction and settlement for window 1"),
        (1, 400, "not traded for window 1 is deposited"),
        (2, 1_800, "interval 1 is billed"),
        (9, 0, "nothing is due"),
    ],
)
def test_the_stage_follows_from_the_time(t, into_s, says) -> None:
    assert says in stage(t, into_s, 3_600, 2)


def facts(run=None, restarts=0, condition=Condition.RUNNING, **given):
    one = ProcessState("meter1", "meter", 1, condition, restarts, 1.0, "meter1", "logs/meter1.log")
    return Facts(VillageState(Options(homes=2), Phase.RUNNING, 1, 1.0, processes=(one,)), **given)


def test_each_event_is_a_line(run) -> None:
    market = Market(run.grid.ledger.grid)
    market.follow(run.entries)
    windows = {t: copied(window) for t, window in market.windows.items()}
    now = facts(windows=windows, bills=Bills(3, 7), stage="x", t=1, faults=[{"fault": "kill", "text": "meter1 killed"}])
    lines = list(between(facts(), now))
    assert "3 bills made" in lines
    assert "fault: meter1 killed" in lines
    assert any("mixes of" in line for line in lines)
    assert any("Wh at" in line for line in lines)
    assert list(between(now, now)) == []
    fallen = facts(condition=Condition.RESTARTING, windows=windows, bills=now.bills, stage="x", t=1, faults=now.faults)
    assert list(between(now, fallen)) == ["meter1 is restarting"]
    back = facts(restarts=1, windows=windows, bills=now.bills, stage="x", t=1, faults=now.faults)
    assert list(between(fallen, back)) == ["meter1 was started again, 1 times so far"]


def test_the_view_shows_roles_windows_and_faults(run) -> None:
    market = Market(run.grid.ledger.grid)
    market.follow(run.entries)
    now = facts(windows=dict(market.windows), depth=(2, 1), prices=(240_000, 90_000), feeders_w={3: -5}, t=1)
    seen = text(now)
    for part in ("meter", "4", "2 offers, 1 bids", "240000", "3: -5 W"):
        assert part in seen
    assert shown(now)["book"] == {"offers": 2, "bids": 1}
    assert Path(str(now.state.clock)).name == "clock.json"


def test_the_rulings_end_the_run_after_its_last_window() -> None:
    options = Options(homes=2, intervals=2, seed=3)
    scene = scenario(options)
    key = ThrowAwayKeys(1, "dso").fresh()
    grid = IntervalGrid(scene.start_s, 3600)
    ledger = SpecLedger(SPEC_DOMAIN, grid, key.address, time_s=grid.genesis_s - 100)
    meter = ThrowAwayKeys(1, "meter").fresh()
    for nonce, ruling in enumerate(rulings(scene, grid, 2, {1: meter.address, 2: key.address})):
        ledger.submit([sign(SPEC_DOMAIN, replace(ruling, nonce=nonce), key)])[0].require()
    verdicts = []
    for window in (1, 2, 3):
        ledger.advance_to(grid.start_s(window - 1))
        owners = [ThrowAwayKeys(window, "o").fresh().address for _ in range(scene.standard_set.count)]
        tx = Withdraw(1, window - 1, window, scene.standard_set.notes(window, owners))
        verdicts.append(ledger.submit([sign(SPEC_DOMAIN, tx, meter)])[0].accepted)
    assert verdicts == [True, True, False]
