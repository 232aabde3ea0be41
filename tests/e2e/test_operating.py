"""The commands of docs/operating.md, line by line: from nothing to a home with notes on a chain of its own."""

import json
import os
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from contracts.network import geth
from contracts.processes import free_ports
from dso.desk import keystore
from petra.cli import app
from smartmeter import identity
from tests.e2e.conftest import program

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "operating.md"
PORTS = ("8545", "8470", "8480", "8490", "8700", "5020")
READY_S = 600
"""Only a bound: alone on two cores all are ready within seconds."""
PETRA = f'petra() {{ {shlex.quote(sys.executable)} -u -m petra "$@"; }}'


def blocks(text: str) -> list[list[str]]:
    """The commands of the page, a list a block; a document within stays with its command."""
    found = []
    for block in re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        found.append(re.findall(r"^.*<<'END'\n(?:.*\n)*?END$|^.+$", block, re.MULTILINE))
    return found


class Operator:
    """Types what the page says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self.running: dict[str, subprocess.Popen] = {}

    def type(self, line: str) -> str:
        if line.endswith(" &"):
            return self._start(line)
        if exported := re.fullmatch(r'export (\w+)="(.*)"', line):
            self.environment[exported[1]] = exported[2]
            return ""
        if re.fullmatch(r"petra [^|<>$;&]*( > \S+)?", line):
            return self._here(line)
        done = subprocess.run(
            ["bash", "-ec", f"umask 077\n{PETRA}\n{line}"],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        return done.stdout

    def _here(self, line: str) -> str:
        """In this process, which saves the seconds that the imports take."""
        words, _, out = line.partition(" > ")
        done = CliRunner().invoke(app, shlex.split(words)[1:], env=self.environment)
        assert done.exit_code == 0, f"{line}\n{done.output}"
        if out:
            (self.folder / out).write_text(done.output)
        return done.output

    def _start(self, line: str) -> str:
        words, _, rest = line.removesuffix(" &").partition(" > ")
        out, _, log = rest.partition(" 2> ")
        with (self.folder / out).open("w") as said, (self.folder / log).open("w") as logged:
            self.running[line] = subprocess.Popen(
                [sys.executable, "-u", "-m", "petra", *shlex.split(words)[1:]],
                cwd=self.folder,
                env=self.environment,
                stdout=said,
                stderr=logged,
            )
        return ""

    def wait_until_all_say_something(self) -> None:
        for line, process in self.running.items():
            out, log = (self.folder / name for name in re.search(r"> (\S+) 2> (\S+) &", line).groups())
            # The wallet has nothing to say before its first window.
            until(lambda out=out, log=log, line=line: out.read_text() or log.read_text() or "wallet run" in line, line)
            assert process.poll() is None, f"{line}\n{log.read_text()}"

    def end(self) -> None:
        for line, process in reversed(self.running.items()):
            process.terminate()
            assert process.wait(timeout=60) == 0, line

    def kill(self) -> None:
        for process in self.running.values():
            process.kill()
            process.wait()


def until(condition, what: str) -> None:
    end_s = time.monotonic() + READY_S
    while not condition():
        assert time.monotonic() < end_s, what
        time.sleep(0.1)


@pytest.fixture
def operator(tmp_path, monkeypatch, real_part):
    real_part(geth.find)
    program("openssl", "openssl is missing; run: apt-get install openssl")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(keystore, "SCRYPT_N", 2)
    monkeypatch.setattr(identity, "STANDARD_N", identity.LIGHT_N)
    found = Operator(tmp_path)
    try:
        yield found
    finally:
        found.kill()


def page() -> str:
    text = PAGE.read_text(encoding="utf-8")
    for old, new in zip(PORTS, free_ports(len(PORTS)), strict=True):
        text = text.replace(old, str(new))
    return text


@pytest.mark.soak
def test_the_page_leads_to_a_home_with_notes(operator) -> None:
    *setting_up, looking = blocks(page())
    for block in setting_up:
        for line in block:
            operator.type(line)
            if line.startswith("petra chain network"):
                operator.wait_until_all_say_something()
        operator.wait_until_all_say_something()
    status, wallet, meters = looking
    # Of the next interval, and of the one after it if an interval begins meanwhile.
    until(lambda: re.search(r"standard sets recorded: [12]\b", operator.type(status)), status)
    assert "meter 1 on feeder 3: EPA 60000 W" in operator.type(meters)
    until(lambda: re.search(r"window [1-9]", operator.type(wallet).lower()), wallet)
    operator.end()
    for log in operator.folder.glob("*.log"):
        text = log.read_text()
        assert "Traceback" not in text, f"{log.name}: {text}"
        assert (operator.folder / "home1.pass").read_text().strip() not in text


@pytest.mark.soak
def test_over_tor_as_the_page_says_all_addresses_are_onion_services_that_stay(operator) -> None:
    program("tor", "tor is missing; run: apt-get install tor")
    _, setting_up, services, *_ = blocks(page())
    operator.type("petra onion up --dir onion;")  # as a program of its own, which leaves the tors behind
    try:
        for line in [*setting_up, *services]:
            if name := re.match(r"cat > (board|bidstore|relay)\.toml", line):
                onion = f'onion_dir = "onion"\nonion_key_file = "{name[1]}.onion"'
                line = re.sub(r"^port = .*$", onion, line, flags=re.MULTILINE)
            operator.type(line)
            if line.startswith("petra chain network"):
                operator.wait_until_all_say_something()
        operator.wait_until_all_say_something()
        found = {}
        for role in ("board", "bidstore", "relay"):
            said = json.loads((operator.folder / f"{role}.out").read_text())
            assert said["anonymous"] is True
            found[role] = said[role]
            assert re.search(r"http://[a-z2-7]{56}\.onion", found[role])
        book = f"petra bidstore book --url {found['bidstore']} --power-w 3600 --start 1 --onion-dir onion"
        assert operator.type(book) == "", "asked through Tor, the book is empty"
        relaying = next(line for line in operator.running if line.startswith("petra relay"))
        operator.running[relaying].terminate()
        assert operator.running.pop(relaying).wait(timeout=60) == 0
        operator.type(relaying)
        operator.wait_until_all_say_something()
        assert json.loads((operator.folder / "relay.out").read_text())["relay"] == found["relay"]
        operator.end()
    finally:
        operator.type("petra onion down --dir onion")
