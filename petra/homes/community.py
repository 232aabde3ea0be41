"""The default community: the 18 homes of a CIGRE low-voltage microgrid, generated from a seed.

The four groups are those of the thesis behind the project. How strong a battery's inverter is was not stated; half the
capacity in an hour is an assumption.
"""

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from petra.homes.appliances import Household
from petra.homes.load import load_w
from petra.homes.profile import Battery, HomeProfile, Profiles, require_interval, require_period, require_start
from petra.homes.solar import Sky, sky, solar_power_w
from petra.homes.span import Span
from petra.homes.wind import wind_power_w


@dataclass(frozen=True, slots=True)
class HomeType:
    """What a home of the community is like."""

    group: int
    household: Household
    people: int
    pv_w: int
    """Nominal power of the solar panels; 0 without."""
    wind_w: int
    """Nominal power of the wind turbine; 0 without."""
    battery: Battery | None
    node: int
    """Node of the low-voltage network."""


_GROUP_1 = HomeType(1, Household.HOUSE, 4, 1500, 500, Battery(capacity_wh=6000, power_w=3000), node=5)
_GROUP_2 = HomeType(2, Household.FLAT, 2, 0, 1000, Battery(capacity_wh=3000, power_w=1500), node=8)
_GROUP_3 = HomeType(3, Household.FLAT, 2, 1200, 0, Battery(capacity_wh=3000, power_w=1500), node=7)
_GROUP_4 = tuple(HomeType(4, Household.HOUSE, 4, 0, 0, None, node) for node in (3, 6))

COMMUNITY = (*[_GROUP_1] * 4, *[_GROUP_2] * 6, *[_GROUP_3] * 6, *_GROUP_4)
"""Homes 1 to 18; further homes begin again with the first."""


def home_type(home: int) -> HomeType:
    """What home number ``home`` (from 1) is like."""
    return COMMUNITY[(home - 1) % len(COMMUNITY)]


def generate(seed: int, start: datetime, intervals: int, interval_s: int, homes: int = len(COMMUNITY)) -> Profiles:
    """Load and generation of a community, the same for the same arguments.

    ``start`` is local standard time at the site of :mod:`petra.homes.site`. A home does not depend on how many homes
    or intervals there are. Random streams count from midnight of the first day, so the same seed brings the same clouds
    and wind on another date, under another sun. Raises ``ValueError`` for arguments out of range and
    :class:`petra.homes.solar.MissingExtra` without pvlib.
    """
    require_start(start)
    require_interval(interval_s)
    if intervals < 1 or homes < 1:
        raise ValueError(f"{homes} homes and {intervals} intervals asked for; ask for at least one of each")
    require_period(start, intervals, interval_s)
    span = Span(start, intervals, interval_s)
    above = sky(seed, span)
    return Profiles(
        start=start,
        interval_s=interval_s,
        homes=tuple(_home(seed, home, above, span) for home in range(1, homes + 1)),
        source=f"generated: {homes} homes of the CIGRE low-voltage community, seed {seed}",
    )


def _home(seed: int, home: int, above: Sky, span: Span) -> HomeProfile:
    """One home of the community."""
    kind = home_type(home)
    generation_w = np.zeros(span.minutes, dtype=np.int64)
    if kind.pv_w:
        generation_w += solar_power_w(seed, home, kind.pv_w, above, span)
    if kind.wind_w:
        generation_w += wind_power_w(seed, home, kind.wind_w, span)
    return HomeProfile(
        home=home,
        load_wh=span.energy_wh(load_w(seed, home, kind.household, kind.people, span)),
        generation_wh=span.energy_wh(generation_w),
        battery=kind.battery,
        node=kind.node,
    )
