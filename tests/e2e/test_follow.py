"""kill -9 of whoever follows the ledger into a file, at random instants, while the ledger grows and is set back."""

import random
import subprocess
import sys
import time

from assets.intervals import IntervalGrid
from contracts import anvil, deployments, nodes
from contracts.ledger import EvmLedger
from contracts.processes import free_ports
from contracts.sync.file import FileStore
from tests.e2e.test_bad_network import DSO, FAR_S, price


def follow(url, folder, *more):
    command = [sys.executable, "-m", "petra", "chain", "follow", "--rpc", url, "--store", str(folder / "ledger.sqlite")]
    return [*command, "--deployments", str(folder), *more]


def test_killed_at_any_instant_it_misses_nothing_and_counts_nothing_twice(anvil_url, tmp_path):
    w3, luck = nodes.connect(anvil_url), random.Random(4)
    ledger = EvmLedger.deploy(w3, DSO.address, IntervalGrid(FAR_S, 3600))
    deployments.Deployment.of(w3, ledger).save(tmp_path)
    nonce, kills = 0, 0
    for _ in range(6):
        with subprocess.Popen(
            follow(anvil_url, tmp_path, "--every", "0.01"), stdout=subprocess.PIPE, text=True
        ) as reader:
            assert "transactions" in reader.stdout.readline()
            end_s = time.monotonic() + luck.uniform(0.05, 0.6)
            while time.monotonic() < end_s:
                ledger.submit([price(ledger, nonce + i) for i in range(3)])
                nonce += 3
            reader.kill()
            kills += 1
        with_cursor = FileStore(tmp_path / "ledger.sqlite", ledger.domain)
        found, window = with_cursor.records(), with_cursor.window()
        on_chain = EvmLedger.at(w3, ledger.domain.contract, since_block=ledger.since_block)._follower.changes().fresh
        assert found == [r for r in on_chain if r.block <= window[-1].number], "whole blocks, each once"
        with_cursor.close()
    assert kills == 6
    done = subprocess.run(follow(anvil_url, tmp_path), check=False, capture_output=True, text=True)
    assert done.stdout == f"{nonce} transactions\n", done.stderr


def test_a_reorganisation_across_the_cursor_is_followed(tmp_path, real_part):
    real_part(anvil.find)
    (port,) = free_ports(1)
    with anvil.running(tmp_path / "anvil.log", port, options=()) as url:  # a pruned chain cannot be reorganised
        w3 = nodes.connect(url)
        ledger = EvmLedger.deploy(w3, DSO.address, IntervalGrid(FAR_S, 3600))
        deployments.Deployment.of(w3, ledger).save(tmp_path)
        for nonce in range(4):
            ledger.submit([price(ledger, nonce)])
        done = subprocess.run(follow(url, tmp_path), check=False, capture_output=True, text=True)
        assert done.stdout == "4 transactions\n", done.stderr
        assert "error" not in w3.provider.make_request("anvil_reorg", [2, []])
        done = subprocess.run(follow(url, tmp_path), check=False, capture_output=True, text=True)
        assert done.stdout == "2 transactions\n", done.stderr
        assert len(ledger.entries()) == 2
        assert ledger.submit([price(ledger, 4)])[0].accepted  # and, before it, the two that the chain lost
        done = subprocess.run(follow(url, tmp_path), check=False, capture_output=True, text=True)
        assert done.stdout == "5 transactions\n", done.stderr
