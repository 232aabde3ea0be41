"""Doing what is planned to a running village, and taking it back."""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from petra.village.chaos import cheat, disk, processes
from petra.village.chaos.kinds import Kind, Planned
from petra.village.links import Link, change_links, cut, well
from petra.village.state import write_json


class Fault(ABC):
    """One fault that was planned."""

    def __init__(self, folder: Path, planned: Planned) -> None:
        self.folder, self.planned = folder, planned

    @abstractmethod
    def inject(self) -> bool:
        """Do it; whether that was possible: whoever is not there cannot be hit."""

    def keep(self) -> None:  # noqa: B027 - most faults need nothing of the kind
        """Called again and again while it lasts: a process that was started again meanwhile suffers as well."""

    def heal(self) -> None:  # noqa: B027 - what was killed comes back by itself
        """Take it back; there may be nothing to take back."""

    @property
    def pid(self) -> int | None:
        """The victim's process."""
        found = processes.find(self.folder, self.planned.process)
        return None if found is None else found.pid


class Kill(Fault):
    """``kill -9``: of a meter, a wallet, a service, or the chain's node, which forgets its newest blocks."""

    def inject(self) -> bool:
        """Kill it once; the supervisor starts it again."""
        return processes.kill(self.pid)


class KeepAway(Fault):
    """A replica that is killed as often as it comes back."""

    def inject(self) -> bool:
        """Kill it."""
        return processes.kill(self.pid)

    def keep(self) -> None:
        """Kill it again."""
        self.inject()


class Pause(Fault):
    """A process that hangs."""

    def __init__(self, folder: Path, planned: Planned) -> None:
        super().__init__(folder, planned)
        self._stopped: int | None = None

    def inject(self) -> bool:
        """Stop it."""
        self._stopped = self.pid
        return processes.stop(self._stopped)

    def heal(self) -> None:
        """Wake it."""
        processes.wake(self._stopped)


class TorRelay(Pause):
    """A relay of the private Tor network that hangs."""

    @property
    def pid(self) -> int | None:
        """The relay's tor process."""
        from petra.onion.network import load

        return load(self.folder / "tor" / "network").pids.get(self.planned.victim)


class Network(Fault):
    """A link that is cut, silent or slow."""

    def inject(self) -> bool:
        """Change the link."""
        match self.planned.kind:
            case Kind.CUT:
                return self._change(cut)
            case Kind.SILENT:
                return self._change(lambda link: replace(link, silent=True))
            case _:
                return self._change(lambda link: replace(link, delay_ms=self.planned.amount))

    def heal(self) -> None:
        """Make the link well."""
        self._change(well)

    def _change(self, how: Callable[[Link], Link]) -> bool:
        return bool(change_links(self.folder, lambda link: how(link) if link.name == self.planned.victim else link))


class Skew(Fault):
    """A process whose clock is wrong."""

    def inject(self) -> bool:
        """Set its clock."""
        self._set(self.planned.amount)
        return True

    def heal(self) -> None:
        """Set its clock right."""
        self._set(-self.planned.amount)

    def _set(self, by_s: int) -> None:
        path = self.folder / "clocks" / f"{self.planned.process}.json"
        clock = json.loads(path.read_text(encoding="utf-8"))
        write_json(path, {**clock, "simulated_s": clock["simulated_s"] + by_s})


class Disk(Fault):
    """A process on a full disk."""

    def inject(self) -> bool:
        """Let no file of it grow."""
        return disk.fill(self.pid)

    def keep(self) -> None:
        """Let no file of its successor grow either."""
        self.inject()

    def heal(self) -> None:
        """Let its files grow again."""
        disk.free(self.pid)


class Cheat(Fault):
    """A wallet that breaks the mixing protocol."""

    def inject(self) -> bool:
        """Tell it how."""
        cheat.set_manner(self.folder / self.planned.process, self.planned.manner)
        return True

    def heal(self) -> None:
        """Let it be honest again."""
        cheat.set_manner(self.folder / self.planned.process, None)


_KINDS: dict[Kind, type[Fault]] = {
    Kind.KILL: Kill,
    Kind.CHAIN: Kill,
    Kind.REPLICA: KeepAway,
    Kind.PAUSE: Pause,
    Kind.CUT: Network,
    Kind.SILENT: Network,
    Kind.SLOW: Network,
    Kind.SKEW: Skew,
    Kind.DISK: Disk,
    Kind.TOR: TorRelay,
    Kind.CHEAT: Cheat,
}


def fault_of(folder: Path, planned: Planned) -> Fault:
    """The fault that is planned, for the village in ``folder``."""
    return _KINDS[planned.kind](folder, planned)
