"""The supervisor: starts the processes of a village, starts again what ends, and ends all of them."""

import json
import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from contracts.anvil_state import AnvilState
from petra.village import child
from petra.village.child import Child
from petra.village.layout import Layout
from petra.village.program import STOP_ORDER, Program
from petra.village.state import Condition, ProcessState, process_letter

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 8.0
"""Pause before a process is started again; it doubles each time."""

CALM_S = 60.0
"""A process that ran for so long is started again after the first pause."""

LOOK_S = 0.1
"""Pause between two looks at all processes."""

END_S = 12.0
"""How long a process may take to end in order before it is killed."""

SAID_BYTES = 1 << 20
"""The line with an address is looked for in so many bytes of a log."""


class Watched:
    """One program, and the process that runs it now."""

    def __init__(self, program: Program, layout: Layout, now: Callable[[], float] = time.time) -> None:
        self.program, self._layout, self._now = program, layout, now
        self.child: Child | None = None
        self.condition = Condition.WAITING
        self.since_s = now()
        self.restarts = 0
        self.address = program.address
        self._pause_s = FIRST_PAUSE_S
        self._again_s = 0.0
        self._log_from = 0
        self._chain_state = None if program.chain_state is None else AnvilState(program.chain_state)

    @property
    def folder(self) -> Path:
        """The process's own folder."""
        return self._layout.of(self.program.name)

    @property
    def log(self) -> Path:
        """What it says."""
        return self._layout.log(self.program.name)

    @property
    def ready(self) -> bool:
        """Whether others can count on it: it was there once, or its work is done."""
        return self.condition in (Condition.RUNNING, Condition.PAUSED, Condition.DONE)

    def start(self) -> None:
        """Start the process."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.log.touch(mode=0o600)
        self._log_from = self.log.stat().st_size
        program = self.program
        try:
            if self._chain_state is not None and self._chain_state.restore():
                self._note("its state was written by half; the whole copy of before takes its place")
            self.child = child.start(
                program.name, program.command, self._layout.folder, program.env, self.log, program.user
            )
        except OSError as failure:
            self._note(f"cannot be started: {failure}")
            self._fall()
            return
        self._become(Condition.STARTING)

    def look(self) -> bool:
        """See how the process is, and start it again when it is time; whether anything changed."""
        before = self.condition, self.child
        if self.condition is Condition.RESTARTING:
            if self._now() >= self._again_s:
                self.restarts += 1
                self.start()
        elif self.child is not None and self.condition in _LIVING:
            if not self.child.poll():
                self._ended(self.child.code or 0)
            else:
                self._living(self.child)
        return (self.condition, self.child) != before

    def _living(self, running: Child) -> None:
        if process_letter(running.pid) in ("T", "t"):
            if self.condition is not Condition.PAUSED:
                self._become(Condition.PAUSED)
        elif self.condition is Condition.PAUSED:
            self._become(Condition.RUNNING)
        elif self.condition is Condition.STARTING:
            if self._is_there():
                self._become(Condition.RUNNING)
            elif self._now() - self.since_s > self.program.patience_s:
                running.send(9)
        elif self._chain_state is not None:
            self._chain_state.keep()

    def _is_there(self) -> bool:
        program = self.program
        if program.says is not None:
            said = self._said(program.says)
            self.address = said or self.address
            return said is not None
        if program.prints is not None:
            return program.prints.encode() in self._tail()
        return program.port is None or listens(program.port)

    def _said(self, name: str) -> str | None:
        """What the process printed under ``name`` in a line of JSON since it was started."""
        for line in self._tail().splitlines():
            if line.startswith(b'{"'):
                try:
                    found = json.loads(line)
                except ValueError:
                    continue
                if name in found:
                    return str(found[name])
        return None

    def _tail(self) -> bytes:
        """What was logged since the process was started."""
        with self.log.open("rb") as log:
            log.seek(self._log_from)
            return log.read(SAID_BYTES)

    def _ended(self, code: int) -> None:
        if self.program.task and code == 0:
            self._become(Condition.DONE)
            return
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        self._note(f"{how}; it is started again")
        if self.condition is not Condition.STARTING and self._now() - self.since_s >= CALM_S:
            self._pause_s = FIRST_PAUSE_S
        self._fall()

    def _note(self, text: str) -> None:
        """Say something in the process's log."""
        with self.log.open("a", encoding="utf-8") as log:
            log.write(f"petra: {self.program.name} {text}\n")

    def _fall(self) -> None:
        self._again_s = self._now() + self._pause_s
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
        self._become(Condition.RESTARTING)

    def _become(self, condition: Condition) -> None:
        self.condition, self.since_s = condition, self._now()

    def last_words(self) -> str:
        """The last line that the process wrote itself."""
        try:
            lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            lines = []
        own = [line for line in lines if line.strip() and not line.startswith(f"petra: {self.program.name} ")]
        return own[-1][:300] if own else "it said nothing"

    def state(self) -> ProcessState:
        """For ``village.json``."""
        running = self.child is not None and self.condition in _LIVING
        return ProcessState(
            name=self.program.name,
            role=self.program.role,
            pid=self.child.pid if running and self.child is not None else None,
            state=self.condition,
            restarts=self.restarts,
            since_s=round(self.since_s, 3),
            folder=self.program.name,
            log=str(self.log.relative_to(self._layout.folder)),
            address=self.address,
        )

    def stopped(self) -> None:
        """It was told to end and has."""
        if self.condition not in (Condition.DONE, Condition.FAILED):
            self._become(Condition.STOPPED)


