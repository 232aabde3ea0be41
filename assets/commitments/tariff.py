"""The prices of a period, as runs of intervals and as levels: which intervals share a price."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from assets.hashing import keccak
from assets.transactions import PriceChange
from assets.words import word


@dataclass(frozen=True, slots=True)
class Level:
    """A pair of prices, in nano-units per Wh: what the DSO sells at, and what it buys at."""

    consumption_nano_per_wh: int
    production_nano_per_wh: int


@dataclass(frozen=True, slots=True)
class Run:
    """The intervals ``first..last`` (inclusive), all at one pair of prices."""

    first: int
    last: int
    level: Level


Prices = tuple[Run, ...]
"""The prices of a period: runs that follow one another without a gap, neighbours at different prices."""


def prices_of(first: int, last: int, price_of: Callable[[int], PriceChange | None]) -> Prices:
    """The prices of the intervals ``first..last`` from the ledger's ``price_at``.

    Raises ``ValueError`` if an interval has none.
    """
    runs: list[Run] = []
    for t in range(first, last + 1):
        price = price_of(t)
        if price is None:
            raise ValueError(f"the DSO has announced no price for interval {t}")
        level = Level(price.consumption_nano_per_wh, price.production_nano_per_wh)
        if runs and runs[-1].level == level:
            runs[-1] = Run(runs[-1].first, t, level)
        else:
            runs.append(Run(t, t, level))
    return tuple(runs)


def levels(prices: Iterable[Run]) -> tuple[Level, ...]:
    """The different pairs of prices of a period, lowest first."""
    return tuple(sorted({run.level for run in prices}, key=_order))


def prices_hash(prices: Iterable[Run]) -> bytes:
    """Keccak-256 over four words for each run: first, last, price of consumption, price of production."""
    return keccak(
        b"".join(
            word(r.first, 32)
            + word(r.last, 32)
            + word(r.level.consumption_nano_per_wh, 64)
            + word(r.level.production_nano_per_wh, 64)
            for r in prices
        )
    )


def _order(level: Level) -> tuple[int, int]:
    return level.consumption_nano_per_wh, level.production_nano_per_wh
