"""Matching over intervals under feeder limits, beside the bare HiGHS run of the same program."""

import random
from functools import partial

from assets.orders import Side
from benchmarks.row import Reference, Row
from benchmarks.sizes import Sizes
from benchmarks.timer import again, medians_s
from bidstore.matching.certificate import verify
from bidstore.matching.plan import Feeder, Market, Offer
from bidstore.matching.program import program_of
from bidstore.matching.solver import model_of, run, solve

FEEDERS = 11


def rows(sizes: Sizes) -> list[Row]:
    """A best plan with its certificate, and the check of both."""
    homes, intervals, runs = sizes.plan_homes, sizes.plan_intervals, sizes.plan_runs
    market = neighbourhood(homes, intervals)
    program = program_of(market)
    solution = solve(market)
    if not solution.verdict.optimal:
        raise AssertionError("the certificate does not prove the plan")
    solve_s, check_s, bare_s = medians_s(
        runs,
        again(solve, market),
        again(verify, market, solution.plan, solution.certificate),
        lambda: partial(run, model_of(program)),
    )
    reference = Reference(f"HiGHS alone, {len(program.uppers):,} × {len(program.rows):,}", bare_s)
    what = f"{homes} homes × {intervals} intervals, {FEEDERS} feeders"
    return [
        Row(f"plan for {what}", solve_s, "s", runs, reference),
        Row(f"its certificate checked: {solution.verdict.energy_wh:,} Wh are the most", check_s, "s", runs, reference),
    ]


def neighbourhood(homes: int, intervals: int, seed: int = 1) -> Market:
    """Homes on feeders over a day of intervals: a third sells sun, the rest buys, batteries shift."""
    draw = random.Random(seed)
    offers = []
    for home in range(homes):
        feeder = home % FEEDERS
        sun = home % 3 == 0
        for t in range(intervals):
            noon = max(0, 1 - abs(t - intervals / 2) / (intervals / 5))
            wh = int(1500 * noon * draw.uniform(0.6, 1)) if sun else int(draw.uniform(50, 500))
            side = Side.SELL if sun else Side.BUY
            limit = draw.randrange(90, 200) if sun else draw.randrange(100, 240)
            if wh:
                offers.append(Offer(side, t, t, wh, wh, limit * 1000, feeder))
        if home % 5 == 0:
            offers.append(Offer(Side.SELL, intervals * 5 // 8, intervals - 1, 800, 6000, 150_000, feeder))
    return Market(tuple(offers), {n: Feeder(5000, 2500) for n in range(FEEDERS)})
