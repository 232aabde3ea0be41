"""The bid store over a real chain: as a user runs it, killed in the middle, and while the chain changes its mind."""

import asyncio
import json
import signal
import subprocess
import sys

import httpx2
import pytest
from typer.testing import CliRunner

from assets.intervals import IntervalGrid
from assets.keys import ThrowAwayKeys
from assets.transactions import Settle
from bidstore.service.client import HttpClient, MemoryClient, post
from bidstore.service.database import engine_of
from bidstore.service.exchange import Exchange
from bidstore.service.operator import Operator
from bidstore.service.settling import RESEND_S
from bidstore.service.store import Store
from contracts import anvil, deployments, nodes
from contracts.errors import VerdictUnknown
from contracts.ledger import EvmLedger
from contracts.relayer import Patience
from petra.cli import app
from tests.bidstore.market import found

FREE = ("--prune-history", "--base-fee", "0")


@pytest.fixture
def chain(tmp_path, real_part):
    """A chain with a ledger that ``petra chain deploy`` recorded, and a market on it."""
    real_part(anvil.find)
    with anvil.running(tmp_path / "anvil.log", options=FREE) as url:
        w3 = nodes.connect(url)
        source = ThrowAwayKeys(1, "bid store on a chain")
        dso = source.fresh()
        genesis_s = w3.eth.get_block("latest")["timestamp"] + 600
        grid = IntervalGrid(genesis_s, 900)
        ledger = EvmLedger.deploy(w3, dso.address, grid)
        deployments.Deployment.of(w3, ledger).save(tmp_path / "deployments")
        yield w3, url, found(ledger, dso, source)


def mine(w3, blocks=1):
    w3.provider.make_request("anvil_mine", [hex(blocks)])


def pass_gate(w3, market, t=5):
    """Half a minute after gate closure, so that no auction waits for another entry."""
    market.ledger.advance_to(market.ledger.grid.start_s(t) - 30)
    mine(w3)


def settlements(w3, market):
    """What somebody else reads."""
    entries = EvmLedger.at(w3, market.ledger.domain.contract).entries()
    return [fill for e in entries if isinstance(e.signed.tx, Settle) for fill in e.signed.tx.fills]


class Served:
    """``petra bidstore serve`` in a process of its own."""

    def __init__(self, url, folder, *more):
        options = ["--rpc", url, "--deployments", folder / "deployments", "--database", folder / "bids.db", *more]
        command = [sys.executable, "-u", "-m", "petra", "bidstore", "serve", "--port", "0", *map(str, options)]
        self._log = (folder / "log").open("a")
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self._log, text=True)
        said = self.process.stdout.readline()
        assert said, (folder / "log").read_text()
        self.url = json.loads(said)["bidstore"]

    def end(self, number=signal.SIGINT):
        self.process.send_signal(number)
        self.process.communicate(timeout=30)
        self._log.close()
        return self.process.returncode


async def until(client, ids, statuses):
    async with asyncio.timeout(60):
        while [(await client.standing(i)).status.value for i in ids] != statuses:
            await asyncio.sleep(0.1)


