"""``petra relay serve`` on a real chain: killed in the middle, cut off from its node, and while the chain goes back."""

import asyncio
import json
import signal
import subprocess
import sys
from collections import Counter

import httpx2
import pytest
from typer.testing import CliRunner

from assets.intervals import IntervalGrid
from assets.transactions import digest
from contracts import anvil, deployments, nodes
from contracts.ledger import EvmLedger
from petra.cli import app
from petra.relay.client import RelayClient, RelayRefused, RelayUnreachable
from tests.e2e.proxy import Proxy
from tests.petra.relay.community import DSO, Community

FREE = ("--base-fee", "0")
HOMES = 5


@pytest.fixture
def homes(tmp_path, real_part):
    """Homes on a ledger that is recorded; the node's URL is ``homes.url``."""
    real_part(anvil.find)
    with anvil.running(tmp_path / "anvil.log", options=FREE) as url:
        w3 = nodes.connect(url)
        genesis_s = w3.eth.get_block("latest")["timestamp"] + 600
        ledger = EvmLedger.deploy(w3, DSO.address, IntervalGrid(genesis_s, 900))
        deployments.Deployment.of(w3, ledger).save(tmp_path / "deployments")
        found = Community(ledger, HOMES)
        found.url, found.w3 = url, w3
        yield found


class Served:
    """``petra relay serve`` in a process of its own."""

    def __init__(self, url, folder, tick="0.2"):
        options = ["--rpc", url, "--deployments", folder / "deployments", "--database", folder / "relay.db"]
        command = [sys.executable, "-u", "-m", "petra", "relay", "serve", "--port", "0", "--tick", tick]
        self.log = folder / "log"
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [*command, *map(str, options)], stdout=subprocess.PIPE, stderr=log, text=True
            )
        said = self.process.stdout.readline()
        assert said, self.log.read_text()
        self.url = json.loads(said)["relay"]
        assert json.loads(said)["anonymous"] is False

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        self.process.communicate(timeout=30)
        return self.process.returncode


async def hand_in(url, *signed):
    """Each by a client of its own, all at once; again and again until the relay has it."""

    async def one(transaction):
        async with httpx2.AsyncClient(trust_env=False) as http, asyncio.timeout(60):
            while True:
                try:
                    await RelayClient(url, http).submit(transaction)
                    return
                except RelayUnreachable:
                    await asyncio.sleep(0.2)

    await asyncio.gather(*map(one, signed))


def recorded(homes) -> Counter:
    """How often each transaction is on the ledger, as somebody else reads it."""
    entries = EvmLedger.at(nodes.connect(homes.url), homes.domain.contract).entries()
    return Counter(e.digest for e in entries)


async def until_recorded(homes, signed):
    wanted = {digest(homes.domain, s.tx) for s in signed}
    async with asyncio.timeout(60):
        while not wanted <= set(recorded(homes)):
            await asyncio.sleep(0.2)


def test_withdrawals_mixes_and_deposits_are_recorded_once_each_although_the_relay_is_killed(homes, tmp_path) -> None:
    withdrawals = [homes.withdrawal(home) for home in range(HOMES)]
    stages = [withdrawals]
    served = Served(homes.url, tmp_path)
    asyncio.run(hand_in(served.url, *withdrawals))
    asyncio.run(until_recorded(homes, withdrawals))

    notes = [homes.notes(w) for w in withdrawals]
    mixes = [homes.moved(*(n[i] for n in notes)) for i in range(2)]
    asyncio.run(hand_in(served.url, *mixes, *mixes))
    asyncio.run(until_recorded(homes, mixes))
    stages.append(mixes)

    deposits = [homes.moved(note) for mix in mixes for note in homes.notes(mix)]

    async def killed_in_the_middle():
        nonlocal served
        await hand_in(served.url, *deposits[::2], *deposits[::2])
        await asyncio.to_thread(served.end, signal.SIGKILL)
        served = await asyncio.to_thread(Served, homes.url, tmp_path)
        await hand_in(served.url, *deposits)
        await until_recorded(homes, deposits)

    asyncio.run(killed_in_the_middle())
    stages.append(deposits)
    with pytest.raises(RelayRefused, match="this note is gone"):
        asyncio.run(hand_in(served.url, homes.moved(homes.notes(mixes[0])[0])))
    assert served.end() == 0
    counts = recorded(homes)
    for stage in stages:
        assert [counts[digest(homes.domain, s.tx)] for s in stage] == [1] * len(stage)
    assert sum(counts.values()) == 1 + HOMES + 2 + 2 * HOMES
    log = served.log.read_text()
    assert "Traceback" not in log
    assert "relay ended" in log
    assert not any(s.hex() in log for s in counts)


def test_what_was_taken_while_the_node_was_away_and_what_the_chain_dropped_is_carried(homes, tmp_path) -> None:
    proxy = Proxy(homes.url)
    served = Served(proxy.url, tmp_path, tick="0.5")
    try:
        first, second = homes.withdrawal(0), homes.withdrawal(1)
        asyncio.run(hand_in(served.url, first))
        asyncio.run(until_recorded(homes, [first]))
        whole, proxy.node_url = proxy.node_url, "http://127.0.0.1:1"
        asyncio.run(hand_in(served.url, second))
        assert digest(homes.domain, second.tx) not in recorded(homes)
        proxy.node_url = whole
        asyncio.run(until_recorded(homes, [second]))

        snapshot = homes.w3.provider.make_request("evm_snapshot", [])["result"]
        third = homes.withdrawal(2)
        asyncio.run(hand_in(served.url, third))
        asyncio.run(until_recorded(homes, [third]))
        homes.w3.provider.make_request("evm_revert", [snapshot])
        homes.w3.provider.make_request("anvil_mine", ["0x3"])
        asyncio.run(until_recorded(homes, [first, second, third]))
        assert set(recorded(homes).values()) == {1}
    finally:
        assert served.end() == 0
        proxy.close()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--rpc", "http://127.0.0.1:1"], "no EVM node answers"),
        (["--onion-dir", "x", "--onion-control", "9"], "not both"),
        (["--tick", "0"], "--tick"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(options, says) -> None:
    done = CliRunner().invoke(app, ["relay", "serve", *options])
    assert done.exit_code == 2
    assert says in done.output
    assert "Traceback" not in done.output
