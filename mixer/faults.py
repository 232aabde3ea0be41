"""What can be wrong with a peer, and how a run ends because of it."""

from collections.abc import Iterable
from enum import IntEnum

from mixer.engine import Guilt
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
    """The sender refers to other messages than stand in this log: it lies, or a board told two stories."""
    UNREADABLE_ONION = 11
    """An onion that cannot be opened, made by this peer."""
    DUPLICATE_INSIDE = 12
    """An onion with the same content as one made by an earlier peer, who cannot have copied it."""
    BAD_OUTPUT_INSIDE = 13
    """The zero address inside an onion made by this peer."""
    OUTPUT_MISSING = 14
    """Only in a complaint: the sender's own address is not among the outputs."""
    CHANGED_SHUFFLE = 15
    """The peer did not pass on exactly the onions that it got."""
    WENT_ON = 16
    """The peer shuffled onions about which it had to complain."""
    WRONG_KEY = 17
    """The secret that the peer revealed is not that of its announced key."""
    FALSE_ACCUSATION = 18
    """A complaint about nothing, or the session's own mix shown as a betrayal."""
    SPENT_ELSEWHERE = 19
    """The peer signed another transaction that spends its note."""

    @property
    def title(self) -> str:
        """The reason in words."""
        return self.name.lower().replace("_", " ")


INSIDE = frozenset({Reason.UNREADABLE_ONION, Reason.DUPLICATE_INSIDE})

COMPLAINTS: dict[Phase, frozenset[Reason]] = {
    Phase.SHUFFLE: INSIDE,
    Phase.BROADCAST: INSIDE | {Reason.BAD_OUTPUT_INSIDE},
    Phase.EQUIVOCATION_CHECK: frozenset({Reason.OUTPUT_MISSING}),
}
"""What only one peer can see, so that it has to tell the others, by the phase whose message the complaint replaces."""


class PeerFault(Exception):
    """A peer broke the protocol or vanished. The run is over; no note has moved, and nobody's note is lost."""

    def __init__(
        self,
        participant: int,
        phase: Phase,
        reason: Reason,
        evidence: tuple[Envelope, ...] = (),
        *,
        proven: bool = True,
    ) -> None:
        self.participant = participant
        """Place of the peer's note among the session's inputs."""
        self.phase = phase
        """What was going on."""
        self.reason = reason
        self.evidence = evidence
        """The signed messages that show the fault; empty for silence."""
        self.proven = proven
        """Whether these messages convict the peer whatever a board may have hidden, delayed or reordered."""
        super().__init__(participant, phase, reason, evidence)

    def __str__(self) -> str:
        return f"peer {self.participant}: {self.reason.title} in the {self.phase.title} phase"

    def guilt(self) -> Guilt:
        """The same for whoever does not know this engine."""
        evidence = tuple(envelope.encoded for envelope in self.evidence)
        return Guilt(self.participant, self.phase.title, self.reason.title, self.proven, evidence)


def one_each(faults: Iterable[PeerFault]) -> tuple[PeerFault, ...]:
    """One fault for each peer, ascending: the first that is proven, else the first."""
    chosen: dict[int, PeerFault] = {}
    for fault in faults:
        known = chosen.get(fault.participant)
        if known is None or (fault.proven and not known.proven):
            chosen[fault.participant] = fault
    return tuple(chosen[peer] for peer in sorted(chosen))
