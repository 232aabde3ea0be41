"""The stages of a run and the one table of what leads from one to the next; no other place decides on a stage."""

from enum import Enum

from mixer.dicemix.protocol import Phase


class Stage(Enum):
    """Where a run is. The value is how documents call it."""

    KEYS = "keys"
    SLOTS = "slots"
    PAYLOADS = "payloads"
    SIGNING = "signing"
    REVELATION = "revelation"
    DONE = "done"
    FAILED = "failed"


class Trigger(Enum):
    """What makes a run change its stage. The value is how documents call it."""

    KEYS_READ = "every key read"
    SLOTS_READ = "N distinct numbers came out"
    SLOTS_DISRUPTED = "something else came out"
    PAYLOADS_READ = "every slot holds its address"
    PAYLOADS_DISRUPTED = "some slot does not, or a complaint"
    ALL_SIGNED = "every signature read"
    FAULT = "fault or silence"
    BETRAYED = "a note was spent elsewhere"
    JUDGED = "every revelation read, or silence"


TRANSITIONS: dict[tuple[Stage, Trigger], Stage] = {
    (Stage.KEYS, Trigger.KEYS_READ): Stage.SLOTS,
    (Stage.SLOTS, Trigger.SLOTS_READ): Stage.PAYLOADS,
    (Stage.SLOTS, Trigger.SLOTS_DISRUPTED): Stage.REVELATION,
    (Stage.PAYLOADS, Trigger.PAYLOADS_READ): Stage.SIGNING,
    (Stage.PAYLOADS, Trigger.PAYLOADS_DISRUPTED): Stage.REVELATION,
    (Stage.SIGNING, Trigger.ALL_SIGNED): Stage.DONE,
    (Stage.KEYS, Trigger.FAULT): Stage.FAILED,
    (Stage.SLOTS, Trigger.FAULT): Stage.FAILED,
    (Stage.PAYLOADS, Trigger.FAULT): Stage.FAILED,
    (Stage.SIGNING, Trigger.FAULT): Stage.FAILED,
    (Stage.REVELATION, Trigger.JUDGED): Stage.FAILED,
    (Stage.KEYS, Trigger.BETRAYED): Stage.FAILED,
    (Stage.SLOTS, Trigger.BETRAYED): Stage.FAILED,
    (Stage.PAYLOADS, Trigger.BETRAYED): Stage.FAILED,
    (Stage.SIGNING, Trigger.BETRAYED): Stage.FAILED,
    (Stage.REVELATION, Trigger.BETRAYED): Stage.FAILED,
    (Stage.DONE, Trigger.BETRAYED): Stage.FAILED,
}
"""Every change of stage there is. From signing no way leads to the revelation: keys stay secret once it began."""

PHASES_OF: dict[Stage, frozenset[Phase]] = {
    Stage.KEYS: frozenset({Phase.KEYS}),
    Stage.SLOTS: frozenset({Phase.SLOTS}),
    Stage.PAYLOADS: frozenset({Phase.PAYLOADS, Phase.COMPLAINT}),
    Stage.SIGNING: frozenset({Phase.SIGNING}),
    Stage.REVELATION: frozenset({Phase.REVELATION}),
}
"""The messages that a stage waits for: one of them from every peer."""


def turn(phase: Phase) -> Phase:
    """The phase in which a message takes its sender's turn: a complaint stands for a payload."""
    return Phase.PAYLOADS if phase is Phase.COMPLAINT else phase


def mermaid() -> str:
    """The table as the text of a Mermaid ``stateDiagram-v2``."""
    lines = ["stateDiagram-v2", f"    [*] --> {Stage.KEYS.name}"]
    lines += [f"    {stage.name}: {stage.value}" for stage in Stage]
    lines += [f"    {old.name} --> {new.name}: {trigger.value}" for (old, trigger), new in TRANSITIONS.items()]
    lines += [f"    {stage.name} --> [*]" for stage in Stage if stage not in PHASES_OF]
    return "\n".join(lines)
