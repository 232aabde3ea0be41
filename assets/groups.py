"""Groups of notes: up to 16 outputs of a transaction share one word of the ledger, the root of their Merkle tree.

Only the contract needs it: it keeps roots, not notes, so whoever carries a transaction there adds the path of every
input. Paths are no secret, are not signed, and follow from the public outputs; a wrong one proves nothing. A leaf is
the Keccak-256 of a note's word, an inner node that of two nodes, a missing node is zero: contracts/src/Groups.sol.
"""

from collections.abc import Sequence

from assets.hashing import keccak
from assets.keys import Digest
from assets.notes import IssuedNote, Note, note_word

SIZE = 16
"""Most notes of one group."""

ROOT_BITS = 240
"""The ledger keeps so many bits of a root; the other 16 of its word say which notes are spent."""

NO_NODE = bytes(32)


def levels(notes: Sequence[Note]) -> list[list[bytes]]:
    """The tree over the notes of one group: leaves first, the root alone in the last level."""
    level = [keccak(note_word(note)) for note in notes]
    tree = [level]
    while len(level) > 1:
        padded = level + [NO_NODE] * (len(level) % 2)
        level = [keccak(padded[i] + padded[i + 1]) for i in range(0, len(padded), 2)]
        tree.append(level)
    return tree


def path(tree: Sequence[Sequence[bytes]], place: int) -> tuple[bytes, ...]:
    """The siblings from leaf ``place`` up to the root."""
    siblings = []
    for level in tree[:-1]:
        sibling = place ^ 1
        siblings.append(level[sibling] if sibling < len(level) else NO_NODE)
        place >>= 1
    return tuple(siblings)


def climb(note: Note, place: int, siblings: Sequence[bytes]) -> bytes:
    """The root to which a path leads; the inverse of :func:`path`."""
    node = keccak(note_word(note))
    for sibling in siblings:
        node = keccak(sibling + node) if place & 1 else keccak(node + sibling)
        place >>= 1
    return node


class Groups:
    """The groups of all transactions seen so far, to prove where a note stands."""

    def __init__(self, below: "Groups | None" = None) -> None:
        """``below``: groups that are known, too, and that :meth:`add` leaves alone."""
        self._below = below
        self._outputs: dict[Digest, tuple[Note, ...]] = {}
        self._trees: dict[tuple[Digest, int], list[list[bytes]]] = {}

    def add(self, origin: Digest, outputs: tuple[Note, ...]) -> None:
        """Remember the outputs of the transaction with digest ``origin``."""
        self._outputs[origin] = outputs

    def path(self, issued_note: IssuedNote) -> tuple[bytes, ...]:
        """The path of a note; empty, which proves nothing but a lone note, if its transaction was never seen."""
        outputs = self._outputs.get(issued_note.origin)
        if outputs is None:
            return self._below.path(issued_note) if self._below is not None else ()
        group, place = divmod(issued_note.index, SIZE)
        members = outputs[group * SIZE : (group + 1) * SIZE]
        if place >= len(members):
            return ()
        key = (issued_note.origin, group)
        if key not in self._trees:
            self._trees[key] = levels(members)
        return path(self._trees[key], place)
