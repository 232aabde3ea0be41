"""A chain outlives the death of its node, also in the middle of writing it down."""

import json
import os
import time

import pytest

from contracts.anvil_state import QUIET_S, AnvilState


@pytest.fixture
def state(tmp_path) -> AnvilState:
    return AnvilState(tmp_path / "state.json")


def written(state, data, age_s=2 * QUIET_S) -> None:
    state.path.write_text(data)
    at = time.time() - age_s
    os.utime(state.path, (at, at))


def test_half_a_file_is_replaced_by_the_whole_copy(state) -> None:
    whole = json.dumps({"block": 7})
    written(state, whole)
    state.keep()
    written(state, whole[:-4], age_s=0)
    AnvilState(state.path).restore()
    assert state.path.read_text() == whole


def test_a_file_that_is_being_written_is_not_copied(state) -> None:
    written(state, json.dumps({"block": 7}))
    state.keep()
    written(state, '{"block": 8', age_s=0)
    state.keep()
    assert json.loads(state.copy.read_text()) == {"block": 7}


def test_a_newer_whole_file_stays(state) -> None:
    written(state, json.dumps({"block": 7}))
    state.keep()
    written(state, json.dumps({"block": 8}))
    state.restore()
    assert json.loads(state.path.read_text()) == {"block": 8}
    state.keep()
    assert json.loads(state.copy.read_text()) == {"block": 8}


@pytest.mark.parametrize("copy", [None, "{", "[]"])
def test_without_a_whole_copy_nothing_is_changed(state, copy) -> None:
    state.path.write_text("half")
    if copy is not None:
        state.copy.write_text(copy)
    state.restore()
    assert state.path.read_text() == "half"


def test_there_may_be_no_file_yet(state) -> None:
    state.keep()
    state.restore()
    assert not state.path.exists()
    assert not state.copy.exists()
