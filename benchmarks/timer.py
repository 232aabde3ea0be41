"""Median wall-clock times of things that are timed in turns."""

import time
from collections.abc import Callable
from functools import partial
from statistics import median

Action = Callable[[], object]
"""What is timed."""

Preparation = Callable[[], Action]
"""Makes, untimed, an action that can be timed once."""


def again(function: Callable[..., object], *arguments: object) -> Preparation:
    """A preparation for a call that needs none: it may be repeated as it is."""
    return lambda: partial(function, *arguments)


def medians_s(runs: int, *preparations: Preparation) -> tuple[float, ...]:
    """Median seconds of each action over ``runs`` runs.

    The actions take turns, so that whatever else the machine does falls on a measurement and on its reference alike.
    """
    times_s: list[list[float]] = [[] for _ in preparations]
    for _ in range(runs):
        for prepare, taken_s in zip(preparations, times_s, strict=True):
            action = prepare()
            start = time.perf_counter()
            action()
            taken_s.append(time.perf_counter() - start)
    return tuple(median(taken_s) for taken_s in times_s)
