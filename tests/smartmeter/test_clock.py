"""The clock of readings: even while somebody sets the machine's."""

import json
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartmeter.clock import ClockError, MachineClock, Pace, SimulatedClock, SteadyClock, Step, world_clock


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


class _Machine:
    """Two clocks of a machine, moved by hand."""

    def __init__(self) -> None:
        self.wall_ms, self.monotonic_ms = 5_000_000, 70

    def pass_ms(self, by_ms: int) -> None:
        self.wall_ms, self.monotonic_ms = self.wall_ms + by_ms, self.monotonic_ms + by_ms


def _set(path: Path, real_s: float, simulated_s: float, speed: float) -> None:
    """As whoever sets a clock does it: all at once."""
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps({"real_s": real_s, "simulated_s": simulated_s, "speed": speed}), encoding="utf-8")
    fresh.replace(path)


def _simulated(path: Path, machine: _Machine) -> SimulatedClock:
    return SimulatedClock(path, lambda: machine.wall_ms, lambda: machine.monotonic_ms)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "clock.json"


def test_simulated_time_passes_at_its_speed(file: Path) -> None:
    machine = _Machine()
    _set(file, 5_000, 1_000_000, 60)
    clock = _simulated(file, machine)
    steady_ms = clock.steady_ms()
    machine.pass_ms(1_500)
    assert (clock.now_ms(), clock.now_s()) == (1_000_090_000, 1_000_090.0)
    assert clock.steady_ms() - steady_ms == 90_000


def test_a_changed_file_sets_the_clock_while_it_runs_and_the_steady_count_goes_on(file: Path) -> None:
    machine = _Machine()
    _set(file, 5_000, 1_000_000, 60)
    clock = _simulated(file, machine)
    machine.pass_ms(1_000)
    _set(file, 5_000, 900_000, 10)
    assert clock.now_ms() == 900_010_000
    steady_ms = clock.steady_ms()
    machine.pass_ms(1_000)
    assert clock.steady_ms() - steady_ms == 10_000
    assert steady_ms == 60_000, "what passed before the change passed at the speed before it"


@pytest.mark.parametrize("broken", ["", "{", "[]", '{"real_s": 1, "simulated_s": 2}', "[" * 100_000])
def test_a_half_written_or_lost_file_changes_nothing(file: Path, broken: str) -> None:
    machine = _Machine()
    _set(file, 5_000, 1_000_000, 60)
    clock = _simulated(file, machine)
    file.write_text(broken, encoding="utf-8")
    assert clock.now_ms() == 1_000_000_000
    file.unlink()
    assert clock.now_ms() == 1_000_000_000


@pytest.mark.parametrize(
    "text",
    [
        "no JSON",
        '{"real_s": 1, "simulated_s": 2, "speed": 0}',
        '{"real_s": 1, "simulated_s": 2, "speed": -3}',
        '{"real_s": 1, "simulated_s": 2, "speed": NaN}',
        '{"real_s": 1, "simulated_s": 2, "speed": true}',
        '{"real_s": 1, "simulated_s": 2, "speed": 1, "more": 1}',
        '{"real_s": -1, "simulated_s": 2, "speed": 1}',
    ],
)
def test_a_file_that_is_no_clock_is_refused_by_name(file: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text(text, encoding="utf-8")
    monkeypatch.setenv("PETRA_CLOCK", str(file))
    with pytest.raises(ClockError, match=r"clock\.json"):
        world_clock()
    file.unlink()
    with pytest.raises(ClockError, match="PETRA_CLOCK"):
        world_clock()


def test_without_the_variable_it_is_the_machines_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PETRA_CLOCK", raising=False)
    assert isinstance(world_clock(), MachineClock)
    assert world_clock().speed == 1


def test_tolerance_and_patience_of_a_fast_clock_are_as_many_times_larger(file: Path) -> None:
    machine = _Machine()
    _set(file, 5_000, 1_000_000, 60)
    world = _simulated(file, machine)
    clock = SteadyClock(world=world)
    assert clock.now_ms() == 1_000_000_000
    _set(file, 5_000, 1_000_100, 60)  # 100 s is less than two real seconds
    assert clock.now_ms() == 1_000_100_000
    _set(file, 5_000, 1_003_700, 60)  # an hour is more
    for _ in range(59):
        machine.pass_ms(1_000)
        clock.now_ms()
    assert clock.now_ms() == 1_000_100_000 + 59 * 60_000
    assert clock.steps == []
    machine.pass_ms(2_000)
    assert clock.now_ms() == 1_003_700_000 + 61 * 60_000
    assert clock.steps == [Step(1_000_100_000 + 61 * 60_000, 3_600_000)]


@given(
    st.fractions(1, 1000, max_denominator=100),
    st.lists(st.integers(0, 100_000), max_size=30),
)
def test_a_simulated_clock_that_nobody_sets_runs_evenly(speed: Fraction, passed_ms: list[int]) -> None:
    pace, real_ms, steps = Pace(Fraction(5), Fraction(10**9), speed), 5_000, 0
    for by_ms in passed_ms:
        before = pace.at_ms(real_ms)
        real_ms += by_ms
        steps += pace.at_ms(real_ms) - before
        assert pace.at_ms(real_ms) >= before
    assert steps == int((real_ms - 5_000) * speed)
