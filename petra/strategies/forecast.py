"""What a home expects, from what its meter has read."""

from collections.abc import Callable, Mapping

from assets.transactions import PriceChange
from petra.homes.profile import Battery
from petra.strategy import Prices, Situation

DAY_S = 86_400


def same_time_yesterday(net_wh: Mapping[int, int], t: int, count: int, interval_s: int) -> tuple[int, ...]:
    """Net consumption expected in ``t``, ``t + 1``, …: that of the same time a day, else two to seven days, before.

    An interval of which no such reading exists is expected to be like the newest one. Empty without any reading.
    """
    known = [at for at in net_wh if at < t]
    if not known:
        return ()
    newest, per_day = net_wh[max(known)], max(1, DAY_S // interval_s)
    return tuple(_before(net_wh, at, t, per_day, newest) for at in range(t, t + count))


def _before(net_wh: Mapping[int, int], at: int, t: int, per_day: int, otherwise: int) -> int:
    for days in range(1, 8):
        day_before = at - days * per_day
        if day_before < t and day_before in net_wh:
            return net_wh[day_before]
    return otherwise


def situation_of(
    t: int,
    *,
    net_wh: Mapping[int, int],
    note_wh: int,
    sellable: int,
    buyable: int,
    price_at: Callable[[int], PriceChange | None],
    interval_s: int,
    battery: Battery | None = None,
    stored_wh: int | None = None,
    horizon_s: int = DAY_S,
) -> Situation | None:
    """What a home knows before interval ``t``; ``None`` if the DSO has announced no price for it.

    ``net_wh``: readings by interval. The look ahead ends where prices are no longer known.
    """
    prices: list[Prices] = []
    for at in range(t, t + max(1, horizon_s // interval_s)):
        change = price_at(at)
        if change is None:
            break
        prices.append(Prices(change.consumption_nano_per_wh, change.production_nano_per_wh))
    if not prices:
        return None
    return Situation(
        t=t,
        last_net_wh=net_wh[max(known)] if (known := [at for at in net_wh if at < t]) else None,
        note_wh=note_wh,
        sellable=sellable,
        buyable=buyable,
        consumption_nano_per_wh=prices[0].consumption_nano_per_wh,
        production_nano_per_wh=prices[0].production_nano_per_wh,
        forecast_net_wh=same_time_yesterday(net_wh, t, len(prices), interval_s),
        prices=tuple(prices),
        battery=battery,
        stored_wh=stored_wh,
        interval_s=interval_s,
    )
