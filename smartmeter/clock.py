"""The time of readings: the machine's clock, held steady when somebody sets it."""

import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """The clock was set, and the meter goes along."""

    time_ms: int
    """Where it stood."""
    by_ms: int
    """By how much it was set; negative: backwards."""


class SteadyClock:
    """Unix milliseconds that go on evenly while the machine's clock is wrong for a moment.

    Time is counted by the monotonic clock. Where the machine's clock differs by more than ``tolerance_ms``, and has
    done so for ``patience_ms``, it was set on purpose: the meter goes along, and :attr:`steps` says so. Smaller
    differences (drift, what NTP corrects) are followed at once, but never backwards.
    """

    def __init__(self, tolerance_ms: int = 2_000, patience_ms: int = 60_000) -> None:
        self._tolerance_ms, self._patience_ms = tolerance_ms, patience_ms
        self._anchor: tuple[int, int] | None = None
        self._doubted_since_ms: int | None = None
        self._last_ms = 0
        self.steps: list[Step] = []
        """The steps that were followed and not yet taken note of."""

    def now_ms(self) -> int:
        """The time of a reading taken now."""
        return self.at(time.time_ns() // 1_000_000, time.monotonic_ns() // 1_000_000)

    def at(self, wall_ms: int, monotonic_ms: int) -> int:
        """The time when the machine's two clocks show these."""
        if self._anchor is None:
            self._anchor = (wall_ms, monotonic_ms)
        steady_ms = self._anchor[0] + monotonic_ms - self._anchor[1]
        off_ms = wall_ms - steady_ms
        if abs(off_ms) <= self._tolerance_ms:
            self._anchor, self._doubted_since_ms = (wall_ms, monotonic_ms), None
            self._last_ms = max(self._last_ms, wall_ms)
            return self._last_ms
        if self._doubted_since_ms is None:
            self._doubted_since_ms = monotonic_ms
        if monotonic_ms - self._doubted_since_ms >= self._patience_ms:
            self.steps.append(Step(steady_ms, off_ms))
            self._anchor, self._doubted_since_ms = (wall_ms, monotonic_ms), None
            self._last_ms = wall_ms
            return wall_ms
        self._last_ms = max(self._last_ms, steady_ms)
        return self._last_ms
