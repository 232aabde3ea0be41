"""The binding on a real node that is reached over a bad network, or that changes its mind."""

import random
import threading
import time

import pytest
from eth_account import Account

from assets.intervals import IntervalGrid
from assets.keys import ThrowAwayKeys
from assets.transactions import Cancel, PriceChange, Regulate, sign
from contracts import anvil, nodes
from contracts.errors import NodeUnreachable, RelayError, VerdictUnknown
from contracts.ledger import EvmLedger
from contracts.relayer import LocalKey, NodeAccount, Patience
from tests.e2e.proxy import Proxy

DSO = ThrowAwayKeys(5, "bad network").fresh()
FAR_S = 4_102_444_800
FREE = ("--prune-history", "--base-fee", "0")
QUICK = {"resend_s": 0.2, "timeout_s": 15.0}
WAYS = ("drop", "lose", "duplicate", "delay", "error page", "page", "busy", "nonsense", "cut")


@pytest.fixture(scope="module")
def node(tmp_path_factory, real_part):
    real_part(anvil.find)
    with anvil.running(tmp_path_factory.mktemp("anvil") / "anvil.log", options=FREE) as url:
        yield url


@pytest.fixture
def proxy(node):
    bad = Proxy(node)
    yield bad
    bad.close()


@pytest.fixture(params=["our key", "the node's key"])
def ledger(request, node, proxy):
    w3 = nodes.connect(proxy.url)
    relay_by = LocalKey(Account.create()) if request.param == "our key" else NodeAccount(w3.eth.accounts[0])
    return EvmLedger.deploy(w3, DSO.address, IntervalGrid(FAR_S, 3600), relay_by, Patience(**QUICK))


def price(ledger, nonce=None):
    nonce = ledger.regulation_nonce() if nonce is None else nonce
    return sign(ledger.domain, Regulate(nonce, prices=(PriceChange(FAR_S, 7 + nonce, 5),)), DSO)


def action(ledger):
    """The request that sends a transaction of the ledger's relayer."""
    return "eth_sendRawTransaction" if isinstance(ledger._relay_by, LocalKey) else "eth_sendTransaction"


def on_the_ledger(node, ledger):
    """What somebody else reads, over a good network."""
    return [e.signed for e in EvmLedger.at(nodes.connect(node), ledger.domain.contract).entries()]


@pytest.mark.parametrize("way", WAYS)
def test_whatever_happens_to_a_transaction_it_is_recorded_once(node, proxy, ledger, way):
    signed = price(ledger)
    proxy.misbehave(action(ledger), way)
    (receipt,) = ledger.submit([signed])
    assert receipt.accepted
    assert on_the_ledger(node, ledger) == [signed]


def test_what_a_node_lost_is_recorded_again_before_anything_later(node, ledger):
    good = nodes.connect(node)
    first, *lost, later = [sign(ledger.domain, Cancel(DSO.address, 1 << bit), DSO) for bit in range(5)]
    assert ledger.submit([first])[0].accepted
    snapshot = good.provider.make_request("evm_snapshot", [])["result"]
    for signed in lost:
        assert ledger.submit([signed])[0].accepted
    assert good.provider.make_request("evm_revert", [snapshot])["result"]
    good.provider.make_request("anvil_mine", [hex(len(lost))])
    assert on_the_ledger(node, ledger) == [first]
    assert ledger.submit([later])[0].accepted
    assert on_the_ledger(node, ledger) == [first, *lost, later]


def test_what_a_node_lost_is_recorded_again_before_time_goes_on(anvil_url):
    w3 = nodes.connect(anvil_url)
    now_s = w3.eth.get_block("latest")["timestamp"]
    ledger = EvmLedger.deploy(w3, DSO.address, IntervalGrid(now_s + 600, 3600), NodeAccount(w3.eth.accounts[0]))
    snapshot = w3.provider.make_request("evm_snapshot", [])["result"]
    announced = sign(ledger.domain, Regulate(0, prices=(PriceChange(now_s + 600, 7, 5),)), DSO)
    assert ledger.submit([announced])[0].accepted
    assert w3.provider.make_request("evm_revert", [snapshot])["result"]
    ledger.advance_to(now_s + 5_000)  # too late for that price
    assert ledger.submit([sign(ledger.domain, Cancel(DSO.address, 1), DSO)])[0].accepted
    assert announced in on_the_ledger(anvil_url, ledger)
    assert ledger.now_s >= now_s + 5_000


