"""Reading the ledger for all homes of a simulation at once.

Every wallet and every meter follows the whole ledger and asks nobody about an address. Where one process plays all of
them, each would look at the same entries for its own: homes times entries. Here one reader looks at each note once and
hands every home what it would have found. What a home knows afterwards is the same, and nobody else learns anything:
it is the simulation that reads, which has all secrets anyway. A home on its own machine follows by itself
(:meth:`petra.wallet.Wallet.follow`, :meth:`smartmeter.meter.Meter.follow`).
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from assets.intervals import IntervalGrid
from assets.keys import Address
from assets.notes import IssuedNote, Note, NoteId
from assets.port import Entry
from assets.transactions import Regulate, Withdraw, inputs_of, outputs_of

if TYPE_CHECKING:
    from petra.microgrid import Home


@dataclass(slots=True)
class Excerpt:
    """What some entries of the ledger mean to one home."""

    created: list[IssuedNote] = field(default_factory=list)
    """Notes at addresses of its wallet, in the order of the ledger."""
    spent: list[NoteId] = field(default_factory=list)
    """Notes of its wallet that are gone, among them some that were just created."""
    metered: list[tuple[Entry, list[tuple[int, Note]]]] = field(default_factory=list)
    """Entries that its meter counts, each with those outputs, and their places, that are deposits at this meter."""


class Readers:
    """Who owns which address, learnt from the homes themselves, and how far all of them have read."""

    def __init__(self, grid: IntervalGrid) -> None:
        self._interval_s = grid.interval_s
        self._wallet_of: dict[Address, int] = {}
        self._meter_of: dict[Address, int] = {}
        self._known: dict[int, tuple[int, int]] = {}
        self.cursor = 0
        """Sequence number of the first entry not yet read."""

    def read(self, homes: Sequence["Home"], entries: Sequence[Entry], now_s: int) -> None:
        """Let all ``homes`` follow ``entries``, which are all of the ledger from :attr:`cursor` up to ``now_s``."""
        self._learn_addresses(homes)
        excerpts = self._excerpts(homes, entries)
        self.cursor += len(entries)
        nothing = Excerpt()
        for home in homes:
            excerpt = excerpts.get(home.number, nothing)
            home.wallet.skim(excerpt.created, excerpt.spent, self.cursor)
            home.meter.skim(excerpt.metered, self.cursor, now_s)

    def _learn_addresses(self, homes: Sequence["Home"]) -> None:
        """Addresses that were handed out since the last time: the last ones of each home's own list."""
        for home in homes:
            used, deposits = self._known.get(home.number, (0, 0))
            now = len(home.wallet.uses), len(home.deposit_addresses)
            for address in islice(reversed(home.wallet.uses), now[0] - used):
                self._wallet_of[address] = home.number
            for address in islice(reversed(home.deposit_addresses), now[1] - deposits):
                self._meter_of[address] = home.number
            self._known[home.number] = now

    def _excerpts(self, homes: Collection["Home"], entries: Sequence[Entry]) -> dict[int, Excerpt]:
        excerpts: defaultdict[int, Excerpt] = defaultdict(Excerpt)
        wallet_of, meter_of = self._wallet_of, self._meter_of
        for entry in entries:
            tx = entry.signed.tx
            metered: defaultdict[int, list[tuple[int, Note]]] = defaultdict(list)
            if isinstance(tx, Regulate):
                metered.update((home.number, []) for home in homes)
            elif isinstance(tx, Withdraw):
                metered[tx.meter] = []
            for spent in inputs_of(tx):
                if (home := wallet_of.get(spent.note.owner)) is not None:
                    excerpts[home].spent.append(spent.id)
            outputs = outputs_of(tx, self._interval_s)
            for index, note in enumerate(outputs):
                if (home := wallet_of.get(note.owner)) is not None:
                    excerpts[home].created.append(IssuedNote(note, entry.digest, index))
                if (home := meter_of.get(note.owner)) is not None:
                    metered[home].append((index, note))
            for home, deposits in metered.items():
                excerpts[home].metered.append((entry, deposits))
        return excerpts
