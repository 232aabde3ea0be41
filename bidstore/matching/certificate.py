"""Certificates of optimality: a price for every row of the program, which proves how good a plan can be.

**Why it proves anything** (weak duality). Let ``y`` be any numbers, one for each row ``lower <= a.x <= upper``. For
every feasible ``x``:  gain.x = y.Ax + (gain - yA).x <= sum over rows of (y * upper if y > 0 else y * lower) + sum over
variables of max(0, gain - yA) * their upper bound. So whatever ``y`` somebody hands over, the right-hand side is an
upper bound; a wrong or malicious ``y`` only gives a poor one. If the bound, rounded down, equals what a plan trades, no
plan trades more. The check multiplies and adds whole numbers: no solver, no floating point, nobody to trust.
"""

from dataclasses import dataclass

from bidstore.matching.plan import Market, Plan, check_plan, energy_wh
from bidstore.matching.program import Program, program_of


@dataclass(frozen=True, slots=True)
class Certificate:
    """Prices of the program's rows: ``numerators`` over one ``denominator``."""

    numerators: tuple[int, ...]
    denominator: int


def bound_wh(program: Program, certificate: Certificate) -> int:
    """The most energy that any plan can trade, as ``certificate`` proves it, rounded down.

    Raises ``ValueError`` for a certificate that does not belong to the program.
    """
    prices, scale = certificate.numerators, certificate.denominator
    if scale < 1 or len(prices) != len(program.rows):
        raise ValueError("a certificate has one price for each row of the program, over a denominator of at least 1")
    bound = 0
    reduced = [gain * scale for gain in program.gains]
    for row, price in zip(program.rows, prices, strict=True):
        if price < 0 and row.lower is None:
            raise ValueError("a row without a lower bound has no negative price")
        if not price:
            continue
        bound += price * (row.upper if price > 0 or row.lower is None else row.lower)
        for variable, coefficient in row.terms:
            reduced[variable] -= price * coefficient
    bound += sum(gain * upper for gain, upper in zip(reduced, program.uppers, strict=True) if gain > 0)
    return bound // scale


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a checked certificate says of a plan."""

    energy_wh: int
    """What the plan trades."""
    bound_wh: int
    """What no plan can exceed."""

    @property
    def optimal(self) -> bool:
        """Whether no plan trades more."""
        return self.energy_wh == self.bound_wh


def verify(market: Market, plan: Plan, certificate: Certificate) -> Verdict:
    """Judge a plan by a certificate, exactly.

    Raises :class:`~bidstore.matching.plan.Infeasible` for a plan that breaks a rule, and ``ValueError`` for a
    certificate of another market.
    """
    check_plan(market, plan)
    return Verdict(energy_wh(plan), bound_wh(program_of(market), certificate))
