"""Load of a home: what its people switch on, what cools, lights and standby.

The model follows CREST (see :mod:`petra.homes.appliances`): while somebody is active, an appliance starts with a
probability that follows the time-of-day profile of its activity, scaled so that a year has the cycles of the table.

Calibration: energy in 2025 of 40 homes of each kind, measured with ``python -m petra.homes.calibration``

    house, 4 people: mean 4222 kWh a year, lowest 3631, highest 4587
    flat, 2 people: mean 2414 kWh a year, lowest 2082, highest 2812
"""

import numpy as np

from petra.homes.appliances import (
    APPLIANCES,
    COOLERS,
    HOURLY_WEIGHT,
    LAMP_W,
    LAMPS,
    LIT_PERMILLE,
    STANDBY_W,
    Appliance,
    Cooler,
    Household,
)
from petra.homes.occupancy import (
    STEP_MINUTES,
    Occupancy,
    active_probability,
    is_weekend,
    over_the_day,
    simulate,
)
from petra.homes.randomness import Floats, Stream, generator
from petra.homes.site import sun_elevation_deg
from petra.homes.span import Span, Watts

DAYS_PER_YEAR = 365

DARK_BELOW_DEG, LIGHT_ABOVE_DEG = -2.0, 10.0
"""Sun elevations between which people switch their lights on or off."""


def load_w(seed: int, home: int, household: Household, people: int, span: Span) -> Watts:
    """Power that ``home`` uses in each minute of the days of ``span``."""
    occupancy = simulate(seed, home, people, span)
    power_w = np.full(span.minutes, STANDBY_W[household], dtype=np.int64)
    power_w += _lights_w(seed, home, household, occupancy, span)
    owned = _owned(seed, home, household)
    for part, appliance in enumerate(APPLIANCES):
        if appliance.name in owned:
            rng = generator(seed, Stream.APPLIANCE, home, part)
            power_w += _cycles_w(rng, appliance, people, occupancy, span)
    for part, cooler in enumerate(COOLERS):
        if cooler.name in owned:
            power_w += _cooling_w(generator(seed, Stream.COOLER, home, part), cooler, span)
    return power_w


def _owned(seed: int, home: int, household: Household) -> set[str]:
    """Names of the appliances and coolers that a home has."""
    rng = generator(seed, Stream.OWNERSHIP, home)
    drawn = [item for item in (*APPLIANCES, *COOLERS) if rng.integers(1000) < item.owned_permille[household]]
    replaced = {name for item in drawn if isinstance(item, Appliance) for name in item.replaces}
    return {item.name for item in drawn} - replaced


def _start_probability(appliance: Appliance, people: int, shift_steps: int, *, weekend: bool) -> Floats:
    """Probability that the appliance starts in a step of the day while somebody is active."""
    weight = over_the_day(HOURLY_WEIGHT[appliance.activity], shift_steps)
    # Expected weight of a day with somebody active, over a week, turns the weights into the table's cycles a day.
    expected = sum(
        share * float(np.sum(weight * (1 - (1 - active_probability(shift_steps, weekend=kind)) ** people)))
        for kind, share in ((False, 5 / 7), (True, 2 / 7))
    )
    starts_per_day = (appliance.starts_per_year + people * appliance.starts_per_year_person) / DAYS_PER_YEAR
    return weight * starts_per_day / expected


def _cycles_w(rng: np.random.Generator, appliance: Appliance, people: int, occupancy: Occupancy, span: Span) -> Watts:
    """Power of an appliance in each minute."""
    kinds = {
        weekend: _start_probability(appliance, people, occupancy.shift_steps, weekend=weekend)
        for weekend in (False, True)
    }
    probability = np.concatenate([kinds[weekend] for weekend in is_weekend(span)])
    draws = rng.random((len(probability), 3))
    starts = np.flatnonzero((draws[:, 0] < probability) & (occupancy.active > 0))
    power_w = np.zeros(span.minutes, dtype=np.int64)
    busy_until = 0
    for step in starts.tolist():
        minute = step * STEP_MINUTES + int(draws[step, 1] * STEP_MINUTES)
        if minute < busy_until:
            continue  # it is running already
        stretch = 0.75 + 0.5 * draws[step, 2]
        for phase in appliance.phases:
            end = minute + max(1, round(phase.minutes * stretch))
            power_w[minute:end] = appliance.nominal_w * phase.power_permille // 1000
            minute = end
        busy_until = minute
    if appliance.attended:
        power_w[occupancy.active_by_minute == 0] = 0
    return power_w


def _cooling_w(rng: np.random.Generator, cooler: Cooler, span: Span) -> Watts:
    """Power of a freezer or fridge in each minute: runs and pauses of varying length, at an unknown phase at first."""
    mean_cycle = cooler.on_minutes + cooler.off_minutes
    cycles = 2 * span.minutes // mean_cycle + 2
    stretch = 0.7 + 0.6 * rng.random((cycles, 2))
    on = np.maximum(1, np.rint(cooler.on_minutes * stretch[:, 0])).astype(np.int64)
    off = np.maximum(1, np.rint(cooler.off_minutes * stretch[:, 1])).astype(np.int64)
    ends = np.cumsum(on + off)
    first = int(stretch[0, 0] * 1000) % mean_cycle
    power_w = np.zeros(span.minutes + mean_cycle, dtype=np.int64)
    for end, run in zip(ends.tolist(), on.tolist(), strict=True):
        power_w[end - run : end] = cooler.nominal_w
    return power_w[first : first + span.minutes]


def _lights_w(seed: int, home: int, household: Household, occupancy: Occupancy, span: Span) -> Watts:
    """Power of the lights in each minute: a share of the lamps that grows with darkness and active people."""
    steps = len(occupancy.active)
    hours = (np.arange(steps) + 0.5) * STEP_MINUTES / 60
    elevation_deg = sun_elevation_deg(span.first_day, hours)
    darkness = np.clip((LIGHT_ABOVE_DEG - elevation_deg) / (LIGHT_ABOVE_DEG - DARK_BELOW_DEG), 0, 1)
    wanted = np.array(LIT_PERMILLE)[np.minimum(occupancy.active, len(LIT_PERMILLE) - 1)] / 1000
    draws = generator(seed, Stream.LIGHT, home).random((steps, LAMPS[household]))
    lit = np.sum(draws < (darkness * wanted)[:, None], axis=1, dtype=np.int64)
    return np.repeat(lit * LAMP_W, STEP_MINUTES)
