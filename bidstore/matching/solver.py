"""A best plan by HiGHS. What it computes in floating point is rounded, checked exactly, and only then handed out."""

from dataclasses import dataclass
from typing import Any

from bidstore.matching.certificate import Certificate, Verdict, bound_wh
from bidstore.matching.plan import Market, Plan, check_plan, energy_wh
from bidstore.matching.program import Program, plan_of, program_of

DENOMINATORS = (1, 2, 6, 60, 2520)
"""Row prices are tried as multiples of 1/1, 1/2, ...; those of these programs are small fractions."""

NEAR = 1e-6
"""How far a value may lie from a whole number to be taken for it; what it is taken for is then checked exactly."""


class SolverFailed(RuntimeError):
    """HiGHS found no solution, or one that does not pass the exact check."""


@dataclass(frozen=True, slots=True)
class Solution:
    """A feasible plan and the certificate of how good it is."""

    plan: Plan
    certificate: Certificate
    verdict: Verdict


def solve(market: Market) -> Solution:
    """The plan that trades the most energy in whole watt-hours.

    The linear program's row prices are the certificate. Where its solution is not whole, the program is solved again
    over whole numbers; ``verdict`` then says whether the certificate proves the result, or how far away
    the bound is.
    Raises :class:`SolverFailed`, and ``ImportError`` without HiGHS.
    """
    program = program_of(market)
    if not program.parts:
        return Solution((), Certificate((), 1), Verdict(0, 0))
    model = model_of(program)
    values, duals = run(model)
    certificate = _certificate(program, duals)
    if any(abs(value - round(value)) > NEAR for value in values):
        values = _whole(model, len(program.uppers))
    plan = plan_of(market, program, [round(value) for value in values])
    try:
        check_plan(market, plan)
    except ValueError as error:
        raise SolverFailed(f"the solver's plan does not pass the exact check: {error}") from error
    return Solution(plan, certificate, Verdict(energy_wh(plan), bound_wh(program, certificate)))


def model_of(program: Program) -> Any:  # noqa: ANN401 - highspy has no types
    """The program as HiGHS takes it."""
    try:
        import highspy
        import numpy as np
    except ImportError as error:
        raise ImportError("matching over several intervals needs HiGHS; run: pip install 'petra[grid]'") from error
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = len(program.uppers), len(program.rows)
    lp.sense_ = highspy.ObjSense.kMaximize
    lp.col_cost_ = np.array(program.gains, dtype=float)
    lp.col_lower_ = np.zeros(len(program.uppers))
    lp.col_upper_ = np.array(program.uppers, dtype=float)
    lp.row_lower_ = np.array([-highspy.kHighsInf if row.lower is None else row.lower for row in program.rows], float)
    lp.row_upper_ = np.array([row.upper for row in program.rows], dtype=float)
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.start_ = np.cumsum([0, *(len(row.terms) for row in program.rows)])
    lp.a_matrix_.index_ = np.array([variable for row in program.rows for variable, _ in row.terms])
    lp.a_matrix_.value_ = np.array([value for row in program.rows for _, value in row.terms], dtype=float)
    model = highspy.Highs()  # type: ignore[no-untyped-call] # highspy has no types
    model.setOptionValue("output_flag", False)
    model.setOptionValue("threads", 1)
    model.passModel(lp)
    return model


def run(model: Any) -> tuple[list[float], list[float]]:  # noqa: ANN401 - highspy has no types
    """Solve, and give the variables' values and the rows' prices."""
    import highspy

    model.run()
    if model.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        raise SolverFailed(f"HiGHS ended with {model.modelStatusToString(model.getModelStatus())}")
    solution = model.getSolution()
    return list(solution.col_value), list(solution.row_dual)


def _whole(model: Any, count: int) -> list[float]:  # noqa: ANN401 - highspy has no types
    import highspy
    import numpy as np

    model.changeColsIntegrality(
        count, np.arange(count, dtype=np.int32), np.array([highspy.HighsVarType.kInteger] * count)
    )
    model.setOptionValue("mip_rel_gap", 0.0)
    values, _ = run(model)
    return values


def _certificate(program: Program, duals: list[float]) -> Certificate:
    """The row prices as fractions: of the denominators tried, the one with the lowest bound."""
    candidates = []
    for scale in DENOMINATORS:
        numerators = [round(dual * scale) for dual in duals]
        for place, row in enumerate(program.rows):
            if row.lower is None:
                numerators[place] = max(0, numerators[place])
        certificate = Certificate(tuple(numerators), scale)
        candidates.append((bound_wh(program, certificate), scale, certificate))
    return min(candidates, key=lambda candidate: candidate[:2])[2]
