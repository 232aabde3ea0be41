"""kill -9 of the client, and of the node, in the middle of a run: the run goes on and ends as if nothing had been."""

import json
import subprocess
import sys
import time
from contextlib import suppress

import pytest
from web3.exceptions import Web3RPCError

from contracts import anvil, deployments, nodes
from contracts.processes import free_ports

HOMES, HOURS = 4, 4


def simulation(url, out, *more, seed=2):
    """Homes with as little to compute as possible: what counts here is the ledger."""
    rows = [
        f"2025-04-01T1{hour}:00:00,{home},{500 + 90 * home},{home % 2 * 1500}"
        for hour in range(HOURS)
        for home in range(1, HOMES + 1)
    ]
    homes = out / "homes.csv"
    homes.write_text("\n".join(["interval_start,home,load_wh,pv_wh", *rows]) + "\n")
    command = [sys.executable, "-m", "petra", "simulate", "--profiles", str(homes), "--seed", str(seed), "--json"]
    return [*command, "--ledger", url, "--out", str(out), *more]


def run(url, out, *more, seed=2):
    return subprocess.run(simulation(url, out, *more, seed=seed), check=False, capture_output=True, text=True)


def entries(url, out):
    w3 = nodes.connect(url)
    deployment = deployments.load(w3.eth.chain_id, out / "deployments")
    return [] if deployment is None else deployment.open(w3).entries()


def until_recorded(url, out, count, process):
    for _ in range(600):
        with suppress(Web3RPCError):  # a pruning anvil forgets the block it is asked about when the next one comes
            if len(entries(url, out)) >= count:
                return
        assert process.poll() is None, "the run ended before it could be cut off"
        time.sleep(0.05)
    pytest.fail(f"no {count} entries within 30 s")


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """The bills of the run that nobody disturbs, and how many transactions it takes."""
    out = tmp_path_factory.mktemp("spec")
    done = run("spec", out)
    assert done.returncode == 0, done.stderr
    return (out / "bills.csv").read_bytes(), json.loads((out / "summary.json").read_text())["ledger_stats"]


def ends_as(expected, url, out, done):
    assert done.returncode == 0, done.stderr
    bills, stats = expected
    assert (out / "bills.csv").read_bytes() == bills
    found = entries(url, out)
    assert len(found) == len({e.digest for e in found}) == stats["transactions"]
    audit = subprocess.run([sys.executable, "-m", "petra", "audit", str(out)], check=False, capture_output=True)
    assert audit.returncode == 0, audit.stderr


def test_a_client_that_is_killed_goes_on_and_no_other_run_does(expected, anvil_url, tmp_path):
    with subprocess.Popen(simulation(anvil_url, tmp_path), stdout=subprocess.DEVNULL) as client:
        until_recorded(anvil_url, tmp_path, 10, client)
        client.kill()
    before = entries(anvil_url, tmp_path)
    assert len(before) < expected[1]["transactions"]
    for options, complaint in ((["--homes", "3"], "none of this run"), (["--intervals", "1"], "none of this run")):
        other = run(anvil_url, tmp_path, "--resume", *options)
        assert (other.returncode, complaint in other.stderr) == (2, True)
    other = run(anvil_url, tmp_path, "--resume", seed=3)
    assert (other.returncode, "another seed" in other.stderr) == (2, True)
    assert entries(anvil_url, tmp_path) == before
    ends_as(expected, anvil_url, tmp_path, run(anvil_url, tmp_path, "--resume"))
    assert entries(anvil_url, tmp_path)[: len(before)] == before
    ends_as(expected, anvil_url, tmp_path, run(anvil_url, tmp_path, "--resume"))


def test_a_node_that_is_killed_goes_on(expected, tmp_path, real_part):
    real_part(anvil.find)
    (port,) = free_ports(1)
    options = ("--state", str(tmp_path / "state.json"), "--state-interval", "1")
    node, url = anvil.start(tmp_path / "anvil.log", port, options)
    try:
        with subprocess.Popen(simulation(url, tmp_path), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as client:
            until_recorded(url, tmp_path, 3, client)
            time.sleep(1.2)  # until the node has written its state at least once
            assert client.poll() is None
            node.kill()
            node, url = anvil.start(tmp_path / "anvil.log", port, options)
            client.communicate(timeout=120)
        # The chain may have lost its last second: the client has gone on, or has said so and ended.
        assert client.returncode in (0, 2)
        ends_as(expected, url, tmp_path, run(url, tmp_path, "--resume"))
    finally:
        node.kill()


def test_only_a_run_on_a_node_is_resumed(tmp_path):
    done = run("spec", tmp_path, "--resume")
    assert done.returncode == 2
    assert "only a run on a node" in done.stderr