def test_orders_are_posted_survive_a_kill_and_settle_on_the_chain(chain, tmp_path) -> None:
    w3, url, market = chain
    sale, purchase = market.sale(100_000), market.purchase(200_000)

    async def play(served):
        async with httpx2.AsyncClient(trust_env=False) as http:
            client = HttpClient(served.url, http)
            ids = [
                await post(client, market.ledger.domain, market.signed(o), market.keys[o.energy.note.owner])
                for o in (sale, purchase)
            ]
            told = await asyncio.to_thread(
                CliRunner().invoke,
                app,
                ["bidstore", "book", "--url", served.url, "--power-w", "400", "--start", "5"],
            )
            assert [line.split()[:2] for line in told.output.splitlines()] == [["SELL", "100000"], ["BUY", "200000"]]
        return ids

    async def follow(served, ids):
        async with httpx2.AsyncClient(trust_env=False) as http:
            await until(HttpClient(served.url, http), ids, ["settled", "settled"])

    served = Served(url, tmp_path)
    ids = asyncio.run(play(served))
    served.end(signal.SIGKILL)
    pass_gate(w3, market)
    served = Served(url, tmp_path)
    try:
        asyncio.run(follow(served, ids))
    finally:
        assert served.end() == 0
    (fill,) = settlements(w3, market)
    assert (fill.sell.order, fill.buy.order, fill.price_nano_per_wh) == (sale, purchase, 150_000)
    log = (tmp_path / "log").read_text()
    assert "Traceback" not in log
    assert "bid store ended" in log
    told = CliRunner().invoke(app, ["bidstore", "export", "--database", str(tmp_path / "bids.db")])
    kinds = [json.loads(line)["type"] for line in told.output.splitlines()]
    assert kinds == ["auction", "order", "order", "fill"]


@pytest.fixture
def matched(chain, tmp_path):
    """A store in this process with one match to settle: plays ``scene(chain, operator, statuses)``."""
    w3, _, market = chain

    def play(scene, **patience):
        async def run():
            ledger = EvmLedger.at(w3, market.ledger.domain.contract, patience=Patience(**patience))
            exchange = Exchange(Store(engine_of(str(tmp_path / "bids.db"))), market.ledger)
            await exchange.prepare()
            client, operator = MemoryClient(exchange), Operator(exchange, relay=ledger)
            ids = [
                await post(client, market.ledger.domain, market.signed(o), market.keys[o.energy.note.owner])
                for o in (market.sale(), market.purchase())
            ]
            pass_gate(w3, market)
            mine(w3, 3)
            await operator.follower.follow()
            await operator.auctioneer.match()

            async def statuses():
                return [(await client.standing(i)).status.value for i in ids]

            assert await statuses() == ["matched", "matched"]
            await scene(w3, operator, statuses)
            await exchange.store.close()

        asyncio.run(run())
        assert len(settlements(w3, market)) == 1

    return play


def test_a_settlement_without_its_confirmations_drops_nobody_and_is_settled_once(matched) -> None:
    async def scene(w3, operator, statuses):
        with pytest.raises(VerdictUnknown):
            await operator.tick()
        assert await statuses() == ["matched", "matched"]
        mine(w3)
        await operator.tick()
        assert await statuses() == ["matched", "matched"]
        mine(w3, 3)
        await operator.tick()
        assert await statuses() == ["settled", "settled"]

    matched(scene, confirmations=3, timeout_s=1.0, resend_s=0.2)


def test_a_settlement_that_never_came_into_a_block_is_sent_again(matched) -> None:
    async def scene(w3, operator, statuses):
        w3.provider.make_request("evm_setAutomine", [False])
        with pytest.raises(VerdictUnknown):
            await operator.tick()
        w3.provider.make_request("anvil_dropAllTransactions", [])
        w3.provider.make_request("evm_setAutomine", [True])
        mine(w3)
        await operator.tick()
        assert await statuses() == ["matched", "matched"]
        w3.provider.make_request("evm_increaseTime", [RESEND_S + 10])
        mine(w3)
        await operator.tick()
        assert await statuses() == ["settled", "settled"]

    matched(scene, timeout_s=1.0, resend_s=5.0)


def test_a_settlement_that_the_chain_drops_is_matched_again_and_settled_again(matched) -> None:
    async def scene(w3, operator, statuses):
        snapshot = w3.provider.make_request("evm_snapshot", [])["result"]
        await operator.tick()
        assert await statuses() == ["settled", "settled"]
        assert w3.provider.make_request("evm_revert", [snapshot])["result"]
        mine(w3, 3)
        await operator.follower.follow()
        assert await statuses() == ["matched", "matched"]
        await operator.tick()
        assert await statuses() == ["settled", "settled"]

    matched(scene)
