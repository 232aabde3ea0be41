"""Power becomes whole watt-hours without losing any."""

from datetime import date, datetime

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from petra.homes.span import Span


@given(st.integers(0, 1439), st.sampled_from([4, 7, 60, 90, 900, 3600, 10_000]), st.integers(1, 12), st.integers(0, 9))
def test_the_sum_of_the_intervals_is_exact_to_the_watt_hour(minute: int, interval_s: int, intervals: int, seed: int):
    span = Span(datetime(2025, 6, 1, minute // 60, minute % 60), intervals, interval_s)
    power_w = np.random.default_rng(seed).integers(0, 5000, span.minutes)
    energy_wh = span.energy_wh(power_w)
    by_second = np.repeat(power_w, 60)[span.offset_s : span.offset_s + intervals * interval_s]
    assert len(energy_wh) == intervals
    assert sum(energy_wh) == int(by_second.sum()) // 3600
    for i, energy in enumerate(energy_wh):  # and no interval is off by a watt-hour or more
        exact_ws = int(by_second[i * interval_s : (i + 1) * interval_s].sum())
        assert abs(energy * 3600 - exact_ws) < 3600


def test_a_small_constant_power_is_not_rounded_away():
    span = Span(datetime(2025, 6, 1), 3600, 4)
    energy_wh = span.energy_wh(np.full(span.minutes, 100, dtype=np.int64))
    assert sum(energy_wh) == 400
    assert set(energy_wh) == {0, 1}


def test_a_span_over_midnight_takes_both_days():
    span = Span(datetime(2025, 6, 1, 23), 2, 3600)
    assert (span.first_day, span.offset_s, span.days) == (date(2025, 6, 1), 82_800, 2)
    power_w = np.repeat(np.array([100, 200]), 1440)
    assert span.energy_wh(power_w) == (100, 200)


def test_a_span_that_ends_at_midnight_needs_no_further_day():
    assert Span(datetime(2025, 6, 1), 24, 3600).days == 1
