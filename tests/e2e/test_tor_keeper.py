"""The keeper of a village's Tor network: tors that die come back as they were, and so does the keeper."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from petra.onion import network
from petra.onion.layout import Role
from petra.village.state import alive
from tests.e2e.conftest import program


def wait_for(done, what, seconds=120) -> None:
    end_s = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end_s, f"{what}: not within {seconds} s"
        time.sleep(0.2)


@pytest.mark.soak
def test_tors_and_their_keeper_come_back_and_end_in_order(tmp_path) -> None:
    program("tor", "tor is missing; run: apt-get install tor")
    folder = tmp_path / "tor" / "network"
    command = [sys.executable, "-m", "petra", "village", "tor", str(tmp_path)]

    def keep():
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        return process, json.loads(process.stdout.readline())["socks"]

    keeper, port = keep()
    try:
        running = network.load(folder)
        (wallets,) = running.layout.of(Role.WALLET)
        killed = running.pids[wallets.name]
        os.kill(killed, signal.SIGKILL)
        wait_for(lambda: network.load(folder).pids[wallets.name] != killed, "the wallets' tor is started again")
        wait_for(lambda: all(map(network.load(folder).alive, running.layout.nodes)), "all tors run")
        keeper.kill()
        keeper.communicate()
        before = network.load(folder).pids
        keeper, again = keep()
        assert again == port
        assert network.load(folder).pids == before, "no tor was started anew"
        keeper.terminate()
        keeper.communicate(timeout=60)
        assert not any(map(alive, before.values()))
    finally:
        keeper.kill()
        keeper.communicate()
        if (folder / network.STATE).exists():
            network.load(folder).down()