@pytest.mark.parametrize("way", [w for w in WAYS if w != "duplicate"])
@pytest.mark.parametrize("ledger", ["our key"], indirect=True)
@pytest.mark.parametrize("question", ["eth_getTransactionReceipt", "eth_getBlockByNumber", "eth_getLogs"])
def test_whatever_happens_to_a_question_it_is_asked_again(node, proxy, ledger, way, question):
    proxy.misbehave(question, way)
    signed = price(ledger)
    assert ledger.submit([signed])[0].accepted
    assert [e.signed for e in ledger.entries()] == on_the_ledger(node, ledger) == [signed]


def test_a_bad_day(node, proxy, ledger):
    luck = random.Random(9)
    signed = []
    for nonce in range(8):
        methods = (action(ledger), "eth_getTransactionReceipt", "eth_getLogs", "eth_getBlockByNumber")
        for method in luck.sample(methods, 2):
            proxy.misbehave(method, luck.choice(WAYS))
        signed.append(price(ledger, nonce))
        assert ledger.submit([signed[-1]])[0].accepted
    assert on_the_ledger(node, ledger) == signed == [e.signed for e in ledger.entries()]


def test_a_node_that_is_away_is_waited_for_and_then_named(proxy):
    w3 = nodes.connect(proxy.url, patience_s=0.5)
    proxy.misbehave("eth_blockNumber", *["drop"] * 50)
    with pytest.raises(NodeUnreachable, match="no sound answer"):
        w3.eth.block_number  # noqa: B018 - a question to the node


def test_a_verdict_that_nobody_knows_is_no_verdict(node, proxy, ledger):
    impatient = EvmLedger.at(
        nodes.connect(proxy.url), ledger.domain.contract, ledger._relay_by, patience=Patience(timeout_s=1, resend_s=0.2)
    )
    signed = price(ledger)
    proxy.misbehave(action(ledger), *["drop"] * 100)
    with pytest.raises(VerdictUnknown, match="may still be recorded"):
        impatient.submit([signed])
    proxy.bad.clear()
    assert impatient.entries() == []
    assert ledger.submit([signed])[0].accepted
    assert on_the_ledger(node, ledger) == [signed]


def test_who_lost_the_answer_in_a_crash_finds_it_in_the_log(node, proxy, ledger):
    """The client dies after it sent; the next one submits the same again, and asks the log."""
    signed = price(ledger)
    dying = EvmLedger.at(
        nodes.connect(proxy.url), ledger.domain.contract, ledger._relay_by, patience=Patience(timeout_s=0.0)
    )
    with pytest.raises(VerdictUnknown):
        dying.submit([signed])
    (receipt,) = ledger.submit([signed])
    entry = ledger.recorded(receipt.digest)
    assert entry is not None
    assert entry.signed == signed
    assert on_the_ledger(node, ledger) == [signed]


def test_a_transaction_that_the_node_refuses_is_refused_at_once(proxy, ledger, monkeypatch):
    monkeypatch.setattr("contracts.gas.of_relay", lambda calls_gas, calldata_bytes: 1)
    started_s = time.monotonic()
    with pytest.raises(RelayError, match="refused the relay"):
        ledger.submit([price(ledger)])
    assert time.monotonic() - started_s < 10


def test_somebody_who_relays_our_transaction_first_does_not_turn_it_into_a_refusal(node, proxy, ledger, monkeypatch):
    """Anybody may relay what is public: whoever copies it from the pool and is first must not mislead its author."""
    signed, rival = price(ledger), EvmLedger.at(nodes.connect(node), ledger.domain.contract)
    send = ledger._relay_by.send

    def late(*arguments):
        rival.submit([signed])
        return send(*arguments)

    monkeypatch.setattr(ledger._relay_by, "send", late)
    (receipt,) = ledger.submit([signed])
    assert receipt.accepted
    assert receipt.time_s == ledger.recorded(receipt.digest).time_s
    monkeypatch.undo()
    assert not ledger.submit([signed])[0].accepted, "a replay that we send ourselves is one"


