"""``petra meter``: a simulated device is found, and what is wrong is said in one sentence."""

import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner

from petra.cli import app
from smartmeter.dump import load
from tests.e2e.test_meter import free_port

HOMES = "interval_start,home,load_wh,pv_wh\n" + "".join(
    f"2021-02-14T{h:02}:00:00,{home},500,{200 * home}\n" for h in range(3) for home in (1, 2, 3)
)


def test_probe_finds_what_simulate_plays(tmp_path) -> None:
    (tmp_path / "homes.csv").write_text(HOMES)
    port = str(free_port())
    command = [sys.executable, "-m", "petra", "meter", "simulate", "--profiles", str(tmp_path / "homes.csv")]
    playing = subprocess.Popen([*command, "--port", port, "--speed", "100000"], stdout=subprocess.DEVNULL)
    try:
        for _ in range(100):
            result = CliRunner().invoke(app, ["meter", "probe", "127.0.0.1", "--port", port, "--device-id", "3"])
            if result.exit_code == 0:
                break
            time.sleep(0.1)
        foreign = CliRunner().invoke(app, ["meter", "probe", "127.0.0.1", "--port", port, "--device-id", "9"])
        recorded = ["--device-id", "1", "--record", str(tmp_path / "dump.toml")]
        again = CliRunner().invoke(app, ["meter", "probe", "127.0.0.1", "--port", port, *recorded])
        second = CliRunner().invoke(app, ["meter", *command[4:], "--port", port])
    finally:
        playing.terminate()
        playing.wait(timeout=10)
    assert result.output.startswith("sdm630: import 0 Wh, export ")
    assert foreign.exit_code == 2
    assert "fits no profile" in foreign.output
    dump = load(tmp_path / "dump.toml")
    assert f"sdm630: import {dump.import_wh} Wh, export {dump.export_wh} Wh" in again.output
    assert second.exit_code == 2
    assert f"nothing can listen at 127.0.0.1:{port}" in second.output


def test_a_device_played_by_a_clock_goes_on_where_time_is_however_often_it_is_started(tmp_path) -> None:
    (tmp_path / "homes.csv").write_text(HOMES)
    clock, port = tmp_path / "clock.json", str(free_port())
    said = {"real_s": time.time(), "simulated_s": 10**9 + 5400, "speed": 0.000001}  # half of the second hour, and still
    command = [sys.executable, "-m", "petra", "meter", "simulate", "--profiles", str(tmp_path / "homes.csv")]
    command += ["--port", port]
    date_s = int(datetime(2021, 2, 14, tzinfo=UTC).timestamp())
    for begins in (["--genesis", str(10**9)], []):  # without the option, the file begins at its own date
        said["simulated_s"] = 5400 + (10**9 if begins else date_s)
        clock.write_text(json.dumps(said))
        environment = {**os.environ, "PETRA_CLOCK": str(clock)}
        playing = subprocess.Popen([*command, *begins], stdout=subprocess.DEVNULL, env=environment)
        try:
            for _ in range(100):
                result = CliRunner().invoke(app, ["meter", "probe", "127.0.0.1", "--port", port])
                if result.exit_code == 0:
                    break
                time.sleep(0.1)
        finally:
            playing.terminate()
            playing.wait(timeout=10)
        assert "sdm630: import 450 Wh, export 0 Wh" in result.output
    result = CliRunner().invoke(app, [*command[3:], "--genesis", "0", "--speed", "60"])
    assert (result.exit_code, "--speed is for files played from now on" in result.output) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["probe", "127.0.0.1", "--port", "1"], "nobody listens at 127.0.0.1:1"),
        (["simulate", "--profiles", "none.csv"], "none.csv"),
        (["simulate", "--profiles", "none.csv", "--profile", "nothing"], "no profile 'nothing'"),
        (["init", "m", "--number", "1", "--rpc", "http://127.0.0.1:1"], "no EVM node answers"),
        *((["run", "nowhere"], "petra meter init"), (["status", "nowhere"], "petra meter init")),
        *((["verify", "nowhere"], "petra meter init"), (["withdraw", "nowhere"], "petra meter init")),
        (["export", "nowhere", "--out", "x"], "petra meter init"),
        (["statement", "nowhere", "--out", "x", "--first", "0", "--last", "1"], "petra meter init"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(arguments: list[str], says: str) -> None:
    result = CliRunner().invoke(app, ["meter", *arguments])
    assert result.exit_code == 2
    assert says in result.output
    assert "Traceback" not in result.output
