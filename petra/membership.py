"""Who mixes with whom: read from the ledger alone, so that no board and no peer can choose.

All notes of one class that were withdrawn for one window, one from each meter, form a session; a meter's second note
of the class belongs to the second session, and so on. Of more than :data:`MAX_PEERS` meters, equal parts mix apart: the
same parts for all classes. An order shows that an energy note and money are of one home; had each class parts of its
own, that home could only be one of the few that are in both.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import TypeVar

from assets.hashing import keccak
from assets.keys import Digest
from assets.notes import IssuedNote, issued
from assets.port import Entry
from assets.transactions import Domain, Withdraw
from assets.words import word
from mixer.session import MixSession

T = TypeVar("T")

MAX_PEERS = 64
"""Most peers of one session: bounds its rounds, and its transaction's gas."""

MIN_PEERS = 2
"""Fewest peers of one session: a lone note cannot hide."""


def mix_sessions(domain: Domain, entries: Iterable[Entry], window: int) -> list[MixSession]:
    """All mix sessions of ``window`` from the withdrawals among ``entries``, in a fixed order."""
    rows: defaultdict[tuple[tuple[int, int, int, int], int], list[tuple[int, IssuedNote]]] = defaultdict(list)
    anchor = Digest(bytes(32))
    for entry in entries:
        tx = entry.signed.tx
        if not isinstance(tx, Withdraw) or tx.window != window:
            continue
        anchor = entry.digest
        seen: defaultdict[tuple[int, int, int, int], int] = defaultdict(int)
        for note in issued(tx.outputs, entry.digest):
            note_class = note.note.note_class
            rows[note_class, seen[note_class]].append((tx.meter, note))
            seen[note_class] += 1
    meters = {meter for row in rows.values() for meter, _ in row}
    parts = shards(sorted(meters, key=lambda meter: keccak(anchor + word(meter))))
    part_of = {meter: number for number, part in enumerate(parts) for meter in part}
    return [
        MixSession(domain, window, tuple(sorted(piece, key=lambda note: note.id)), anchor)
        for key in sorted(rows)
        for part in _by_part(rows[key], part_of, len(parts))
        for piece in shards(part)  # a meter that withdrew twice would make a part too large
        if len(piece) >= MIN_PEERS
    ]


def _by_part(row: Sequence[tuple[int, IssuedNote]], part_of: Mapping[int, int], parts: int) -> list[list[IssuedNote]]:
    notes: list[list[IssuedNote]] = [[] for _ in range(parts)]
    for meter, note in row:
        notes[part_of[meter]].append(note)
    return notes


def shards(notes: Sequence[T]) -> list[Sequence[T]]:
    """Cut ``notes`` into as few parts of at most :data:`MAX_PEERS` as possible, their sizes equal to within one."""
    count = -(-len(notes) // MAX_PEERS)
    bounds = [len(notes) * i // count for i in range(count + 1)] if count else []
    return [notes[a:b] for a, b in pairwise(bounds)]
