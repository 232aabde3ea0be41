"""Zero-intelligence traders after Gode and Sunder (1993): limits drawn at random, and never worse than the DSO."""

import random
import secrets

from petra.strategies.errors import StrategyError
from petra.strategy import Decision, Situation, offer, zero_intelligence_limit


class ZeroIntelligence:
    """Offers all that it expects to have or to need, at a limit drawn between the DSO's two prices."""

    def __init__(self, seed: int | None = None, home: int = 0) -> None:
        """``seed`` and ``home`` make the limits repeatable, for simulations; else nobody can foresee them."""
        if seed is not None and type(seed) is not int:
            raise StrategyError("strategy zero-intelligence: seed is a whole number; leave it out in a real wallet")
        self._seed, self._home = seed, home

    def decide(self, situation: Situation) -> Decision | None:
        """Whole notes up to the expected surplus or need, all at one limit."""
        net_wh = situation.expected_net_wh
        if net_wh is None:
            return None
        return offer(situation, net_wh, zero_intelligence_limit(situation, self._rng(situation.t)))

    def _rng(self, t: int) -> random.Random:
        if self._seed is None:
            return secrets.SystemRandom()
        return random.Random(f"petra zero-intelligence/{self._seed}/{self._home}/{t}")  # noqa: S311 - simulation
