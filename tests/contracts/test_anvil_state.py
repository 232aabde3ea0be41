"""A chain outlives the death of its node, also in the middle of writing it down."""

import json
import os

import pytest

from contracts.anvil_state import AnvilState

WHOLE = json.dumps({"block": 7})


@pytest.fixture
def state(tmp_path) -> AnvilState:
    return AnvilState(tmp_path / "state.json")


def write(state, data, at_s) -> None:
    state.path.write_text(data)
    os.utime(state.path, (at_s, at_s))


def test_half_a_file_is_replaced_by_the_whole_copy(state) -> None:
    write(state, WHOLE, 1)
    state.keep()
    write(state, WHOLE[:-4], 2)
    assert AnvilState(state.path).restore()
    assert state.path.read_text() == WHOLE


def test_half_a_file_is_not_copied_however_old_it_is(state) -> None:
    write(state, WHOLE, 1)
    state.keep()
    write(state, '{"block": 8', 2)
    state.keep()
    assert state.copy.read_text() == WHOLE


def test_a_newer_whole_file_stays_and_is_copied(state) -> None:
    newer = json.dumps({"block": 8})
    write(state, WHOLE, 1)
    state.keep()
    write(state, newer, 2)
    assert not state.restore()
    assert state.path.read_text() == newer
    state.keep()
    assert state.copy.read_text() == newer


@pytest.mark.parametrize("copy", [None, "{", "[]"])
def test_without_a_whole_copy_nothing_is_changed(state, copy) -> None:
    state.path.write_text("half")
    if copy is not None:
        state.copy.write_text(copy)
    assert not state.restore()
    assert state.path.read_text() == "half"


def test_the_copy_of_a_chain_that_was_removed_does_not_come_back(state) -> None:
    write(state, WHOLE, 1)
    state.keep()
    state.path.unlink()
    state.keep()
    assert not state.restore()
    write(state, "half of another chain", 2)
    assert not state.restore()
    assert not state.copy.exists()
