"""How a home answers prices that were published ahead: it moves a part of its load to cheaper hours in reach."""

import random
from collections.abc import Sequence

from assets.transactions import PriceChange

FLEXIBLE_PERMILLE = 250
"""Share of every interval's load that a home can move within the day. An assumption: washing, dishes, hot water."""

REACH_S = 4 * 3600
"""How far a home moves its load, earlier or later."""

FULL_ANSWER_PERMILLE = 300
"""Price difference, in thousandths, at which a home moves all of its flexible load."""


def shift(load_wh: Sequence[int], prices: Sequence[PriceChange], interval_s: int, rng: random.Random) -> list[int]:
    """A home's load of a day after it answered the prices; the energy of the day is the same.

    Of the flexible part, the more moves the cheaper the cheapest interval in reach is; where to is drawn, so that the
    homes do not all move to one interval.
    """
    moved = list(load_wh)
    reach = REACH_S // interval_s
    for t, energy in enumerate(load_wh):
        own = prices[t].consumption_nano_per_wh
        near = range(max(0, t - reach), min(len(load_wh), t + reach + 1))
        gains = [max(0, own - prices[u].consumption_nano_per_wh) for u in near]
        if not any(gains):
            continue
        answer = min(1000, max(gains) * 1_000_000 // max(1, own) // FULL_ANSWER_PERMILLE)
        part = energy * FLEXIBLE_PERMILLE * answer // 1_000_000
        for target in rng.choices(near, weights=gains, k=2):
            moved[t] -= part // 2
            moved[target] += part // 2
    return moved
