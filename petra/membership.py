"""Who mixes with whom: read from the ledger alone, so that no board and no peer can choose.

All notes of one class that were withdrawn for one window, one from each meter, form a session; a meter's second note
of the class belongs to the second session, and so on. A session larger than :data:`MAX_PEERS` is cut into equal parts.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise

from assets.keys import Digest
from assets.notes import IssuedNote, issued
from assets.port import Entry
from assets.transactions import Domain, Withdraw
from mixer.session import MixSession

MAX_PEERS = 64
"""Most peers of one session: bounds its rounds, and its transaction's gas."""

MIN_PEERS = 2
"""Fewest peers of one session: a lone note cannot hide."""


def mix_sessions(domain: Domain, entries: Iterable[Entry], window: int) -> list[MixSession]:
    """All mix sessions of ``window`` from the withdrawals among ``entries``, in a fixed order."""
    rows: defaultdict[tuple[tuple[int, int, int, int], int], list[IssuedNote]] = defaultdict(list)
    anchor = Digest(bytes(32))
    for entry in entries:
        tx = entry.signed.tx
        if not isinstance(tx, Withdraw) or tx.window != window:
            continue
        anchor = entry.digest
        seen: defaultdict[tuple[int, int, int, int], int] = defaultdict(int)
        for note in issued(tx.outputs, entry.digest):
            note_class = note.note.note_class
            rows[note_class, seen[note_class]].append(note)
            seen[note_class] += 1
    return [
        MixSession(domain, window, tuple(part), anchor)
        for key in sorted(rows)
        for part in shards(sorted(rows[key], key=lambda n: n.id))
        if len(part) >= MIN_PEERS
    ]


def shards(notes: Sequence[IssuedNote]) -> list[Sequence[IssuedNote]]:
    """Cut ``notes`` into as few parts of at most :data:`MAX_PEERS` as possible, their sizes equal to within one."""
    count = -(-len(notes) // MAX_PEERS)
    bounds = [len(notes) * i // count for i in range(count + 1)] if count else []
    return [notes[a:b] for a, b in pairwise(bounds)]
