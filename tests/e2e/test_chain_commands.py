"""``petra chain`` as a user runs it."""

import re
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest
from typer.testing import CliRunner

from contracts import anvil, nodes
from contracts.network import geth
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


def end(process):
    process.send_signal(signal.SIGTERM)
    rest, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert rest.endswith("stopped\n")


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
        end(process)
        assert not nodes.answers(url)
    with started("dev", "--port", port) as (process, _):
        anew = chain("info", *at)
        assert (anew.exit_code, "started anew" in anew.output) == (1, True)
        assert chain("follow", *at, "--store", tmp_path / "x.sqlite").exit_code == 2
        assert chain("deploy", *at, "--dso", DSO).exit_code == 0
        assert chain("info", *at).exit_code == 0
        end(process)


def test_a_network_goes_on_where_it_was(tmp_path, real_part):
    real_part(geth.find)
    with started("network", "--validators", 1, "--dir", tmp_path / "net", "--port", 0) as (process, url):
        at = ["--rpc", url, "--deployments", tmp_path]
        assert chain("deploy", *at, "--dso", DSO).exit_code == 0
        end(process)
    with started("network", "--dir", tmp_path / "net") as (process, again):
        assert again == url
        told = chain("info", *at)
        assert told.exit_code == 0, told.output
        assert "equals the artifact" in told.output
        end(process)


@pytest.mark.parametrize(
    ("args", "hint"),
    [
        (["deploy", "--dso", "0x12", "--rpc", "http://127.0.0.1:9"], "no EVM node answers"),
        (["info", "--rpc", "http://127.0.0.1:9"], "no EVM node answers"),
        (["follow", "--store", "/nowhere/x", "--rpc", "http://127.0.0.1:9"], "no EVM node answers"),
        (["network", "--dir", __file__], "not empty"),
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
