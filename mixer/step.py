"""What a peer answers to a call: messages to post, and events to tell its owner about."""

from dataclasses import dataclass
from enum import Enum

from assets.transactions import Signed, Transact
from mixer.faults import PeerFault
from mixer.phases import State


class Why(Enum):
    """Why a message was ignored. Anybody can make such messages, so they accuse nobody and change nothing."""

    UNREADABLE = "not an envelope of this version"
    OTHER_LOG = "of another session, or of another opening of this one"
    OTHER_RUN = "of another run of this session"
    NOT_A_PEER = "its sender is no peer of this session"
    NOT_SIGNED = "not signed by its sender"
    REPEATED = "already read"
    CLOSED = "the run is over"


@dataclass(frozen=True, slots=True)
class Entered:
    """The peer is in a new state."""

    state: State


@dataclass(frozen=True, slots=True)
class Ignored:
    """A message had no effect."""

    why: Why


@dataclass(frozen=True, slots=True)
class Aborted:
    """The run is over without a mix; the notes stay where they are."""

    faults: tuple[PeerFault, ...]
    """What went wrong: one fault, or one for each silent peer."""


@dataclass(frozen=True, slots=True)
class Completed:
    """The mix transaction is complete."""

    signed: Signed[Transact]


Event = Entered | Ignored | Aborted | Completed


@dataclass(frozen=True, slots=True)
class Step:
    """Messages to post on the board, in order, and what happened."""

    messages: tuple[bytes, ...] = ()
    events: tuple[Event, ...] = ()


NOTHING = Step()
