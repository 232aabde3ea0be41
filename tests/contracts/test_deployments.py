"""The files that say which ledger is deployed on which chain."""

import json

import pytest

from assets.intervals import IntervalGrid
from contracts import artifact, deployments
from contracts.deployments import Deployment, DeploymentError, code_at, equals_artifact


@pytest.fixture
def deployment(chain, evm):
    return Deployment.of(chain, evm)


def test_what_is_saved_is_loaded_and_opens_the_ledger(chain, evm, deployment, tmp_path):
    path = deployment.save(tmp_path / "deployments")
    assert path.name == f"{chain.eth.chain_id}.json"
    loaded = deployments.load(chain.eth.chain_id, tmp_path / "deployments")
    assert loaded == deployment
    assert list(loaded.problems(chain)) == []
    opened = loaded.open(chain)
    assert (opened.domain, opened.grid, opened.dso) == (evm.domain, evm.grid, evm.dso)


def test_where_nothing_is_recorded_there_is_none(tmp_path):
    assert deployments.load(1, tmp_path) is None


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"block": -1},
        {"block": True},
        {"contract": "0x12"},
        {"blockHash": 7},
        {"dso": "11" * 20},
        {"intervalS": 0},
        {"extra": 1},
        {"codeHash": None},
        {"block": 10**30},
        {"genesisS": 1.5},
        {"contract": "0x" + "  " * 20},
    ],
)
def test_a_file_that_is_not_as_it_was_written_is_refused_in_a_sentence(deployment, tmp_path, change):
    path = deployment.save(tmp_path)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(DeploymentError, match="deploy --again"):
        deployments.load(deployment.chain_id, tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "[1]", "null", "7", "{", "\xff", "[" * 100_000, "[" * 4_000, "9" * 4_090])
def test_a_file_that_is_none_is_refused_in_a_sentence(tmp_path, text):
    (tmp_path / "5.json").write_text(text, encoding="latin-1")
    with pytest.raises(DeploymentError, match="deploy --again") as caught:
        deployments.load(5, tmp_path)
    for internal in ("NoneType", "object", "codec", "recursion", "int()"):
        assert internal not in str(caught.value)
    with pytest.raises(DeploymentError, match="leave --resume out"):
        deployments.load(5, tmp_path, "leave --resume out")


def test_a_folder_in_a_files_place_is_refused_and_set_aside(tmp_path):
    for name in (".old1", ".old2"):
        (tmp_path / "5.json").mkdir()
        with pytest.raises(DeploymentError, match="cannot be read"):
            deployments.load(5, tmp_path)
        assert deployments.set_aside(5, tmp_path) == tmp_path / f"5.json{name}"
    assert deployments.load(5, tmp_path) is None


def test_a_file_in_the_folders_place_is_refused(tmp_path):
    (tmp_path / "x").touch()
    with pytest.raises(NotADirectoryError, match="x is a file; give the folder"):
        deployments.load(5, tmp_path / "x")


def test_a_file_of_another_chain_is_refused(deployment, tmp_path):
    deployment.save(tmp_path).rename(tmp_path / "9.json")
    with pytest.raises(DeploymentError, match="is of chain"):
        deployments.load(9, tmp_path)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"chain_id": 5}, "chain id is"),
        ({"contract": b"\1" * 20}, "no contract at"),
        ({"code_hash": bytes(32)}, "not the one that was deployed"),
        ({"block_hash": bytes(32)}, "another one than that of the deployment"),
        ({"dso": b"\1" * 20}, "the contract's DSO is"),
        ({"grid": IntervalGrid(7, 3600)}, "from 7 on"),
        ({"grid": IntervalGrid(1_700_000_000, 60)}, "not 60 s each"),
        ({"block": 10**6}, "another one than that of the deployment"),
    ],
)
def test_a_ledger_that_is_not_the_recorded_one_is_not_opened(chain, deployment, change, problem):
    from dataclasses import replace

    other = replace(deployment, **change)
    assert problem in next(iter(other.problems(chain)))
    with pytest.raises(DeploymentError, match="right node"):
        other.open(chain)


def test_the_deployed_code_equals_the_artifact_but_for_what_the_constructor_filled_in(chain, evm):
    code = code_at(chain, evm.domain.contract)
    assert equals_artifact(code)
    assert code != bytes.fromhex(artifact.load()["deployedBytecode"][2:])
    for at in (0, len(code) // 2, len(code) - 1):
        changed = bytearray(code)
        changed[at] ^= 1
        if bytes(32) not in bytes.fromhex(artifact.load()["deployedBytecode"][2:])[max(0, at - 32) : at + 32]:
            assert not equals_artifact(bytes(changed))
    assert not equals_artifact(code[:-1])
    assert not equals_artifact(code + b"\0")
    assert not equals_artifact(b"")
