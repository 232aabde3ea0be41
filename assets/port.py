"""What every ledger offers to the rest of the system, whatever carries it."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from assets.errors import Refusal
from assets.intervals import IntervalGrid
from assets.keys import Address, Digest
from assets.notes import NoteId
from assets.transactions import Domain, PriceChange, Signed, Transaction


class NoteStatus(Enum):
    """What the ledger knows of a note id; the values are those of the contract."""

    UNKNOWN = 0
    UNSPENT = 1
    SPENT = 2


@dataclass(frozen=True, slots=True)
class Receipt:
    """The ledger's verdict on one submitted transaction."""

    digest: Digest
    """Of the transaction as it stands on the ledger: for a settlement, of the fills that settled."""
    refusal: Refusal | None
    """Why it was refused; ``None`` if it was accepted, for a settlement: if any fill settled."""
    time_s: int
    """Ledger time of the verdict, Unix seconds."""
    fills: tuple[Refusal | None, ...] = ()
    """Of a settlement: why each fill was refused, ``None`` for those that settled."""

    @property
    def accepted(self) -> bool:
        """Whether the ledger recorded the transaction."""
        return self.refusal is None

    def require(self) -> "Receipt":
        """This receipt, or the refusal raised."""
        if self.refusal is not None:
            raise self.refusal
        return self


@dataclass(frozen=True, slots=True)
class Entry:
    """One accepted transaction in the ledger's order. This is all the public can read."""

    seq: int
    """Place in the ledger, from 0."""
    time_s: int
    """Ledger time at which it was accepted, Unix seconds."""
    digest: Digest
    signed: Signed[Transaction]


class Ledger(Protocol):
    """A ledger: the executable specification, or a contract on any EVM node."""

    @property
    def domain(self) -> Domain:
        """For which ledger signatures are made."""

    @property
    def grid(self) -> IntervalGrid:
        """The time grid of delivery intervals."""

    @property
    def founder(self) -> Address:
        """Whose signature the first regulatory transaction carries."""

    @property
    def dso(self) -> Address:
        """Whose signature the next regulatory transaction carries."""

    @property
    def now_s(self) -> int:
        """Ledger time: Unix seconds of the latest state."""

    def submit(self, batch: Sequence[Signed[Transaction]]) -> list[Receipt]:
        """Offer transactions in order; each is accepted or refused on its own. Anybody may submit."""

    def entries(self, start: int = 0) -> list[Entry]:
        """Accepted transactions from sequence number ``start`` on: whole ranges, never by address."""

    def status(self, note_id: NoteId) -> NoteStatus:
        """Whether a note exists unspent."""

    def meter_nonce(self, meter: int) -> int:
        """The nonce of the meter's next withdrawal; 0 for an unknown meter."""

    def regulation_nonce(self) -> int:
        """The nonce of the DSO's next regulatory transaction."""

    def price_at(self, t: int) -> PriceChange | None:
        """The prices of interval ``t`` as recorded so far; ``None`` before the first."""


class SimulatedClock(Protocol):
    """A ledger whose time a simulation may set; real networks have none."""

    def advance_to(self, unix_s: int) -> None:
        """Move ledger time forwards to ``unix_s``; a time in the past changes nothing."""
