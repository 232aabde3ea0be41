"""Why a plan leaves energy of an offer out, for whoever made the offer."""

from collections import Counter
from collections.abc import Callable, Sequence
from enum import Enum

from assets.orders import Side
from bidstore.matching.plan import Flow, Infeasible, Market, Offer, Plan, check_plan

HasMore = Callable[[int, int], bool]
"""Whether an offer, by its place, has energy left in an interval."""


class Reason(Enum):
    """Why an offer does not trade all that it could."""

    NO_COUNTERPART = "nobody was on the other side in its window"
    LIMIT = "nobody on the other side in its window met its limit"
    TAKEN = "whoever met its limit trades all that they can with others"
    FEEDER = "the limits of a feeder leave no room"
    OVERLOOKED = "it could trade more: a better plan exists and may be submitted until finality"


def unserved_wh(market: Market, plan: Plan) -> dict[int, int]:
    """By place: the energy that an offer could have traded, were it alone, and does not; only what is not zero."""
    served = Counter(dict.fromkeys(range(len(market.offers)), 0))
    for flow in plan:
        served[flow.sell] += flow.energy_wh
        served[flow.buy] += flow.energy_wh
    most = {p: min(o.total_wh, o.step_wh * (o.end - o.start + 1)) for p, o in enumerate(market.offers)}
    return {place: most[place] - energy for place, energy in served.items() if most[place] > energy}


def reasons(market: Market, plan: Plan) -> dict[int, Reason]:
    """By place, for every offer with unserved energy: the first reason that holds in all of its intervals.

    Raises :class:`~bidstore.matching.plan.Infeasible` for a plan that breaks a rule.
    """
    check_plan(market, plan)
    left = unserved_wh(market, plan)
    step = Counter[tuple[int, int]]()
    for flow in plan:
        step[flow.sell, flow.t] += flow.energy_wh
        step[flow.buy, flow.t] += flow.energy_wh

    def has_more(place: int, t: int) -> bool:
        return place in left and step[place, t] < market.offers[place].step_wh

    return {place: _reason(market, plan, place, has_more) for place in sorted(left)}


def _reason(market: Market, plan: Plan, place: int, has_more: HasMore) -> Reason:
    offer = market.offers[place]
    others = [p for p, other in enumerate(market.offers) if _meet(offer, other)]
    if not others:
        return Reason.NO_COUNTERPART
    willing = [p for p in others if _agree(offer, market.offers[p])]
    if not willing:
        return Reason.LIMIT
    free = [(p, t) for p in willing for t in _shared(offer, market.offers[p]) if has_more(p, t) and has_more(place, t)]
    if not free:
        return Reason.TAKEN
    return Reason.OVERLOOKED if any(_fits(market, plan, place, p, t) for p, t in free) else Reason.FEEDER


def _shared(a: Offer, b: Offer) -> range:
    return range(max(a.start, b.start), min(a.end, b.end) + 1)


def _meet(a: Offer, b: Offer) -> bool:
    return a.side is not b.side and len(_shared(a, b)) > 0 and min(b.step_wh, b.total_wh) > 0


def _agree(a: Offer, b: Offer) -> bool:
    ask, bid = (a, b) if a.side is Side.SELL else (b, a)
    return ask.limit_nano_per_wh <= bid.limit_nano_per_wh


def _fits(market: Market, plan: Plan, place: int, other: int, t: int) -> bool:
    """Whether one watt-hour more between two offers breaks no rule."""
    sell, buy = (place, other) if market.offers[place].side is Side.SELL else (other, place)
    same = [flow for flow in plan if flow.t == t]  # limits over all intervals were looked at before
    more: Sequence[Flow] = [f for f in same if (f.sell, f.buy) != (sell, buy)]
    between = sum(f.energy_wh for f in same if (f.sell, f.buy) == (sell, buy))
    try:
        check_plan(market, (*more, Flow(sell, buy, t, between + 1)))
    except Infeasible:
        return False
    return True
