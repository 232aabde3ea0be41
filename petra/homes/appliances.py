"""What uses electricity in a home: tables of constants, without behaviour.

Nominal powers and the shiftable flag are those of the 18-home CIGRE low-voltage community (the default community of
``petra simulate``). How often and how long an appliance runs, who owns one and how its power varies over a cycle are
assumptions in the spirit of the CREST model (Richardson, Thomson, Infield and Clifford 2010, "Domestic electricity
use: a high-resolution energy demand model", Energy and Buildings 42), set so that the homes' yearly energy is
plausible; the calibration is in :mod:`petra.homes.load`. Powers are in watts, times in minutes, shares in permille.
"""

from dataclasses import dataclass
from enum import Enum


class Household(Enum):
    """Kind of dwelling."""

    HOUSE = "house"
    FLAT = "flat"


class Activity(Enum):
    """What the people of a home do when they switch something on; it has a profile over the day."""

    COOKING = "cooking"
    DISHES = "dishes"
    LAUNDRY = "laundry"
    CLEANING = "cleaning"
    WASHING = "washing"
    LEISURE = "leisure"


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of an appliance's cycle."""

    minutes: int
    power_permille: int
    """Mean power, in thousandths of the nominal power."""


@dataclass(frozen=True, slots=True)
class Appliance:
    """An appliance that people switch on."""

    name: str
    nominal_w: int
    shiftable: bool
    """Whether its use can be moved within the day (demand response)."""
    attended: bool
    """Whether it is off while nobody in the home is active."""
    activity: Activity
    phases: tuple[Phase, ...]
    starts_per_year: int
    """Cycles in a year of a home, whatever the number of people."""
    starts_per_year_person: int
    """Further cycles in a year for each person."""
    owned_permille: dict[Household, int]
    """Share of the homes that have one."""
    replaces: tuple[str, ...] = ()
    """Appliances that a home with this one does not have as well."""


@dataclass(frozen=True, slots=True)
class Cooler:
    """An appliance that switches itself on and off all day."""

    name: str
    nominal_w: int
    on_minutes: int
    """Mean length of the compressor's run."""
    off_minutes: int
    """Mean pause between two runs."""
    owned_permille: dict[Household, int]


_H, _F = Household.HOUSE, Household.FLAT

APPLIANCES = (
    Appliance(
        "washing machine", 2300, True, False, Activity.LAUNDRY,
        (Phase(20, 900), Phase(60, 80), Phase(15, 200)), 45, 55, {_H: 1000, _F: 1000},
    ),
    Appliance(
        "washer-dryer", 2500, True, False, Activity.LAUNDRY,
        (Phase(20, 800), Phase(60, 80), Phase(15, 200), Phase(50, 600)), 30, 35, {_H: 100, _F: 250},
        replaces=("washing machine", "tumble dryer"),
    ),
    Appliance(
        "dishwasher", 1200, True, False, Activity.DISHES,
        (Phase(25, 950), Phase(40, 80), Phase(20, 900), Phase(15, 80)), 70, 55, {_H: 1000, _F: 500},
    ),
    Appliance(
        "tumble dryer", 2400, True, False, Activity.LAUNDRY,
        (Phase(60, 800), Phase(10, 100)), 40, 35, {_H: 750, _F: 200},
    ),
    Appliance("vacuum cleaner", 2100, True, True, Activity.CLEANING, (Phase(20, 900),), 30, 15, {_H: 1000, _F: 1000}),
    Appliance("small cooker", 1200, True, True, Activity.COOKING, (Phase(8, 1000),), 150, 90, {_H: 1000, _F: 1000}),
    Appliance(
        "hot-water tank", 2800, True, False, Activity.WASHING, (Phase(15, 1000),), 160, 150, {_H: 650, _F: 400},
    ),
    Appliance(
        "hob", 2400, True, True, Activity.COOKING, (Phase(8, 1000), Phase(17, 350)), 200, 100, {_H: 1000, _F: 1000},
    ),
    Appliance(
        "oven", 2400, True, True, Activity.COOKING, (Phase(12, 1000), Phase(30, 400)), 60, 35, {_H: 1000, _F: 900},
    ),
    Appliance("microwave", 1300, True, True, Activity.COOKING, (Phase(5, 1000),), 120, 70, {_H: 950, _F: 950}),
    Appliance("iron", 1100, True, True, Activity.CLEANING, (Phase(30, 550),), 15, 18, {_H: 900, _F: 900}),
    Appliance("TV", 125, False, True, Activity.LEISURE, (Phase(90, 1000),), 900, 300, {_H: 1000, _F: 1000}),
    Appliance("computer", 143, False, True, Activity.LEISURE, (Phase(75, 1000),), 450, 350, {_H: 1000, _F: 950}),
)  # fmt: skip
"""Everything that people switch on."""

COOLERS = (
    Cooler("freezer", 184, 12, 55, {_H: 900, _F: 300}),
    Cooler("fridge-freezer", 180, 14, 50, {_H: 1000, _F: 1000}),
)
"""Everything that cools; not shiftable."""

STANDBY_W = {_H: 110, _F: 80}
"""What a home uses when nothing is on: router, clocks, chargers, circulation pump."""

LAMP_W = 25
"""Mean power of one lighting point."""

LAMPS = {_H: 14, _F: 9}
"""Lighting points of a home."""

LIT_PERMILLE = (0, 330, 430, 500, 550)
"""Share of the lighting points that are lit in the dark, by the number of active people (the last entry for more):
people share rooms, so the second needs less light than the first (CREST's "effective occupancy")."""

HOURLY_WEIGHT: dict[Activity, tuple[int, ...]] = {
    #                   0              6                  12                  18
    Activity.COOKING: (0, 0, 0, 0, 0, 1, 4, 8, 7, 4, 3, 6, 10, 6, 3, 4, 8, 16, 18, 12, 6, 3, 1, 0),
    Activity.DISHES: (0, 0, 0, 0, 0, 0, 2, 4, 5, 4, 2, 2, 5, 6, 3, 2, 2, 4, 9, 14, 12, 7, 3, 1),
    Activity.LAUNDRY: (0, 0, 0, 0, 0, 1, 4, 8, 10, 10, 8, 7, 6, 6, 5, 5, 6, 7, 7, 6, 5, 3, 1, 0),
    Activity.CLEANING: (0, 0, 0, 0, 0, 0, 1, 3, 6, 10, 10, 8, 5, 6, 7, 7, 7, 6, 5, 4, 3, 1, 0, 0),
    Activity.WASHING: (1, 0, 0, 0, 1, 4, 12, 14, 9, 5, 4, 3, 3, 3, 2, 3, 4, 6, 8, 8, 8, 7, 6, 3),
    Activity.LEISURE: (2, 1, 0, 0, 0, 1, 2, 4, 4, 4, 4, 4, 5, 5, 5, 6, 8, 10, 14, 18, 20, 18, 10, 5),
}
"""Relative inclination of active people to begin an activity, by hour of the day (local time)."""
