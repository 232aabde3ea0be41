"""What an observer of the public ledger knows about whose a note is, and what spending notes together would add.

The observer sees everything that is public and reads it in the obvious way. A withdrawn note is its meter's. A mix of k
notes makes each output anybody's of the k. Whoever spends notes together owned them all, so that whose they are is
narrowed to those who could own each of them. The observer here has no timings and no corrupted peers
(docs/privacy.md measures those); so a budget is an upper bound of what is hidden, and never a promise.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from assets.intervals import IntervalGrid
from assets.notes import IssuedNote, Kind, Note, NoteId, issued
from assets.orders import Fill
from assets.port import Entry
from assets.transactions import Settle, Transact, Withdraw, outputs_of


@dataclass(frozen=True, slots=True)
class Trace:
    """What is known about one note."""

    homes: frozenset[int]
    """Numbers of the meters whose home it may belong to; empty: nothing is known."""
    party: int
    """Notes of one party are known to have one owner."""


@dataclass(frozen=True, slots=True)
class Exposure:
    """What spending a set of notes together would tell."""

    notes: tuple[IssuedNote, ...]
    sets: tuple[int, ...]
    """Of each note alone: how many homes it may belong to."""
    together: int
    """How many homes all of them may belong to, once they are known to have one owner."""
    parties: int
    """How many owners the observer cannot yet tell to be the same; spending them together makes them one."""

    @property
    def links(self) -> bool:
        """Whether anything would become known that is not known already."""
        return self.parties > 1


class Observer:
    """Follows the whole ledger, and keeps what can be said about every note."""

    def __init__(self, grid: IntervalGrid) -> None:
        self._grid = grid
        self.restart()

    def restart(self) -> None:
        """Forget everything: the chain took entries back."""
        self._party_of: dict[NoteId, int] = {}
        self._same_as: dict[int, int] = {}
        self._homes: dict[int, frozenset[int]] = {}
        self._parties = 0

    def follow(self, entries: Iterable[Entry]) -> None:
        """Take in the next entries of the ledger, in order."""
        for entry in entries:
            match entry.signed.tx:
                case Withdraw(meter=meter, outputs=outputs):
                    self._put(outputs, entry, [self._meters(meter)] * len(outputs))
                case Transact() as tx if _is_mix(tx):
                    homes = frozenset[int]().union(*(self.trace(note).homes for note in tx.inputs))
                    self._put(tx.outputs, entry, [self._new_party(homes) for _ in tx.outputs])
                case Transact() as tx:
                    self._put(tx.outputs, entry, [self._joined(tx.inputs)] * len(tx.outputs))
                case Settle() as tx:
                    parties = [party for fill in tx.fills for party in self._after(fill)]
                    self._put(outputs_of(tx, self._grid.interval_s), entry, parties)

    def trace(self, note: IssuedNote) -> Trace:
        """What is known about a note; of one that was never seen, nothing."""
        party = self._party_of.get(note.id)
        if party is None:
            return Trace(frozenset(), 0)
        root = self._root(party)
        return Trace(self._homes[root], root)

    def exposure(self, notes: Sequence[IssuedNote]) -> Exposure:
        """What spending ``notes`` together would tell. Raises ``ValueError`` without notes."""
        if not notes:
            raise ValueError("name at least one note")
        traces = [self.trace(note) for note in notes]
        together = frozenset.intersection(*(t.homes for t in traces))
        return Exposure(
            tuple(notes), tuple(len(t.homes) for t in traces), len(together), len({t.party for t in traces})
        )

    def _after(self, fill: Fill) -> list[int]:
        """Whose the outputs of a trade are, in the ledger's order: whoever gave notes together gets notes together."""
        seller, buyer = self._joined(fill.sell.order.notes), self._joined(fill.buy.order.notes)
        b = fill.buy.order
        made = fill.outputs(self._grid.interval_s)
        # The first three are the buyer's energy, the seller's permit and its proceeds; of the rest the addresses tell.
        rest = [buyer if note.owner in (b.pay_to, b.keep_at) else seller for note in made[3:]]
        return [buyer, seller, seller, *rest]

    def _joined(self, notes: Sequence[IssuedNote]) -> int:
        """The one party that owns all of ``notes``, as is known from now on."""
        parties = {party for note in notes if (party := self.trace(note).party)}
        if len(parties) == 1:
            return parties.pop()
        known = [self._homes[party] for party in parties]
        # No home could own them all: several owners signed. Then nothing is narrowed down.
        homes = (frozenset.intersection(*known) or frozenset.union(*known)) if known else frozenset[int]()
        joined = self._new_party(homes)
        for party in parties:
            self._same_as[party] = joined
        if len(homes) == 1:
            self._same_as[joined] = self._meters(next(iter(homes)))
        return joined

    def _meters(self, meter: int) -> int:
        """The party of one meter's home. A meter's notes are one home's, whatever else is known."""
        party = self._root(-1 - meter)
        self._homes.setdefault(party, frozenset((meter,)))
        return party

    def _root(self, party: int) -> int:
        while (same := self._same_as.get(party, party)) != party:
            party = same
        return party

    def _new_party(self, homes: frozenset[int]) -> int:
        self._parties += 1
        self._homes[self._parties] = homes
        return self._parties

    def _put(self, outputs: tuple[Note, ...], entry: Entry, parties: Sequence[int]) -> None:
        for note, party in zip(issued(outputs, entry.digest), parties, strict=True):
            self._party_of[note.id] = party


def _is_mix(tx: Transact) -> bool:
    """Whether ``tx`` moves equal notes of different owners to as many different addresses."""
    classes = {note.note.note_class for note in tx.inputs} | {note.note_class for note in tx.outputs}
    owners, heirs = {note.note.owner for note in tx.inputs}, {note.owner for note in tx.outputs}
    return len(classes) == 1 and 2 <= len(tx.inputs) == len(owners) == len(tx.outputs) == len(heirs)


def describe(note: IssuedNote) -> str:
    """A note in words, without its address."""
    n = note.note
    if n.kind is Kind.FA:
        return f"FA of {n.quantity} nano"
    return f"{Kind(n.kind).name} of {n.quantity} W, interval {n.start}" + (f"..{n.end}" if n.end != n.start else "")


def in_words(exposure: Exposure) -> list[str]:
    """What :class:`Exposure` says, a sentence each."""
    said = [_alone(describe(note), size) for note, size in zip(exposure.notes, exposure.sets, strict=True)]
    count = len(exposure.notes)
    if count < 2:
        return said
    these = "these two notes" if count == 2 else f"these {count} notes"
    if not exposure.links:
        return [*said, f"{these} are known to have one owner already; spending them together tells nothing new"]
    if min(exposure.sets) <= 1:
        return [*said, f"{these} become linkable if spent together, and with the one that is known, to your home"]
    left = _homes(exposure.together)
    return [*said, f"{these} become linkable if spent together: one owner, who is one of {left}"]


def _alone(name: str, size: int) -> str:
    if size == 0:
        return f"{name}: nothing is known about where it comes from"
    return f"{name}: known to be your home's" if size == 1 else f"{name}: one of {_homes(size)}"


def _homes(count: int) -> str:
    return "1 home" if count == 1 else f"{count} homes"
