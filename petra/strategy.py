"""What a home offers: a strategy turns a forecast into a number of notes and a limit price.

Strategies are pluggable: anything with the method of :class:`Strategy` will do.
"""

import random
from dataclasses import dataclass
from typing import Protocol

from assets.orders import Side


@dataclass(frozen=True, slots=True)
class Situation:
    """What a home knows when it decides on its offers for an interval."""

    t: int
    last_net_wh: int | None
    """Net consumption of the previous interval (positive = import); ``None`` before the first reading."""
    note_wh: int
    """Energy of one note in the interval."""
    sellable: int
    """How many notes the home could sell."""
    buyable: int
    """How many notes the home could buy and pay for."""
    consumption_nano_per_wh: int
    """What the DSO charges."""
    production_nano_per_wh: int
    """What the DSO pays."""


@dataclass(frozen=True, slots=True)
class Decision:
    """How many equal notes a home offers, on which side, and its limit price."""

    side: Side
    notes: int
    limit_nano_per_wh: int


class Strategy(Protocol):
    """A home's trading behaviour."""

    def decide(self, situation: Situation) -> Decision | None:
        """The home's offers for one interval; ``None`` to offer nothing."""


class PersistenceTrader:
    """Expects the next interval to be like the last, with an error, and draws its limit between the DSO's prices.

    The error stands for the part of the last interval that is not over when the market opens. Zero-intelligence
    limits after Gode and Sunder (1993): uniform, and never worse than dealing with the DSO.
    """

    FORECAST_ERROR = 0.15
    """Standard deviation of the forecast's relative error."""

    def __init__(self, seed: int, home: int) -> None:
        self._seed, self._home = seed, home

    def decide(self, situation: Situation) -> Decision | None:
        """Offer whole notes up to the forecast surplus or need, all at one limit."""
        if situation.last_net_wh is None:
            return None
        # A generator for each interval keeps a home's draws independent of what other intervals needed.
        rng = random.Random(f"petra strategy/{self._seed}/{self._home}/{situation.t}")  # noqa: S311 - simulation
        forecast_wh = int(situation.last_net_wh * (1 + rng.gauss(0, self.FORECAST_ERROR)))
        # The bid store takes limits from 1 nano-unit per Wh on, so that every sale pays a note.
        lowest = max(1, situation.production_nano_per_wh)
        limit = rng.randint(lowest, max(lowest, situation.consumption_nano_per_wh))
        side, held = (Side.BUY, situation.buyable) if forecast_wh > 0 else (Side.SELL, situation.sellable)
        notes = min(abs(forecast_wh) // situation.note_wh, held)
        return Decision(side, notes, limit) if notes else None
