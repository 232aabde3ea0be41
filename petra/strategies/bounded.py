"""Whatever a strategy decides, checked and kept within the bounds that the home set."""

from dataclasses import replace
from typing import TYPE_CHECKING

from assets.notes import MAX_QUANTITY
from assets.orders import Side
from petra.strategies.errors import StrategyError
from petra.strategy import Decision, Situation, Strategy

if TYPE_CHECKING:
    from petra.prosumer.config import BoundsConfig


class Bounded:
    """Another strategy, within bounds."""

    def __init__(self, inner: Strategy, bounds: "BoundsConfig") -> None:
        self.inner, self._bounds = inner, bounds

    def decide(self, situation: Situation) -> Decision | None:
        """What the strategy decides, cut to the bounds.

        Raises :class:`~petra.strategies.errors.StrategyError` if it fails, or decides what cannot be offered.
        """
        name = type(self.inner).__name__
        try:
            decision = self.inner.decide(situation)
        except (StrategyError, ImportError):
            raise
        except Exception as error:
            raise StrategyError(f"{name} failed ({type(error).__name__}: {error}); nothing is offered") from error
        if decision is None:
            return None
        _check(decision, situation, name)
        return self._cut(decision)

    def _cut(self, decision: Decision) -> Decision | None:
        b, limit = self._bounds, decision.limit_nano_per_wh
        if decision.side is Side.SELL:
            most, limit = b.max_sell_notes, max(limit, b.min_sell_nano_per_wh or 0)
        else:
            most, limit = b.max_buy_notes, min(limit, b.max_buy_nano_per_wh or limit)
        notes = decision.notes if most is None else min(decision.notes, most)
        return replace(decision, notes=notes, limit_nano_per_wh=limit) if notes else None


def _check(decision: object, situation: Situation, name: str) -> None:
    """Raise unless ``decision`` can be offered by a home in ``situation``."""
    if not isinstance(decision, Decision) or not isinstance(decision.side, Side):
        raise StrategyError(f"{name} decided {type(decision).__name__}; it is to give a Decision, or None")
    for what, number in (("notes", decision.notes), ("limit_nano_per_wh", decision.limit_nano_per_wh)):
        if type(number) is not int:
            raise StrategyError(f"{name} decided {what} as {type(number).__name__}; it is to be a whole number")
    held = situation.sellable if decision.side is Side.SELL else situation.buyable
    if not 0 <= decision.notes <= held:
        raise StrategyError(f"{name} offers {decision.notes} notes, the home has {held} for that; nothing is offered")
    if not 1 <= decision.limit_nano_per_wh <= MAX_QUANTITY:
        raise StrategyError(f"{name} has the limit {decision.limit_nano_per_wh}; give 1 to 2**63-1 nano per Wh")
