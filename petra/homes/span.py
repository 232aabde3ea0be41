"""The stretch of time that is generated, and how power in it becomes whole watt-hours."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from assets.units import SECONDS_PER_HOUR

MINUTES_PER_DAY = 1440
SECONDS_PER_MINUTE = 60
SECONDS_PER_DAY = 86_400

Watts = NDArray[np.int64]
"""Whole watts, one value for each minute of a span's days."""


@dataclass(frozen=True, slots=True)
class Span:
    """Consecutive intervals, and the whole days around them.

    Homes are generated in whole days from midnight at a resolution of one minute, so that the hour at which a run
    starts only decides which part of the day is used.
    """

    start: datetime
    """Start of the first interval, local standard time."""
    intervals: int
    interval_s: int

    @property
    def first_day(self) -> date:
        """The day in which the first interval starts."""
        return self.start.date()

    @property
    def offset_s(self) -> int:
        """Seconds from midnight to the start of the first interval."""
        return (self.start - datetime.combine(self.first_day, datetime.min.time())) // timedelta(seconds=1)

    @property
    def days(self) -> int:
        """Number of days from midnight of the first day to the end of the last interval."""
        return -(-(self.offset_s + self.intervals * self.interval_s) // SECONDS_PER_DAY)

    @property
    def minutes(self) -> int:
        """Number of minutes in those days."""
        return self.days * MINUTES_PER_DAY

    def energy_wh(self, power_w: Watts) -> tuple[int, ...]:
        """Energy of each interval in whole Wh, from the power of each minute of the days.

        Each interval gets the whole watt-hours that were completed in it, and what is left counts in the next: the
        sum over all intervals is exact to the watt-hour, which rounding each interval would not be.
        """
        until_ws = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(power_w * SECONDS_PER_MINUTE)])
        edges_s = self.offset_s + np.arange(self.intervals + 1, dtype=np.int64) * self.interval_s
        minute, rest_s = edges_s // SECONDS_PER_MINUTE, edges_s % SECONDS_PER_MINUTE
        # The last edge may be the end of the last minute, of which no second is used.
        within_ws = power_w[np.minimum(minute, len(power_w) - 1)] * rest_s
        used_ws = until_ws[minute] + within_ws
        whole_wh = (used_ws - used_ws[0]) // SECONDS_PER_HOUR
        return tuple(np.diff(whole_wh).tolist())
