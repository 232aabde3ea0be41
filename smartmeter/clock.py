"""The time of readings: the machine's clock, or a simulated one, held steady when somebody sets it."""

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from threading import Lock
from typing import Protocol

from assets.codec import is_nested_deeply

VARIABLE = "PETRA_CLOCK"
"""Environment variable with the file of a simulated clock."""

FIELDS = ("real_s", "simulated_s", "speed")

MAX_SPEED = 1_000_000
"""Simulated seconds per second, at most."""


class ClockError(ValueError):
    """The file of a simulated clock cannot be used: ``file: what``."""


class Clock(Protocol):
    """A clock that a process lives by."""

    def now_s(self) -> float:
        """Unix seconds."""

    def now_ms(self) -> int:
        """Unix milliseconds."""

    def steady_ms(self) -> int:
        """Milliseconds that pass as fast as this clock's, and go on evenly when it is set."""

    @property
    def speed(self) -> Fraction:
        """Seconds of this clock per real second."""


class MachineClock:
    """The machine's own clock."""

    speed = Fraction(1)

    def now_s(self) -> float:
        """Unix seconds."""
        return time.time()

    def now_ms(self) -> int:
        """Unix milliseconds."""
        return time.time_ns() // 1_000_000

    def steady_ms(self) -> int:
        """The machine's monotonic clock."""
        return time.monotonic_ns() // 1_000_000


MACHINE = MachineClock()


