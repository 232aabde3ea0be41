"""Opening nodes, and what is said when it fails."""

import json
import sys
import threading
import traceback
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st

import contracts
from assets.intervals import IntervalGrid
from contracts import nodes, relayer, tester
from contracts.clock import ChainClock
from contracts.errors import NodeError, NodeUnreachable
from contracts.ledger import EvmLedger

HEAD = {"number": "0x0", "timestamp": "0x1", "gasLimit": "0x1c9c380", "hash": "0x" + "11" * 32}
NODE = {"eth_chainId": "0x539", "eth_gasPrice": "0x0", "eth_getBlockByNumber": HEAD}
"""What a node answers at least."""


@pytest.fixture
def answering():
    """Starts HTTP servers on loopback that answer every JSON-RPC request from a table of results."""
    servers = []

    def start(results, body=None):
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                answer = {"jsonrpc": "2.0", "id": request["id"]}
                if request["method"] in results:
                    answer["result"] = results[request["method"]]
                else:
                    answer["error"] = {"code": -32601, "message": "no such method"}
                data = body if body is not None else json.dumps(answer).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *args):
                """Keeps the test's output clean."""

        server = HTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_nothing_answers_at_a_closed_port():
    with pytest.raises(NodeUnreachable, match="start one"):
        nodes.connect("http://127.0.0.1:9")


def test_a_web_server_is_no_node(answering):
    with pytest.raises(NodeUnreachable, match="no EVM node answers"):
        nodes.connect(answering({}, body=b"<html>hello</html>"))


def test_a_server_that_knows_no_chain_id_is_no_node(answering):
    with pytest.raises(NodeUnreachable, match="is no EVM node"):
        nodes.connect(answering({}))


@pytest.mark.parametrize("method", NODE)
def test_what_answers_nonsense_is_no_node(answering, method):
    results = dict(NODE)
    url, nonsense = answering(results), [None, "hello", "0x", 7, [], {}, hex(1 << 300)]
    if method == "eth_chainId":
        nonsense += ["0x0", hex(1 << 200)]  # which no tool can compute with
    for answer in nonsense:
        results[method] = answer
        with pytest.raises(NodeUnreachable, match=f"is no EVM node: it has no sound answer to {method}"):
            nodes.connect(url)
    del results[method]
    with pytest.raises(NodeUnreachable, match=method):
        nodes.connect(url)


def test_a_url_without_its_scheme_says_what_is_missing():
    with pytest.raises(ValueError, match=r"localhost:18545 is no node's URL: it starts with http://"):
        nodes.connect("localhost:18545")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://127.0.0.1:8545", "http://127.0.0.1:8545"),
        ("https://node.example/v3/secret", "https://node.example"),
        ("https://user:secret@node.example:8545/?key=secret#secret", "https://node.example:8545"),
        ("http://secret@[::1]:8545", "http://[::1]:8545"),
        ("http://user:sec@ret@node.example", "http://node.example"),
        ("user:secret@localhost:8545", "localhost:8545"),
        ("localhost:8545?key=secret", "localhost:8545"),
        ("http://user:12/secret@node.example", nodes.HIDDEN),
        ("http://user:secret", nodes.HIDDEN),
        ("secret://node.example", nodes.HIDDEN),
        ("", nodes.HIDDEN),
    ],
)
def test_of_a_url_only_scheme_host_and_port_are_shown(url, shown):
    assert nodes.public_url(url) == shown


@given(st.text(max_size=9), st.text(max_size=9), st.text(max_size=9))
def test_a_secret_is_never_shown(user, path, query):
    """Wherever it is in a URL: letters that no host of ours has stand for it."""
    secret = "§ecret"
    url = f"http://{user}:{secret}@127.0.0.1:9/{path}{secret}?{query}{secret}"
    assert "ecret" not in nodes.public_url(url)


