"""The controller's week and the stress of the grid check, on the generated community."""

import random
from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.keys import Address
from assets.rules.state import Standing
from assets.transactions import Authorisation, PriceChange
from petra.flexibility import shift
from petra.grid_stress import market_stress, stress
from petra.homes.community import generate
from petra.operated import Options, permitted
from petra.week import run_week
from smartmeter.standard_set import StandardSet

pytest.importorskip("pvlib", reason="pip install 'petra[homes]'")


BASE = PriceChange(0, 240_000, 90_000)


def test_the_controller_lowers_the_peak_of_a_real_market_and_no_bill_rises_beyond_what_is_documented():
    pytest.importorskip("power_grid_model", reason="pip install 'petra[grid]'")
    week = run_week(generate(1, datetime(2025, 1, 5), 4 * 12, 7200), Options(1, BASE, notes=1))
    assert week.on.peak_w < week.off.peak_w
    assert week.on.peak_to_average_permille < week.off.peak_to_average_permille
    assert week.largest_rise_permille <= 150
    played = week.played
    assert played.trades > 0
    assert len(played.reconciliations) == 3
    for r in played.reconciliations:
        assert (r.energy_shortfall_wh, r.missing) == (0, ())
    assert sum(r.paid_nano for r in played.reconciliations) == sum(week.on.bills_nano)
    # Enrolment and tariff, three days planned, three days settled; credit lasts three days only.
    assert played.regulations == 8


def test_at_eight_times_the_power_the_check_prevents_the_violations_and_cuts_notes_on_the_ledger():
    pytest.importorskip("power_grid_model", reason="pip install 'petra[grid]'")
    profiles = generate(1, datetime(2025, 1, 5), 2 * 12, 7200)
    result = market_stress(profiles, Options(1, BASE, scale=8, notes=1))
    assert result.unchecked > 0
    assert result.checked == 0
    assert 0 < result.withheld_wh < result.exchanged_wh // 2
    assert len(result.explanations) == 1
    assert "notes cut to" in result.explanations[0]
    assert "margin" in result.explanations[0]


def test_all_homes_issue_the_same_set_within_the_tightest_limits():
    whole = StandardSet(200, 4, 4, 4, 10)
    grants = [Authorisation(i, Address(bytes([1] * 20)), 1, 800, eca, 0) for i, eca in enumerate((900, 500))]
    standings = [Standing(g) for g in grants]
    assert permitted(whole, standings) == StandardSet(200, 4, 2, 2, 10)
    assert permitted(whole, [Standing(replace(grants[1], max_eca_w=199))]) is None
    assert permitted(whole, [Standing(replace(grants[1], max_eca_w=0), banned=True), standings[0]]).eca_notes == 4


@given(
    st.lists(st.integers(0, 5000), min_size=24, max_size=24),
    st.lists(st.integers(1, 400_000), min_size=24),
    st.integers(),
)
def test_answering_prices_moves_energy_within_the_day_and_loses_none(load, levels, seed):
    moved = shift(load, [PriceChange(0, p, 0) for p in levels[:24]], 3600, random.Random(seed))
    assert sum(moved) == sum(load)
    assert min(moved) >= 0


def test_flat_prices_move_nothing():
    assert shift([5, 6, 7], [PriceChange(0, 9, 0)] * 3, 3600, random.Random(1)) == [5, 6, 7]


def test_scaled_up_the_community_trips_limits_that_the_plain_one_does_not_and_the_check_leaves_none():
    pytest.importorskip("power_grid_model", reason="pip install 'petra[grid]'")
    profiles = generate(1, datetime(2025, 1, 6), 7 * 96, 900)
    plain, by4, by8 = (stress(profiles, scale) for scale in (1, 4, 8))
    assert plain.cut.worst is None
    assert plain.withheld_wh == 0
    assert by4.cut.worst is not None
    assert by8.unchecked > 0
    assert [s.checked for s in (plain, by4, by8)] == [0, 0, 0]
    assert 0 < by8.withheld_wh < by8.wanted_wh // 2
