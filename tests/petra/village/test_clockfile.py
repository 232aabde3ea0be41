"""The village's clock goes on evenly when its speed changes."""

import time

import pytest

from petra.village.clockfile import VillageClock
from smartmeter.clock import SimulatedClock


def test_a_clock_that_is_made_faster_goes_on_where_it_was(tmp_path) -> None:
    path = tmp_path / "clocks" / "meter1.json"
    slow = VillageClock.beginning(1_000_000)
    slow.write(path)
    clock = SimulatedClock(path)
    assert clock.speed == 1
    assert clock.now_s() == pytest.approx(1_000_000, abs=60)
    fast = slow.going(60)
    assert fast.simulated_s - slow.simulated_s == pytest.approx(fast.real_s - slow.real_s, abs=0.01)
    fast.write(path)
    assert clock.speed == 60
    assert clock.now_s() == pytest.approx(fast.simulated_s + (time.time() - fast.real_s) * 60, abs=600)
