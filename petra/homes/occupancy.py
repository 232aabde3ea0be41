"""How many people of a home are active (at home and awake), in steps of ten minutes.

Each person is a Markov chain with the states active and not active, whose transition probabilities follow the time of
day and the kind of day; the home's state is the number of active people, as in CREST (Richardson, Thomson and Infield
2008, "A high-resolution domestic building occupancy model for energy demand simulations", Energy and Buildings 40).
CREST's transition matrices come from the British time-use survey; the two profiles here are simplified shapes of our
own, with the same features: asleep at night, a morning peak, half-empty homes on working days, full evenings.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from petra.homes.randomness import Floats, Stream, generator
from petra.homes.span import MINUTES_PER_DAY, Span

STEP_MINUTES = 10
STEPS_PER_DAY = MINUTES_PER_DAY // STEP_MINUTES

HOURLY_ACTIVE_PERMILLE = {
    "weekday": (80, 40, 30, 30, 40, 80, 250, 500, 500, 400, 360, 360, 400, 380, 360, 420, 520, 620, 680, 700, 700, 660,
                500, 250),
    "weekend": (120, 60, 40, 30, 30, 40, 100, 250, 450, 580, 600, 580, 600, 560, 520, 520, 550, 600, 640, 660, 660,
                640, 520, 300),
}  # fmt: skip
"""Probability that a person is active, by hour of the day (local time)."""

RENEWAL_PERMILLE = 180
"""Chance in a step that a person's state is drawn anew: a state lasts about an hour beyond what the profile says."""

MAX_SHIFT_STEPS = 5
"""Homes live up to this many steps earlier or later than the profile."""


@dataclass(frozen=True, slots=True)
class Occupancy:
    """The active people of one home."""

    active: NDArray[np.int64]
    """Number of active people in each step."""
    shift_steps: int
    """How much later than the profile this home lives."""

    @property
    def active_by_minute(self) -> NDArray[np.int64]:
        """Number of active people in each minute."""
        return np.repeat(self.active, STEP_MINUTES)


@lru_cache(maxsize=256)
def over_the_day(hourly: tuple[int, ...], shift_steps: int) -> Floats:
    """Hourly values (24, at the middle of the hour) as one value for each step of a day, shifted to a home's habits.

    Few differ, and all homes need them: they are computed once, and cannot be changed.
    """
    hours = (np.arange(STEPS_PER_DAY) + 0.5) * STEP_MINUTES / 60
    steps = np.interp(hours, np.arange(24) + 0.5, np.array(hourly, dtype=np.float64), period=24)
    rolled: Floats = np.roll(steps, shift_steps)
    rolled.setflags(write=False)
    return rolled


def active_probability(shift_steps: int, *, weekend: bool) -> Floats:
    """Probability that a person is active, for each step of a day."""
    return over_the_day(HOURLY_ACTIVE_PERMILLE["weekend" if weekend else "weekday"], shift_steps) / 1000


def is_weekend(span: Span) -> list[bool]:
    """For each day of the span, whether it is a Saturday or Sunday."""
    return [(span.first_day.weekday() + day) % 7 >= 5 for day in range(span.days)]


def simulate(seed: int, home: int, people: int, span: Span) -> Occupancy:
    """The active people of ``home`` over the days of ``span``."""
    rng = generator(seed, Stream.OCCUPANCY, home)
    shift_steps = int(rng.integers(-MAX_SHIFT_STEPS, MAX_SHIFT_STEPS, endpoint=True))
    kinds = {weekend: active_probability(shift_steps, weekend=weekend) for weekend in (False, True)}
    target = np.concatenate([kinds[weekend] for weekend in is_weekend(span)])
    draws = rng.random((len(target), people, 2))
    # Drawing the state anew with a fixed chance, from the profile's probability, is the two-state chain with
    # P(active | inactive) = chance * p and P(inactive | active) = chance * (1 - p): its mean follows the profile.
    renewed = draws[:, :, 0] < RENEWAL_PERMILLE / 1000
    renewed[0] = True
    drawn = draws[:, :, 1] < target[:, None]
    # A person's state is what was drawn at the latest renewal.
    latest = np.maximum.accumulate(np.where(renewed, np.arange(len(target))[:, None], 0), axis=0)
    return Occupancy(np.take_along_axis(drawn, latest, axis=0).sum(axis=1, dtype=np.int64), shift_steps)
