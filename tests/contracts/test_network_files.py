"""The files of a network, built without running it."""

import json
import stat

import pytest
from eth_account import Account

from contracts.errors import NodeError
from contracts.network import genesis, validator
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
