"""A prosumer's wallet: fresh keys, the notes they own, and what it signs.

It learns of its notes by following the whole ledger, never by asking for an address. One note, one fresh address.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from assets.intervals import IntervalGrid
from assets.keys import Address, KeySource, SigningKey
from assets.notes import IssuedNote, Kind, Note, NoteId, issued
from assets.orders import Order, sign_order
from assets.port import Entry
from assets.transactions import Domain, Signed, Transact, inputs_of, outputs_of, sign
from bidstore.posting import Posting, sign_posting


class Purpose(Enum):
    """What an address of the wallet is for."""

    WITHDRAWN = "withdrawn"
    """Receives notes from the meter: everybody can tie it to the meter."""
    MIXED = "mixed"
    """Receives a note from a mix: nobody can tie it to the meter."""


@dataclass(frozen=True, slots=True)
class Use:
    """What one address is used for."""

    purpose: Purpose
    window: int
    """Delivery interval of the note that the address receives."""


class Wallet:
    """The keys and unspent notes of one home."""

    def __init__(self, domain: Domain, grid: IntervalGrid, keys: KeySource) -> None:
        self._domain, self._grid = domain, grid
        self._source = keys
        self._keys: dict[Address, SigningKey] = {}
        self.uses: dict[Address, Use] = {}
        """All addresses of the wallet: a secret of the home."""
        self._notes: dict[NoteId, IssuedNote] = {}
        self._next_seq = 0

    def fresh_address(self, purpose: Purpose, window: int) -> Address:
        """A new address for one note of ``window``; never handed out twice."""
        key = self._source.fresh()
        self._keys[key.address] = key
        self.uses[key.address] = Use(purpose, window)
        return key.address

    def follow(self, entries: Iterable[Entry]) -> None:
        """Update the unspent notes from the next entries of the ledger, in order and without gaps."""
        for entry in entries:
            if entry.seq != self._next_seq:
                raise ValueError(f"expected ledger entry {self._next_seq}, got {entry.seq}; follow from where you were")
            self._next_seq += 1
            tx = entry.signed.tx
            for spent in inputs_of(tx):
                self._notes.pop(spent.id, None)
            for note in issued(outputs_of(tx, self._grid.interval_s), entry.digest):
                if note.note.owner in self._keys:
                    self._notes[note.id] = note

    def skim(self, created: Iterable[IssuedNote], spent: Iterable[NoteId], cursor: int) -> None:
        """Take what somebody who read the ledger up to entry ``cursor`` found in it for this wallet.

        Only a simulation reads for its wallets (:mod:`petra.readers`).
        """
        for note in created:
            if note.note.owner in self._keys:
                self._notes[note.id] = note
        for note_id in spent:
            self._notes.pop(note_id, None)
        self._next_seq = cursor

    def notes(self, purpose: Purpose, window: int, kind: Kind) -> list[IssuedNote]:
        """Unspent notes of a kind that arrived for ``window`` at addresses of that purpose, oldest first."""
        wanted = Use(purpose, window)
        return [n for n in self._notes.values() if n.note.kind == kind and self.uses[n.note.owner] == wanted]

    def key(self, address: Address) -> SigningKey:
        """The key of one of the wallet's addresses; raises ``KeyError`` for a foreign one."""
        return self._keys[address]

    def post(self, order: Order, challenge: bytes) -> Posting:
        """Sign an order, and the posting of it under the bid store's challenge: all that a trade needs of the wallet.

        The ledger holds whoever matches and settles it to these terms.
        """
        signed = sign_order(self._domain, order, *(self._keys[owner] for owner in order.owners))
        return sign_posting(self._domain, signed, challenge, self._keys[order.energy.note.owner])

    def move(self, note: IssuedNote, to: Address) -> Signed[Transact]:
        """A transfer of one whole note to one address: how a note is deposited."""
        n = note.note
        tx = Transact((note,), (Note(n.kind, to, n.quantity, n.start, n.end),))
        return sign(self._domain, tx, self._keys[n.owner])
