"""Draws the transition table: ``python -m mixer.diagram`` prints it as a Mermaid state diagram."""

from mixer.phases import TRANSITIONS, State


def mermaid() -> str:
    """The transition table as the text of a Mermaid ``stateDiagram-v2``."""
    lines = ["stateDiagram-v2", f"    [*] --> {State.CREATED.name}"]
    lines += [f"    {state.name}: {state.value}" for state in State]
    lines += [f"    {old.name} --> {new.name}: {trigger.value}" for (old, trigger), new in TRANSITIONS.items()]
    leaving = {old for old, _ in TRANSITIONS}
    lines += [f"    {state.name} --> [*]" for state in State if state not in leaving]
    return "\n".join(lines)


if __name__ == "__main__":
    print(mermaid())
