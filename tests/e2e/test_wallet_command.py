"""``petra wallet`` on a real chain with a real bid store: made, asked, deleted in the middle of a window, restored."""

import asyncio
import json
import shutil

import httpx2
import pytest
from typer.testing import CliRunner

from assets.intervals import IntervalGrid
from assets.keys import SigningKey
from assets.notes import Kind, Note
from assets.orders import Order, Side, order_digest, sign_order
from assets.transactions import Authorisation, FeederCapacity, PriceChange, Regulate, Transact, Withdraw, sign
from bidstore.service.client import HttpClient, post
from contracts import anvil, deployments, nodes
from contracts.ledger import EvmLedger
from petra.cli import app
from petra.prosumer.folder import WalletFolder
from petra.prosumer.keychain import Keychain, Purpose
from petra.prosumer.seed import HomeSeed, SeedPhrase
from petra.prosumer.state import State
from smartmeter.folder import MeterFolder
from smartmeter.identity import OwnerSeed
from tests.e2e.test_bidstore import FREE, Served

DSO = SigningKey(b"\x0d" * 32)
LENGTH_S, WINDOW = 3_600, 1
WATTS = 10**6


class World:
    """A ledger of which interval 0 is half over, so that window 1 is being traded; one wallet under test, one other."""

    def __init__(self, folder, url):
        self.folder, self.url = folder, url
        w3 = nodes.connect(url)
        now_s = w3.eth.get_block("latest")["timestamp"]
        grid = IntervalGrid(now_s - LENGTH_S // 2, LENGTH_S)
        self.ledger = EvmLedger.deploy(w3, DSO.address, grid)
        deployments.Deployment.of(w3, self.ledger).save(folder / "deployments")
        (folder / "password").write_text("not a secret\n")

    def run(self, *words, code=0, given=None):
        result = CliRunner().invoke(app, ["wallet", *map(str, words)], input=given)
        assert result.exit_code == code, result.output
        return result.output

    def json(self, *words):
        return json.loads(self.run(*words, "--json"))

    @property
    def access(self):
        return "--password-file", self.folder / "password"

    def make(self, *more, command="init"):
        options = ["--rpc", self.url, "--deployments", self.folder / "deployments", "--transport", "http", "--light"]
        options += ["--phrase-file", self.folder / "phrase", "--meter", self.folder / "meter", *more]
        return self.run(command, self.folder / "wallet", *options, *self.access)

    def make_meter(self):
        options = ["--number", "1", "--rpc", self.url, "--deployments", self.folder / "deployments", "--light"]
        options += ["--seed-from", self.folder / "wallet" / "meter-seed.json", *self.access]
        result = CliRunner().invoke(app, ["meter", "init", str(self.folder / "meter"), *map(str, options)])
        assert result.exit_code == 0, result.output
        return MeterFolder(self.folder / "meter").secrets("not a secret")

    def submit(self, tx, *keys):
        for receipt in self.ledger.submit([sign(self.ledger.domain, tx, *keys)]):
            receipt.require()


@pytest.fixture
def world(tmp_path, real_part):
    real_part(anvil.find)
    with anvil.running(tmp_path / "anvil.log", options=FREE) as url:
        yield World(tmp_path, url)


def test_a_wallet_deleted_while_its_notes_are_mixed_and_offered_comes_back_from_its_phrase(world):
    world.make()
    meter = world.make_meter()
    seed_b, key_b = HomeSeed(SeedPhrase.generate()), SigningKey.generate()
    grants = tuple(Authorisation(n, k.address, 1, WATTS, WATTS, 10**12) for n, k in ((1, meter.key), (2, key_b)))
    prices = (PriceChange(world.ledger.grid.start_s(WINDOW), 240_000, 90_000),)
    world.submit(Regulate(0, (FeederCapacity(1, WATTS, WATTS),), grants, prices=prices), DSO)
    folder = WalletFolder(world.folder / "wallet")
    notes, secrets = folder.config.notes, folder.secrets("not a secret")
    for number, key, seed in ((1, meter.key, meter.seed), (2, key_b, seed_b.meter_seed)):
        owners = OwnerSeed(seed).owners(WINDOW, notes.count)
        world.submit(Withdraw(number, 0, WINDOW, notes.notes(WINDOW, owners)), key)

    # One EPA of each home is mixed, and the wallet offers its own.
    state = folder.state(secrets)
    chain_a = folder.keychain(secrets, state)
    chain_b = Keychain(seed_b, State(world.folder / "b.db", seed_b.state_secret))
    accounts = []
    for chain in (chain_a, chain_b):
        account = folder.account(chain)
        account.follow(world.ledger.entries())
        accounts.append(account)
    inputs = [account.notes(Purpose.WITHDRAWN, WINDOW, Kind.EPA)[0] for account in accounts]
    fresh = sorted(chain.fresh(Purpose.MIXED, WINDOW) for chain in (chain_a, chain_b))
    outputs = tuple(Note(Kind.EPA, to, notes.note_power_w, WINDOW, WINDOW) for to in fresh)
    keys = [chain.key(note.note.owner) for chain, note in zip((chain_a, chain_b), inputs, strict=True)]
    world.submit(Transact(tuple(inputs), outputs), *keys)
    accounts[0].follow(world.ledger.entries(accounts[0].cursor))
    (mixed,) = accounts[0].notes(Purpose.MIXED, WINDOW)
    deposits = [chain_a.fresh(Purpose.DEPOSIT, WINDOW) for _ in range(2)]
    start_s = world.ledger.grid.start_s(WINDOW)
    order = Order(Side.SELL, mixed, (), 150_000, *deposits, start_s, mixed.note.power_w)
    store = Served(world.url, world.folder, "--gate-s", str(folder.config.gate_s))
    try:
        signed = sign_order(world.ledger.domain, order, chain_a.key(mixed.note.owner))

        async def offer():
            async with httpx2.AsyncClient() as http:
                await post(HttpClient(store.url, http), world.ledger.domain, signed, chain_a.key(mixed.note.owner))

        asyncio.run(offer())
        state.add_order(order_digest(world.ledger.domain, order), order, WINDOW, world.ledger.now_s)
        state.close()

        before = world.json("status", folder.path, *world.access)
        assert [n["homes"] for n in before["notes"]] == [1, 1, 1, 1, 1, 2]
        assert before["windows"][0]["mixed"] == {"EPA": notes.note_power_w, "ECA": 0, "FA": 0}
        told = world.run("status", folder.path, "--spend", "1,6", *world.access)
        assert "these two notes become linkable if spent together" in told
        assert "there is no note 7" in world.run("status", folder.path, "--spend", "7", *world.access, code=2)

        shutil.rmtree(folder.path)
        said = world.make("--bidstore", store.url, "--dry-run", command="restore")
        assert "1 pending offers of the home among 1 orders read" in said
        assert not folder.path.exists()
        said = world.make("--bidstore", store.url, command="restore")
        assert "found 7 notes that ever were the home's" in said
        assert "1 pending offers of the home among 1 orders read" in said
    finally:
        store.end()
    after = world.json("status", folder.path, *world.access)
    assert after["notes"] == before["notes"]
    assert after["windows"] == before["windows"]
    (found,), (known,) = after["offers"], before["offers"]
    same = ("window", "side", "power_w", "limit_nano_per_wh", "fate")
    assert [found[name] for name in same] == [known[name] for name in same]

    # Of the window that the lost wallet was in, nothing is played again, and no address handed out again.
    again = WalletFolder(folder.path)
    state = again.state(again.secrets("not a secret"))
    assert state.restored_window == WINDOW
    chain = again.keychain(again.secrets("not a secret"), state)
    assert chain.fresh(Purpose.DEPOSIT, WINDOW) not in deposits
    state.close()
    plan = world.json("trade", folder.path, "--dry-run", *world.access)
    assert plan["mix"]["sessions"] == []
    assert world.json("history", folder.path, *world.access)["events"][0]["kind"] == "restored"


def test_offers_are_noted_for_the_agent_and_a_plan_says_what_will_be_done(world):
    world.make("--dry-run")
    assert not (world.folder / "wallet").exists()
    world.make()
    wallet = world.folder / "wallet"
    (world.folder / "phrase").unlink()
    again = [
        "--rpc",
        world.url,
        "--deployments",
        world.folder / "deployments",
        "--phrase-file",
        world.folder / "phrase",
    ]
    assert "has a wallet already" in world.run("init", wallet, *again, *world.access, code=2)
    assert not (world.folder / "phrase").exists()
    assert "no agent is running" in world.run(
        "offer", wallet, "sell", "--interval", "1", "--notes", "2", "--limit", "0.15", *world.access
    )
    for words, said in (
        (
            ["sell", "--interval", "0", "--notes", "2", "--limit", "0.15"],
            "trading for interval 0 is over; the next one is 1",
        ),
        (["sell", "--interval", "1", "--notes", "3", "--limit", "0.15"], "at most 2"),
        (["buy", "--interval", "1", "--notes", "1", "--limit", "0.35"], "pays at most 0.3000 USD per kWh"),
        (["lend", "--interval", "1", "--notes", "1", "--limit", "0.15"], "to sell or to buy, not to 'lend'"),
        (["sell", "--interval", "1", "--notes", "1", "--limit", "cheap"], "is not a price"),
    ):
        assert said in world.run("offer", wallet, *words, *world.access, code=2)
    plan = world.json("trade", wallet, "--dry-run", *world.access)
    assert plan["offer"]["because"] == "instruction 1"
    assert (plan["offer"]["side"], plan["offer"]["notes"], plan["offer"]["limit_nano_per_wh"]) == ("sell", 2, 150_000)
    assert "would be noted" in world.run(
        "offer", wallet, "buy", "--interval", "2", "--notes", "1", "--limit", "0.0002", "--dry-run", *world.access
    )
    assert len(world.json("status", wallet, *world.access)["instructions"]) == 1
    with WalletFolder(wallet).locked():
        said = world.run("offer", wallet, "sell", "--interval", "2", "--notes", "0", "--limit", "0.15", *world.access)
        assert "the running agent carries it out" in said
        assert world.json("status", wallet, *world.access)["running"]
        assert "a wallet is running" in world.run("trade", wallet, *world.access, code=2)
    assert [e["kind"] for e in world.json("history", wallet, *world.access)["events"]] == ["instructed"] * 2


def test_what_is_wrong_with_a_phrase_is_said_before_anything_is_written(world):
    (world.folder / "phrase").write_text("legal winner thank")
    options = [
        "--rpc",
        world.url,
        "--deployments",
        world.folder / "deployments",
        "--phrase-file",
        world.folder / "phrase",
    ]
    said = world.run("restore", world.folder / "wallet", *options, *world.access, code=2)
    assert "a seed phrase has 24 words, this one 3" in said
    assert not (world.folder / "wallet").exists()
