"""The files of a network, built without running it."""

import json
import socket
import stat

import pytest
from eth_account import Account

from contracts.errors import NodeError
from contracts.network import genesis, geth, validator
from contracts.network.clique import CliqueNetwork
from contracts.processes import ProgramMissing, find_program

SIGNERS = [bytes([n]) * 20 for n in (9, 3, 5)]


def test_the_first_block_names_the_signers_in_order():
    first = genesis.clique(77, SIGNERS, 2, 1_700_000_000)
    extra = bytes.fromhex(first["extraData"][2:])
    assert extra[:32] == bytes(32)
    assert extra[32:-65] == b"".join(sorted(SIGNERS))
    assert extra[-65:] == bytes(65)
    assert first["config"]["chainId"] == 77
    assert first["config"]["clique"] == {"period": 2, "epoch": 30_000}
    assert "londonBlock" not in first["config"], "a base fee would make gas cost something"
    assert first["alloc"] == {}


@pytest.mark.parametrize(("signers", "period_s"), [([], 1), (SIGNERS, 0)])
def test_a_network_that_cannot_run_is_refused(signers, period_s):
    with pytest.raises(ValueError, match="at least"):
        genesis.clique(77, signers, period_s, 0)


def test_a_validator_keeps_its_secrets_to_itself(tmp_path):
    one = validator.create(tmp_path / "validator1", 30_000, 8_545, 8_645)
    keystore = one.data / "keystore" / "validator"
    password = (one.folder / "password").read_text()
    key = Account.decrypt(json.loads(keystore.read_text()), password)
    assert bytes.fromhex(Account.from_key(key).address[2:]) == one.address
    for secret in (keystore, one.folder / "password", one.folder / "nodekey"):
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert password not in repr(one)
    assert validator.load(one.folder) == one


def test_peers_are_known_by_name_and_nobody_else_is_let_in(tmp_path):
    one = validator.create(tmp_path / "validator1", 30_000, 8_545, 8_645)
    validator.write_config(one, ["enode://ab@127.0.0.1:1"], 77, 30_000)
    config = (one.folder / "config.toml").read_text()
    assert 'StaticNodes = ["enode://ab@127.0.0.1:1"]' in config
    assert 'TrustedNodes = ["enode://ab@127.0.0.1:1"]' in config
    assert "NoDiscovery = true" in config


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"address": "0xzz"}'])
def test_a_folder_without_a_validator_is_refused(tmp_path, text):
    (tmp_path / "validator.json").write_text(text)
    with pytest.raises(NodeError, match="build the network anew"):
        validator.load(tmp_path)


def test_a_folder_without_a_network_is_refused(tmp_path):
    with pytest.raises(NodeError, match="holds no network"):
        CliqueNetwork.load(tmp_path)


def test_a_missing_program_says_what_to_run(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ProgramMissing, match="geth is missing; run: build it"):
        find_program("geth", [tmp_path], "run: build it")


@pytest.fixture
def no_geth(monkeypatch):
    """Files are made; nothing runs."""
    monkeypatch.setattr(geth, "find", lambda: "geth")
    monkeypatch.setattr(geth, "init", lambda program, one, path: None)


def test_a_network_is_loaded_as_it_was_built(tmp_path, no_geth):
    built = CliqueNetwork.build(tmp_path / "net", 2, 3, 77)
    loaded = CliqueNetwork.load(tmp_path / "net")
    assert loaded == built
    assert loaded.differences(2, 3, 77, built.validators[0].rpc_port) == []
    assert loaded.differences(None, None, None, 0) == []
    named = loaded.differences(4, 1, 5, 9)
    assert named[:3] == ["--validators 2, not 4", "--period-s 3, not 1", "--chain-id 77, not 5"]
    assert named[3].endswith("not 9")


def test_a_network_that_is_cut_off_while_it_is_built_is_none(tmp_path, no_geth, monkeypatch):
    """The genesis block comes last, and what was made before an error is taken back."""

    def cut_off(program, one, path):
        assert not (tmp_path / "net" / "genesis.json").exists()
        raise KeyboardInterrupt

    monkeypatch.setattr(geth, "init", cut_off)
    with pytest.raises(KeyboardInterrupt):
        CliqueNetwork.build(tmp_path / "net", 2)
    assert list((tmp_path / "net").iterdir()) == []
    monkeypatch.setattr("shutil.rmtree", lambda path, **_: None)  # as after kill -9
    with pytest.raises(KeyboardInterrupt):
        CliqueNetwork.build(tmp_path / "net", 2)
    with pytest.raises(ValueError, match="half a network"):
        CliqueNetwork.build(tmp_path / "net", 2)


def test_folders_beside_the_validators_do_no_harm_and_missing_ones_are_named(tmp_path, no_geth):
    CliqueNetwork.build(tmp_path, 2)
    (tmp_path / "validatorX").mkdir()
    assert len(CliqueNetwork.load(tmp_path).validators) == 2
    (tmp_path / "validator2").rename(tmp_path / "validator3")
    with pytest.raises(NodeError, match="validator2 holds no validator's files"):
        CliqueNetwork.load(tmp_path)


@pytest.mark.parametrize(
    "text", ["", "[]", "null", "[" * 9000, '{"config": {"chainId": 1, "clique": {"period": 1}}, "extraData": "0x12"}']
)
def test_a_genesis_block_that_is_none_is_refused(tmp_path, text):
    (tmp_path / "genesis.json").write_text(text)
    with pytest.raises(NodeError, match="new folder"):
        CliqueNetwork.load(tmp_path)


def test_ports_are_probed_before_anything_is_written(tmp_path, no_geth):
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        port = held.getsockname()[1]
        with pytest.raises(OSError, match=f"port {port} cannot be had"):
            CliqueNetwork.build(tmp_path / "net", 1, port=port)
    assert not (tmp_path / "net").exists()
