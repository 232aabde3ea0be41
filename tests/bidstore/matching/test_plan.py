"""Plans over several intervals: the rules, the optimum by brute force, and certificates that cannot be forged."""

import json
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.orders import Side
from bidstore.matching.certificate import Certificate, bound_wh, verify
from bidstore.matching.plan import Feeder, Flow, Infeasible, Market, Offer, check_plan, energy_wh
from bidstore.matching.program import program_of
from bidstore.matching.submissions import Final, NotBetter, Submissions, plan_hash

CASES = json.loads((Path(__file__).parent.parent / "vectors/plan.json").read_text())["cases"]


def market(case) -> Market:
    offers = tuple(Offer(Side[side], *rest) for side, *rest in case["offers"])
    return Market(offers, {int(number): Feeder(*limits) for number, limits in case["feeders"].items()})


@pytest.fixture(scope="session")
def solve():
    pytest.importorskip("highspy", reason="HiGHS is missing; run: pip install 'petra[grid]'")
    from bidstore.matching.solver import solve

    return solve


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_an_example_worked_by_hand(case, solve) -> None:
    solution = solve(market(case))
    assert energy_wh(solution.plan) == case["energy_wh"]
    verdict = verify(market(case), solution.plan, solution.certificate)
    assert verdict.optimal
    assert verdict == solution.verdict


offers = st.builds(
    lambda side, start, length, *rest: Offer(side, start, start + length, *rest),
    st.sampled_from(Side),
    st.integers(0, 1),
    st.integers(0, 1),
    st.integers(0, 2),
    st.integers(0, 3),
    st.integers(0, 3),
    st.sampled_from([None, 1, 2]),
)
feeder = st.builds(Feeder, st.integers(0, 3), st.integers(0, 2))
markets = st.builds(
    lambda chosen, a, b: Market(tuple(chosen), {1: a, 2: b}), st.lists(offers, max_size=3), feeder, feeder
)


def best_by_hand(market: Market) -> int:
    """The best of all plans, tried one by one."""
    wide = replace(market, feeders={number: Feeder(9, 9) for number in market.feeders})
    choices = [
        [Flow(s, b, t, e) for e in range(1, 3)]
        for s, b, t in product(range(len(market.offers)), range(len(market.offers)), range(3))
        if _possible(wide, Flow(s, b, t, 1))
    ]
    best = 0
    for picked in product(*([None, *options] for options in choices)):
        plan = tuple(flow for flow in picked if flow)
        if energy_wh(plan) > best and _possible(market, *plan):
            best = energy_wh(plan)
    return best


def _possible(market: Market, *plan: Flow) -> bool:
    try:
        check_plan(market, plan)
    except Infeasible:
        return False
    return True


@settings(max_examples=40)
@given(markets)
def test_the_solver_finds_what_trying_every_plan_finds(solve, market) -> None:
    solution = solve(market)
    check_plan(market, solution.plan)
    assert energy_wh(solution.plan) == best_by_hand(market) <= solution.verdict.bound_wh


@given(markets, st.data())
def test_no_certificate_whatsoever_proves_less_than_a_feasible_plan_trades(solve, market, data) -> None:
    program = program_of(market)
    prices = st.lists(st.integers(-5, 5), min_size=len(program.rows), max_size=len(program.rows))
    numerators = [
        price if row.lower is not None else abs(price)
        for price, row in zip(data.draw(prices), program.rows, strict=True)
    ]
    forged = Certificate(tuple(numerators), data.draw(st.integers(1, 4)))
    assert bound_wh(program, forged) >= energy_wh(solve(market).plan)


def test_a_certificate_of_another_market_is_refused(solve) -> None:
    solution = solve(market(CASES[0]))
    with pytest.raises(ValueError, match="one price for each row"):
        verify(market(CASES[0]), solution.plan, Certificate((*solution.certificate.numerators, 0), 1))


A = Offer(Side.SELL, 0, 1, 5, 8, 10, 1)
B = Offer(Side.BUY, 1, 2, 5, 8, 20, 2)
SMALL = Market((A, B, replace(B, limit_nano_per_wh=9)), {1: Feeder(4, 4), 2: Feeder(9, 3)})


@pytest.mark.parametrize(
    ("plan", "reason"),
    [
        ((Flow(0, 1, 0, 1),), "outside the window of offer 1"),
        ((Flow(0, 2, 1, 1),), "asks for more"),
        ((Flow(1, 0, 1, 1),), "not one to sell"),
        ((Flow(0, 7, 1, 1),), "two offers that exist"),
        ((Flow(0, 1, 1, 0),), "at least 1 Wh"),
        ((Flow(0, 1, 1, -1),), "at least 1 Wh"),
        ((Flow(0, 1, 1, 6),), "it allows 5"),
        ((Flow(0, 1, 1, 5),), "feeder 1 has 5 Wh"),
        ((Flow(0, 1, 1, 4),), "cross feeder 2"),
        ((Flow(0, 1, 1, 1), Flow(0, 1, 1, 1)), "two flows"),
    ],
)
def test_a_plan_that_breaks_a_rule_is_told_which(plan, reason) -> None:
    with pytest.raises(Infeasible, match=reason):
        check_plan(SMALL, plan)


def test_the_best_feasible_submission_wins_until_finality() -> None:
    submissions = Submissions(SMALL, final_s=100)
    assert submissions.submit((Flow(0, 1, 1, 2),), 10) == 2
    with pytest.raises(NotBetter, match="2 Wh"):
        submissions.submit((Flow(0, 1, 1, 2),), 11)
    with pytest.raises(Infeasible):
        submissions.submit((Flow(0, 1, 1, 4),), 12)
    assert submissions.submit((Flow(0, 1, 1, 3),), 99) == 3
    with pytest.raises(Final):
        submissions.submit((Flow(0, 1, 1, 3),), 100)
    assert submissions.best == (Flow(0, 1, 1, 3),)


def test_a_plans_hash_does_not_depend_on_the_order_of_its_flows() -> None:
    plan = (Flow(0, 1, 1, 2), Flow(0, 1, 2, 2))
    assert plan_hash(plan) == plan_hash(plan[::-1]) != plan_hash(plan[:1])
