"""What a home offers: a strategy turns a forecast into a number of notes and a limit price.

Strategies are pluggable: anything with the method of :class:`Strategy` will do.
"""

import random
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from assets.orders import Side
from petra.homes.profile import Battery


class Prices(NamedTuple):
    """What the DSO charges and pays in one interval, in nano-units per Wh."""

    consumption_nano_per_wh: int
    production_nano_per_wh: int


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
    forecast_net_wh: tuple[int, ...] = ()
    """Net consumption expected in ``t``, ``t + 1``, …, without what ``battery`` will do; empty if nobody forecasts."""
    prices: tuple[Prices, ...] = ()
    """The DSO's prices of ``t``, ``t + 1``, … as far as they are known."""
    battery: Battery | None = None
    """A battery that follows the strategy's plan; ``None`` without one, or if it follows a rule of its own."""
    stored_wh: int | None = None
    """Energy that the battery can deliver at the start of ``t``; ``None`` if nobody knows."""
    interval_s: int = 3600
    """Length of an interval in seconds."""

    @property
    def expected_net_wh(self) -> int | None:
        """Net consumption expected in ``t``: the forecast, else that of the interval before."""
        return self.forecast_net_wh[0] if self.forecast_net_wh else self.last_net_wh


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
        return offer(situation, forecast_wh, zero_intelligence_limit(situation, rng))


def lowest_limit(situation: Situation) -> int:
    """The least that a sale may bring: what the DSO pays, and at least 1, so that every sale pays a note."""
    return max(1, situation.production_nano_per_wh)


def highest_limit(situation: Situation) -> int:
    """The most that a purchase may cost: what the DSO charges."""
    return max(lowest_limit(situation), situation.consumption_nano_per_wh)


def zero_intelligence_limit(situation: Situation, rng: random.Random) -> int:
    """A limit between the DSO's two prices, each as likely as the other."""
    return rng.randint(lowest_limit(situation), highest_limit(situation))


def offer(situation: Situation, net_wh: int, limit_nano_per_wh: int) -> Decision | None:
    """As many whole notes as ``net_wh`` has and the home holds, to buy if it is positive and to sell otherwise."""
    side, held = (Side.BUY, situation.buyable) if net_wh > 0 else (Side.SELL, situation.sellable)
    notes = min(abs(net_wh) // situation.note_wh, held)
    return Decision(side, notes, limit_nano_per_wh) if notes else None
