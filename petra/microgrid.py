"""The parties of one microgrid, each holding only its own state."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from assets.counted import Counts
from assets.keys import Address
from assets.port import Entry, Ledger, Receipt, SimulatedClock
from assets.transactions import Signed, Transaction
from bidstore.book import BidStore
from dso.accounts import Accounts
from dso.operator import Dso
from petra.boards import MixLog
from petra.inbox import Inboxes
from petra.readers import Readers
from petra.strategy import Strategy
from petra.transports import MemoryTransport, Transport
from petra.wallet import Wallet
from smartmeter.meter import Meter
from smartmeter.standard_set import StandardSet


class SimulatedLedger(Ledger, SimulatedClock, Protocol):
    """A ledger whose clock the simulation sets."""


@dataclass
class Home:
    """One prosumer: a meter, a wallet, a strategy, and what the meter will measure."""

    number: int
    meter: Meter
    wallet: Wallet
    strategy: Strategy
    net_wh: Sequence[int]
    """Net consumption of each interval behind the battery, positive = import."""
    deposit_addresses: dict[Address, int] = field(default_factory=dict)
    """The window of each deposit address that the wallet asked its meter for: a secret of the home."""

    @property
    def name(self) -> str:
        """How the home is called in reports."""
        return f"home {self.number}"

    def deposit_address(self, window: int) -> Address:
        """A fresh address of the home's own meter."""
        address = self.meter.deposit_address(window)
        self.deposit_addresses[address] = window
        return address

    def last_net_wh(self, t: int) -> int | None:
        """The reading of the interval before ``t``, if there is one."""
        return self.net_wh[t - 1] if t > 0 else None


@dataclass
class Microgrid:
    """Everything that takes part in a trading cycle, and the note of who received what."""

    ledger: SimulatedLedger
    dso: Dso
    accounts: Accounts
    bidstore: BidStore
    homes: list[Home]
    standard_set: StandardSet
    seed: int
    transport: Transport = field(default_factory=MemoryTransport)
    """What carries the messages of the mix."""
    inboxes: Inboxes = field(default_factory=Inboxes)
    mix_logs: list[MixLog] = field(default_factory=list)
    latest: list[Entry] = field(default_factory=list)
    """The ledger entries of the last batch."""
    counts: Counts | None = None
    """How often each operation would have been executed; ``None`` if they are."""
    _readers: Readers = field(init=False)

    def __post_init__(self) -> None:
        self._readers = Readers(self.ledger.grid)

    def submit(self, batch: Sequence[Signed[Transaction]]) -> list[Receipt]:
        """Relay a batch to the ledger, require that all of it is accepted, and let everybody follow."""
        receipts = [receipt.require() for receipt in self.ledger.submit(batch)]
        self.follow()
        return receipts

    def advance_to(self, unix_s: int) -> None:
        """Move the simulation's clock to ``unix_s`` and let everybody follow."""
        self.ledger.advance_to(unix_s)
        self.follow()

    def follow(self) -> None:
        """Everybody reads the new entries of the ledger: the same whole range for all."""
        now_s = self.ledger.now_s  # read before the entries, so that none up to that time is missing
        self.latest = self.ledger.entries(self._readers.cursor)
        self._readers.read(self.homes, self.latest, now_s)