def test_a_transaction_whose_nonce_another_program_used_is_made_anew(node, proxy):
    account = Account.create()
    w3 = nodes.connect(proxy.url)
    ledger = EvmLedger.deploy(w3, DSO.address, IntervalGrid(FAR_S, 3600), LocalKey(account), Patience(**QUICK))
    signed = price(ledger)
    good = nodes.connect(node)
    used = good.eth.get_transaction_count(account.address)

    other = {"to": account.address, "value": 0, "gas": 21_000, "gasPrice": 0, "nonce": used, "chainId": 31_337}
    handle = proxy.handle

    def steal(handler, body):
        if b"eth_sendRawTransaction" in body and not proxy.seen.count("eth_sendRawTransaction") > sent:
            good.eth.send_raw_transaction(account.sign_transaction(other).raw_transaction)
        handle(handler, body)

    sent = proxy.seen.count("eth_sendRawTransaction")
    proxy.misbehave("eth_sendRawTransaction", "drop")
    proxy.handle = steal
    assert ledger.submit([signed])[0].accepted
    assert on_the_ledger(node, ledger) == [signed]


@pytest.fixture
def slow_node(tmp_path, real_part):
    """Blocks come when the test says so. A pruned chain cannot be reorganised."""
    real_part(anvil.find)
    with anvil.running(tmp_path / "anvil.log", options=("--base-fee", "0", "--no-mining")) as url:
        yield url


class Miner:
    """Works on a node in the background, step by step; ``pooled`` waits for a transaction."""

    def __init__(self, url):
        self._w3, self._thread = nodes.connect(url), None

    def rpc(self, method, *params):
        answer = self._w3.provider.make_request(method, list(params))
        assert "error" not in answer, answer
        return answer["result"]

    def mine(self):
        self.rpc("evm_mine")

    def pooled(self):
        while int(self.rpc("txpool_status")["pending"], 16) == 0:
            time.sleep(0.05)

    def do(self, *steps):
        def run():
            for step in steps:
                step()

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()

    def done(self):
        self._thread.join(10)
        assert not self._thread.is_alive()


@pytest.fixture
def miner(slow_node):
    return Miner(slow_node)


def deployed(url, miner, confirmations):
    miner.do(miner.pooled, *[miner.mine] * confirmations)
    patience = Patience(confirmations, **QUICK)
    grid = IntervalGrid(FAR_S, 3600)
    ledger = EvmLedger.deploy(nodes.connect(url), DSO.address, grid, LocalKey(Account.create()), patience)
    miner.done()
    return ledger


def test_a_transaction_that_the_pool_dropped_is_sent_again(slow_node, miner):
    ledger = deployed(slow_node, miner, 1)
    miner.do(miner.pooled, lambda: miner.rpc("anvil_dropAllTransactions"), miner.pooled, miner.mine)
    assert ledger.submit([price(ledger)])[0].accepted
    miner.done()


def test_a_transaction_that_a_reorganisation_removed_is_recorded_all_the_same(slow_node, miner):
    ledger = deployed(slow_node, miner, 2)
    hasty, seen = EvmLedger.at(nodes.connect(slow_node), ledger.domain.contract), []

    def look():
        seen.append(len(hasty.entries()))

    def reorganise():
        miner.rpc("anvil_reorg", 1, [])

    signed = price(ledger)
    miner.do(miner.pooled, miner.mine, look, reorganise, look, miner.pooled, miner.mine, look, miner.mine)
    assert ledger.submit([signed])[0].accepted
    miner.done()
    assert seen == [1, 0, 1], "a reader that waits for no confirmation sees it come and go"
    assert [e.signed for e in ledger.entries()] == [e.signed for e in hasty.entries()] == [signed]


def test_one_of_several_transactions_that_another_program_replaced_is_not_put_behind_the_others(slow_node, miner):
    ledger = deployed(slow_node, miner, 1)
    account, good = ledger._relay_by._account, nodes.connect(slow_node)
    relay = {"to": ledger._to, "data": "0x12345678", "gas": 100_000}

    def replace_the_first():
        fields = {"to": account.address, "value": 0, "gas": 21_000, "gasPrice": 10**12, "chainId": good.eth.chain_id}
        nonce = good.eth.get_transaction_count(account.address, "latest")
        good.eth.send_raw_transaction(account.sign_transaction({**fields, "nonce": nonce}).raw_transaction)

    good.provider.make_request("anvil_setBalance", [account.address, hex(10**18)])
    miner.do(miner.pooled, replace_the_first, miner.mine, miner.mine)
    with pytest.raises(VerdictUnknown, match="an account of its own"):
        ledger._relay_by.send(good, [relay, relay], Patience(**QUICK))
    miner.done()
