"""One small finished run, shared by the tests that look at its outcome."""

from datetime import datetime

import pytest

from dso.tariff import Tariff
from petra.homes.profile import HomeProfile, Profiles
from petra.rundir import write_run
from petra.scenario import default_scenario
from petra.simulation import simulate
from petra.summary import who_learnt_what

INTERVALS = 4
INTERVAL_S = 3600


def small_profiles(homes: int = 6, intervals: int = INTERVALS) -> Profiles:
    """Odd homes need energy, even ones have some to sell, every one a different amount."""
    return Profiles(
        start=datetime(2026, 3, 1, 10),
        interval_s=INTERVAL_S,
        homes=tuple(
            HomeProfile(
                home=number,
                load_wh=tuple(700 + 31 * number + 7 * t for t in range(intervals)),
                generation_wh=tuple((0 if number % 2 else 1500 + 13 * number) for _ in range(intervals)),
                node=1 + number % 2,
            )
            for number in range(1, homes + 1)
        ),
        source="small test community",
    )


def small_scenario(ledger: str = "spec", seed: int = 5, homes: int = 6, intervals: int = INTERVALS):
    return default_scenario(small_profiles(homes, intervals), seed, ledger, Tariff.parse("0.24/0.09"))


@pytest.fixture(scope="session")
def small_run():
    return simulate(small_scenario(), lambda done: None)


@pytest.fixture(scope="session")
def small_run_dir(small_run, tmp_path_factory):
    out = tmp_path_factory.mktemp("run")
    write_run(small_run, who_learnt_what(small_run), out)
    return out


@pytest.fixture
def make_scenario():
    return small_scenario
