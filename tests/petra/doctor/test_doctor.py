"""``petra doctor`` on machines that lack this or that."""

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from petra.cli import app
from petra.doctor import examine, needs


def doctor(*args: object) -> tuple[int, dict[str, dict[str, str]]]:
    done = CliRunner().invoke(app, ["doctor", "--json", *map(str, args)])
    assert done.exit_code in (0, 1), done.output
    report = json.loads(done.stdout)
    assert report["complete"] == (done.exit_code == 0)
    return done.exit_code, {f["what"]: f for f in report["findings"]}


def program(folder: Path, name: str) -> Path:
    path = folder / name
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_programs_are_looked_for_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(examine, "POSTGRES", (str(tmp_path),))
    code, found = doctor("--role", "onion", "--role", "board", "--dir", tmp_path)
    assert code == 1
    assert found["tor and tor-gencert"]["verdict"] == "missing"
    assert found["tor and tor-gencert"]["fix"] == "apt-get install tor"
    assert found["PostgreSQL server, for several replicas"]["verdict"] == "advice"
    for name in ("tor", "tor-gencert", "initdb"):
        program(tmp_path, name)
    code, found = doctor("--role", "onion", "--role", "board", "--dir", tmp_path)
    assert code == 0
    assert found["tor and tor-gencert"]["found"] == str(tmp_path / "tor")
    assert found["PostgreSQL server, for several replicas"]["found"] == str(tmp_path / "initdb")


def test_only_what_the_asked_roles_need_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    code, found = doctor("--role", "relay", "--dir", tmp_path)
    assert code == 0
    assert not any("tor" in what.split() for what in found)
    assert doctor("--role", "village", "--dir", tmp_path)[0] == 1


def test_a_missing_extra_is_named_with_the_line_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examine, "EXTRAS", {**needs.EXTRAS, "meter": (("pymodbus", "no_such_module"), ("meter",))})
    code, found = doctor("--role", "meter", "--dir", tmp_path)
    assert code == 1
    extra = found["Python extra meter"]
    assert (extra["found"], extra["fix"]) == ("without no_such_module", "pip install 'petra[meter]'")


def test_a_folder_that_cannot_be_written_and_a_full_disk_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, found = doctor("--role", "dso", "--dir", "/proc/none")
    assert code == 1
    assert found["writing the role's folder"]["verdict"] == "missing"
    monkeypatch.setattr(examine, "DISK_BYTES", 1 << 60)
    code, found = doctor("--role", "dso", "--dir", tmp_path)
    assert (code, found["disk space, 1 GiB"]["verdict"]) == (1, "missing")


def test_the_clock_is_advice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for state, verdict in (((True, 3), "good"), ((None, 0), "good"), ((False, 0), "advice")):
        monkeypatch.setattr(examine, "clock_state", lambda state=state: state)
        assert doctor("--role", "relay", "--dir", tmp_path)[1]["clock, synchronised"]["verdict"] == verdict


def test_the_machine_is_asked_whether_its_clock_is_held() -> None:
    held, error_ms = examine.clock_state()
    assert held in (True, False, None)
    assert error_ms >= 0


def test_people_get_lines_and_an_unknown_role_a_sentence(tmp_path: Path) -> None:
    said = CliRunner().invoke(app, ["doctor", "--role", "relay", "--dir", str(tmp_path)])
    assert f"writing the role's folder: {tmp_path}" in said.output
    said = CliRunner().invoke(app, ["doctor", "--role", "king"])
    assert (said.exit_code, "'king' is no role" in said.output) == (2, True)
    assert os.getcwd() not in said.output
