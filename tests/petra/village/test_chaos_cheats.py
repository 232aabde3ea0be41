"""Whoever cheats in a mix is out, and the others mix without it."""

import pytest

from mixer.choice import engine_for
from mixer.engine import Blamed, Mixed, Rules, first_run, next_run
from petra.mix_cheats import CheatingEngine
from petra.village.chaos.manners import MANNERS
from tests.petra.village.mixes import members, play


@pytest.mark.parametrize("manner", sorted(MANNERS))
@pytest.mark.parametrize("size", [4, 11])
def test_a_cheat_is_excluded_and_the_others_mix(manner, size) -> None:
    session, keys = members(size)
    rules = Rules(minimum=2, timeout_s=5)
    cheat = 1
    engines = [engine_for(size)] * size
    engines[cheat] = CheatingEngine(engine_for(size), lambda owner: MANNERS[manner])
    run, now_s, guilty = first_run(session, rules), 0, set()
    for _ in range(4):
        outcome, now_s = play(engines, run, keys, now_s)
        if isinstance(outcome, Mixed):
            break
        if isinstance(outcome, Blamed):
            guilty |= {g.member for g in outcome.guilty}
        run = next_run(run, outcome, rules, now_s)
        assert run is not None
    assert isinstance(outcome, Mixed)
    assert guilty <= {cheat}
    if manner != "duplicate" or size <= 10:
        assert guilty == {cheat}
        assert len(outcome.signed.tx.inputs) == size - 1


def test_an_honest_manner_changes_nothing() -> None:
    session, keys = members(4)
    engines = [CheatingEngine(engine_for(4), lambda owner: None)] * 4
    outcome, _ = play(engines, first_run(session, Rules(minimum=2, timeout_s=5)), keys, 0)
    assert isinstance(outcome, Mixed)
