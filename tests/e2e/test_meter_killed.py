"""kill -9 at random instants: same journal, same notes, same bills as without."""

import subprocess
import sys
from pathlib import Path

import pytest

from assets.intervals import IntervalGrid
from assets.keys import SigningKey
from assets.port import Entry
from assets.transactions import Transact, Withdraw
from smartmeter.audit import verify_meter
from smartmeter.flags import Flag
from smartmeter.folder import MeterFolder
from tests.e2e.meter_world import KEY, METER, authorise, deploy, meter_folder

ROOT = Path(__file__).parents[2]
GRID = IntervalGrid(2_000_000_000, 900)


def day(folder: Path, intervals: int, kills: int) -> int:
    """Run the day in processes that are killed; how many kills hit."""
    command = [sys.executable, "-m", "tests.e2e.meter_day", str(folder), str(intervals), str(kills), "7"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def outcome(folder: Path, entries: list[Entry]) -> tuple[object, ...]:
    home = MeterFolder(folder)
    issued = [e.digest for e in entries if isinstance(e.signed.tx, Withdraw)]
    deposited = sorted(e.digest for e in entries if isinstance(e.signed.tx, Transact))
    found = verify_meter(home.journal(), home.book(), home.wiring)
    assert found.problems == ()
    return home.journal().dump(), home.book().dump(), issued, deposited


@pytest.mark.parametrize(
    ("intervals", "kills"), [(4, 10), pytest.param(96, 200, marks=[pytest.mark.soak, pytest.mark.slow])]
)
def test_a_day_with_and_without_kill_9_ends_the_same(tmp_path, anvil_factory, intervals: int, kills: int) -> None:
    outcomes = []
    for name, killed in (("calm", 0), ("killed", kills)):
        with anvil_factory(tmp_path / f"{name}.log") as url:
            ledger = deploy(url, GRID)
            authorise(ledger, SigningKey(KEY).address)
            folder = tmp_path / name
            meter_folder(folder, url, ledger, 502, tmp_path / "passphrase", "cvm-c5")
            hits = day(folder, intervals, killed)
            assert hits == killed, "the day ended before all kills hit"
            outcomes.append(outcome(folder, ledger.entries()))
            home = MeterFolder(folder)
            bills = home.book().bills()
            assert [b.t for b in bills] == list(range(intervals))
            assert {b.meter for b in bills} == {METER}
            assert [i.window for i in home.book().issues()] == list(range(1, intervals + 3))
            assert any(b.flags & Flag.ROLLOVER for b in bills)
    assert outcomes[0] == outcomes[1]
