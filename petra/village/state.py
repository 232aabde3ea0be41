"""``village.json``: what runs in a village, written by its supervisor and read by everybody else."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from enum import Enum
from pathlib import Path
from typing import Any

from assets.codec import is_nested_deeply
from petra.village.options import Options

FILE = "village.json"


class Phase(Enum):
    """Where a village stands."""

    STARTING = "starting"
    RUNNING = "running"
    DELIVERED = "delivered"
    """Every interval is billed and stated to the DSO."""
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"


class Condition(Enum):
    """How a process is."""

    WAITING = "waiting"
    """Not started yet."""
    STARTING = "starting"
    """Started, and not ready for others."""
    RUNNING = "running"
    RESTARTING = "restarting"
    """Ended by itself; it is started again after a pause."""
    PAUSED = "paused"
    """Somebody stopped it with SIGSTOP."""
    DONE = "done"
    """A task that has ended well."""
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class ProcessState:
    """One process."""

    name: str
    role: str
    pid: int | None
    state: Condition
    restarts: int
    since_s: float
    """Since when it is so, Unix seconds of the real clock."""
    folder: str
    """Relative to the village's."""
    log: str
    address: str | None = None
    """Where others reach it."""


@dataclass(frozen=True, slots=True)
class VillageState:
    """A village as ``village.json`` has it."""

    options: Options
    phase: Phase
    supervisor: int
    """Process id; 0 if none runs."""
    started_s: float
    """Unix seconds of the real clock."""
    clock: str = "clock.json"
    message: str = ""
    """What the supervisor has to say: why it failed, what it waits for."""
    processes: tuple[ProcessState, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What set-up found out: chain, contract, ports."""

    @property
    def delivered(self) -> bool:
        """Whether every interval was billed and stated; true for good, also of a village that has ended since."""
        return self.facts.get("delivered") is True

    def named(self, name: str) -> ProcessState:
        """The process called ``name``; raises ``KeyError``."""
        return next((p for p in self.processes if p.name == name), None) or _missing(name)

    def role(self, role: str) -> list[ProcessState]:
        """All processes of a role."""
        return [p for p in self.processes if p.role == role]

    def to_json(self) -> dict[str, object]:
        """As JSON values."""
        processes = [{**asdict(p), "state": p.state.value} for p in self.processes]
        return {
            "options": self.options.to_json(),
            "phase": self.phase.value,
            "supervisor": self.supervisor,
            "started_s": self.started_s,
            "clock": self.clock,
            "message": self.message,
            "facts": dict(self.facts),
            "processes": processes,
        }

    def write(self, folder: Path) -> None:
        """Write the file in one step: nobody ever reads half of it."""
        write_json(folder / FILE, self.to_json())


def _missing(name: str) -> ProcessState:
    raise KeyError(name)


def read_state(folder: Path) -> VillageState:
    """The village in ``folder``. Raises ``ValueError`` that says what to do."""
    path = folder / FILE
    try:
        data = path.read_bytes()
    except OSError:
        raise ValueError(f"there is no village in {folder}; make one: petra village up {folder}") from None
    try:
        if is_nested_deeply(data):
            raise ValueError("nested too deeply")
        found = json.loads(data)
        processes = tuple(_process(row) for row in found.pop("processes"))
        options, phase = Options.from_json(found.pop("options")), Phase(found.pop("phase"))
        state = VillageState(options, phase, processes=processes, **found)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ValueError(f"{path} is no village's file; end its processes, and make it anew") from None
    if state.supervisor and not alive(state.supervisor):  # it was killed and could not say so
        gone = tuple(replace(p, pid=None, state=_ended(p.state)) for p in state.processes)
        return replace(state, supervisor=0, phase=Phase.STOPPED, processes=gone)
    return state


def _ended(state: Condition) -> Condition:
    return state if state in (Condition.DONE, Condition.FAILED) else Condition.STOPPED


def _process(row: dict[str, Any]) -> ProcessState:
    known = {f.name for f in fields(ProcessState)}
    if set(row) != known:
        raise ValueError("not a process")
    return ProcessState(**{**row, "state": Condition(row["state"])})


def write_json(path: Path, value: object) -> None:
    """Write JSON in one step, kept even if the machine stops."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    with fresh.open("w", encoding="utf-8") as file:
        file.write(json.dumps(value, indent=1) + "\n")
    fresh.replace(path)


def alive(pid: int) -> bool:
    """Whether a process runs: not ended, and not ended and unnoticed either."""
    return process_letter(pid) not in ("", "Z", "X")


def process_letter(pid: int) -> str:
    """The kernel's letter for how a process is, such as ``S``, ``R``, ``T`` for stopped; empty if there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (OSError, IndexError):
        return ""