@dataclass(frozen=True, slots=True)
class Pace:
    """How simulated time goes: ``simulated_s`` was at ``real_s``, both Unix seconds; it passes ``speed`` as fast."""

    real_s: Fraction
    simulated_s: Fraction
    speed: Fraction

    def at_ms(self, real_ms: int) -> int:
        """Simulated Unix milliseconds when the machine's clock shows ``real_ms``; rounded down."""
        return int((self.simulated_s + (Fraction(real_ms, 1000) - self.real_s) * self.speed) * 1000 // 1)


def read_pace(path: Path) -> Pace:
    """The pace in a clock's file. Raises :class:`ClockError`, and ``OSError`` if it cannot be read."""
    data = path.read_bytes()
    try:
        if is_nested_deeply(data):
            raise ValueError
        found = json.loads(data, parse_float=Fraction, parse_int=Fraction, parse_constant=_no_number)
        if not isinstance(found, dict) or set(found) != set(FIELDS):
            raise ValueError
        real_s, simulated_s, speed = (found[name] for name in FIELDS)
        if not all(isinstance(value, Fraction) for value in (real_s, simulated_s, speed)):
            raise ValueError
    except ValueError:  # of JSON and of numbers
        raise ClockError(
            f'{path}: expected {{"real_s": …, "simulated_s": …, "speed": …}}, three numbers; correct the file'
        ) from None
    if not 0 < speed <= MAX_SPEED or real_s < 0 or simulated_s < 0:
        raise ClockError(f"{path}: speed lies above 0 and up to {MAX_SPEED}, times are positive; correct the file")
    return Pace(real_s, simulated_s, speed)


class SimulatedClock:
    """A clock whose pace is in a file, which is read again whenever it has changed: so it can be set while it runs.

    A changed file that cannot be used (it may be half written) changes nothing. Safe to use from several threads.
    """

    def __init__(
        self,
        path: Path,
        wall_ms: Callable[[], int] = MACHINE.now_ms,
        monotonic_ms: Callable[[], int] = MACHINE.steady_ms,
    ) -> None:
        """Raises :class:`ClockError` if the file is not there or cannot be used."""
        self._path, self._wall_ms, self._monotonic_ms = path, wall_ms, monotonic_ms
        self._lock = Lock()
        self._seen = self._look()
        try:
            self._pace = read_pace(path)
        except OSError as failure:
            raise ClockError(
                f"{path}: {failure.strerror}; {VARIABLE} names the file of a simulated clock, or is not set"
            ) from None
        self._steady_ms, self._steady_since_ms = Fraction(0), monotonic_ms()

    @property
    def speed(self) -> Fraction:
        """Simulated seconds per real second, as the file says now."""
        return self._current().speed

    def now_s(self) -> float:
        """Simulated Unix seconds."""
        return self.now_ms() / 1000

    def now_ms(self) -> int:
        """Simulated Unix milliseconds."""
        return self._current().at_ms(self._wall_ms())

    def steady_ms(self) -> int:
        """The machine's monotonic clock, at the speed of this one."""
        self._current()
        with self._lock:
            return int(self._passed_ms())

    def _passed_ms(self) -> Fraction:
        now_ms = self._monotonic_ms()
        self._steady_ms += (now_ms - self._steady_since_ms) * self._pace.speed
        self._steady_since_ms = now_ms
        return self._steady_ms

    def _current(self) -> Pace:
        with self._lock:
            seen = self._look()
            if seen is not None and seen != self._seen:
                try:
                    pace = read_pace(self._path)
                except (ClockError, OSError):
                    return self._pace
                self._passed_ms()  # at the speed of until now
                self._seen, self._pace = seen, pace
            return self._pace

    def _look(self) -> tuple[int, int, int] | None:
        try:
            found = os.stat(self._path)
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino


def world_clock() -> Clock:
    """The clock that the environment variable ``PETRA_CLOCK`` names, else the machine's.

    Raises :class:`ClockError` if there is no usable file.
    """
    path = os.environ.get(VARIABLE)
    return SimulatedClock(Path(path)) if path else MACHINE


def _no_number(text: str) -> Fraction:
    raise ValueError(f"{text} is no number")


@dataclass(frozen=True, slots=True)
class Step:
    """The clock was set, and the meter goes along."""

    time_ms: int
    """Where it stood."""
    by_ms: int
    """By how much it was set; negative: backwards."""


class SteadyClock:
    """Unix milliseconds that go on evenly while the world's clock is wrong for a moment.

    Time is counted by the monotonic clock. Where the world's clock differs by more than ``tolerance_ms``, and has
    done so for ``patience_ms``, it was set on purpose: the meter goes along, and :attr:`steps` says so. Smaller
    differences (drift, what NTP corrects) are followed at once, but never backwards.

    Tolerance and patience are real milliseconds: a clock that runs 60 times as fast may be wrong by 60 times as much.
    """

    def __init__(self, tolerance_ms: int = 2_000, patience_ms: int = 60_000, world: Clock | None = None) -> None:
        """``world``: the clock to hold steady; the machine's."""
        self._tolerance_ms, self._patience_ms = tolerance_ms, patience_ms
        self._world: Clock = MACHINE if world is None else world
        self._anchor: tuple[int, int] | None = None
        self._doubted_since_ms: int | None = None
        self._last_ms = 0
        self.steps: list[Step] = []
        """The steps that were followed and not yet taken note of."""

    def now_ms(self) -> int:
        """The time of a reading taken now."""
        return self.at(self._world.now_ms(), self._world.steady_ms())

    def at(self, wall_ms: int, monotonic_ms: int) -> int:
        """The time when the world's two clocks show these."""
        if self._anchor is None:
            self._anchor = (wall_ms, monotonic_ms)
        steady_ms = self._anchor[0] + monotonic_ms - self._anchor[1]
        off_ms = wall_ms - steady_ms
        if abs(off_ms) <= self._tolerance_ms * self._world.speed:
            self._anchor, self._doubted_since_ms = (wall_ms, monotonic_ms), None
            self._last_ms = max(self._last_ms, wall_ms)
            return self._last_ms
        if self._doubted_since_ms is None:
            self._doubted_since_ms = monotonic_ms
        if monotonic_ms - self._doubted_since_ms >= self._patience_ms * self._world.speed:
            self.steps.append(Step(steady_ms, off_ms))
            self._anchor, self._doubted_since_ms = (wall_ms, monotonic_ms), None
            self._last_ms = wall_ms
            return wall_ms
        self._last_ms = max(self._last_ms, steady_ms)
        return self._last_ms
