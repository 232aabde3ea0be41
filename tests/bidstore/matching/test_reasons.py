"""Every offer that a plan leaves energy of is told why, and nobody is told so without reason."""

from dataclasses import replace

import pytest
from hypothesis import given, settings

from assets.orders import Side
from bidstore.matching.plan import Feeder, Flow, Infeasible, Market, Offer
from bidstore.matching.reasons import Reason, reasons, unserved_wh
from tests.bidstore.matching.test_plan import markets

SELL = Offer(Side.SELL, 0, 0, 10, 10, 5, 1)
BUY = Offer(Side.BUY, 0, 0, 4, 4, 9, 2)
WIDE = {1: Feeder(99, 99), 2: Feeder(99, 99)}


@pytest.mark.parametrize(
    ("offers", "feeders", "plan", "told"),
    [
        ((SELL, replace(BUY, start=1, end=1)), WIDE, (), {0: Reason.NO_COUNTERPART, 1: Reason.NO_COUNTERPART}),
        ((SELL, replace(BUY, limit_nano_per_wh=4)), WIDE, (), {0: Reason.LIMIT, 1: Reason.LIMIT}),
        ((SELL, BUY), WIDE, (Flow(0, 1, 0, 4),), {0: Reason.TAKEN}),
        ((SELL, BUY), {1: Feeder(99, 3), 2: Feeder(99, 99)}, (Flow(0, 1, 0, 3),), dict.fromkeys((0, 1), Reason.FEEDER)),
        ((SELL, BUY), WIDE, (Flow(0, 1, 0, 3),), {0: Reason.OVERLOOKED, 1: Reason.OVERLOOKED}),
        ((SELL, BUY), WIDE, (), {0: Reason.OVERLOOKED, 1: Reason.OVERLOOKED}),
        ((SELL, replace(BUY, step_wh=10, total_wh=10)), WIDE, (Flow(0, 1, 0, 10),), {}),
    ],
)
def test_an_example_worked_by_hand(offers, feeders, plan, told) -> None:
    assert reasons(Market(offers, feeders), plan) == told


def test_a_plan_that_breaks_a_rule_explains_nothing() -> None:
    with pytest.raises(Infeasible):
        reasons(Market((SELL, BUY), WIDE), (Flow(0, 1, 0, 5),))


@settings(max_examples=60)
@given(markets)
def test_the_best_plan_overlooks_nobody_and_tells_everybody_it_leaves_out(market) -> None:
    pytest.importorskip("highspy", reason="HiGHS is missing; run: pip install 'petra[grid]'")
    from bidstore.matching.solver import solve

    plan = solve(market).plan
    told = reasons(market, plan)
    assert told.keys() == unserved_wh(market, plan).keys()
    assert Reason.OVERLOOKED not in told.values()
