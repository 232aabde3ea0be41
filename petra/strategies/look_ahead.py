"""Plans the battery over the next hours by a small linear program, and offers what the plan leaves for the market.

    minimise    Σ bought[h]·buy[h] − Σ sold[h]·sell[h] − keep·stored[H-1]
    subject to  bought[h] − sold[h] − charged[h] + discharged[h] = net[h]                       (λ[h])
                stored[h] = stored[h-1] + η·charged[h] − discharged[h]
                0 ≤ charged[h], discharged[h] ≤ limit,   0 ≤ stored[h] ≤ capacity,   bought[h], sold[h] ≥ 0

λ[0], the value of one watt-hour now, is the limit price: who sells below it should rather have stored, who buys above
it should rather have used the battery. Floats live in the program only; what it decides is in whole notes.
"""

from dataclasses import dataclass

from assets.units import SECONDS_PER_HOUR
from petra.strategies.errors import StrategyError
from petra.strategy import Decision, Prices, Situation, highest_limit, lowest_limit, offer

PERMILLE = 1000


@dataclass(frozen=True, slots=True)
class Plan:
    """What the program found for the first interval."""

    bought_wh: float
    """Net purchase, from whomever; negative: sale."""
    charged_wh: float
    """Energy into the battery, at the meter; negative: out of it."""
    value_nano_per_wh: float
    """What one further watt-hour would be worth."""


class LookAhead:
    """A battery-aware trader."""

    def __init__(self, horizon: int = 24, market_permille: int = 500) -> None:
        """``horizon``: most intervals looked ahead. ``market_permille``: the part of its energy that the home expects
        to trade half-way between the DSO's prices, in thousandths.
        """
        for name, number, least, most in (("horizon", horizon, 1, 1000), ("market_permille", market_permille, 0, 1000)):
            if type(number) is not int or not least <= number <= most:
                raise StrategyError(f"strategy look-ahead: {name} is a whole number from {least} to {most}")
        self._horizon, self._market_permille = horizon, market_permille

    def decide(self, situation: Situation) -> Decision | None:
        """Whole notes of what the plan buys or sells, at what energy is worth without that trade."""
        if situation.expected_net_wh is None:
            return None
        plan = self.plan(situation)
        # Against the DSO's own prices now: what the energy is worth if the market takes nothing.
        value = self.plan(situation, fallback=True).value_nano_per_wh
        lowest, highest = lowest_limit(situation), highest_limit(situation)
        limit = round(min(max(value, lowest), highest))
        return offer(situation, round(plan.bought_wh), limit)

    def plan(self, situation: Situation, fallback: bool = False, traded_wh: int | None = None) -> Plan:
        """The plan for a situation with a forecast, or a last reading in place of one.

        ``fallback``: nothing is traded in the first interval but with the DSO. ``traded_wh``: what was bought in it
        already (negative: sold). Raises ``ImportError`` without the extra ``grid``.
        """
        try:
            from scipy.optimize import linprog
        except ImportError:
            raise ImportError("the strategy look-ahead needs scipy; run: pip install 'petra[grid]'") from None

        s = situation
        net = list(s.forecast_net_wh[: self._horizon]) or [s.last_net_wh or 0]
        known = s.prices or (Prices(s.consumption_nano_per_wh, s.production_nano_per_wh),)
        prices = [known[min(h, len(known) - 1)] for h in range(len(net))]
        expected = [self._expected(p) for p in prices]
        if fallback or traded_wh is not None:
            expected[0] = (float(prices[0].consumption_nano_per_wh), float(prices[0].production_nano_per_wh))
        if traded_wh is not None:
            net[0] -= traded_wh
        count = len(net)
        battery = s.battery if s.stored_wh is not None else None
        capacity_wh = battery.capacity_wh if battery else 0
        limit_wh = battery.power_w * s.interval_s / SECONDS_PER_HOUR if battery else 0.0
        efficiency = battery.efficiency_permille / PERMILLE if battery else 1.0
        # What is left in the end will spare a purchase at some time: the cheapest one that is expected.
        keep = min(c for c, _ in expected) if battery else 0.0
        # A hair's cost of moving energy keeps the program from charging and discharging at once where prices tie.
        wear = 1.0
        cost = [c for c, _ in expected] + [-p for _, p in expected] + [wear] * (2 * count) + [0.0] * count
        cost[-1] -= keep
        balance, storage = [], []
        for h in range(count):
            row = [0.0] * (5 * count)
            row[h], row[count + h], row[2 * count + h], row[3 * count + h] = 1.0, -1.0, -1.0, 1.0
            balance.append(row)
            row = [0.0] * (5 * count)
            row[2 * count + h], row[3 * count + h], row[4 * count + h] = -efficiency, 1.0, 1.0
            if h:
                row[4 * count + h - 1] = -1.0
            storage.append(row)
        stored_wh = min(max(s.stored_wh or 0, 0), capacity_wh)
        bounds = [(0.0, None)] * (2 * count) + [(0.0, limit_wh)] * (2 * count) + [(0.0, float(capacity_wh))] * count
        found = linprog(
            cost,
            A_eq=balance + storage,
            b_eq=[float(n) for n in net] + [float(stored_wh)] + [0.0] * (count - 1),
            bounds=bounds,
            method="highs",
        )
        if found.status != 0:
            raise StrategyError(f"the plan could not be computed ({found.message}); nothing is offered")
        x = found.x
        bought_wh = float(x[0] - x[count]) + (traded_wh or 0)
        return Plan(bought_wh, float(x[2 * count] - x[3 * count]), float(found.eqlin.marginals[0]))

    def _expected(self, prices: Prices) -> tuple[float, float]:
        """What a watt-hour is expected to cost and to bring."""
        half = (prices.consumption_nano_per_wh - prices.production_nano_per_wh) / 2
        gain = half * self._market_permille / PERMILLE
        return prices.consumption_nano_per_wh - gain, prices.production_nano_per_wh + gain
