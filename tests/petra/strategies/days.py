"""One home trading through days at given market prices: what its behaviour costs it, to the nano-unit."""

from dataclasses import dataclass, replace

from assets.orders import Side
from assets.transactions import PriceChange
from petra.homes.battery import SelfConsumption
from petra.homes.profile import HomeProfile
from petra.strategies.forecast import situation_of
from petra.strategies.look_ahead import LookAhead
from petra.strategy import Strategy

NOTE_WH = 100
NOTES = 20


@dataclass(frozen=True)
class Prices:
    """The DSO's two prices, and where between them the market clears, by hour of the day."""

    day: tuple[int, int] = (320_000, 60_000)
    night: tuple[int, int] = (160_000, 60_000)

    def at(self, t: int) -> PriceChange:
        return PriceChange(0, *(self.day if 6 <= t % 24 < 22 else self.night))

    def clearing(self, t: int) -> int:
        """Dear in the evening, cheap when the sun is high: 30 to 70 per cent of the way between the DSO's prices."""
        p, share = self.at(t), 30 if 10 <= t % 24 < 16 else 70 if 17 <= t % 24 < 22 else 50
        low, high = p.production_nano_per_wh, p.consumption_nano_per_wh
        return low + (high - low) * share // 100


def cost_nano(strategy: Strategy, home: HomeProfile, prices: Prices) -> int:
    """What the home pays: its trades, and the rest with the DSO; what its battery has left counts at the DSO's price.

    Batteries start empty. A look-ahead moves its battery by its plan; anybody else's stores surplus and covers need.
    """
    battery, plans = home.battery, isinstance(strategy, LookAhead)
    rule, stored_milliwh, readings, total = SelfConsumption(battery, 3600), 0, {}, 0
    for t, net_wh in enumerate(home.net_wh):
        known = situation_of(
            t,
            net_wh=readings,
            note_wh=NOTE_WH,
            sellable=NOTES,
            buyable=NOTES,
            price_at=prices.at,
            interval_s=3600,
            battery=battery if plans else None,
            stored_wh=stored_milliwh // 1000,
        )
        if not plans and known.forecast_net_wh:  # what its own rule will do about what is expected
            expected = _peek(rule, known.forecast_net_wh[0])
            known = replace(known, forecast_net_wh=(expected,))
        decision, traded_wh = strategy.decide(known), 0
        if decision is not None:
            sells, price = decision.side is Side.SELL, prices.clearing(t)
            limit = decision.limit_nano_per_wh
            if limit <= price if sells else limit >= price:
                traded_wh = decision.notes * NOTE_WH * (-1 if sells else 1)
        if plans:
            # Both batteries see what flows while it flows; only the hours to come are forecast.
            now = replace(known, forecast_net_wh=(net_wh, *known.forecast_net_wh[1:]))
            wish_wh = round(strategy.plan(now, traded_wh=traded_wh).charged_wh)
            metered_wh, stored_milliwh = _move(battery, stored_milliwh, net_wh, wish_wh)
        else:
            metered_wh = rule.step(net_wh)
        readings[t] = net_wh
        rest_wh, p = metered_wh - traded_wh, prices.at(t)
        total += traded_wh * prices.clearing(t)
        total += rest_wh * (p.consumption_nano_per_wh if rest_wh > 0 else p.production_nano_per_wh)
    left_milliwh = stored_milliwh if plans else rule.stored_milliwh
    return total - left_milliwh // 1000 * prices.at(len(home.net_wh)).production_nano_per_wh


def _peek(rule: SelfConsumption, net_wh: int) -> int:
    again = SelfConsumption(rule._battery, 3600)
    again._stored_milliwh = rule._stored_milliwh
    return again.step(net_wh)


def _move(battery, stored_milliwh: int, net_wh: int, wish_wh: int) -> tuple[int, int]:
    """Charge or discharge as wished, as far as power, capacity and charge allow."""
    if wish_wh >= 0:
        room_wh = (battery.capacity_wh * 1000 - stored_milliwh) // battery.efficiency_permille
        moved = min(wish_wh, battery.power_w, room_wh)
        return net_wh + moved, stored_milliwh + moved * battery.efficiency_permille
    moved = min(-wish_wh, battery.power_w, stored_milliwh // 1000)
    return net_wh - moved, stored_milliwh - moved * 1000
