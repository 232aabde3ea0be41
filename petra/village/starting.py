"""``petra village up`` and ``down``: the supervisor as a process of its own, and who watches it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from petra.village.life import OPTIONS, prepare
from petra.village.options import Options
from petra.village.state import FILE, Phase, VillageState, alive, read_state

LOOK_S = 0.25
END_S = 90.0
"""How long a village may take to end in order, in real seconds."""
LOG = "supervisor.log"

BANNER = "ONE MACHINE, THROW-AWAY KEYS: all passphrases are in the folder, and all relays belong to its owner."
HTTP = "NOT ANONYMOUS: wallets reach board, bid store and relay over plain HTTP on this machine."

Watch = Callable[[Path, "subprocess.Popen[bytes]", Callable[[str], None]], None]
"""Watches a village to its end."""


def up(folder: Path, options: Options, *, detach: bool, view: bool, say: Callable[[str], None]) -> bool:
    """Start a village; whether it was delivered, or with ``detach`` whether it runs.

    Without ``detach`` it is watched to its end, and ends with this process. Raises ``ValueError`` or ``OSError``.
    """
    watch = _live() if view else _lines()
    prepare(folder, options)
    say(BANNER if options.transport == "tor" else f"{BANNER} {HTTP}")
    command = [sys.executable, "-m", "petra", "village", "supervise", str(folder)]
    if not detach:
        command += ["--owner", str(os.getpid())]
    if detach:
        return _until_running(folder, _supervised(folder, command), say)
    process = None
    try:
        process = _supervised(folder, command)
        watch(folder, process, say)
    except KeyboardInterrupt:
        say("ending the village")
        if process is not None:
            process.send_signal(signal.SIGTERM)
            process.wait()
        if process is None or not (folder / FILE).exists():  # it had not begun
            _take_back(folder)
            return False
    finally:
        if process is not None and process.poll() is None and sys.exc_info()[0] is not None:
            process.send_signal(signal.SIGTERM)
            process.wait()
    return _verdict(folder, process.wait())


def _supervised(folder: Path, command: list[str]) -> "subprocess.Popen[bytes]":
    with (folder / LOG).open("ab") as log:
        return subprocess.Popen(  # noqa: S603 - this program
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )


def _take_back(folder: Path) -> None:
    """Leave no folder that the next village would be refused."""
    for name in (OPTIONS, LOG):
        (folder / name).unlink(missing_ok=True)
    with suppress(OSError):  # it holds what is not ours
        folder.rmdir()


def _verdict(folder: Path, code: int) -> bool:
    if code not in (0, 3):
        raise OSError(f"the village ended: {_why(folder)}; see {folder / LOG} and {folder / 'logs'}")
    return code == 0


def _why(folder: Path) -> str:
    state = _state(folder)
    if state is not None and state.phase is Phase.FAILED and state.message:
        return state.message
    lines = (folder / LOG).read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else "its supervisor said nothing"


def _state(folder: Path) -> VillageState | None:
    return read_state(folder) if (folder / FILE).exists() else None


def _until_running(folder: Path, process: "subprocess.Popen[bytes]", say: Callable[[str], None]) -> bool:
    told = ""
    while True:
        code, state = process.poll(), _state(folder)
        if code is not None:
            return _verdict(folder, code)
        if state is not None and state.message != told:
            told = state.message
            if told:
                say(told)
        if state is not None and state.phase is Phase.RUNNING:
            say(f"the village runs; petra village status {folder}, petra village down {folder}")
            return True
        time.sleep(LOOK_S)


def _lines() -> Watch:
    """Tell what happens, a line for each event.

    What this imports is imported now: a Ctrl-C within the import of a dataclass is remembered by CPython (3.11), which
    ends the process by SIGINT at its exit whatever was done about it.
    """
    from petra.village.events import Events

    def watch(folder: Path, process: "subprocess.Popen[bytes]", say: Callable[[str], None]) -> None:
        events = Events(folder)
        while True:
            ended = process.poll() is not None
            for line in events.fresh():
                say(line)
            if ended:
                return
            time.sleep(LOOK_S)  # the supervisor writes files, and nothing tells when

    return watch


def _live() -> Watch:
    """Show a view in the terminal; imported now, as above."""
    from petra.village.view import live

    return lambda folder, process, say: live(folder, lambda: process.poll() is None)


def down(folder: Path) -> str:
    """End the village in order, and wait until it has; what to tell the user. Raises ``OSError`` if it does not."""
    state = read_state(folder)
    if not state.supervisor:
        return f"no village runs in {folder}"
    os.kill(state.supervisor, signal.SIGTERM)
    end_s = time.monotonic() + END_S
    pids = [p.pid for p in state.processes if p.pid]
    while alive(state.supervisor) or any(map(alive, pids)):
        if time.monotonic() > end_s:
            raise OSError(f"process {state.supervisor} does not end within {END_S:.0f} s; see {folder / LOG}")
        time.sleep(LOOK_S)
    return f"the village is down; petra village report {folder}"
