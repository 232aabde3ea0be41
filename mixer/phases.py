"""The states of a peer and the one table of what leads from one to the next.

:mod:`mixer.diagram` draws the table; no other place decides on a state.
"""

from enum import Enum

from mixer.protocol import Phase


class State(Enum):
    """What a peer is doing. The value is how documents call it."""

    CREATED = "created"
    ANNOUNCEMENT = "announcement"
    SHUFFLE = "shuffle"
    BROADCAST = "broadcast"
    EQUIVOCATION_CHECK = "equivocation check"
    SIGNING = "signing"
    BLAME = "blame"
    DONE = "done"
    ABORTED = "aborted"


class Trigger(Enum):
    """What makes a peer change its state. The value is how documents call it."""

    STARTED = "started"
    ALL_ANNOUNCED = "every key read"
    ALL_SHUFFLED = "last hop read"
    OUTPUTS_READ = "outputs read, own among them"
    VIEWS_EQUAL = "every hash read, all equal"
    ALL_SIGNED = "every signature read"
    COMPLAINED = "complaint read"
    FAULT = "fault or silence"
    JUDGED = "every key read, or deadline"
    BETRAYED = "a note was spent elsewhere"


PHASE_OF = {
    State.ANNOUNCEMENT: Phase.ANNOUNCEMENT,
    State.SHUFFLE: Phase.SHUFFLE,
    State.BROADCAST: Phase.BROADCAST,
    State.EQUIVOCATION_CHECK: Phase.EQUIVOCATION_CHECK,
    State.SIGNING: Phase.SIGNING,
    State.BLAME: Phase.REVEAL,
}
"""The messages that a running peer waits for."""

TRANSITIONS: dict[tuple[State, Trigger], State] = {
    (State.CREATED, Trigger.STARTED): State.ANNOUNCEMENT,
    (State.ANNOUNCEMENT, Trigger.ALL_ANNOUNCED): State.SHUFFLE,
    (State.SHUFFLE, Trigger.ALL_SHUFFLED): State.BROADCAST,
    (State.BROADCAST, Trigger.OUTPUTS_READ): State.EQUIVOCATION_CHECK,
    (State.EQUIVOCATION_CHECK, Trigger.VIEWS_EQUAL): State.SIGNING,
    (State.SIGNING, Trigger.ALL_SIGNED): State.DONE,
    (State.SHUFFLE, Trigger.COMPLAINED): State.BLAME,
    (State.BROADCAST, Trigger.COMPLAINED): State.BLAME,
    (State.EQUIVOCATION_CHECK, Trigger.COMPLAINED): State.BLAME,
    (State.BLAME, Trigger.JUDGED): State.ABORTED,
    (State.DONE, Trigger.BETRAYED): State.ABORTED,
    (State.ANNOUNCEMENT, Trigger.FAULT): State.ABORTED,
    (State.SHUFFLE, Trigger.FAULT): State.ABORTED,
    (State.BROADCAST, Trigger.FAULT): State.ABORTED,
    (State.EQUIVOCATION_CHECK, Trigger.FAULT): State.ABORTED,
    (State.SIGNING, Trigger.FAULT): State.ABORTED,
}
"""Every change of state there is. A pair that is not here cannot happen."""
