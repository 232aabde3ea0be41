"""Submitted plans: any solver may hand in a better one before finality; the best feasible one wins."""

from dataclasses import dataclass, field

from assets.hashing import keccak
from bidstore.matching.plan import Market, Plan, check_plan, energy_wh


class NotBetter(ValueError):
    """A plan that is feasible and trades no more than the best one known."""


class Final(ValueError):
    """A plan that came after finality."""


@dataclass(slots=True)
class Submissions:
    """The best plan so far for one market.

    More energy wins. Of plans that trade the same, the one that came first stays: who copies a plan gains nothing.
    """

    market: Market
    final_s: int
    """Ledger time from which on the best plan stands."""
    best: Plan = field(default=())

    def submit(self, plan: Plan, now_s: int) -> int:
        """Take a better plan; returns the energy that it trades.

        Raises :class:`Final`, :class:`~bidstore.matching.plan.Infeasible` or :class:`NotBetter`; the best plan is then
        as before.
        """
        if now_s >= self.final_s:
            raise Final("the plan came after finality; the best one until then stands")
        check_plan(self.market, plan)
        if energy_wh(plan) <= energy_wh(self.best):
            raise NotBetter(f"the best plan trades {energy_wh(self.best)} Wh, this one {energy_wh(plan)}")
        self.best = plan
        return energy_wh(plan)


def plan_hash(plan: Plan) -> bytes:
    """What identifies a plan: Keccak-256 of its flows, sorted, each as four 32-byte words."""
    words = (value.to_bytes(32, "big") for f in sorted(plan) for value in (f.sell, f.buy, f.t, f.energy_wh))
    return keccak(b"".join(words))
