"""``petra chain clock``: the blocks of an anvil that makes none by itself have the time of a clock from a file."""

import json
import os
import signal
import subprocess
import sys
import time

from contracts import anvil, nodes
from contracts.mining import mine
from contracts.processes import Child

START_S, SPEED = 1_743_501_600, 600


def test_blocks_have_the_time_of_the_clock_and_a_chain_that_is_killed_goes_on(tmp_path, real_part) -> None:
    real_part(anvil.find)
    options = ["--no-mining", "--state", str(tmp_path / "state.json"), "--state-interval", "1"]
    options += ["--timestamp", str(START_S - 100)]
    node, url = anvil.start(tmp_path / "anvil.log", 0, options)
    clock = tmp_path / "clock.json"
    clock.write_text(json.dumps({"real_s": time.time(), "simulated_s": START_S, "speed": SPEED}))
    command = [sys.executable, "-m", "petra", "chain", "clock", "--rpc", url, "--tick-ms", "100"]
    ticking = subprocess.Popen(command, env={**os.environ, "PETRA_CLOCK": str(clock)}, stderr=subprocess.PIPE)
    try:
        w3 = nodes.connect(url)
        wait_for_block(w3, START_S + 1)
        before_s = int(w3.eth.get_block("latest")["timestamp"])
        assert START_S < before_s <= START_S + SPEED * 60
        time.sleep(1.5)  # so that anvil has written what it has
        node.kill()
        port = url.rsplit(":", 1)[1]
        node = Child("anvil", [anvil.find(), "--host", "127.0.0.1", "--port", port, *options], tmp_path / "again.log")
        node.wait_until(lambda: nodes.answers(url))
        wait_for_block(w3, before_s + SPEED)
        ticking.send_signal(signal.SIGTERM)
        assert ticking.communicate(timeout=20)[1].endswith(b"stopped\n")
        assert ticking.returncode == 0
        newest_s = int(w3.eth.get_block("latest")["timestamp"])
        assert not mine(w3, newest_s), "no block has the time of the one before it"
        assert mine(w3, newest_s + 5)
        assert int(w3.eth.get_block("latest")["timestamp"]) == newest_s + 5
    finally:
        ticking.kill()
        ticking.wait()
        node.stop()


def wait_for_block(w3, time_s: int) -> None:
    end_s = time.monotonic() + 60
    while int(w3.eth.get_block("latest")["timestamp"]) < time_s:
        assert time.monotonic() < end_s, "no block with the clock's time within 60 s"
        time.sleep(0.1)
