"""Every serving role as a process with a configuration file: it starts, is checked, logs JSON, and stops in order."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from assets.intervals import IntervalGrid
from contracts import deployments, nodes
from contracts.ledger import EvmLedger
from dso.desk import keystore
from petra.cli import app
from tests.e2e.meter_world import authorise, meter_folder
from tests.e2e.meter_world import deploy as deploy_priced

ROOT = Path(__file__).parents[2]
FILES = {
    "board.toml": 'rpc = "{url}"\nport = 0\ndatabase = "board.db"\n'
    'key_file = "board.key"\ndeployments = "deployments"\n',
    "bidstore.toml": 'rpc = "{url}"\nport = 0\ndatabase = "bids.db"\ndeployments = "deployments"\n',
    "relay.toml": 'rpc = "{url}"\nport = 0\ndatabase = "relay.db"\ndeployments = "deployments"\ntick = 0.1\n',
    "dso.toml": 'desk = "desk"\nport = 0\n',
    "follower.toml": 'rpc = "{url}"\nstore = "events.db"\nevery = 0.1\ndeployments = "deployments"\n',
}
COMMANDS = {
    "board.toml": ["board", "serve"],
    "bidstore.toml": ["bidstore", "serve"],
    "relay.toml": ["relay", "serve"],
    "dso.toml": ["dso", "serve"],
    "follower.toml": ["chain", "follow"],
}


@pytest.fixture
def machine(tmp_path, anvil_url, monkeypatch):
    """A folder with a ledger's record, a desk, a meter and a file for each role."""
    monkeypatch.setattr(keystore, "SCRYPT_N", 2)
    w3 = nodes.connect(anvil_url)
    now_s = int(w3.eth.get_block("latest")["timestamp"])
    ledger = deploy_priced(anvil_url, IntervalGrid(now_s // 900 * 900, 900))
    deployments.Deployment.of(w3, EvmLedger.at(w3, ledger.domain.contract)).save(tmp_path / "deployments")
    made = CliRunner().invoke(
        app,
        [
            "dso",
            "init",
            "--desk",
            str(tmp_path / "desk"),
            "--node",
            anvil_url,
            "--deployments",
            str(tmp_path / "desks"),
        ],
        env={"PETRA_DSO_PASSPHRASE": "correct horse"},
    )
    assert made.exit_code == 0, made.output
    address = meter_folder(tmp_path / "meter", anvil_url, ledger, 1, tmp_path / "passphrase")
    authorise(ledger, bytes.fromhex(address[2:]))
    for name, text in FILES.items():
        (tmp_path / name).write_text(text.format(url=anvil_url))
    return tmp_path


def start(machine: Path, *arguments: object) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-u", "-m", "petra", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=machine,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PETRA_LOG": "json"},
    )


def test_all_roles_start_from_their_files_and_stop_in_order(machine: Path) -> None:
    assert list((machine / "desks").glob("*.json")), "petra dso init --deployments records the ledger"
    checked = CliRunner().invoke(app, ["config", "check", "--online", *(str(machine / name) for name in FILES)])
    assert checked.exit_code == 0, checked.output
    meter = machine / "meter" / "meter.toml"
    checked = CliRunner().invoke(app, ["config", "check", "--online", str(meter)])
    assert checked.exit_code == 0, checked.output
    right = meter.read_text()
    meter.write_text(re.sub("fa_amount_nano = .*", "fa_amount_nano = 1000000", right))
    checked = CliRunner().invoke(app, ["config", "check", "--online", str(meter)])
    assert checked.exit_code == 1
    assert "no home can buy" in checked.output
    meter.write_text(right)
    running = {name: start(machine, *command, "--config", machine / name) for name, command in COMMANDS.items()}
    running["meter"] = start(machine, "meter", "run", machine / "meter", "--password-file", machine / "passphrase")
    try:
        for name, process in running.items():
            said = ""
            while name != "meter" and not said.startswith(("{", "0", "1", "2")):
                said = process.stdout.readline()
                assert said, process.stderr.read()
            if name not in ("meter", "follower.toml"):
                assert json.loads(said)[name.removesuffix(".toml")].startswith("http://127.0.0.1:")
        assert "meter running" in running["meter"].stderr.readline()
        for process in running.values():
            process.send_signal(signal.SIGTERM)
        for name, process in running.items():
            logged = process.communicate(timeout=30)[1]
            assert process.returncode == 0, f"{name}: {logged}"
            assert "Traceback" not in logged
    finally:
        for process in running.values():
            process.kill()
            process.communicate()


def test_a_ledger_that_is_not_there_is_found_before_the_role_starts(machine: Path) -> None:
    (record,) = (machine / "deployments").glob("*.json")
    other = json.loads(record.read_text())
    other["contract"] = "0x" + "17" * 20
    record.write_text(json.dumps(other))
    meter = machine / "meter" / "meter.toml"
    meter.write_text(meter.read_text().replace("chain_id = ", "chain_id = 1"))
    for name, says in ((machine / "relay.toml", "there is no contract"), (meter, "the configuration of chain")):
        checked = CliRunner().invoke(app, ["config", "check", "--online", str(name)])
        assert (checked.exit_code, says in checked.output) == (1, True), checked.output


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_role_with_a_wrong_file_says_which_field_and_ends_with_2(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("nonsense = 1\n")
    done = CliRunner().invoke(app, [*COMMANDS[name], "--config", str(tmp_path / name)])
    assert (done.exit_code, f"{name}: nonsense" in done.output) == (2, True), done.output
