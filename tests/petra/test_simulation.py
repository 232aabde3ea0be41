import hashlib
from dataclasses import replace
from itertools import pairwise

import pytest

from assets.transactions import Transact
from petra.bills import home_bills
from petra.conservation import balances
from petra.simulation import simulate


def test_the_community_trades(small_run):
    assert sum(len(market.trades) for market in small_run.markets) > 0


def test_every_interval_is_billed_once_for_every_home(small_run):
    expected = [(t, home.number) for t in range(4) for home in small_run.grid.homes]
    assert [(record.t, record.meter) for record in small_run.bills] == expected


def test_all_notes_come_back_to_the_meters(small_run):
    for balance in balances(small_run.entries, small_run.bills, 3600):
        assert balance.issued > 0
        assert balance.outstanding == 0


def test_the_dso_is_paid_for_all_energy_that_it_delivered(small_run):
    accounts = small_run.reconciliation
    assert accounts.balanced
    assert accounts.residual_wh == accounts.measured_wh
    assert accounts.paid_nano == accounts.owed_nano


def test_what_is_sold_is_bought_in_every_interval(small_run):
    for t in range(4):
        assert sum(record.matched_wh for record in small_run.bills if record.t == t) == 0


def test_money_only_moves_between_homes_and_the_dso(small_run):
    """Σ B equals Σ E at the DSO's prices: what buyers pay, sellers get."""
    assert sum(r.bill_nano for r in small_run.bills) == sum(r.energy_nano for r in small_run.bills)


def test_whoever_trades_what_it_has_or_needs_is_better_off(small_run):
    for bill in home_bills(small_run.bills):
        traded = bill.bought_wh + bill.sold_wh
        net_wh = bill.measured_import_wh + bill.measured_export_wh
        if 0 < traded <= net_wh:
            assert bill.saved_nano > 0


def test_every_home_withdraws_mixes_and_deposits_the_same_set(small_run):
    counts = {
        (
            sum(use.purpose.value == "withdrawn" for use in home.wallet.uses.values()),
            sum(use.purpose.value == "mixed" for use in home.wallet.uses.values()),
        )
        for home in small_run.grid.homes
    }
    per_run = small_run.grid.standard_set.count * 4
    assert counts == {(per_run, per_run)}


def test_deposits_stand_on_the_ledger_in_an_order_that_tells_no_home(small_run):
    transfers = [e.signed.tx for e in small_run.entries if isinstance(e.signed.tx, Transact)]
    deposits = [tx.inputs[0] for tx in transfers if len(tx.inputs) == len(tx.outputs) == 1]
    breaks = sum(a.id > b.id for a, b in pairwise(deposits))
    assert len(deposits) > 20
    assert breaks <= 3, "ids rise within each of the four intervals"


def test_no_address_is_used_twice(small_run):
    owners = [n.owner for e in small_run.entries for n in getattr(e.signed.tx, "outputs", ())]
    assert len(owners) == len(set(owners))


def test_the_same_seed_gives_the_same_bills(small_run, make_scenario):
    again = simulate(make_scenario(), lambda done: None)
    assert list(again.bills) == list(small_run.bills)


def test_another_seed_gives_other_bills(small_run, make_scenario):
    other = simulate(make_scenario(seed=6), lambda done: None)
    assert list(other.bills) != list(small_run.bills)


def test_progress_counts_the_intervals(make_scenario):
    seen: list[int] = []
    simulate(make_scenario(homes=2, intervals=2), seen.append)
    assert seen == [1, 2]


def test_the_contract_in_process_gives_the_bills_of_the_specification(make_scenario):
    spec = simulate(make_scenario("spec", homes=3, intervals=2), lambda done: None)
    evm = simulate(make_scenario("evm", homes=3, intervals=2), lambda done: None)
    assert list(evm.bills) == list(spec.bills)
    assert evm.grid.ledger.gas_used_total > 0


@pytest.mark.parametrize("name", ["price-taker", "zero-intelligence", "look-ahead"])
def test_homes_may_trade_by_any_strategy_and_the_books_balance(make_scenario, name):
    run = simulate(replace(make_scenario(homes=4, intervals=3), strategy=name), lambda done: None)
    assert run.reconciliation.balanced
    assert sum(len(market.trades) for market in run.markets) > 0
    assert sum(r.bill_nano for r in run.bills) == sum(r.energy_nano for r in run.bills)


def test_a_named_strategy_is_repeatable(make_scenario):
    scenario = replace(make_scenario(homes=4, intervals=2), strategy="zero-intelligence")
    first, second = (simulate(scenario, lambda done: None).bills for _ in range(2))
    assert first == second


def test_the_bills_of_a_seed_are_what_they_were(make_scenario):
    """Golden: what was computed before situations had forecasts."""
    bills = simulate(make_scenario(homes=4, intervals=3), lambda done: None).bills
    digest = hashlib.sha256(repr([(b.t, b.meter, b.residual_wh, b.bill_nano) for b in bills]).encode()).hexdigest()
    assert digest[:16] == "7c5a46ce5c108760"
