"""Exact one-sided bounds for a rate (Clopper and Pearson, 1934)."""

from collections.abc import Callable
from math import ceil, exp, floor, lgamma, log, log1p

CONFIDENCE = 0.99


def _tail(successes: int, trials: int, rate: float) -> float:
    """P(X >= successes) for X binomial."""
    if successes <= 0:
        return 1.0
    if rate <= 0:
        return 0.0
    if rate >= 1:
        return 1.0
    total = 0.0
    for k in range(successes, trials + 1):
        choose = lgamma(trials + 1) - lgamma(k + 1) - lgamma(trials - k + 1)
        term = exp(choose + k * log(rate) + (trials - k) * log1p(-rate))
        total += term
        if k > trials * rate and term < total * 1e-15:
            break
    return min(1.0, total)


def upper_bound(hits: float, trials: int, confidence: float = CONFIDENCE) -> float:
    """The rate that is exceeded with probability at most 1 − ``confidence``. Fractions of hits are rounded up."""
    successes = min(trials, ceil(hits - 1e-9))
    if successes >= trials:
        return 1.0
    return _solve(lambda rate: _tail(successes + 1, trials, rate), confidence)


def lower_bound(hits: float, trials: int, confidence: float = CONFIDENCE) -> float:
    """The rate that is fallen short of with probability at most 1 − ``confidence``. Fractions are rounded down."""
    successes = floor(hits + 1e-9)
    if successes <= 0:
        return 0.0
    return _solve(lambda rate: _tail(successes, trials, rate), 1 - confidence)


def _solve(rising: Callable[[float], float], target: float) -> float:
    low, high = 0.0, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < target else (low, middle)
    return (low + high) / 2
