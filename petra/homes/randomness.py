"""Seeded random streams: one for each purpose and home, all independent of one another.

What is drawn for one home or purpose never shifts the draws of another, so that adding a home or an hour leaves the
rest of a community as it was. Simulation only: nothing secret is ever drawn from here.
"""

import math
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Stream(IntEnum):
    """What a random stream is for."""

    OCCUPANCY = 1
    OWNERSHIP = 2
    APPLIANCE = 3
    COOLER = 4
    LIGHT = 5
    CLOUD = 6
    WIND = 7
    ROOF = 8


SHARED = 0
"""Stands for the home in streams that all homes share, such as the weather."""


def generator(seed: int, stream: Stream, home: int = SHARED, part: int = 0) -> np.random.Generator:
    """The random stream of one purpose, home and part of it; raises ``ValueError`` for a negative seed."""
    if seed < 0:
        raise ValueError(f"seed is {seed}; give 0 or more")
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(int(stream), home, part)))


def correlated_normal(rng: np.random.Generator, steps: int, correlation_steps: float) -> Floats:
    """Standard normal values, each correlated with the last: an AR(1) process in its stationary state.

    Correlation falls to 1/e over ``correlation_steps``.
    """
    keep = math.exp(-1 / correlation_steps)
    shock = math.sqrt(1 - keep * keep)
    value = 0.0
    values = []
    for i, draw in enumerate(rng.standard_normal(steps).tolist()):
        value = draw if i == 0 else keep * value + shock * draw
        values.append(value)
    return np.array(values, dtype=np.float64)


def normal_cdf(z: Floats) -> Floats:
    """Probability that a standard normal value is below ``z``."""
    return np.array([0.5 * math.erfc(-value / math.sqrt(2)) for value in z.tolist()], dtype=np.float64)
