"""Power of small wind turbines, in seeded wind.

Wind speeds are Weibull distributed and autocorrelated: an AR(1) Gaussian process, mapped to the Weibull distribution
value by value (a Gaussian copula). Most of the wind is shared by all homes; the rest is each home's own exposure.
"""

import math

import numpy as np

from petra.homes.randomness import Floats, Stream, correlated_normal, generator, normal_cdf
from petra.homes.span import Span, Watts

STEP_MINUTES = 10
MEAN_SPEED_M_S = 5.0
"""Mean wind speed at the turbine's hub: an assumption, a fair site for a small turbine."""
WEIBULL_SHAPE = 2.0
"""Rayleigh distribution, which IEC 61400-2 assumes for small turbines."""
CORRELATION_HOURS = 8.0
SHARED_SHARE = 0.9
"""Share of the variance that all homes have in common."""

CUT_IN_M_S, RATED_M_S, CUT_OUT_M_S = 3.0, 11.0, 25.0
"""Wind speeds at which a small turbine begins to turn, reaches its nominal power and stops: typical values."""


def wind_power_w(seed: int, home: int, nominal_w: int, span: Span) -> Watts:
    """Power of a home's turbine in each minute of the days of ``span``."""
    steps = span.minutes // STEP_MINUTES + 1  # one more than fits, to interpolate to the last minute
    correlation_steps = CORRELATION_HOURS * 60 / STEP_MINUTES
    shared = correlated_normal(generator(seed, Stream.WIND), steps, correlation_steps)
    own = correlated_normal(generator(seed, Stream.WIND, home), steps, correlation_steps)
    speed = weibull_speed_m_s(math.sqrt(SHARED_SHARE) * shared + math.sqrt(1 - SHARED_SHARE) * own)
    by_minute = np.interp(np.arange(span.minutes) / STEP_MINUTES, np.arange(steps), speed)
    return turbine_power_w(by_minute, nominal_w)


def weibull_speed_m_s(z: Floats) -> Floats:
    """Wind speed of the same rank as the standard normal value ``z``."""
    scale = MEAN_SPEED_M_S / math.gamma(1 + 1 / WEIBULL_SHAPE)
    calm = np.maximum(normal_cdf(-z), np.finfo(np.float64).tiny)  # probability of a stronger wind
    speed: Floats = scale * (-np.log(calm)) ** (1 / WEIBULL_SHAPE)
    return speed


def turbine_power_w(speed_m_s: Floats, nominal_w: int) -> Watts:
    """Power curve: cubic between cut-in and rated speed, nominal up to cut-out, nothing outside."""
    share = (speed_m_s**3 - CUT_IN_M_S**3) / (RATED_M_S**3 - CUT_IN_M_S**3)
    share = np.where(speed_m_s < CUT_OUT_M_S, np.clip(share, 0, 1), 0)
    return np.floor(nominal_w * share).astype(np.int64)
