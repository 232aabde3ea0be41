"""The linear program of a market: sparse, in whole numbers, and the same for whoever writes it down.

Pairs would need a variable for every seller, buyer and interval. Instead the energy of an interval passes through a
ladder with one rung for each distinct limit: a seller puts energy on the rung of its limit, energy may climb, and a
buyer takes it from the rung of its own. So exactly the pairs with ask <= bid are possible, with a number of variables
that grows with the offers and not with their square. The objective is the energy sold.
"""

from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass

from assets.orders import Side
from bidstore.matching.plan import Flow, Market, Plan


@dataclass(frozen=True, slots=True)
class Row:
    """``lower <= sum of coefficient * variable <= upper``; a bound of ``None`` does not bind."""

    terms: tuple[tuple[int, int], ...]
    """``(variable, coefficient)``."""
    lower: int | None
    upper: int


@dataclass(frozen=True, slots=True)
class Program:
    """Maximise ``sum of gain * variable`` with ``0 <= variable <= upper`` and the rows."""

    gains: tuple[int, ...]
    uppers: tuple[int, ...]
    rows: tuple[Row, ...]
    parts: tuple[tuple[int, int], ...]
    """``(offer, interval)`` of the first variables: energy of that offer in that interval. The rest climbs."""


def program_of(market: Market) -> Program:
    """The program whose best value is the most energy that ``market`` can trade."""
    parts: list[tuple[int, int]] = []
    uppers: list[int] = []
    gains: list[int] = []
    by_t: defaultdict[int, list[int]] = defaultdict(list)
    by_offer: defaultdict[int, list[int]] = defaultdict(list)
    by_feeder: defaultdict[tuple[int, int, Side], list[int]] = defaultdict(list)
    for t, offers in sorted(_useful(market).items()):
        for place in offers:
            offer, variable = market.offers[place], len(parts)
            parts.append((place, t))
            uppers.append(min(offer.step_wh, offer.total_wh))
            gains.append(1 if offer.side is Side.SELL else 0)
            by_t[t].append(variable)
            by_offer[place].append(variable)
            if offer.feeder is not None:
                by_feeder[offer.feeder, t, offer.side].append(variable)
    rows: list[Row] = []
    for t in sorted(by_t):
        rows += _ladder(market, parts, by_t[t], uppers, gains)
    for place in sorted(by_offer):
        offer = market.offers[place]
        if sum(uppers[v] for v in by_offer[place]) > offer.total_wh:
            rows.append(Row(tuple((v, 1) for v in by_offer[place]), None, offer.total_wh))
    for number, t in sorted({(number, t) for number, t, _ in by_feeder}):
        feeder = market.feeders[number]
        sold, bought = (by_feeder[number, t, side] for side in (Side.SELL, Side.BUY))
        rows += [
            Row(tuple((v, 1) for v in side), None, feeder.inner_wh)
            for side in (sold, bought)
            if sum(uppers[v] for v in side) > feeder.inner_wh
        ]
        most = max(sum(uppers[v] for v in side) for side in (sold, bought))
        if most > feeder.outer_wh:
            across = (*((v, 1) for v in sold), *((v, -1) for v in bought))
            rows.append(Row(across, -feeder.outer_wh, feeder.outer_wh))
    return Program(tuple(gains), tuple(uppers), tuple(rows), tuple(parts))


def _useful(market: Market) -> dict[int, list[int]]:
    """By interval: the offers that have a possible partner in it."""
    active: defaultdict[int, list[int]] = defaultdict(list)
    for place, offer in enumerate(market.offers):
        if offer.step_wh and offer.total_wh:
            for t in range(offer.start, offer.end + 1):
                active[t].append(place)
    useful = {}
    for t, places in active.items():
        asks = [market.offers[p].limit_nano_per_wh for p in places if market.offers[p].side is Side.SELL]
        bids = [market.offers[p].limit_nano_per_wh for p in places if market.offers[p].side is Side.BUY]
        if asks and bids:
            lowest, highest = min(asks), max(bids)
            useful[t] = [
                p
                for p in places
                if (
                    market.offers[p].limit_nano_per_wh <= highest
                    if market.offers[p].side is Side.SELL
                    else market.offers[p].limit_nano_per_wh >= lowest
                )
            ]
    return useful


def _ladder(
    market: Market, parts: list[tuple[int, int]], variables: list[int], uppers: list[int], gains: list[int]
) -> list[Row]:
    """Rows that balance each rung of one interval; appends the variables of what climbs."""
    limits = sorted({market.offers[parts[v][0]].limit_nano_per_wh for v in variables})
    terms: list[list[tuple[int, int]]] = [[] for _ in limits]
    most = 0
    for variable in variables:
        offer = market.offers[parts[variable][0]]
        sells = offer.side is Side.SELL
        most += uppers[variable] if sells else 0
        terms[bisect_left(limits, offer.limit_nano_per_wh)].append((variable, 1 if sells else -1))
    for rung in range(len(limits) - 1):
        climb = len(uppers)
        uppers.append(most)
        gains.append(0)
        terms[rung].append((climb, -1))
        terms[rung + 1].append((climb, 1))
    return [Row(tuple(row), 0, 0) for row in terms]


def plan_of(market: Market, program: Program, values: list[int]) -> Plan:
    """The flows of a solution in whole watt-hours: in each interval the dearest ask to the highest bids first."""
    by_t: defaultdict[int, dict[Side, list[list[int]]]] = defaultdict(lambda: {Side.SELL: [], Side.BUY: []})
    for (place, t), energy in zip(program.parts, values, strict=False):
        if energy:
            by_t[t][market.offers[place].side].append([market.offers[place].limit_nano_per_wh, place, energy])
    flows = []
    for t, sides in sorted(by_t.items()):
        # The dearest ask has the fewest possible buyers, so it goes first, to whoever pays most.
        asks, bids = sorted(sides[Side.SELL], reverse=True), sorted(sides[Side.BUY], reverse=True)
        while asks and bids:
            energy = min(asks[0][2], bids[0][2])
            flows.append(Flow(asks[0][1], bids[0][1], t, energy))
            for queue in (asks, bids):
                queue[0][2] -= energy
                if not queue[0][2]:
                    queue.pop(0)
    return tuple(sorted(flows))