_LIVING = (Condition.STARTING, Condition.RUNNING, Condition.PAUSED)


class Supervisor:
    """All processes of a village. Used from the main thread only: a child ends when its thread does."""

    def __init__(self, layout: Layout, changed: Callable[[], None]) -> None:
        """``changed`` is called whenever the state of a process has changed."""
        self._layout, self._changed = layout, changed
        self.watched: list[Watched] = []

    def start(self, *programs: Program) -> list[Watched]:
        """Start programs; they are watched from then on."""
        fresh = [Watched(program, self._layout) for program in programs]
        self.watched += fresh
        for one in fresh:
            one.start()
        self._changed()
        return fresh

    def look(self) -> None:
        """One look at everything."""
        changes = [one.look() for one in self.watched]
        if any(changes):
            self._changed()

    def named(self, name: str) -> Watched:
        """The program called ``name``; raises ``KeyError``."""
        for one in self.watched:
            if one.program.name == name:
                return one
        raise KeyError(name)

    def run_until(self, done: Callable[[], bool], stop: Callable[[], bool], timeout_s: float | None = None) -> bool:
        """Watch until ``done``; ``False`` if ``stop`` came first. Raises ``TimeoutError``."""
        end_s = None if timeout_s is None else time.monotonic() + timeout_s
        while not stop():
            self.look()
            if done():
                return True
            if end_s is not None and time.monotonic() > end_s:
                raise TimeoutError
            time.sleep(LOOK_S)
        return False

    def until_ready(self, programs: Sequence[Watched], stop: Callable[[], bool], timeout_s: float) -> bool:
        """Watch until all of ``programs`` are ready. Raises ``OSError`` that names one that is not, and why."""
        try:
            return self.run_until(lambda: all(one.ready for one in programs), stop, timeout_s)
        except TimeoutError:
            late = next(one for one in programs if not one.ready)
            raise OSError(
                f"{late.program.name} was not ready within {timeout_s:.0f} s ({late.last_words()}); see {late.log}"
            ) from None

    def stop_all(self) -> None:
        """End everything in order: who depends on others first; who does not end in time is killed."""
        for order in sorted(set(STOP_ORDER.values())):
            self._stop([w for w in self.watched if STOP_ORDER.get(w.program.role, 0) == order])

    def _stop(self, group: Sequence[Watched]) -> None:
        living = [one for one in group if one.child is not None and one.child.poll()]
        for one in living:
            assert one.child is not None
            one.child.send(18)  # one that is paused could not hear that it is to end
            one.child.send(15)
        end_s = time.monotonic() + END_S
        while any(one.child is not None and one.child.poll() for one in living):
            if time.monotonic() > end_s:
                for one in living:
                    if one.child is not None:
                        one.child.send(9)
            time.sleep(0.02)
        for one in group:
            one.stopped()
        self._changed()


def listens(port: int) -> bool:
    """Whether something listens at a port of this machine."""
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex(("127.0.0.1", port)) == 0
