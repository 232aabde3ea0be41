"""A real network of four validators at zero gas price: the rules, an hour of a microgrid, and validators that die."""

import importlib.util
import inspect
import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from assets.errors import TimeInPast
from assets.intervals import IntervalGrid
from assets.keys import ThrowAwayKeys
from assets.ledger import SpecLedger
from assets.transactions import PriceChange, Regulate, sign
from contracts import nodes
from contracts.errors import VerdictUnknown
from contracts.ledger import EvmLedger
from contracts.network import geth
from contracts.network.clique import CliqueNetwork
from contracts.relayer import LocalKey, Patience

ROOT = Path(__file__).parents[2]
DSO = ThrowAwayKeys(3, "network").fresh()
FAR_S = 4_102_444_800
SAFE = 3  # of four validators, three have built on a block that is there to stay


@pytest.fixture(scope="module")
def network(tmp_path_factory, real_part):
    real_part(geth.find)
    chain = CliqueNetwork.build(tmp_path_factory.mktemp("clique"))
    chain.start()
    yield chain
    chain.stop()


def simulation(ledger, out):
    args = ["--homes", "4", "--intervals", "1", "--start", "2025-04-01T12:00:00", "--seed", "3", "--json"]
    return [sys.executable, "-m", "petra", "simulate", *args, "--ledger", ledger, "--out", str(out)]


@pytest.fixture(scope="module")
def hour(network, tmp_path_factory):
    """A simulated hour that runs while other tests do: most of its time it waits for blocks."""
    out = tmp_path_factory.mktemp("hour")
    command = simulation(network.urls[1], out)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        yield running, out
        running.kill()


def height(w3):
    return w3.eth.block_number


def wait_for(condition, seconds, what):
    end_s = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end_s, f"no {what} within {seconds} s"
        time.sleep(0.2)


def price(ledger, nonce):
    tx = Regulate(nonce, prices=(PriceChange(FAR_S, 7 + nonce, 5),))
    return sign(ledger.domain, tx, DSO)


def penniless():
    """An account that owns nothing: gas is free."""
    from eth_account import Account

    return LocalKey(Account.create())


def opened(w3, **patience):
    return EvmLedger.deploy(w3, DSO.address, IntervalGrid(FAR_S, 3600), penniless(), Patience(SAFE, **patience))


class Recording:
    """The specification, which writes down what is submitted to it and how it judges."""

    def __init__(self, spec):
        self.spec, self.submitted, self.timed = spec, [], False

    def __getattr__(self, name):
        self.timed = self.timed or name == "advance_to"
        return getattr(self.spec, name)

    def submit(self, batch):
        receipts = self.spec.submit(batch)
        self.submitted += zip(batch, receipts, strict=True)
        self.timed = self.timed or any(isinstance(r.refusal, TimeInPast) for r in receipts)
        return receipts


def load(name):
    spec = importlib.util.spec_from_file_location(f"rules_{name}", ROOT / "tests" / "contracts" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rule_tests():
    tests = {name: f for name, f in vars(load("test_rules")).items() if name.startswith("test_")}
    return {name: f for name, f in tests.items() if list(inspect.signature(f).parameters) == ["either"]}


def test_the_rules_hold_on_the_network(network, hour, monkeypatch):
    """What the rules' own tests submit, all of a test in one relay, judged by the network as by the specification."""
    monkeypatch.setenv("PETRA_TEST_RPC", network.urls[0])
    world = load("conftest").World
    w3 = nodes.connect(network.urls[0])

    def judge(test):
        ledger = EvmLedger.deploy(w3, world.dso.address, world.grid, penniless())
        recording = Recording(SpecLedger(ledger.domain, world.grid, world.dso.address, time_s=world.GENESIS_S - 10**6))
        test(world(recording))
        if recording.timed:
            return 0
        verdicts = ledger.submit([signed for signed, _ in recording.submitted])
        expected = [receipt.refusal for _, receipt in recording.submitted]
        assert [v.refusal for v in verdicts] == expected, test.__name__
        assert [e.signed for e in ledger.entries()] == [e.signed for e in recording.entries()]
        return len(verdicts)

    with ThreadPoolExecutor(8) as threads:
        judged = list(threads.map(judge, rule_tests().values()))
    assert sum(judged) > 80, judged
    assert judged.count(0) <= 2, "tests that need a chain whose time can be set"


def test_an_hour_of_a_microgrid_gives_the_bills_of_the_specification(hour, tmp_path):
    running, out = hour
    text, complaints = running.communicate(timeout=120)
    assert running.returncode == 0, complaints
    assert json.loads(text[text.index("{") :])["ledger_stats"]["gas_total"] > 0
    spec = subprocess.run(simulation("spec", tmp_path), check=False, capture_output=True, text=True)
    assert spec.returncode == 0, spec.stderr
    assert (out / "bills.csv").read_bytes() == (tmp_path / "bills.csv").read_bytes()


def test_a_killed_validator_is_not_missed_and_rejoins(network):
    alive, killed = nodes.connect(network.urls[0]), 3
    ledger = opened(alive)
    network.kill(killed)
    assert ledger.submit([price(ledger, 0)])[0].accepted
    network.start_one(killed)
    back = nodes.connect(network.urls[killed])
    wait_for(lambda: height(back) >= height(alive) - 1, 30, "rejoined validator")
    reader = EvmLedger.at(back, ledger.domain.contract, penniless(), patience=Patience(SAFE))
    wait_for(lambda: len(reader.entries()) == 1, 20, "entry at the validator that was away")
    assert reader.entries() == ledger.entries()
    sealed = {bytes(alive.eth.get_block(n)["hash"]): n for n in range(1, height(alive) - SAFE)}
    assert {bytes(back.eth.get_block(n)["hash"]): n for n in sealed.values()} == sealed


def test_without_a_majority_the_chain_stops_and_resumes_without_a_fork(network):
    alive = nodes.connect(network.urls[0])
    ledger = opened(alive, timeout_s=6.0)
    assert ledger.submit([price(ledger, 0)])[0].accepted
    safe = {n: bytes(alive.eth.get_block(n)["hash"]) for n in range(1, height(alive) - SAFE + 2)}
    for i in (1, 3):
        network.kill(i)
    time.sleep(4)  # blocks that were on their way
    stopped_at = height(alive)
    signed = price(ledger, 1)
    with pytest.raises(VerdictUnknown, match="does no harm"):
        ledger.submit([signed])
    assert height(alive) == stopped_at
    for i in (1, 3):
        network.start_one(i)
    wait_for(lambda: height(alive) > stopped_at + SAFE, 40, "block after the majority was back")
    again = EvmLedger.at(alive, ledger.domain.contract, penniless(), patience=Patience(SAFE, timeout_s=30.0))
    again.submit([signed])  # whether the first copy is recorded or this one: once
    wait_for(lambda: [e.signed for e in again.entries()][1:] == [signed], 30, "entry after all")
    for url in network.urls:
        node = nodes.connect(url)
        wait_for(lambda node=node: height(node) >= height(alive) - 1, 30, "validator in sync")
        assert {n: bytes(node.eth.get_block(n)["hash"]) for n in safe} == safe
