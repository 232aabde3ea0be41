"""Plans: who delivers how much energy to whom in which interval, under the limits of the feeders. Judged exactly.

A *flexible offer* names a window of intervals, the most energy it can give or take in each, and over the window in all
(a battery, a note that spans intervals and that its owner will split). A *flow* is a whole number of watt-hours from
one seller to one buyer in one interval. A plan is feasible iff

1. every flow's interval lies in both offers' windows, and the ask is at most the bid;
2. no offer exceeds its energy in an interval, nor its energy in all;
3. on each feeder and in each interval, what is sold there and what is bought there are each at most ``inner_wh``, and
   they differ by at most ``outer_wh``, which has to cross the feeder's head.

The worth of a plan is the energy it trades. Source of the limits: TRANSAX (Eisele, Laszka, Schmidt, Dubey; "The Role
of Blockchains in Multi-Stakeholder Transactive Energy Systems", Frontiers in Blockchain 3, 2020), where production and
consumption of a feeder are limited by C_int and their difference by C_ext.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from assets.orders import Side


@dataclass(frozen=True, slots=True)
class Offer:
    """A flexible offer."""

    side: Side
    start: int
    """First interval (inclusive)."""
    end: int
    """Last interval (inclusive)."""
    step_wh: int
    """Most energy in one interval."""
    total_wh: int
    """Most energy in all."""
    limit_nano_per_wh: int
    feeder: int | None = None
    """``None``: under no feeder's limit here, because the meters' issuing limits keep it already."""

    def __post_init__(self) -> None:
        if min(self.start, self.step_wh, self.total_wh, self.limit_nano_per_wh) < 0 or self.end < self.start:
            raise ValueError("an offer has a window start <= end, and no negative energy or limit")


@dataclass(frozen=True, slots=True)
class Feeder:
    """What a feeder carries in one interval."""

    inner_wh: int
    """Most that its homes may sell, and most that they may buy."""
    outer_wh: int
    """Most by which these may differ."""


@dataclass(frozen=True, slots=True)
class Market:
    """All offers, known by their place, and the feeders by their number."""

    offers: tuple[Offer, ...]
    feeders: Mapping[int, Feeder]

    def __post_init__(self) -> None:
        for offer in self.offers:
            if offer.feeder is not None and offer.feeder not in self.feeders:
                raise ValueError(f"an offer names feeder {offer.feeder}, whose limits are not given")


@dataclass(frozen=True, slots=True, order=True)
class Flow:
    """Energy from one offer to another in one interval."""

    sell: int
    """Place of the offer to sell."""
    buy: int
    """Place of the offer to buy."""
    t: int
    energy_wh: int


Plan = tuple[Flow, ...]


class Infeasible(ValueError):
    """A plan that breaks a rule, said in one sentence."""


def energy_wh(plan: Plan) -> int:
    """What a plan trades."""
    return sum(flow.energy_wh for flow in plan)


def check_plan(market: Market, plan: Plan) -> None:
    """Raise :class:`Infeasible` for the first rule that ``plan`` breaks."""
    step: Counter[tuple[int, int]] = Counter()
    seen: set[tuple[int, int, int]] = set()
    for flow in plan:
        _check_flow(market.offers, flow)
        if (flow.sell, flow.buy, flow.t) in seen:
            raise Infeasible(f"offers {flow.sell} and {flow.buy} have two flows in interval {flow.t}; add them up")
        seen.add((flow.sell, flow.buy, flow.t))
        step[flow.sell, flow.t] += flow.energy_wh
        step[flow.buy, flow.t] += flow.energy_wh
    total: Counter[int] = Counter()
    feeders: Counter[tuple[int, int, Side]] = Counter()
    for (place, t), energy in step.items():
        offer = market.offers[place]
        if energy > offer.step_wh:
            raise Infeasible(f"offer {place} has {energy} Wh in interval {t}; it allows {offer.step_wh}")
        total[place] += energy
        if offer.feeder is not None:
            feeders[offer.feeder, t, offer.side] += energy
    for place, energy in total.items():
        if energy > market.offers[place].total_wh:
            raise Infeasible(f"offer {place} has {energy} Wh in all; it allows {market.offers[place].total_wh}")
    _check_feeders(market.feeders, feeders)


def _check_flow(offers: Sequence[Offer], flow: Flow) -> None:
    if not (0 <= flow.sell < len(offers) and 0 <= flow.buy < len(offers)) or flow.energy_wh < 1:
        raise Infeasible("a flow names two offers that exist, and at least 1 Wh")
    sell, buy = offers[flow.sell], offers[flow.buy]
    if (sell.side, buy.side) != (Side.SELL, Side.BUY):
        raise Infeasible(f"offers {flow.sell} and {flow.buy} are not one to sell and one to buy")
    for place, offer in ((flow.sell, sell), (flow.buy, buy)):
        if not offer.start <= flow.t <= offer.end:
            raise Infeasible(f"interval {flow.t} lies outside the window of offer {place}")
    if sell.limit_nano_per_wh > buy.limit_nano_per_wh:
        raise Infeasible(f"offer {flow.sell} asks for more than offer {flow.buy} pays")


def _check_feeders(feeders: Mapping[int, Feeder], energy: Counter[tuple[int, int, Side]]) -> None:
    for number, t in {(number, t) for number, t, _ in energy}:
        sold, bought = energy[number, t, Side.SELL], energy[number, t, Side.BUY]
        feeder = feeders[number]
        if max(sold, bought) > feeder.inner_wh:
            raise Infeasible(f"feeder {number} has {max(sold, bought)} Wh in interval {t}; it allows {feeder.inner_wh}")
        if abs(sold - bought) > feeder.outer_wh:
            difference = abs(sold - bought)
            raise Infeasible(f"{difference} Wh cross feeder {number} in interval {t}; it allows {feeder.outer_wh}")
