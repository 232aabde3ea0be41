"""The documents show the state machine that runs."""

from pathlib import Path

from mixer.diagram import mermaid
from mixer.phases import PHASE_OF, TRANSITIONS, State, Trigger

PAGE = Path(__file__).parents[2] / "docs" / "protocol" / "coinshuffle.md"


def test_the_protocol_page_contains_the_generated_diagram():
    assert f"```mermaid\n{mermaid()}\n```" in PAGE.read_text(encoding="utf-8")


def test_every_running_state_can_fail_and_every_state_can_be_reached():
    assert set(TRANSITIONS.values()) == set(State) - {State.CREATED}
    ends = {
        old for (old, trigger), new in TRANSITIONS.items() if new is State.ABORTED and trigger is not Trigger.BETRAYED
    }
    assert ends == set(PHASE_OF)
