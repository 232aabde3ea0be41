"""What a peer answers to a call: messages to post, and events to tell its owner about."""

from dataclasses import dataclass

from assets.transactions import Signed, Transact
from mixer.dicemix.faults import Fault
from mixer.dicemix.stages import Stage
from mixer.step import Ignored


@dataclass(frozen=True, slots=True)
class Entered:
    """The run is in a new stage."""

    stage: Stage


@dataclass(frozen=True, slots=True)
class Failed:
    """The run is over without a mix; the notes stay where they are."""

    faults: tuple[Fault, ...]
    """One for each peer to exclude from the next run. None: two numbers were equal by chance, all may try again."""


@dataclass(frozen=True, slots=True)
class Completed:
    """The mix transaction is complete."""

    signed: Signed[Transact]


Event = Entered | Ignored | Failed | Completed


@dataclass(frozen=True, slots=True)
class Step:
    """Messages to post on the board, in order, and what happened."""

    messages: tuple[bytes, ...] = ()
    events: tuple[Event, ...] = ()


NOTHING = Step()
