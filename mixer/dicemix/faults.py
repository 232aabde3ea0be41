"""What a peer can do wrong, and what the log shows of it."""

from dataclasses import dataclass
from enum import Enum

from mixer.dicemix.message import Message
from mixer.dicemix.stages import Stage


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
    FALSE_COMPLAINT = "false complaint"
    """It complained, and its number was there."""
    BAD_OUTPUT = "bad output"
    """It wants its note at the zero address, which the ledger refuses."""
    DUPLICATE_OUTPUT = "duplicate output"
    """It committed itself to the same address as another peer, which committed itself to it as well."""

    @property
    def innocent_explanation(self) -> bool:
        """Whether a lost connection explains it: excluded from the next run, yet no reason to ban the peer."""
        return self is Reason.SILENT


@dataclass(frozen=True, slots=True)
class Fault:
    """That one peer broke the protocol, for everybody who has the log to see."""

    participant: int
    """Index of the peer at fault."""
    stage: Stage
    """What was going on when it showed."""
    reason: Reason
    evidence: tuple[Message, ...] = ()
    """The signed messages that show it; empty for silence. For what a revelation shows, the peer's own messages."""

    def __str__(self) -> str:
        return f"peer {self.participant}: {self.reason.value} in the {self.stage.value} stage"
