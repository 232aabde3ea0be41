"""The artifact belongs to the sources, and what is said where the compiler is missing."""

import json
import os

import pytest

from assets.errors import REFUSALS
from contracts import artifact, compile  # noqa: A004


@pytest.mark.parametrize("contract", [compile.CONTRACT, *compile.STANDALONE])
def test_the_artifact_is_what_the_sources_compile_to(contract):
    assert "agree" in compile.check(contract)


def test_a_changed_source_is_noticed_without_a_compiler(monkeypatch):
    monkeypatch.setattr(compile, "sources", lambda contract: {"PetraLedger.sol": "contract Other {}"})
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(compile.CompilationFailed, match="make artifacts"):
        compile.check()


def test_another_bytecode_is_noticed(monkeypatch):
    monkeypatch.setattr(compile, "compile_sources", lambda contract: {**compile.recorded(), "bytecode": "0x00"})
    with pytest.raises(compile.CompilationFailed, match="make artifacts"):
        compile.check()


def test_without_a_compiler_the_hash_is_checked_and_the_remedy_named(monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.delenv("PETRA_REQUIRE_ALL", raising=False)
    assert "npm ci" in compile.check()
    monkeypatch.setenv("PETRA_REQUIRE_ALL", "1")
    with pytest.raises(compile.CompilerMissing, match="npm ci"):
        compile.check()


def test_what_does_not_compile_is_reported(monkeypatch):
    if not (compile.HERE / "node_modules").exists():
        pytest.skip(compile.INSTALL)
    monkeypatch.setattr(compile, "sources", lambda contract: {"PetraLedger.sol": "contract {"})
    with pytest.raises(compile.CompilationFailed, match=r"PetraLedger\.sol"):
        compile.compile_sources()


def test_the_contract_has_an_error_for_every_refusal_and_five_of_its_own():
    of_the_contract = {name for name, _ in artifact.error_types().values()}
    assert set(REFUSALS) <= of_the_contract
    assert of_the_contract - set(REFUSALS) == {
        "BadDeployment",
        "Malformed",
        "NotRelayable",
        "OnlyLedger",
        "RelayFailed",
    }


def test_committed_files_name_no_registry_and_no_place_of_this_machine():
    for path in (compile.ARTIFACT, compile.HERE / "package.json", compile.HERE / "package-lock.json"):
        text = path.read_text(encoding="utf-8")
        assert str(compile.HERE) not in text
        assert os.path.expanduser("~") not in text
        assert "resolved" not in text
    assert (
        json.loads((compile.HERE / "package.json").read_text())["devDependencies"]["solc"] == compile.pinned_version()
    )


def test_the_code_fits_the_limit_of_every_network():
    assert len(artifact.load()["deployedBytecode"]) // 2 < 24_576
