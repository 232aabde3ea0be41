"""A wallet's strategy in a simulated home, which tells it what a wallet would find out from its meter."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from assets.transactions import PriceChange
from petra.strategies.forecast import situation_of
from petra.strategy import Decision, Situation, Strategy


class Simulated:
    """Forecasts from the readings so far, which are behind the home's battery: that follows a rule of its own."""

    def __init__(
        self,
        strategy: Strategy,
        net_wh: Sequence[int],
        price_at: Callable[[int], PriceChange | None],
        interval_s: int,
    ) -> None:
        self._strategy, self._net_wh = strategy, net_wh
        self._price_at, self._interval_s = price_at, interval_s

    def decide(self, situation: Situation) -> Decision | None:
        """What the strategy decides when it also has a forecast and the prices to come."""
        t = situation.t
        told = situation_of(
            t,
            net_wh=dict(enumerate(self._net_wh[:t])),
            note_wh=situation.note_wh,
            sellable=situation.sellable,
            buyable=situation.buyable,
            price_at=self._price_at,
            interval_s=self._interval_s,
        )
        return self._strategy.decide(situation if told is None else replace(told, last_net_wh=situation.last_net_wh))
