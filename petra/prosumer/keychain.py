"""A home's addresses: which there are, what each is for, and the next one that nobody was given yet.

An address is a place: purpose, window and index. Keys follow from the place, so a wallet that lost everything finds its
notes by knowing the first addresses of every window, and more of them for each that it sees used.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from assets.keys import Address, SigningKey
from petra.prosumer.seed import MAX_STEP, HomeSeed
from smartmeter.identity import GAP, DepositSeed, OwnerSeed

AFTER_RESTORE = GAP // 2
"""How many addresses of a window are passed over after a restore: the lost wallet may have named them to somebody."""


class Purpose(Enum):
    """What an address is for."""

    WITHDRAWN = "withdrawn"
    """Receives a note from the meter: everybody can tie it to the meter. Only the meter chooses it."""
    MIXED = "mixed"
    """Receives a note from a mix: nobody can tie it to the meter."""
    DEPOSIT = "deposit"
    """Receives what goes back to the meter, which alone has its key."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an address stands among those of its home."""

    purpose: Purpose
    window: int
    """Delivery interval of the note that the address receives."""
    index: int


class GapReached(ValueError):
    """Too many addresses of a window were handed out without a note arriving at any: a restore could miss the next."""


class Indexes(Protocol):
    """Durable counters."""

    def take(self, name: str, at_least: int, below: int) -> int | None:
        """The next number of the counter ``name``: at least ``at_least``, and never given before.

        It is on the disk before it is returned. ``None``, and nothing changes, if it would not be less than ``below``.
        """


class Keychain:
    """All addresses of one home. It knows no note; see :class:`petra.prosumer.account.Account`."""

    def __init__(self, seed: HomeSeed, indexes: Indexes, restored_window: int = -1) -> None:
        """``restored_window``: the last window that a lost wallet may have named addresses of; -1: there was none."""
        self._seed, self._indexes, self._restored_window = seed, indexes, restored_window
        self._owners, self._deposits = OwnerSeed(seed.meter_seed), DepositSeed(seed.meter_seed)
        self._places: dict[Address, Place] = {}
        self._known: defaultdict[tuple[Purpose, int], int] = defaultdict(int)
        self._next: defaultdict[tuple[Purpose, int], int] = defaultdict(int)

    def watch(self, windows: Iterable[int]) -> None:
        """Know the first :data:`~smartmeter.identity.GAP` addresses of each purpose of these windows."""
        for window in windows:
            for purpose in Purpose:
                self._know(purpose, window, GAP)

    def fresh(self, purpose: Purpose, window: int) -> Address:
        """An address that was never handed out and that nothing arrived at; its index is durable before it is returned.

        Raises :class:`GapReached` when a restore from the phrase could not find it.
        """
        if purpose is Purpose.WITHDRAWN:
            raise ValueError("the meter alone chooses the addresses that it issues notes to")
        self.watch((window,))
        at_least = self._next[purpose, window]
        if window <= self._restored_window:
            at_least = max(at_least, AFTER_RESTORE)
        name = f"{purpose.value}/{window}"
        index = self._indexes.take(name, at_least, self._known[purpose, window])
        if index is None:
            raise GapReached(
                f"{GAP} addresses of window {window} were handed out and nothing arrived; wait for the next window"
            )
        return self._address(Place(purpose, window, index))

    def seen(self, address: Address) -> Place | None:
        """The place of an address that a note arrived at; it is used from now on, and more beyond it are known."""
        place = self._places.get(address)
        if place is not None:
            self._skip(place)
            self._know(place.purpose, place.window, place.index + 1 + GAP)
        return place

    def reserve(self, place: Place) -> None:
        """Never hand out this place, durably: an order that was found in the public book names it."""
        self._skip(place)
        self._indexes.take(f"{place.purpose.value}/{place.window}", place.index, place.index + 1)

    def _skip(self, place: Place) -> None:
        self._next[place.purpose, place.window] = max(self._next[place.purpose, place.window], place.index + 1)

    def place_of(self, address: Address) -> Place | None:
        """The place of one of the home's addresses in the windows watched; ``None`` for anybody else's."""
        return self._places.get(address)

    def key(self, address: Address) -> SigningKey:
        """The key of an address. Raises ``KeyError`` for a foreign one, and for a deposit's, which nobody has."""
        place = self._places.get(address)
        if place is None or place.purpose is Purpose.DEPOSIT:
            raise KeyError("0x" + address.hex())
        return self._key(place)

    def __repr__(self) -> str:
        return f"Keychain(windows={len({window for _, window in self._known})})"

    def _key(self, place: Place) -> SigningKey:
        match place.purpose:
            case Purpose.WITHDRAWN:
                return self._owners.key(place.window, place.index)
            case Purpose.MIXED:
                return self._seed.mixed_key(place.window, place.index)
            case Purpose.DEPOSIT:
                raise KeyError("what is deposited belongs to the meter; nobody has a key to it")

    def _address(self, place: Place) -> Address:
        if place.purpose is Purpose.DEPOSIT:
            return self._deposits.address(place.window, place.index)
        return self._key(place).address

    def _know(self, purpose: Purpose, window: int, count: int) -> None:
        if not 0 <= window <= MAX_STEP:
            raise ValueError(f"window is {window}; a wallet has addresses for the delivery intervals 0 to {MAX_STEP}")
        for index in range(self._known[purpose, window], count):
            place = Place(purpose, window, index)
            self._places[self._address(place)] = place
        self._known[purpose, window] = max(self._known[purpose, window], count)
