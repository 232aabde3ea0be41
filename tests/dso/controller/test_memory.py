"""What the controller remembers between commands."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dso.controller.memory import Memory

LEVELS = st.dictionaries(st.integers(0, 95), st.integers(-4, 4))


@settings(max_examples=25)  # each writes to the disk
@given(st.integers(0, 10**6), LEVELS, LEVELS, st.dictionaries(st.integers(0, 10**6), st.integers(0, 1000)))
def test_a_memory_is_read_as_it_was_written(tmp_path_factory, first, before, after, limits):
    path = tmp_path_factory.mktemp("memory") / "controller.json"
    Memory(first, before, after, limits).write(path)
    assert Memory.read(path) == Memory(first, before, after, limits)
    assert list(path.parent.iterdir()) == [path]


def test_a_day_planned_twice_starts_from_the_same_levels_and_the_next_day_goes_on():
    memory = Memory(96, {0: 1}, {0: 2})
    assert memory.levels(96) == {0: 1}
    assert memory.levels(192) == {0: 2}


def test_what_is_left_of_todays_limits_is_carried_over():
    assert Memory(4, {}, {}, {3: 1000, 4: 700, 5: 800, 8: 900}).limits(4, 7) == {4: 700, 5: 800}


def test_without_a_file_all_levels_are_the_tariffs_and_a_damaged_one_is_refused(tmp_path):
    path = tmp_path / "controller.json"
    assert Memory.read(path) == Memory()
    whole = '{"first": 1e400, "before": {}, "after": {}, "limit_permille": {}}'
    for bad in ("", "[]", "{}", whole, whole.replace("1e400", "[]")):
        path.write_text(bad)
        with pytest.raises(ValueError, match="is damaged"):
            Memory.read(path)
