"""``petra chain`` as a user runs it."""

import json
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner
from web3 import HTTPProvider

from contracts import anvil, nodes
from contracts.network import geth, validator
from contracts.processes import ProgramMissing, free_ports
from petra.cli import app

DSO = "0x" + "11" * 20


def chain(*args):
    return CliRunner().invoke(app, ["chain", *map(str, args)])


@contextmanager
def started(*args):
    """A command that runs until it is stopped; gives the process and the first URL that it prints."""
    command = [sys.executable, "-u", "-m", "petra", "chain", *map(str, args)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            said = ""
            while (url := re.search(r"http://[\w.:]+\d", said)) is None:
                line = process.stdout.readline()
                assert line, said
                said += line
            yield process, url.group()
        finally:
            process.kill()


def end(process, number=signal.SIGTERM):
    process.send_signal(number)
    rest, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert rest.endswith("stopped\n")


def cut_off(process, is_there):
    """Nobody can clean up after this; other systems tell a node nothing of its parent's end."""
    if sys.platform != "linux":
        end(process)
        return
    process.kill()
    process.communicate(timeout=30)
    end_s = time.monotonic() + 60
    while is_there() and time.monotonic() < end_s:
        time.sleep(0.05)
    assert not is_there()


def test_a_development_chain_is_started_deployed_to_looked_at_and_ended(tmp_path, real_part):
    real_part(anvil.find)
    (port,) = free_ports(1)
    at = ["--rpc", f"http://127.0.0.1:{port}", "--deployments", tmp_path]
    with started("dev", "--port", port) as (process, url):
        assert chain("info", *at).output.count("none recorded") == 1
        deployed = chain("deploy", *at, "--dso", DSO, "--interval-s", 900, "--genesis", 4_102_444_800)
        assert deployed.exit_code == 0, deployed.output
        assert (tmp_path / "31337.json").exists()
        told = chain("info", *at)
        assert told.exit_code == 0
        for words in ("anvil", "31337", DSO, "900 s each, from 4102444800", "equals the artifact", "0 accepted"):
            assert words in told.output
        again = chain("deploy", *at, "--dso", DSO)
        assert (again.exit_code, "--again" in again.output) == (2, True)
        assert chain("deploy", *at, "--dso", DSO, "--again").exit_code == 0
        end(process, signal.SIGHUP)
        assert not nodes.answers(url)
    with started("dev", "--port", port) as (process, url):
        anew = chain("info", *at)
        assert (anew.exit_code, "started anew" in anew.output) == (1, True)
        assert chain("follow", *at, "--store", tmp_path / "x.sqlite").exit_code == 2
        assert chain("deploy", *at, "--dso", DSO).exit_code == 0
        assert chain("info", *at).exit_code == 0
        cut_off(process, lambda: nodes.answers(url))


def test_a_network_goes_on_where_it_was(tmp_path, real_part):
    real_part(geth.find)
    with started("network", "--validators", 1, "--dir", tmp_path / "net", "--port", 0) as (process, url):
        at = ["--rpc", url, "--deployments", tmp_path]
        assert chain("deploy", *at, "--dso", DSO).exit_code == 0
        second = chain("network", "--dir", tmp_path / "net")
        assert (second.exit_code, "another process runs the network in" in second.output) == (2, True)
        other = chain("network", "--dir", tmp_path / "net", "--validators", 3)
        assert (other.exit_code, "--validators 1, not 3" in other.output) == (2, True)
        time.sleep(1)  # the block of the deployment is on the disk
        node = validator.load(tmp_path / "net" / "validator1")
        cut_off(process, lambda: geth.in_use(node) or nodes.answers(url))  # it closes its port before its files
    with started("network", "--dir", tmp_path / "net") as (process, again):
        assert again == url
        told = chain("info", *at)
        assert told.exit_code == 0, told.output
        assert "equals the artifact" in told.output
        end(process)


@pytest.mark.parametrize(
    ("args", "hint"),
    [
        (["deploy", "--dso", DSO, "--rpc", "http://127.0.0.1:9"], "no EVM node answers"),
        (["deploy", "--dso", "0x12", "--rpc", "http://127.0.0.1:9"], "40 hex digits"),
        (["deploy", "--dso", DSO, "--genesis", 99999999999999999999], "--genesis"),
        (["info", "--rpc", "localhost:18545"], "localhost:18545 is no node's URL: it starts with http://"),
        (["info", "--rpc", "http://127.0.0.1:9"], "no EVM node answers"),
        (["follow", "--store", "/nowhere/x", "--rpc", "http://127.0.0.1:9"], "no EVM node answers"),
        (["network", "--dir", __file__], "is a file"),
        (["network", "--dir", Path(__file__).parent], "holds other files"),
        (["network", "--chain-id", 10**30], "--chain-id"),
        (["network", "--period-s", 10**6], "--period-s"),
    ],
)
def test_what_cannot_be_done_is_answered_in_a_sentence(args, hint, monkeypatch):
    monkeypatch.setattr(geth, "find", lambda: "geth")
    result = chain(*args)
    assert result.exit_code == 2
    assert hint in result.output
    assert "Traceback" not in result.output


def test_what_is_missing_is_named_with_how_to_get_it(monkeypatch, tmp_path):
    def missing():
        raise ProgramMissing(f"geth is missing; {geth.INSTALL}")

    monkeypatch.setattr(geth, "find", missing)
    result = chain("network", "--dir", tmp_path / "net")
    assert (result.exit_code, ".ci/geth" in result.output) == (2, True)


def test_an_address_that_is_none_is_refused(anvil_url, tmp_path):
    for dso in ("0x12", "0x" + "zz" * 20, "0x" + "00" * 20):
        result = chain("deploy", "--rpc", anvil_url, "--deployments", tmp_path, "--dso", dso)
        assert (result.exit_code, "40 hex digits" in result.output) == (2, True)
    assert list(tmp_path.glob("*.json")) == []


def test_a_port_that_somebody_has_is_named_before_anything_is_said(anvil_url):
    port = anvil_url.rpartition(":")[2]
    result = chain("dev", "--port", port)
    assert (result.exit_code, f"port {port} cannot be had" in result.output) == (2, True)
    assert "Ctrl-C" not in result.output


def test_a_node_that_ends_at_once_is_quoted_and_its_log_is_there(tmp_path, real_part):
    real_part(anvil.find)
    (tmp_path / "state.json").write_text("garbage")
    result = chain("dev", "--port", 0, "--state", tmp_path / "state.json")
    assert (result.exit_code, "failed to parse json" in result.output) == (2, True)
    log = Path(re.search(r"see (\S+)", result.output)[1])
    assert "failed to parse json" in log.read_text()
    log.unlink()
    lost = chain("dev", "--port", 0, "--state", tmp_path / "none" / "state.json")
    assert (lost.exit_code, "make" in lost.output) == (2, True)


def test_a_record_that_is_none_or_was_changed_is_named_and_replaced(anvil_url, tmp_path):
    at = ["--rpc", anvil_url, "--deployments", tmp_path]
    path = tmp_path / "31337.json"
    assert chain("deploy", *at, "--dso", DSO).exit_code == 0
    record = json.loads(path.read_text())
    for change in ({"dso": "0x" + "22" * 20}, {"genesisS": 7}, {"intervalS": 60}):
        path.write_text(json.dumps(record | change))
        told = chain("info", *at)
        assert (told.exit_code, "the contract's" in told.output) == (1, True), told.output
    for text in ("\xff\xfe", "[" * 100_000, json.dumps(record | {"chainId": 1})):
        path.write_text(text, encoding="latin-1")
        for command in (["info"], ["deploy", "--dso", DSO]):
            told = chain(*command, *at)
            assert (told.exit_code, "deploy --again" in told.output) == (2, True), told.output
        assert chain("deploy", *at, "--dso", DSO, "--again").exit_code == 0
        assert chain("info", *at).exit_code == 0
    assert len(list(tmp_path.glob("31337.json.old*"))) == 3
    for command in (["info"], ["deploy", "--dso", DSO, "--again"]):
        told = chain(*command, "--rpc", anvil_url, "--deployments", path)
        assert (told.exit_code, "is a file; give the folder" in told.output) == (2, True), told.output


@pytest.mark.parametrize("answer", [None, "hello", [], ["0x1"], {}, "error"])
def test_what_answers_like_a_node_for_a_while_is_answered_in_a_sentence(answer, tmp_path, monkeypatch):
    """As little as makes it a node, and the same answer to all other questions."""
    head = {"number": "0x0", "timestamp": "0x1", "gasLimit": "0x1c9c380", "hash": "0x" + "11" * 32}
    node = {"eth_chainId": "0x539", "eth_gasPrice": "0x0", "eth_getBlockByNumber": head}

    def ask(provider, method, params):
        if method not in node and answer == "error":
            return {"jsonrpc": "2.0", "id": 1, "error": {"code": -32601, "message": "method not found"}}
        return {"jsonrpc": "2.0", "id": 1, "result": node.get(method, answer)}

    monkeypatch.setattr(HTTPProvider, "make_request", ask)
    monkeypatch.delenv("PETRA_RELAYER_KEY", raising=False)
    for command in (["info"], ["deploy", "--dso", DSO]):
        told = chain(*command, "--deployments", tmp_path)
        assert isinstance(told.exception, SystemExit | None), told.exception
        assert (told.exit_code, "petra: the node" in told.output) in {(0, False), (2, True)}, told.output
    assert list(tmp_path.glob("*.json")) == []


def test_the_secrets_of_a_url_are_shown_and_kept_nowhere(anvil_url, tmp_path):
    url = anvil_url.replace("http://", "http://user:hunter2@") + "/?key=hunter2"
    at = ["--rpc", url, "--deployments", tmp_path / "deployments"]
    silent = "http://user:hunter2@127.0.0.1:9/hunter2?key=hunter2"
    told = [chain("info", *at), chain("deploy", *at, "--dso", DSO), chain("info", *at), chain("info", "--rpc", silent)]
    run = ["simulate", "--homes", "2", "--intervals", "1", "--out", str(tmp_path / "run"), "--ledger"]
    told += [CliRunner().invoke(app, [*run, each]) for each in (url, silent, "user:hunter2@127.0.0.1:9")]
    assert [each.exit_code for each in told] == [0, 0, 0, 2, 0, 2, 2], [each.output for each in told]
    assert all("hunter2" not in each.output for each in told)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"summary.json", "report.html", "31337.json"} <= {path.name for path in files}
    assert [path for path in files if b"hunter2" in path.read_bytes()] == []
