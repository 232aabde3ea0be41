"""The engine follows from the session's size."""

import pytest

from mixer.choice import MAX_COINSHUFFLE_PEERS, engine_for
from mixer.engines import NAMES


@pytest.mark.parametrize(
    ("members", "name"), [(2, "coinshuffle"), (10, "coinshuffle"), (11, "dicemix"), (256, "dicemix")]
)
def test_small_sessions_shuffle_and_large_ones_throw_dice(members, name):
    assert engine_for(members).name == name
    assert (members <= MAX_COINSHUFFLE_PEERS) == (name == "coinshuffle")


def test_an_engine_can_be_named():
    assert {engine_for(50, name=name).name for name in NAMES} == set(NAMES) == {"coinshuffle", "dicemix"}


def test_an_unknown_engine_is_refused_with_a_sentence():
    with pytest.raises(ValueError, match="choose out of coinshuffle, dicemix"):
        engine_for(5, name="wishful")
