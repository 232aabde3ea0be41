"""A mix session: which notes are mixed, fixed by the ledger before anybody sends a message."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from assets.hashing import keccak
from assets.keys import Address, Digest
from assets.notes import IssuedNote, Note, NoteId
from assets.transactions import Domain, Transact
from assets.words import word
from mixer.protocol import HASH_BYTES, MAX_PEERS, MIN_PEERS

_SESSION_TAG = keccak(b"PETra mix session v1")


@dataclass(frozen=True)
class MixSession:
    """Equal notes of distinct owners that move to fresh addresses in one transaction.

    Everybody computes the session from the ledger; who changes any part of it has another :attr:`id`, whose messages
    nobody else reads. A board therefore cannot choose who mixes with whom. The owner of ``inputs[i]`` is peer ``i``.

    Raises ``ValueError`` if the notes cannot be mixed with one another.
    """

    domain: Domain
    window: int
    """Delivery interval for which the notes were withdrawn."""
    inputs: tuple[IssuedNote, ...]
    """The notes, in the order of their ids."""
    anchor: Digest
    """Hash of the ledger's block or entry at which membership closed."""

    def __post_init__(self) -> None:
        if not MIN_PEERS <= len(self.inputs) <= MAX_PEERS:
            raise ValueError(f"a session has {MIN_PEERS} to {MAX_PEERS} notes, this one {len(self.inputs)}")
        if len({i.note.note_class for i in self.inputs}) > 1:
            raise ValueError("the notes of a session must be of one class: equal kind, quantity, start and end")
        if len(set(self.owners)) < len(self.inputs):
            raise ValueError("the notes of a session must have distinct owners")
        if any(a >= b for a, b in zip(self.input_ids, self.input_ids[1:], strict=False)):
            raise ValueError("the notes of a session must be sorted by id, each named once")
        if not 0 <= self.window < 2**256:
            raise ValueError(f"window is {self.window}; give the index of an interval")
        if len(self.anchor) != HASH_BYTES:
            raise ValueError(f"the anchor is a hash of {HASH_BYTES} bytes, this one has {len(self.anchor)}")

    @property
    def size(self) -> int:
        """Number of peers."""
        return len(self.inputs)

    @cached_property
    def owners(self) -> tuple[Address, ...]:
        """Who takes part: the owner of each input, in the order of the peers."""
        return tuple(i.note.owner for i in self.inputs)

    @cached_property
    def input_ids(self) -> tuple[NoteId, ...]:
        """Ids of the notes, ascending."""
        return tuple(i.id for i in self.inputs)

    @cached_property
    def id(self) -> Digest:
        """Keccak-256 over ledger, note class, window, anchor and the sorted note ids, all of fixed width."""
        note_class = b"".join(word(value) for value in self.inputs[0].note.note_class)
        head = _SESSION_TAG + self.domain.separator + note_class + word(self.window) + self.anchor
        return Digest(keccak(head + b"".join(self.input_ids)))

    def index_of(self, owner: Address) -> int:
        """Which peer ``owner`` is; raises ``ValueError`` if it is none."""
        try:
            return self.owners.index(owner)
        except ValueError:
            raise ValueError("the key owns no note of this session") from None

    def transact(self, outputs: Sequence[Address], memo: Digest, members: Sequence[int] | None = None) -> Transact:
        """The mix transaction of ``members``, or of all. Outputs are sorted, so that their order tells nothing."""
        kind, quantity, start, end = self.inputs[0].note.note_class
        notes = tuple(Note(kind, owner, quantity, start, end) for owner in sorted(outputs))
        inputs = self.inputs if members is None else tuple(self.inputs[member] for member in members)
        return Transact(inputs, notes, memo)
