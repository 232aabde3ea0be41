"""The private Tor network of a village, as one process that watches over its tors."""

import json
import os
import signal
import time
from pathlib import Path

from petra.onion import network
from petra.onion.errors import OnionError

LOOK_S = 1.0


def keep(folder: Path) -> None:
    """Start a network in ``folder`` and keep it until told to stop; a tor that ends is started again as it was.

    Prints ``{"socks": port}`` when it can be used. The tors end with this process.
    """
    stop: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda n, _: stop.append(n))
    try:
        running = network.revive(network.load(folder), os.getpid())
    except OnionError:  # there is none yet
        running = network.up(folder, os.getpid())
    print(json.dumps({"socks": running.socks_port}), flush=True)
    try:
        while not stop:
            time.sleep(LOOK_S)
            if not all(running.alive(node) for node in running.layout.nodes):
                print("petra: a tor has ended; it is started again", flush=True)
                running = network.revive(running, os.getpid())
    finally:
        running.down()
