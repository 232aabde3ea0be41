"""``petra config check``: what keeps a role from starting is found before it starts."""

import json
import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner

from petra.cli import app


def check(*args: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["config", "check", *map(str, args)])
    assert "Traceback" not in done.output
    return done.exit_code, done.output


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "deployments").mkdir()
    return tmp_path


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_files_that_are_right_are_said_to_be(folder: Path) -> None:
    board = write(folder / "board.toml", 'any_session = true\nport = 0\nkey_file = "board.key"\ndatabase = "b.db"\n')
    relay = write(
        folder / "mine.toml", 'role = "relay"\nport = 0\nrpc = "http://127.0.0.1:1"\ndeployments = "deployments"\n'
    )
    code, said = check(board, relay)
    assert (code, said) == (0, f"right  {board}: board\nright  {relay}: relay\n")


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("board.toml", "", "give one of rpc, ledger_log and any_session"),
        ("board.toml", 'any_session = true\ndatabase = "none/b.db"', "cannot be written"),
        ("board.toml", 'any_session = true\ndatabase = "mysql://x"', "postgresql://"),
        ("board.toml", 'any_session = true\nkey_file = "open.key"', "others can read"),
        ("board.toml", 'any_session = true\nkey_file = "none/new.key"', "cannot be made"),
        ("board.toml", 'any_session = true\ndatabase = "open.key"', "no database that can be used"),
        ("relay.toml", 'relayer_key_file = "none.key"', "is missing"),
        ("relay.toml", 'rpc = "http://:1"', "it is no URL"),
        ("relay.toml", 'rpc = "http://[1"', "it is no URL"),
        ("relay.toml", 'deployments = "none"', "is no folder"),
        ("relay.toml", 'onion_dir = "none"', "petra onion up"),
        ("relay.toml", 'onion_dir = "none"\nonion_control = 7', "not both"),
        ("relay.toml", "port = -1", "port: "),
        ("bidstore.toml", "prot = 1", "prot: "),
        ("dso.toml", 'desk = "none"', "petra dso init"),
        ("follower.toml", "", "name the file"),
        ("network.toml", "validators = 65", "validators: "),
        ("meter.toml", "number = 3", "gate_s: Field required"),
        ("wallet.toml", "", "ledger: Field required"),
    ],
)
def test_what_keeps_a_role_from_starting_is_found(folder: Path, name: str, text: str, says: str) -> None:
    write(folder / "open.key", "00" * 32).chmod(0o644)
    code, said = check(write(folder / name, text + "\n"), "--running")
    assert code == 1
    assert says in said
    assert name in said
    assert "00" * 32 not in said


def test_a_port_in_use_is_found_unless_the_role_has_it(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        relay = write(folder / "relay.toml", f"port = {taken.getsockname()[1]}\n")
        code, said = check(relay)
        assert (code, "cannot be used" in said) == (1, True)
        assert check(relay, "--running")[0] == 0


def test_a_file_that_is_no_roles_or_not_there_is_exit_code_2(folder: Path) -> None:
    assert check(folder / "relay.toml")[0] == 2
    assert check(write(folder / "other.toml", ""))[0] == 2
    code, said = check(write(folder / "relay.toml", "= 1\n"))
    assert (code, "relay.toml" in said) == (2, True)


def test_online_a_node_that_is_away_is_found(folder: Path) -> None:
    text = 'port = 0\nrpc = "http://127.0.0.1:1"\ndeployments = "deployments"\n'
    code, said = check(write(folder / "relay.toml", text), "--online")
    assert (code, "no EVM node answers" in said) == (1, True)


METER = """
number = 3
gate_s = 10
[ledger]
url = "http://127.0.0.1:1"
chain_id = 5
contract = "0x0000000000000000000000000000000000000001"
genesis_s = 1
interval_s = 900
[standard_set]
note_power_w = 400
epa_notes = 1
eca_notes = 1
fa_notes = 1
fa_amount_nano = 5
[[analysers]]
name = "grid"
profile = "sdm630"
host = "127.0.0.1"
[report]
url = "http://127.0.0.1:8700"
token_file = "token"
"""


def test_a_meters_secrets_are_looked_after(folder: Path) -> None:
    meter = write(folder / "meter.toml", METER)
    code, said = check(meter)
    assert code == 1
    for name in ("key.json", "seed.json", "token"):
        assert f"{name} is missing" in said
        write(folder / name, json.dumps({})).chmod(0o600)
    assert check(meter) == (0, f"right  {meter}: meter\n")
    (folder / "seed.json").chmod(0o640)
    code, said = check(meter)
    assert (code, "chmod 600" in said) == (1, True)
    code, said = check(write(folder / "meter-2.toml", METER))
    assert (code, "rename it" in said) == (1, True)


def test_a_wallets_addresses_are_looked_at(folder: Path) -> None:
    ledger = METER[METER.index("[ledger]") : METER.index("[[analysers]]")]
    start = 'relays = ["http://127.0.0.1:5"]\nboard = "http://x.onion#0x12"\nmeter = "nowhere"\n'
    code, said = check(write(folder / "wallet.toml", start + ledger))
    assert code == 1
    for says in ("is no onion service", "is not a board", "has no meter.toml"):
        assert says in said
    relays = start.splitlines()[0] + "\n"
    code, said = check(write(folder / "wallet.toml", 'transport = "http"\n' + relays + ledger))
    assert code == 0, said
