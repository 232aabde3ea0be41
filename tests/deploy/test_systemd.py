"""The unit examples: systemd accepts them, and PETra has every command and option that they use."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from typer.main import get_command

from petra.cli import app

UNITS = sorted((Path(__file__).parents[2] / "deploy" / "systemd").glob("*.service"))
PROGRAM = "/opt/petra/bin/petra"


def commands(unit: Path) -> list[list[str]]:
    """The command lines of a unit, without the program."""
    found = re.findall(r"^Exec\w+=(\S+) (.*)$", unit.read_text(encoding="utf-8"), re.MULTILINE)
    assert found
    assert {program for program, _ in found} == {PROGRAM}
    return [shlex.split(line) for _, line in found]


def test_there_is_a_unit_for_every_role() -> None:
    named = {re.split(r"[@.]", unit.name)[0] for unit in UNITS}
    roles = "board", "bidstore", "relay", "dso", "follower", "network", "onion", "meter", "wallet"
    assert named == {f"petra-{role}" for role in roles}


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_every_option_exists(unit: Path) -> None:
    for line in commands(unit):
        command, words = get_command(app), list(line)
        while hasattr(command, "commands"):
            command = command.commands[words.pop(0)]
        options = {name for parameter in command.params for name in parameter.opts}
        used = {word for word in words if word.startswith("-")}
        assert used <= options, f"{unit.name}: {' '.join(line)}"


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_every_unit_is_confined_and_comes_back(unit: Path) -> None:
    text = unit.read_text(encoding="utf-8")
    for line in ("User=petra", "NoNewPrivileges=yes", "ProtectSystem=strict", "CapabilityBoundingSet=", "UMask=0077"):
        assert f"\n{line}\n" in text
    assert re.search(r"^Restart=(always|on-failure)$", text, re.MULTILINE)
    assert "passphrase" not in re.sub(r"LoadCredential=.*|--password-file %d/passphrase", "", text)


def test_systemd_accepts_them(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is missing; run: apt-get install systemd")
    program = tmp_path / "petra"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    for unit in UNITS:
        (tmp_path / unit.name).write_text(unit.read_text(encoding="utf-8").replace(PROGRAM, str(program)))
    files = [str(tmp_path / unit.name) for unit in UNITS]
    done = subprocess.run([analyze, "verify", "--man=no", *files], capture_output=True, text=True, check=False)
    ours = [line for line in done.stderr.splitlines() if "petra-" in line]
    assert (done.returncode, ours) == (0, [])
    broken = tmp_path / UNITS[0].name
    broken.write_text(broken.read_text().replace("NoNewPrivileges=", "NoNewPrivilege="))
    done = subprocess.run([analyze, "verify", "--man=no", str(broken)], capture_output=True, text=True, check=False)
    assert "NoNewPrivilege" in done.stderr, "a misspelt line would be noticed"
