"""What a peer can do wrong, and what the log shows of it."""

from dataclasses import dataclass
from enum import Enum

from mixer.dicemix.message import Message
from mixer.dicemix.stages import Stage
from mixer.engine import Guilt


class Reason(Enum):
    """Why a peer is excluded from the next run. The value is how documents call it."""

    SILENT = "silent"
    """Its message was not on the board in time."""
    OUT_OF_PHASE = "out of phase"
    """A message that its stage does not wait for."""
    EQUIVOCATION = "equivocation"
    """Two different messages where there is one to send."""
    VIEWS_DIFFER = "views differ"
    """The message refers to other messages than this log has."""
    WRONG_LENGTH = "wrong length"
    """A payload whose length is not that of its phase and session size."""
    MALFORMED = "malformed"
    """A payload of the right length that says something impossible: an unusable key, a number not reduced."""
    WRONG_SIGNATURE = "wrong signature"
    """A signature that is not the owner's under the mix transaction."""
    NOT_REVEALED = "not revealed"
    """It kept its key to itself when every peer had to show its own."""
    WRONG_KEY = "wrong key revealed"
    """What it revealed opens neither its key nor its commitment, or not both."""
    WRONG_SLOTS = "wrong slots"
    """Its slots message is not the one that follows from key and address."""
    WRONG_PAYLOAD = "wrong payload"
    """Its payload message is not the one that follows from key and address."""
    SPENT_ELSEWHERE = "spent elsewhere"
    """It signed another transaction that spends its note."""
    FALSE_ACCUSATION = "false accusation"
    """It showed a mix of this very session as if that were a betrayal."""
    FALSE_COMPLAINT = "false complaint"
    """It complained, and its number was there."""
    BAD_OUTPUT = "bad output"
    """It wants its note at the zero address, which the ledger refuses."""
    DUPLICATE_OUTPUT = "duplicate output"
    """It committed itself to the same address as another peer, which committed itself to it as well."""


@dataclass(frozen=True, slots=True)
class Fault:
    """That one peer broke the protocol, for everybody who has the log to see."""

    participant: int
    """The member at fault: the place of its note among the session's inputs."""
    stage: Stage
    """What was going on when it showed."""
    reason: Reason
    evidence: tuple[Message, ...] = ()
    """The signed messages that show it; empty for silence. For what a revelation shows, the peer's own messages."""
    proven: bool = True
    """Whether the evidence convicts the peer whatever a board may have hidden, delayed or reordered."""

    def __str__(self) -> str:
        return f"peer {self.participant}: {self.reason.value} in the {self.stage.value} stage"

    def guilt(self) -> Guilt:
        """The same for whoever does not know this engine."""
        evidence = tuple(message.encoded for message in self.evidence)
        return Guilt(self.participant, self.stage.value, self.reason.value, self.proven, evidence)
