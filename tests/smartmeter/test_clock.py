"""The clock of readings: even while somebody sets the machine's."""

from hypothesis import given
from hypothesis import strategies as st

from smartmeter.clock import SteadyClock, Step


def test_a_wrong_moment_is_not_followed() -> None:
    clock = SteadyClock()
    assert [clock.at(1_000_000 + off, 1_000 * i) for i, off in enumerate((0, 500_000, 2_000))] == [
        1_000_000,
        1_001_000,
        1_002_000,
    ]
    assert clock.steps == []


def test_a_clock_that_was_set_forwards_or_back_is_followed_after_a_minute_and_noted() -> None:
    for by_ms in (7_200_000, -7_200_000):
        clock = SteadyClock()
        clock.at(10**9, 0)
        before = [clock.at(10**9 + by_ms + s * 1000, s * 1000) for s in range(1, 60)]
        assert before == [10**9 + s * 1000 for s in range(1, 60)]
        assert clock.at(10**9 + by_ms + 61_000, 61_000) == 10**9 + by_ms + 61_000
        assert clock.steps == [Step(10**9 + 61_000, by_ms)]


@given(st.lists(st.tuples(st.integers(1, 1000), st.integers(-30, 30)), max_size=50))
def test_drift_is_followed_and_never_goes_backwards(ticks: list[tuple[int, int]]) -> None:
    clock, wall, monotonic, last = SteadyClock(), 10**9, 0, 0
    for passed_ms, drift_ms in ticks:
        monotonic, wall = monotonic + passed_ms, wall + passed_ms + drift_ms
        now = clock.at(wall, monotonic)
        last = max(last, wall)
        assert now == last
    assert clock.steps == []
