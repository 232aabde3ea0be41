"""The log of one run as one peer accepted it: what its view hash commits to, and what blame will be judged from."""

from collections.abc import Iterable, Sequence

from assets.hashing import keccak
from assets.keys import Digest
from mixer.envelope import Envelope
from mixer.protocol import Phase

_VIEW_TAG = keccak(b"PETra mix view v1")


class Transcript:
    """Accepted envelopes in the order of the board, at most one for each phase and sender.

    The *view* is a hash chain. It starts from log, run and its members, and takes up the digests of a phase's
    envelopes in the order of their senders, in the shuffle after every hop. Equal views mean equal messages.
    """

    def __init__(self, log: Digest, run: int, members: Sequence[int]) -> None:
        self._envelopes: list[Envelope] = []
        self._slots: dict[tuple[Phase, int], Envelope] = {}
        taking_part = b"".join(member.to_bytes(2, "big") for member in members)
        self._view = Digest(keccak(_VIEW_TAG + log + run.to_bytes(4, "big") + taking_part))

    @property
    def envelopes(self) -> tuple[Envelope, ...]:
        """Everything accepted so far."""
        return tuple(self._envelopes)

    @property
    def view(self) -> Digest:
        """Hash of everything that the run has agreed on so far."""
        return self._view

    def get(self, phase: Phase, sender: int) -> Envelope | None:
        """The envelope accepted from ``sender`` in ``phase``."""
        return self._slots.get((phase, sender))

    def record(self, envelope: Envelope) -> None:
        """Add an envelope. Raises ``ValueError`` if its place is taken."""
        slot = (envelope.phase, envelope.sender)
        if slot in self._slots:
            raise ValueError(f"there is already a message for {envelope!r}")
        self._slots[slot] = envelope
        self._envelopes.append(envelope)

    def fold(self, phase: Phase, senders: Iterable[int]) -> None:
        """Take the messages of ``senders`` into the view. Raises ``KeyError`` if one is missing."""
        digests = [self._slots[phase, sender].digest for sender in senders]
        self._view = Digest(keccak(self._view + b"".join(digests)))
