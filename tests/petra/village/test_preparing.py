"""What cannot become a village is refused before anything is made, so that the corrected command can be typed."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from petra.village.life import OPTIONS, prepare
from petra.village.options import Options
from petra.village.report import make_report
from petra.village.state import Phase, VillageState


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"tariff": "0.09/0.24"}, "the dearer one first"),
        ({"tariff": "abc"}, "not a tariff step"),
        ({"start": "tomorrow"}, "not a date and time"),
        ({"profiles": "nofile.csv"}, "nofile.csv"),
        ({"strategy": "nosuch"}, "choose one of price-taker"),
        ({"replace": {"nobody": "/bin/true"}}, "--replace nobody"),
        ({"replace": {"bidstore2": "/bin/true"}}, "--replace bidstore2"),
        ({"chain": "http://user:secret@127.0.0.1:1", "speed": 1}, "no node answers"),
    ],
)
def test_nothing_is_left_of_what_is_no_village(tmp_path, given, says) -> None:
    folder = tmp_path / "village"
    with pytest.raises((ValueError, OSError), match=says) as refused:
        prepare(folder, Options(homes=3, intervals=1, **given))
    assert "secret" not in str(refused.value)
    assert not folder.exists()


def test_the_options_are_kept(tmp_path) -> None:
    options = Options(homes=3, intervals=1, replace={"wallet3": "/bin/true"})
    prepare(tmp_path / "village", options)
    assert Options.from_json(json.loads((tmp_path / "village" / OPTIONS).read_text())) == options
    with pytest.raises(ValueError, match="not empty"):
        prepare(tmp_path / "village", options)


@pytest.mark.parametrize(
    ("phase", "says"), [(Phase.FAILED, "ended before its homes"), (Phase.STARTING, "wait until it runs")]
)
def test_a_report_of_half_a_village_says_that_it_is_one(tmp_path, phase, says) -> None:
    VillageState(Options(homes=3), phase, os.getpid(), 0.0).write(tmp_path)
    with pytest.raises(ValueError, match=says):
        make_report(tmp_path)


def test_one_that_is_ended_before_it_begins_leaves_no_folder(tmp_path) -> None:
    folder = tmp_path / "village"
    command = [sys.executable, "-m", "petra", "village", "up", str(folder), "--homes", "3", "--intervals", "1"]
    process = subprocess.Popen([*command, "--no-view"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    while not (folder / "supervisor.log").exists():
        assert process.poll() is None
        time.sleep(0.01)  # nothing tells when a file appears: it is looked for
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 3, said
    assert not folder.exists() or (folder / "village.json").exists()


@pytest.mark.parametrize("view", [True, False])
def test_all_that_is_needed_is_imported_before_the_village_begins(tmp_path, view) -> None:
    """CPython remembers a Ctrl-C within an import of dataclasses, and ends by SIGINT whatever was done about it."""
    program = f"""
import subprocess, sys
from petra.village import starting
from petra.village.options import Options
from pathlib import Path

def supervised(folder, command):
    global before
    before = set(sys.modules)
    return subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"])

starting._supervised = supervised
starting.up(Path({str(tmp_path / "village")!r}), Options(homes=3), detach=False, view={view}, say=print)
print("\\nlater:", sorted(name for name in set(sys.modules) - before if not name.startswith("rich._unicode_data")))
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "later: []", ran.stdout
