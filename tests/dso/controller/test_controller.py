"""The controller's forecast, hysteresis and bounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.intervals import IntervalGrid
from assets.transactions import PriceChange
from dso.controller.controller import Bounds, Controller
from dso.controller.forecast import BookDepth, Forecast, forecast

BASE = PriceChange(0, 240_000, 90_000)
GRID = IntervalGrid(0, 21_600)


def day(*loads_w):
    return [Forecast(4 + i, w, w, w) for i, w in enumerate(loads_w)]


def test_the_forecast_is_the_mean_of_earlier_days_moved_by_half_of_the_book_and_bounded_by_the_notes():
    history = {0: 100, 1: 200, 2: 300, 3: 400, 4: 300}
    found = forecast(GRID, 8, 9, history, {9: BookDepth(bids_wh=1200, asks_wh=600)}, {8: (50, 70)})
    assert found[0] == Forecast(8, 200, 250, 130)
    assert found[1].load_w == 200 + 50
    with pytest.raises(ValueError, match="no history"):
        forecast(GRID, 8, 9, {})


@given(
    st.lists(st.lists(st.integers(-50_000, 50_000), min_size=4, max_size=4), min_size=1, max_size=12),
    st.integers(0, 10**9),
    st.integers(0, 10**9),
)
def test_prices_stay_within_bounds_move_one_step_a_day_and_are_never_inverted(days, a, b):
    base = PriceChange(0, max(a, b), min(a, b))
    controller, before = Controller(4), {}
    bounds = controller.bounds
    for loads in days:
        for d in controller.decide(day(*loads), [base] * 4):
            assert d.consumption_nano_per_wh >= d.production_nano_per_wh
            assert abs(d.level) <= bounds.max_level
            assert abs(d.level - before.get(d.t, 0)) <= 1
            assert bounds.min_limit_permille <= d.limit_permille <= 1000
            assert d.signal_w == d.target_w - d.forecast_w
            before[d.t] = d.level


def test_within_the_hysteresis_band_a_level_is_kept_and_near_the_target_it_returns():
    controller = Controller(4)
    assert [d.level for d in controller.decide(day(1500, 1000, 1000, 500), [BASE] * 4)] == [1, 0, 0, -1]
    assert [d.level for d in controller.decide(day(1100, 1100, 900, 900), [BASE] * 4)] == [1, 0, 0, -1]
    last = controller.decide(day(1050, 1000, 1000, 950), [BASE] * 4)
    assert [d.level for d in last] == [0, 0, 0, 0]
    assert "back to the tariff" in last[0].reason


def test_a_steady_load_settles_so_that_prices_stop_moving():
    controller = Controller(4)
    seen = [tuple(d.level for d in controller.decide(day(3000, 1100, 900, 400), [BASE] * 4)) for _ in range(10)]
    assert len(set(seen[5:])) == 1


def test_limits_fall_only_when_the_price_is_at_its_bound():
    controller = Controller(4)
    loads = [Forecast(4, 9000, 12_000, 9000), *day(0, 1000, 1000, 1000)[1:]]
    limits = [controller.decide(loads, [BASE] * 4)[0].limit_permille for _ in range(5)]
    assert limits == [1000, 1000, 1000, 500, 500]


@pytest.mark.parametrize(
    "wrong", [{"enter_permille": 80}, {"step_permille": 250}, {"min_limit_permille": 1001}, {"max_level": -1}]
)
def test_bounds_that_contradict_one_another_are_refused(wrong):
    with pytest.raises(ValueError, match=r"oscillate|below 1000|between 0 and 1000"):
        Bounds(**wrong)
