"""What a home's agent is made of: its memory, its services, its strategy, and the randomness and time that it has."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random, SystemRandom
from typing import Protocol

from assets.transactions import Domain
from petra.homes.profile import Battery
from petra.prosumer.account import Account
from petra.prosumer.fates import OrderBook
from petra.prosumer.following import LedgerReader
from petra.prosumer.keychain import Keychain
from petra.prosumer.mixing import Mixing, Sessions
from petra.prosumer.plans import Drawer
from petra.prosumer.reach import Reach
from petra.prosumer.readings import Readings
from petra.prosumer.records import Instruction
from petra.prosumer.schedule import Schedule
from petra.strategy import Strategy

Tell = Callable[..., None]
"""Says an event and its facts; they name nobody."""


class Memory(Sessions, OrderBook, Drawer, Protocol):
    """What a wallet must not forget: :class:`petra.prosumer.state.State`."""

    @property
    def restored_window(self) -> int:
        """The last window that a lost wallet may have mixed or traded in."""

    @property
    def settled_below(self) -> int:
        """Windows below this one need not be looked at."""

    def note_settled(self, below: int) -> None:
        """Windows below this one need not be looked at again."""

    def instructions(self, window: int | None = None) -> list[Instruction]:
        """Instructions of the owner that wait."""

    def close_instruction(self, number: int, outcome: str) -> None:
        """Say what was done about an instruction."""

    def add_event(self, kind: str, ledger_s: int | None = None, **facts: int | str | bool | None) -> object:
        """Note what happened."""


@dataclass(slots=True)
class Home:
    """Everything that an agent works with."""

    domain: Domain
    schedule: Schedule
    keychain: Keychain
    account: Account
    memory: Memory
    reader: LedgerReader
    reach: Reach
    mixing: Mixing | None
    """``None`` without a board."""
    bidstores: tuple[str, ...]
    relays: tuple[str, ...]
    strategy: Strategy
    readings: Readings | None
    battery: Battery | None
    note_power_w: int
    poll_s: float
    tell: Tell
    rng: Random = field(default_factory=SystemRandom)
    clock: Callable[[], float] = time.monotonic
    """Real seconds."""
    spread_s: float = 0.5
    """Real seconds over which requests are spread that are due at one look at the ledger."""
    strategy_s: float = 30.0
    """Real seconds that the strategy may take to decide."""
    repost_s: float = 2.0
    """Real seconds after which an order is posted again that no replica answered for."""
