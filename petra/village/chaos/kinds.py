"""What can go wrong, and what one planned fault is."""

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """A kind of fault; the value is how commands and tables call it."""

    KILL = "kill"
    """``kill -9``."""
    PAUSE = "pause"
    """``SIGSTOP``, and ``SIGCONT`` later: a machine that hangs."""
    CUT = "cut"
    """A connection is reset, and refused from then on."""
    SILENT = "silent"
    """A connection through which nothing gets, and nobody is told."""
    SLOW = "slow"
    """Everything on a connection takes longer."""
    SKEW = "skew"
    """A process's clock is wrong."""
    DISK = "disk"
    """No file of a process may grow: the disk is full."""
    CHAIN = "chain"
    """The chain's node is killed, and loses the blocks since it last wrote its state."""
    REPLICA = "replica"
    """A replica of the bid store is killed, again and again."""
    TOR = "tor"
    """A relay of the private Tor network hangs."""
    CHEAT = "cheat"
    """A wallet breaks the mixing protocol."""


@dataclass(frozen=True, slots=True)
class Planned:
    """One fault of a plan."""

    kind: Kind
    victim: str
    """Name of a process; of a link for the network's faults, of a Tor relay for Tor's."""
    at_ms: int
    """Real milliseconds after chaos begins."""
    lasts_ms: int
    """How long until it is taken back; 0 where there is nothing to take back."""
    amount: int = 0
    """Delay in milliseconds each way; seconds of the village's clock by which a clock is wrong."""
    manner: str = ""
    """How a wallet cheats."""

    @property
    def process(self) -> str:
        """The process that suffers."""
        return self.victim.partition("-")[0]

    @property
    def text(self) -> str:
        """The fault in a sentence."""
        seconds = f"{self.lasts_ms / 1000:.1f} s"
        match self.kind:
            case Kind.KILL:
                return f"{self.victim} is killed"
            case Kind.PAUSE:
                return f"{self.victim} hangs for {seconds}"
            case Kind.CUT:
                return f"link {self.victim} is cut for {seconds}"
            case Kind.SILENT:
                return f"link {self.victim} carries nothing for {seconds}"
            case Kind.SLOW:
                return f"link {self.victim} takes {self.amount} ms longer each way for {seconds}"
            case Kind.SKEW:
                way = "fast" if self.amount > 0 else "slow"
                return f"{self.victim}'s clock is {abs(self.amount)} s {way} for {seconds}"
            case Kind.DISK:
                return f"{self.victim}'s disk is full for {seconds}"
            case Kind.CHAIN:
                return f"{self.victim} is killed and forgets its newest blocks"
            case Kind.REPLICA:
                return f"{self.victim} is killed and kept away for {seconds}"
            case Kind.TOR:
                return f"Tor relay {self.victim} hangs for {seconds}"
            case Kind.CHEAT:
                return f"{self.victim} cheats in mixes ({self.manner}) for {seconds}"
