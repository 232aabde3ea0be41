"""The whole system as a user runs it, each time as a process of its own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SHARED = Path(__file__).parents[3] / "shared" / "data"


def petra(*args):
    done = subprocess.run([sys.executable, "-m", "petra", *args], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def simulate(out, *args):
    return json.loads(petra("simulate", "--out", out, "--json", *args))


def audit(out):
    assert "audit passed" in petra("audit", out)


def same_bills(*folders):
    first, *others = [(folder / "bills.csv").read_bytes() for folder in folders]
    assert all(other == first for other in others)


def test_the_generated_community_gets_the_same_bills_on_the_contract_and_the_specification(tmp_path):
    args = ["--intervals", "2", "--seed", "3", "--start", "2025-04-01T15:00:00", "--homes", "8"]
    evm = simulate(tmp_path / "evm", *args, "--ledger", "evm")
    spec = simulate(tmp_path / "spec", *args, "--ledger", "spec")
    same_bills(tmp_path / "evm", tmp_path / "spec")
    audit(tmp_path / "evm")
    audit(tmp_path / "spec")
    assert evm["ledger_stats"]["gas_total"] > 0
    assert spec["ledger_stats"]["gas_total"] == 0
    assert evm["conservation"] == spec["conservation"]


def test_a_run_on_a_real_node_gives_the_bills_of_the_specification(tmp_path, anvil_url):
    args = ["--intervals", "3", "--seed", "2", "--start", "2025-04-01T14:00:00", "--homes", "9"]
    node = simulate(tmp_path / "node", *args, "--ledger", anvil_url)
    simulate(tmp_path / "spec", *args, "--ledger", "spec")
    same_bills(tmp_path / "node", tmp_path / "spec")
    audit(tmp_path / "node")
    assert node["ledger_stats"]["gas_total"] > 0


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("fontana17_hourly.csv.gz", ["--start", "2016-08-03T15:00:00", "--intervals", "3"]),
        ("hamlet16_quarterhourly.csv.gz", ["--start", "2021-02-18T12:00:00", "--intervals", "4"]),
    ],
)
def test_measured_homes_trade_and_their_run_passes_the_audit(tmp_path, name, args):
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"{name} is not here; put the measured homes into {SHARED.name} beside the repository")
    summary = simulate(tmp_path / "run", "--profiles", str(path), *args, "--ledger", "spec")
    assert summary["traded_wh"] > 0
    assert summary["conservation"]["dso_shortfall_nano"] == 0
    audit(tmp_path / "run")
