"""The notes of one home, found by following the whole ledger: nothing is ever looked up by address."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from assets.intervals import IntervalGrid
from assets.keys import Digest
from assets.notes import IssuedNote, Kind, NoteId, issued
from assets.port import Entry
from assets.transactions import Withdraw, inputs_of, outputs_of
from petra.prosumer.keychain import Keychain, Place, Purpose
from petra.prosumer.seed import MAX_STEP


@dataclass(frozen=True, slots=True)
class Holding:
    """A note that arrived at one of the home's addresses, unspent or not."""

    note: IssuedNote
    place: Place
    seq: int
    """Ledger entry that created it."""
    time_s: int
    """Ledger time of that entry."""
    spent_by: Digest | None = None
    """Digest of the transaction that spent it; ``None`` as long as it is the home's."""


class Account:
    """What the ledger says about the addresses of a :class:`~petra.prosumer.keychain.Keychain`.

    A window's addresses are watched from its first withdrawal on, so nothing but the ledger need be known in advance.
    """

    def __init__(self, keychain: Keychain, grid: IntervalGrid, first_window: int = 0) -> None:
        """``first_window``: nothing of earlier windows is looked for, which saves deriving their addresses."""
        self._keychain, self._grid, self._first_window = keychain, grid, first_window
        self.restart()

    def restart(self) -> None:
        """Forget what was followed: the chain took entries back, and all of it is to be followed again."""
        self._holdings: dict[NoteId, Holding] = {}
        self._by_place: dict[tuple[Purpose, int], list[NoteId]] = {}
        self._windows: set[int] = set()
        self.cursor = 0
        """Number of entries followed; the sequence number of the next one."""
        self.ledger_time_s = 0
        """Ledger time of the last entry followed."""

    @property
    def windows(self) -> list[int]:
        """Windows of which notes of the home were seen, ascending."""
        return sorted({window for _, window in self._by_place})

    def follow(self, entries: Iterable[Entry]) -> None:
        """Take in the next entries of the ledger, in order and without gaps; raises ``ValueError`` for any others."""
        for entry in entries:
            if entry.seq != self.cursor:
                raise ValueError(f"expected ledger entry {self.cursor}, got {entry.seq}; follow from where you were")
            self._take(entry)
            self.cursor, self.ledger_time_s = entry.seq + 1, entry.time_s

    def notes(self, purpose: Purpose, window: int, kind: Kind | None = None) -> list[IssuedNote]:
        """Unspent notes that arrived for ``window`` at addresses of that purpose, oldest first."""
        held = [self._holdings[i] for i in self._by_place.get((purpose, window), ())]
        return [h.note for h in held if h.spent_by is None and kind in (None, h.note.note.kind)]

    def holdings(self) -> list[Holding]:
        """Every note that ever arrived, oldest first."""
        return list(self._holdings.values())

    def holding(self, note_id: NoteId) -> Holding | None:
        """What became of one note; ``None`` if it never was the home's."""
        return self._holdings.get(note_id)

    def _take(self, entry: Entry) -> None:
        tx = entry.signed.tx
        if isinstance(tx, Withdraw):
            self._open(tx.window)
        for spent in inputs_of(tx):
            # The address first: it spares hashing every foreign note.
            if self._keychain.place_of(spent.note.owner) is not None and spent.id in self._holdings:
                self._holdings[spent.id] = replace(self._holdings[spent.id], spent_by=entry.digest)
        for note in issued(outputs_of(tx, self._grid.interval_s), entry.digest):
            place = self._keychain.seen(note.note.owner)
            if place is not None and place.window >= self._first_window:
                self._holdings[note.id] = Holding(note, place, entry.seq, entry.time_s)
                self._by_place.setdefault((place.purpose, place.window), []).append(note.id)

    def _open(self, window: int) -> None:
        """Watch a window from now on. What a meter writes there is not to be trusted: some have no addresses."""
        if window not in self._windows and self._first_window <= window <= MAX_STEP:
            self._windows.add(window)
            self._keychain.watch((window,))
