"""What a meter asks of prices before it opens a sum weighted with them.

The DSO chooses the prices. Prices of 1 in one interval and a million in all others would make the bill's last digits
that one interval; prices that grow like powers of 2**20 would make it a list of all intervals. Whatever the prices,
the bill is a function of the sums of import, and of export, over the intervals of equal price. So it is enough that
every price is in force often.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from assets.commitments.tariff import Run


class PricesIsolate(ValueError):
    """The prices of the period would let the bill tell of a few intervals; nothing was opened."""


@dataclass(frozen=True, slots=True)
class PriceGuard:
    """Every price other than zero must hold in at least ``min_intervals`` intervals of a period.

    Then the statement tells, at the very worst, the energy of each tariff register over that many intervals: what a
    multi-tariff meter shows today. Prices of consumption and of production are looked at each on their own.
    """

    min_intervals: int = 96
    """A day of quarter-hours."""

    def check(self, prices: Iterable[Run]) -> None:
        """Raise :class:`PricesIsolate` for a price that is in force too seldom."""
        consumption: Counter[int] = Counter()
        production: Counter[int] = Counter()
        for run in prices:
            length = run.last - run.first + 1
            consumption[run.level.consumption_nano_per_wh] += length
            production[run.level.production_nano_per_wh] += length
        for side, counts in (("consumption", consumption), ("production", production)):
            for price, intervals in counts.items():
                if price and intervals < self.min_intervals:
                    raise PricesIsolate(
                        f"the {side} price {price} nano per Wh is in force in {intervals} intervals of the period, "
                        f"at least {self.min_intervals} are needed; state a longer period"
                    )
