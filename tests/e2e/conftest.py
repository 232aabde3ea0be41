"""Real parts for end-to-end tests: skipped with the line that installs them, or required."""

import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from contracts.processes import ProgramMissing

NPM_BIN = Path(__file__).parents[2] / "contracts" / "node_modules" / ".bin"
INSTALL_ANVIL = "anvil is missing; run: npm ci --prefix contracts"


def program(name: str, install: str) -> str:
    """Path of a program, or the test is skipped; with PETRA_REQUIRE_ALL=1 it fails."""
    found = shutil.which(name) or shutil.which(name, path=str(NPM_BIN))
    if found is None:
        if os.environ.get("PETRA_REQUIRE_ALL") == "1":
            pytest.fail(install)
        pytest.skip(install)
    return found


@pytest.fixture(scope="session")
def real_part():
    """Asks a finder of :mod:`contracts` for its program; if it is missing the test is skipped, or fails if required."""

    def find(finder):
        try:
            return finder()
        except ProgramMissing as missing:
            if os.environ.get("PETRA_REQUIRE_ALL") == "1":
                pytest.fail(str(missing))
            pytest.skip(str(missing))

    return find


@contextmanager
def running_anvil(log_path: Path) -> Iterator[str]:
    """A fresh anvil node on loopback; its URL."""
    command = program("anvil", INSTALL_ANVIL)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = log_path.open("w")
    node = subprocess.Popen(
        [command, "--host", "127.0.0.1", "--port", str(port), "--prune-history"], stdout=log, stderr=subprocess.STDOUT
    )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_for(url, node)
        yield url
    finally:
        node.terminate()
        node.wait(timeout=10)
        log.close()


@pytest.fixture
def anvil_url(tmp_path):
    """A fresh anvil node on loopback."""
    with running_anvil(tmp_path / "anvil.log") as url:
        yield url


@pytest.fixture
def anvil_factory():
    """Starts fresh anvil nodes, each with a log file of its own."""
    return running_anvil


def _wait_for(url: str, node: subprocess.Popen) -> None:
    body = b'{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]}'
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    for _ in range(200):
        assert node.poll() is None, "anvil ended at once; see anvil.log"
        try:
            with urllib.request.urlopen(request, timeout=1):
                return
        except OSError:
            time.sleep(0.05)
    pytest.fail("anvil did not answer within 10 s")
