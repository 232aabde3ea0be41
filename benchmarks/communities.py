"""A large community with its cryptography counted, beside one of a quarter of its size.

Where growth is linear, both rates are the same.
"""

from dataclasses import replace

from benchmarks.audits import small_scenario
from benchmarks.row import Reference, Row
from benchmarks.sizes import Sizes
from benchmarks.timer import again, medians_s
from petra.crypto import COUNTED
from petra.scenario import Scenario
from petra.simulation import simulate

INTERVALS = 2


def rows(sizes: Sizes) -> list[Row]:
    """Homes times intervals simulated in a second, from withdrawal to bill."""
    large, small = sizes.community_homes, max(2, sizes.community_homes // 4)
    large_s, small_s = medians_s(sizes.community_runs, *(again(_trade, scenario(homes)) for homes in (large, small)))
    reference = Reference(f"{small} homes", small * INTERVALS / small_s)
    rate = large * INTERVALS / large_s
    return [Row(f"{large} homes, cryptography counted", rate, "home-intervals/s", sizes.community_runs, reference)]


def scenario(homes: int) -> Scenario:
    """So many homes, every second with energy to sell."""
    return replace(small_scenario(homes, INTERVALS), crypto=COUNTED)


def _trade(of: Scenario) -> None:
    simulate(of, lambda done: None)
