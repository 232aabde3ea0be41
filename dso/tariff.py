"""The DSO's tariff: two prices per interval, read exactly from decimal strings."""

import re
from dataclasses import dataclass
from itertools import pairwise

from assets.errors import PriceInversion
from assets.intervals import IntervalGrid
from assets.notes import MAX_QUANTITY
from assets.transactions import PriceChange

_DECIMAL = re.compile(r"(0|[1-9][0-9]{0,12})(?:\.([0-9]{1,6}))?", re.ASCII)
_STEP = re.compile(r"(?:(0|[1-9][0-9]{0,9}):)?([^:/]+)/([^:/]+)", re.ASCII)


def parse_price(text: str) -> int:
    """A price in currency units per kWh (``"0.24"``) as nano-units per Wh (240 000), exactly.

    Raises ``ValueError`` for anything but digits with at most six decimals: a finer price is no whole number.
    """
    match = _DECIMAL.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a price per kWh; write digits with at most six decimals, such as 0.24")
    whole, fraction = match[1], match[2] or ""
    price = int(whole) * 10**6 + int(fraction.ljust(6, "0"))
    if price > MAX_QUANTITY:
        raise ValueError(f"{text!r} is above the largest price")
    return price


@dataclass(frozen=True, slots=True)
class PriceStep:
    """Prices that hold from interval ``start`` on, until the next step."""

    start: int
    consumption_nano_per_wh: int
    """Price at which the DSO sells."""
    production_nano_per_wh: int
    """Price at which the DSO buys."""


@dataclass(frozen=True, slots=True)
class Tariff:
    """Prices by interval, as steps in ascending order; one step is a flat tariff.

    Raises ``ValueError`` without steps or if they are out of order, and :class:`~assets.errors.PriceInversion` for a
    step at which the DSO would buy dearer than it sells.
    """

    steps: tuple[PriceStep, ...]

    def __post_init__(self) -> None:
        starts = [step.start for step in self.steps]
        if not starts or starts[0] < 0 or any(a >= b for a, b in pairwise(starts)):
            raise ValueError("a tariff has at least one step, and each starts at a later interval than the one before")
        for step in self.steps:
            consumption, production = step.consumption_nano_per_wh, step.production_nano_per_wh
            if not (0 <= consumption <= MAX_QUANTITY and 0 <= production <= MAX_QUANTITY):
                raise ValueError(f"prices from interval {step.start} on are not between 0 and 2**63-1")
            if consumption < production:
                raise PriceInversion(consumption, production)

    @classmethod
    def flat(cls, consumption_nano_per_wh: int, production_nano_per_wh: int) -> "Tariff":
        """The same two prices in every interval."""
        return cls((PriceStep(0, consumption_nano_per_wh, production_nano_per_wh),))

    @classmethod
    def parse(cls, text: str) -> "Tariff":
        """A tariff from ``"0.24/0.09"`` (flat) or ``"0:0.24/0.09, 17:0.32/0.09"`` (from interval: sells/buys).

        Prices are in currency units per kWh. Raises ``ValueError`` naming the malformed step.
        """
        steps = []
        for part in (p.strip() for p in text.split(",")):
            match = _STEP.fullmatch(part)
            if match is None:
                raise ValueError(f"{part!r} is not a tariff step; write [interval:]sells/buys, such as 17:0.32/0.09")
            steps.append(PriceStep(int(match[1] or 0), parse_price(match[2]), parse_price(match[3])))
        return cls(tuple(steps))

    def price_changes(self, grid: IntervalGrid) -> tuple[PriceChange, ...]:
        """The tariff as the price changes of a regulatory transaction."""
        return tuple(
            PriceChange(grid.start_s(s.start), s.consumption_nano_per_wh, s.production_nano_per_wh) for s in self.steps
        )
