"""A week of the community with the microgrid controller on and off; its homes answer prices with part of their load."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from assets.intervals import IntervalGrid
from assets.transactions import PriceChange
from assets.units import format_amount
from dso.controller.controller import Bounds, Controller, Decision
from dso.controller.forecast import forecast
from petra.homes.battery import net_after_battery
from petra.homes.profile import HomeProfile, Profiles
from petra.tables import Table

FLEXIBLE_PERMILLE = 250
"""Share of every interval's load that a home can move within the day. An assumption: washing, dishes, hot water."""

REACH_S = 4 * 3600
"""How far a home moves its load, earlier or later."""

FULL_ANSWER_PERMILLE = 300
"""Price difference, in thousandths, at which a home moves all of its flexible load."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One week. Power in watts, energy in Wh, money in nano-units."""

    name: str
    peak_w: int
    mean_w: int
    energy_wh: int
    bills_nano: tuple[int, ...]
    """By home."""

    @property
    def peak_to_average_permille(self) -> int:
        """Peak over mean import."""
        return self.peak_w * 1000 // max(1, self.mean_w)


@dataclass(frozen=True)
class Week:
    """The same week twice."""

    off: Outcome
    on: Outcome
    decisions: tuple[Decision, ...]

    @property
    def largest_rise_permille(self) -> int:
        """The largest rise of a home's bill, in thousandths of its bill without the controller."""
        return max(
            (b - a) * 1000 // max(1, abs(a)) for a, b in zip(self.off.bills_nano, self.on.bills_nano, strict=True)
        )


def run_week(profiles: Profiles, base: PriceChange, seed: int, bounds: Bounds | None = None) -> Week:
    """Play ``profiles``, of which the first day only gives history, with fixed prices and with the controller.

    Homes learn the prices of a day before it begins, all at once. Bills are those of homes that deal with the DSO
    alone: what neighbours trade moves money between homes but no load.
    """
    per_day = 86_400 // profiles.interval_s
    days = profiles.intervals // per_day
    if 86_400 % profiles.interval_s or days < 2 or profiles.intervals % per_day:
        raise ValueError("a week needs whole days, at least two: the first only gives history")
    grid = IntervalGrid(0, profiles.interval_s)
    controller = Controller(per_day, bounds or Bounds())
    loads = [list(home.load_wh) for home in profiles.homes]
    prices = [base] * profiles.intervals
    decisions: list[Decision] = []
    for day in range(1, days):
        first, last = day * per_day, (day + 1) * per_day - 1
        so_far = _nets(profiles, loads)
        history_w = {t: sum(n[t] for n in so_far) * 3600 // profiles.interval_s for t in range(first)}
        ahead = controller.decide(forecast(grid, first, last, history_w), prices[first : last + 1])
        decisions += ahead
        for decision in ahead:
            prices[decision.t] = decision.price_change(grid.start_s(decision.t))
        for home, load in zip(profiles.homes, loads, strict=True):
            rng = random.Random(f"petra week/{seed}/{home.home}/{day}")  # noqa: S311 - simulation
            load[first:] = [
                *shift(load[first : last + 1], prices[first : last + 1], profiles.interval_s, rng),
                *load[last + 1 :],
            ]
    return Week(
        _outcome("controller off", profiles, [h.load_wh for h in profiles.homes], [base] * len(prices), per_day),
        _outcome("controller on", profiles, loads, prices, per_day),
        tuple(decisions),
    )


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


def _nets(profiles: Profiles, loads: Sequence[Sequence[int]]) -> list[tuple[int, ...]]:
    return [_net(home, load, profiles.interval_s) for home, load in zip(profiles.homes, loads, strict=True)]


def _net(home: HomeProfile, load: Sequence[int], interval_s: int) -> tuple[int, ...]:
    return net_after_battery(replace(home, load_wh=tuple(load)), interval_s)


def _outcome(
    name: str, profiles: Profiles, loads: Sequence[Sequence[int]], prices: Sequence[PriceChange], first: int
) -> Outcome:
    nets = [net[first:] for net in _nets(profiles, loads)]
    community = [sum(row) for row in zip(*nets, strict=True)]
    bills = tuple(
        sum(
            e * (p.consumption_nano_per_wh if e >= 0 else p.production_nano_per_wh)
            for e, p in zip(net, prices[first:], strict=True)
        )
        for net in nets
    )
    per_hour, hour = 3600, profiles.interval_s
    imports = [max(0, wh) for wh in community]
    return Outcome(
        name,
        max(imports) * per_hour // hour,
        sum(imports) * per_hour // hour // len(imports),
        sum(imports),
        bills,
    )


def week_table(week: Week, source: str) -> Table:
    """Both weeks in one table."""
    return Table(
        "A week with the microgrid controller",
        ("", "peak kW", "peak-to-average", "import kWh", "bills USD"),
        [
            (
                o.name,
                f"{o.peak_w / 1000:.2f}",
                f"{o.peak_to_average_permille / 1000:.2f}",
                f"{o.energy_wh / 1000:.1f}",
                format_amount(sum(o.bills_nano), 2),
            )
            for o in (week.off, week.on)
        ],
        f"{source}. Largest rise of a home's bill: {week.largest_rise_permille / 10:.1f} %",
    )
