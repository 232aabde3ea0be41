"""What can be wrong with a peer, and how a run ends because of it."""

from enum import IntEnum

from mixer.envelope import Envelope
from mixer.protocol import Phase


class Reason(IntEnum):
    """Why a run was aborted. The numbers are those of a complaint on the wire."""

    SILENT = 1
    """A message that was due did not appear on the board in time."""
    OUT_OF_PHASE = 2
    """A message of another phase, or out of turn."""
    EQUIVOCATION = 3
    """Two different messages where there is one to send."""
    WRONG_LENGTH = 4
    """A payload whose length is not that of its phase, session size and sender."""
    MALFORMED = 5
    """A payload of the right length that says something impossible: a bad key, an unknown complaint."""
    DUPLICATE_ITEM = 6
    """The same onion or the same output address twice in a message."""
    BAD_OUTPUT = 7
    """The zero address among the outputs: the ledger would refuse the mix."""
    WRONG_HASH = 8
    """A hash of keys and outputs that is not that of the messages to which its sender refers."""
    WRONG_SIGNATURE = 9
    """A signature that is not the owner's under this mix transaction."""
    VIEWS_DIFFER = 10
    """The sender refers to other messages than this peer has read: somebody, maybe the board, told two stories."""
    UNREADABLE_ONION = 11
    """An onion that cannot be opened, seen by the peer whose layer it is."""
    DUPLICATE_INSIDE = 12
    """Two onions with the same content, seen by the peer that opened them."""
    BAD_OUTPUT_INSIDE = 13
    """The zero address inside an onion, seen by the last peer."""
    OUTPUT_MISSING = 14
    """A peer's own address is not among the outputs."""
    COMPLAINT = 15
    """Another peer reported something that only it can see."""

    @property
    def title(self) -> str:
        """The reason in words."""
        return self.name.lower().replace("_", " ")


COMPLAINTS = frozenset(
    {Reason.UNREADABLE_ONION, Reason.DUPLICATE_INSIDE, Reason.BAD_OUTPUT_INSIDE, Reason.OUTPUT_MISSING}
)
"""What only one peer can see, so that it has to tell the others. It accuses nobody."""


class PeerFault(Exception):
    """Some peer broke the protocol or vanished. The run is over; no note has moved, and nobody's note is lost."""

    def __init__(
        self, participant: int | None, phase: Phase, reason: Reason, evidence: tuple[Envelope, ...] = ()
    ) -> None:
        self.participant = participant
        """Index of the peer at fault; ``None`` if the messages read so far do not prove whose fault it is."""
        self.phase = phase
        """What was going on."""
        self.reason = reason
        self.evidence = evidence
        """The signed messages that show the fault; empty for silence."""
        super().__init__(participant, phase, reason, evidence)

    def __str__(self) -> str:
        who = "unknown peer" if self.participant is None else f"peer {self.participant}"
        return f"{who}: {self.reason.title} in the {self.phase.title} phase"
