"""From a device's cumulative counter to one that never falls: the rules for whatever a counter can do.

Pure functions over whole numbers; :mod:`smartmeter.journal` keeps their state. docs/meter.md has the rules in words.
"""

from dataclasses import dataclass, replace
from enum import Enum

from smartmeter.flags import Quality

MS_PER_HOUR = 3_600_000

MAX_WH = 2**62
"""No counter shows as much: a number from here on is no reading."""


class Cause(Enum):
    """What a reading was judged to be."""

    FIRST = "first"
    NORMAL = "normal"
    ROLLOVER = "rollover"
    RESET = "reset"
    EXCHANGE = "exchange"
    JUMP = "jump"
    """An impossible value, kept and not used."""
    LATE = "late"
    """Not after the newest reading used: late, repeated, or the clock went back. Kept and not used."""


QUALITY = {
    Cause.FIRST: Quality.MISSING,
    Cause.NORMAL: Quality.MEASURED,
    Cause.ROLLOVER: Quality.MEASURED,
    Cause.RESET: Quality.ESTIMATED,
    Cause.EXCHANGE: Quality.MISSING,
}
"""The quality of the energy since the reading before, for each cause whose reading is used."""

CONFIRMATIONS = 3
"""Consecutive plausible readings at a new level that make an impossible jump an exchange of the device."""


@dataclass(frozen=True, slots=True)
class CounterState:
    """Where a counter stands after the newest reading used."""

    time_ms: int
    raw_wh: int
    """What the device shows."""
    total_wh: int
    """Energy counted since the journal began; never falls."""
    doubted_ms: int = 0
    doubted_wh: int = 0
    """The last impossible reading."""
    doubts: int = 0
    """How many impossible readings in a row are plausible beside one another."""


def advance(
    state: CounterState | None,
    time_ms: int,
    raw_wh: int,
    *,
    max_power_w: int,
    step_wh: int,
    wraps_at_wh: int | None,
    late_since_ms: int | None = None,
) -> tuple[CounterState, Cause]:
    """The state after a reading, and what the reading was.

    ``max_power_w`` is the most that the connection can carry, ``step_wh`` the counter's resolution.
    ``late_since_ms``: the earliest of the late readings since the state; when the clock was set back, the device
    counted from then on. Raises ``ValueError`` for a negative reading.
    """
    if raw_wh < 0:
        raise ValueError("a counter is not negative")
    if state is None:
        return CounterState(time_ms, raw_wh, 0), Cause.FIRST
    if time_ms <= state.time_ms:
        return state, Cause.LATE

    def possible(delta_wh: int, since_ms: int) -> bool:
        return 0 <= delta_wh <= max_power_w * (time_ms - since_ms) // MS_PER_HOUR + 2 * step_wh

    since_ms = state.time_ms if late_since_ms is None else min(late_since_ms, state.time_ms)
    delta_wh = raw_wh - state.raw_wh
    if possible(delta_wh, since_ms):
        return CounterState(time_ms, raw_wh, state.total_wh + delta_wh), Cause.NORMAL
    if wraps_at_wh is not None and delta_wh < 0 and possible(delta_wh + wraps_at_wh, since_ms):
        return CounterState(time_ms, raw_wh, state.total_wh + delta_wh + wraps_at_wh), Cause.ROLLOVER
    if delta_wh < 0 and possible(raw_wh, since_ms):
        return CounterState(time_ms, raw_wh, state.total_wh + raw_wh), Cause.RESET
    agrees = state.doubts > 0 and time_ms > state.doubted_ms and possible(raw_wh - state.doubted_wh, state.doubted_ms)
    doubts = state.doubts + 1 if agrees else 1
    if doubts >= CONFIRMATIONS:
        return CounterState(time_ms, raw_wh, state.total_wh), Cause.EXCHANGE
    return replace(state, doubted_ms=time_ms, doubted_wh=raw_wh, doubts=doubts), Cause.JUMP


def at_boundary(before: CounterState, after: CounterState, boundary_ms: int) -> int:
    """The total at a moment between two states, on the straight line between them, rounded down.

    Interval energies are differences of these, so that whatever the division, their sum is what was counted.
    """
    span_ms = after.time_ms - before.time_ms
    return before.total_wh + (after.total_wh - before.total_wh) * (boundary_ms - before.time_ms) // span_ms
