"""What a simulation knows of its homes: load and generation in each interval, and the batteries."""

from dataclasses import dataclass
from datetime import datetime, timedelta

MAX_INTERVAL_S = 86_400
"""Longest interval: one day, as in :class:`assets.intervals.IntervalGrid`."""

EARLIEST, LATEST = datetime(1970, 1, 2), datetime(2200, 1, 1)
"""Runs lie between these: ledgers count seconds from 1970 on, pandas counts nanoseconds until 2262."""

UNKNOWN_NODE = 0
"""Node of a home of which nobody said where it is connected."""


@dataclass(frozen=True, slots=True)
class Battery:
    """A home battery, as its nameplate describes it."""

    capacity_wh: int
    """Energy that it can deliver when full."""
    power_w: int
    """Limit of charging and of discharging, at the meter."""
    efficiency_permille: int = 900
    """Energy delivered per energy taken in, in thousandths. An assumption, a little above the 850 that NREL's Annual
    Technology Baseline uses for residential storage."""

    def __post_init__(self) -> None:
        if self.capacity_wh < 0 or self.power_w < 0:
            raise ValueError("a battery's capacity_wh and power_w are not negative")
        if not 1 <= self.efficiency_permille <= 1000:
            raise ValueError(f"efficiency_permille is {self.efficiency_permille}; give 1 to 1000")


@dataclass(frozen=True, slots=True)
class HomeProfile:
    """Energy of one home, one entry for each interval."""

    home: int
    """Number of the home, from 1."""
    load_wh: tuple[int, ...]
    """What the home's appliances use."""
    generation_wh: tuple[int, ...]
    """What its solar panels and wind turbine produce."""
    battery: Battery | None = None
    """``None`` without a battery."""
    node: int = UNKNOWN_NODE
    """Node of the low-voltage network that the home is connected to; :data:`UNKNOWN_NODE` if not known."""

    def __post_init__(self) -> None:
        if len(self.load_wh) != len(self.generation_wh):
            raise ValueError(
                f"home {self.home} has {len(self.load_wh)} intervals of load, {len(self.generation_wh)} of generation"
            )
        if min(self.load_wh, default=0) < 0 or min(self.generation_wh, default=0) < 0:
            raise ValueError(f"home {self.home} has negative energy; load_wh and generation_wh start at 0")

    @property
    def net_wh(self) -> tuple[int, ...]:
        """Net consumption without the battery: load minus generation (positive = import)."""
        return tuple(load - made for load, made in zip(self.load_wh, self.generation_wh, strict=True))


@dataclass(frozen=True, slots=True)
class Profiles:
    """The homes of one simulated run, over the same intervals."""

    start: datetime
    """Start of the first interval: local standard time, without a time zone."""
    interval_s: int
    """Length of an interval in seconds."""
    homes: tuple[HomeProfile, ...]
    """Each home once, in ascending order of its number."""
    source: str
    """Where the energy comes from, for reports: a file's name, or the generator and its seed."""

    def __post_init__(self) -> None:
        require_start(self.start)
        require_interval(self.interval_s)
        if not self.homes:
            raise ValueError("profiles need at least one home")
        numbers = [profile.home for profile in self.homes]
        if numbers != sorted(set(numbers)):
            raise ValueError("each home appears once, in ascending order of its number")
        require_period(self.start, self.intervals, self.interval_s)
        for profile in self.homes:
            if len(profile.load_wh) != self.intervals:
                raise ValueError(
                    f"home {profile.home} has {len(profile.load_wh)} intervals, home {numbers[0]} has {self.intervals}"
                )

    @property
    def intervals(self) -> int:
        """Number of intervals."""
        return len(self.homes[0].load_wh)


def require_start(start: datetime) -> None:
    """Raise ``ValueError`` unless ``start`` is a whole second without a time zone."""
    if start.tzinfo is not None:
        raise ValueError(f"start {start.isoformat()} has a time zone; give local standard time without an offset")
    if start.microsecond:
        raise ValueError(f"start {start.isoformat()} is not a whole second")


def require_period(start: datetime, intervals: int, interval_s: int) -> None:
    """Raise ``ValueError`` unless all intervals lie in the time that ledgers and the model of the sun can tell."""
    after_s = (LATEST - start) // timedelta(seconds=1)
    if start < EARLIEST or intervals * interval_s > after_s:
        raise ValueError(
            f"{intervals} intervals of {interval_s} s from {start.isoformat()} do not lie in {EARLIEST.date()} to "
            f"{LATEST.date()}; give a --start in this range, or fewer --intervals"
        )


def require_interval(interval_s: int) -> None:
    """Raise ``ValueError`` unless ``interval_s`` is a usable length of an interval."""
    if not 1 <= interval_s <= MAX_INTERVAL_S:
        raise ValueError(f"interval_s is {interval_s}; give 1 to {MAX_INTERVAL_S} seconds")
