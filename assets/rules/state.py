"""What the ledger knows: notes, meters, feeders, prices, cancelled orders."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from assets.domain import Domain
from assets.intervals import IntervalGrid
from assets.keys import ZERO_ADDRESS, Address
from assets.notes import NoteId
from assets.port import NoteStatus
from assets.transactions import Authorisation, FeederCapacity, PriceChange, price_in_force

MAX_INDEX = 2**32 - 1
"""Largest meter number and feeder number; the last interval of a note is smaller, so that it ends before 2³²−1."""

PowerByInterval = defaultdict[tuple[int, int], int]
"""Power issued in watts, by (kind, interval)."""


def no_power() -> PowerByInterval:
    """No power in any interval."""
    return defaultdict(int)


@dataclass(frozen=True, slots=True)
class Standing:
    """What a meter may do."""

    authorisation: Authorisation
    banned: bool = False


S = TypeVar("S")


@dataclass(slots=True)
class Ruling(Generic[S]):
    """What the DSO ruled, and what it ruled for later. A record overrides an earlier one that is yet to take effect."""

    current: S | None = None
    later: S | None = None
    from_s: int = 0
    """Ledger time, Unix seconds, from which ``later`` is in force."""

    def at(self, now_s: int) -> S | None:
        """What is in force."""
        return self.later if self.later is not None and self.from_s <= now_s else self.current

    @property
    def latest(self) -> S | None:
        """What was ruled last, in force or not."""
        return self.current if self.later is None else self.later

    def record(self, ruled: S, from_s: int, now_s: int) -> None:
        """Rule ``ruled`` from ledger time ``from_s`` on; at once if that is now or past."""
        self.current, self.later = self.at(now_s), None
        if from_s <= now_s:
            self.current = ruled
        else:
            self.later, self.from_s = ruled, from_s


@dataclass
class MeterAccount:
    """What the ledger knows of one meter."""

    feeder: int
    """On which its issued power is counted, for good."""
    ruling: Ruling[Standing] = field(default_factory=Ruling)
    nonce: int = 0
    issued_w: PowerByInterval = field(default_factory=no_power)
    """EPA and ECA power issued so far, over all withdrawals ever."""
    fa_outstanding_nano: int = 0
    """FA withdrawn and not yet settled."""


@dataclass
class FeederAccount:
    """What the ledger knows of one feeder."""

    ruling: Ruling[FeederCapacity] = field(default_factory=Ruling)
    issued_w: PowerByInterval = field(default_factory=no_power)
    """EPA and ECA power that the feeder's meters issued so far."""


@dataclass
class LedgerState:
    """All that the rules look at."""

    domain: Domain
    grid: IntervalGrid
    dso: Address
    """Whose signature regulatory transactions carry."""
    time_s: int
    """Ledger time, Unix seconds."""
    notes: dict[NoteId, NoteStatus] = field(default_factory=dict)
    meters: dict[int, MeterAccount] = field(default_factory=dict)
    feeders: dict[int, FeederAccount] = field(default_factory=dict)
    prices: list[PriceChange] = field(default_factory=list)
    cancelled: dict[Address, int] = field(default_factory=dict)
    """By owner: the nonces of void orders, a bit each."""
    regulation_nonce: int = 0

    def __post_init__(self) -> None:
        if self.dso == ZERO_ADDRESS:
            # It is what a malformed signature recovers to, so anybody could regulate such a ledger.
            raise ValueError("the zero address signs nothing; give the address of the DSO's key")


def price_at(state: LedgerState, t: int) -> PriceChange | None:
    """The last recorded prices with ``time_s`` at or before the start of interval ``t``; ``None`` if there are none."""
    return price_in_force(state.prices, state.grid.start_s(t))
