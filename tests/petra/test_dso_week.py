"""The controller's week and the stress of the grid check, on the generated community."""

import random
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.transactions import PriceChange
from petra.grid_stress import stress
from petra.homes.community import generate
from petra.week import run_week, shift

pytest.importorskip("pvlib", reason="pip install 'petra[homes]'")


@pytest.mark.parametrize("seed", [1, 2])
def test_the_controller_lowers_the_peak_and_no_bill_rises_beyond_what_is_documented(seed):
    week = run_week(generate(seed, datetime(2025, 1, 5), 8 * 24, 3600), PriceChange(0, 240_000, 90_000), seed)
    assert week.on.peak_w < week.off.peak_w
    assert week.on.peak_to_average_permille < week.off.peak_to_average_permille
    assert week.largest_rise_permille <= 120


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