def test_a_node_that_falls_silent_is_named_without_its_secrets(answering):
    url = answering(NODE).replace("http://", "http://user:hunter2@") + "/hunter2?key=hunter2"
    w3 = nodes.connect(url, patience_s=0.01)
    w3.provider.endpoint_uri = "http://user:hunter2@127.0.0.1:9/hunter2"
    with pytest.raises(NodeUnreachable, match=r"at http://127.0.0.1:9 ") as caught:
        w3.eth.block_number  # noqa: B018
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


def test_a_node_without_a_contract_at_the_address_says_so(answering):
    w3 = nodes.connect(answering(NODE | {"eth_accounts": ["0x" + "11" * 20], "eth_getCode": "0x"}))
    with pytest.raises(NodeError, match="no contract"):
        EvmLedger.at(w3, b"\2" * 20)


def test_a_node_that_holds_no_account_needs_a_relayer_key(answering, monkeypatch):
    monkeypatch.delenv(relayer.RELAYER_KEY, raising=False)
    w3 = nodes.connect(answering(NODE | {"eth_accounts": []}))
    with pytest.raises(NodeError, match=relayer.RELAYER_KEY):
        relayer.choose(w3)


def test_a_relayer_key_is_checked_and_never_shown(chain, monkeypatch):
    monkeypatch.setenv(relayer.RELAYER_KEY, "0x1234")
    with pytest.raises(NodeError) as caught:
        relayer.choose(chain)
    assert "1234" not in str(caught.value)


def test_a_relayer_key_signs_here(chain, monkeypatch, world):
    monkeypatch.setenv(relayer.RELAYER_KEY, "0x" + (1).to_bytes(32, "big").hex())
    ours = EvmLedger.at(chain, world.domain.contract)
    assert isinstance(ours._relay_by, relayer.LocalKey)
    receipts = ours.submit([world.withdraw(world.epa(), nonce=0), world.withdraw(world.epa(), nonce=1)])
    assert [r.refusal for r in receipts] == [None, None]
    assert "0001" not in repr(ours._relay_by)


def test_gas_may_be_free(monkeypatch):
    """On a chain without a base fee, a relayer that owns nothing carries everything."""
    generate = tester.SteadyBackend.generate_genesis_params
    monkeypatch.setattr(
        tester.SteadyBackend, "generate_genesis_params", lambda o: generate(o) | {"base_fee_per_gas": 0}
    )
    w3 = nodes.in_process(1_700_000_000)
    monkeypatch.setattr(type(w3.eth), "gas_price", 0)
    poor = "0x" + "77" * 32
    monkeypatch.setenv(relayer.RELAYER_KEY, poor)
    ledger = EvmLedger.deploy(w3, b"\1" * 20, IntervalGrid(1_700_000_000, 3600))
    assert w3.eth.get_balance(Account.from_key(poor).address) == 0
    assert ledger.entries() == []


def test_what_is_missing_for_the_chain_in_process_is_named(monkeypatch):
    monkeypatch.delitem(sys.modules, "contracts.tester")
    monkeypatch.delattr(contracts, "tester")
    monkeypatch.setitem(sys.modules, "eth_tester", None)
    with pytest.raises(ImportError, match=r"pip install 'petra\[evm\]'"):
        nodes.in_process(0)


def test_chains_in_process_are_alike_and_start_when_told():
    first, second = nodes.in_process(1_234_567), nodes.in_process(1_234_567)
    assert first.eth.get_block(0)["timestamp"] == 1_234_567
    assert first.eth.chain_id == second.eth.chain_id
    first.provider.ethereum_tester.mine_block()
    assert first.eth.get_block("latest")["timestamp"] == 1_234_568
    assert second.eth.block_number == 0


def test_time_stands_on_a_network_that_nobody_can_set(answering):
    clock = ChainClock(nodes.connect(answering(NODE)))
    clock.advance_to(2_000_000_000, 1_000_000_000)
    assert clock.now_s(1_000_000_000) == 1_000_000_000


def test_time_is_set_on_a_development_node(answering):
    clock = ChainClock(nodes.connect(answering(NODE | {"evm_setNextBlockTimestamp": None})))
    clock.advance_to(2_000_000_000, 1_000_000_000)
    assert clock.now_s(1_000_000_000) == 2_000_000_000
