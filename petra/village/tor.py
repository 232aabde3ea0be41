"""The private Tor network of a village, as one process that watches over its tors."""

import json
import os
import signal
import time
from pathlib import Path

from petra.onion import network
from petra.onion.errors import OnionError
from petra.onion.layout import Role
from petra.village.state import read_state

LOOK_S = 1.0

SERVICES = ("board", "relay", "bidstore")
"""Roles whose onion services are lost with the tor that publishes them; started again, they publish them again."""


def keep(village: Path, folder: Path) -> None:
    """Start a network in ``folder`` and keep it until told to stop; a tor that ends is started again as it was.

    Prints ``{"socks": port}`` when it can be used. The tors end with the process that started this one, so this one
    may be killed and started again.
    """
    stop: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda n, _: stop.append(n))
    owner = os.getppid()
    try:
        running = network.load(folder)
    except OnionError:  # there is none yet
        running = network.up(folder, owner)
    print(json.dumps({"socks": running.socks_port}), flush=True)
    while not stop:
        time.sleep(LOOK_S)
        dead = [node for node in running.layout.nodes if not running.alive(node)]
        if dead:
            print(f"petra: {', '.join(node.name for node in dead)} ended and is started again", flush=True)
            running = network.revive(running, owner)
            if any(node.role is Role.SERVICE for node in dead):
                publish_again(village)
    running.down()


def publish_again(village: Path) -> None:
    """End the processes whose onion services are gone; their supervisor starts them again, under the same names."""
    for process in read_state(village).processes:
        if process.role in SERVICES and process.pid is not None:
            os.kill(process.pid, signal.SIGTERM)
