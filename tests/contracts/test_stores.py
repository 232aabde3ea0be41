"""Where a follower keeps what it has read: in memory and in a file, alike."""

import sqlite3
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.transactions import Domain
from contracts.sync.file import FileStore
from contracts.sync.store import WINDOW, BlockId, LogRecord, MemoryStore, StoreError

LEDGER = Domain(7, b"\7" * 20)


def block(number, branch=0):
    return BlockId(number, bytes([branch]) * 28 + number.to_bytes(4, "big"))


def record(number, position=0):
    return LogRecord(number, position, (bytes([position]) * 32, bytes(32)), b"data" * position)


@pytest.fixture(params=["memory", "file"])
def store(request, tmp_path):
    if request.param == "memory":
        return MemoryStore()
    return FileStore(tmp_path / "ledger.sqlite", LEDGER)


def test_a_new_store_is_empty(store):
    assert (store.window(), store.count(), store.records()) == ([], 0, [])


def test_events_and_cursor_go_together(store):
    store.append(None, [record(1), record(1, 1)], [block(1)])
    store.append(block(1), [], [block(2)])
    store.append(block(2), [record(4)], [block(3), block(4)])
    assert store.records() == [record(1), record(1, 1), record(4)]
    assert store.records(2) == [record(4)]
    assert store.window() == [block(1), block(2), block(3), block(4)]


@pytest.mark.parametrize("cursor", [None, block(1), block(2, branch=1)])
def test_who_appends_elsewhere_than_at_the_cursor_is_refused_and_nothing_changes(store, cursor):
    store.append(None, [record(2)], [block(2)])
    with pytest.raises(StoreError, match=r"of its own|file of"):
        store.append(cursor, [record(3)], [block(3)])
    assert (store.records(), store.window()) == ([record(2)], [block(2)])


def test_only_the_newest_blocks_are_remembered(store):
    blocks = [block(n) for n in range(WINDOW + 50)]
    store.append(None, [record(0)], blocks[:100])
    store.append(blocks[99], [], blocks[100:])
    assert store.window() == blocks[-WINDOW:]
    assert store.records() == [record(0)]


def test_a_rollback_forgets_blocks_and_their_events(store):
    store.append(None, [record(1), record(3)], [block(n) for n in range(1, 5)])
    store.rollback(2)
    assert (store.records(), store.window()[-1]) == ([record(1)], block(2))
    store.append(block(2), [record(3, 5)], [block(3, branch=1)])
    assert store.records() == [record(1), record(3, 5)]


steps = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.lists(st.integers(0, 3), max_size=4)),
        st.tuples(st.just("rollback"), st.integers(-1, 30)),
    ),
    max_size=25,
)


@given(steps)
def test_the_file_is_the_memory(tmp_path_factory, script):
    path = tmp_path_factory.mktemp("store") / "ledger.sqlite"
    memory, file = MemoryStore(), FileStore(path, LEDGER)
    for branch, (what, value) in enumerate(script):
        if what == "append":
            cursor = memory.window()[-1] if memory.window() else None
            first = cursor.number + 1 if cursor else 0
            records = [record(first + i, p) for i, count in enumerate(value) for p in range(count)]
            blocks = [block(first + i, branch) for i in range(max(1, len(value)))]
            for store in (memory, file):
                store.append(cursor, records, blocks)
        else:
            for store in (memory, file):
                store.rollback(value)
        assert (file.window(), file.records(), file.count()) == (memory.window(), memory.records(), memory.count())
    file.close()
    again = FileStore(path, LEDGER)
    assert (again.window(), again.records()) == (memory.window(), memory.records())
    again.close()


def test_a_file_of_another_ledger_is_refused_and_kept(tmp_path):
    path = tmp_path / "ledger.sqlite"
    first = FileStore(path, LEDGER)
    first.append(None, [record(1)], [block(1)])
    first.close()
    with pytest.raises(StoreError, match="another ledger"):
        FileStore(path, Domain(8, LEDGER.contract))
    assert FileStore(path, LEDGER).records() == [record(1)]


def test_a_file_that_is_no_store_is_refused_in_a_sentence(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("my shopping list, which nobody may overwrite" * 100)
    with pytest.raises(StoreError, match="give another file"):
        FileStore(path, LEDGER)
    assert path.read_text().startswith("my shopping list")


def test_a_write_that_fails_in_the_middle_leaves_nothing_of_it(tmp_path):
    store = FileStore(tmp_path / "ledger.sqlite", LEDGER)
    store.append(None, [record(1)], [block(1)])
    with pytest.raises(StoreError, match="cannot be written"):
        store.append(block(1), [record(2), record(2)], [block(2)])  # one event twice
    assert (store.records(), store.window()) == ([record(1)], [block(1)])


def test_two_processes_do_not_follow_into_one_file(tmp_path):
    path = tmp_path / "ledger.sqlite"
    mine, theirs = FileStore(path, LEDGER), FileStore(path, LEDGER)
    mine.append(None, [record(1)], [block(1)])
    with pytest.raises(StoreError, match="another process"):
        theirs.append(None, [record(1)], [block(1)])
    assert theirs.records() == [record(1)]


def test_a_store_is_plain_sqlite(tmp_path):
    FileStore(tmp_path / "ledger.sqlite", LEDGER).append(None, [record(1)], [block(1)])
    with sqlite3.connect(tmp_path / "ledger.sqlite") as db:
        assert db.execute("SELECT block, position FROM log").fetchall() == [(1, 0)]
    db.close()


DAMAGES = {
    "an event in the middle is missing": "DELETE FROM log WHERE seq = 1",
    "the first event is missing": "DELETE FROM log WHERE seq = 0",
    "the last event is missing": "DELETE FROM log WHERE seq = 3",
    "all events are missing": "DELETE FROM log",
    "the sequence has a hole": "UPDATE log SET seq = 9 WHERE seq = 3",
    "data were changed": "UPDATE log SET data = x'00' WHERE seq = 2",
    "topics were changed": "UPDATE log SET topics = x'0102' WHERE seq = 2",
    "an event is of another block": "UPDATE log SET block = 7 WHERE seq = 1",
    "an event was added": "INSERT INTO log SELECT 4, 9, 9, topics, data, hash FROM log WHERE seq = 3",
    "all blocks are missing": "DELETE FROM block",
    "the newest block is missing": "DELETE FROM block WHERE number = 3",
    "a block was changed": "UPDATE block SET hash = x'00' WHERE number = 2",
    "the tally is missing": "DELETE FROM tally",
    "the tally was changed": "UPDATE tally SET events = 3",
    "a table is missing": "DROP TABLE log",
}


def read(store):
    store.window()
    store.records()


def damaged(path, how):
    store = FileStore(path, LEDGER)
    store.append(None, [record(1), record(2), record(2, 1), record(3)], [block(1), block(2), block(3)])
    store.close()
    with sqlite3.connect(path) as db:
        db.execute(how)
    db.close()
    return FileStore(path, LEDGER)


@pytest.mark.parametrize("how", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_store_is_refused_and_says_which_file_to_delete(tmp_path, how):
    path = tmp_path / "ledger.sqlite"
    store = damaged(path, how)
    with pytest.raises(StoreError, match="delete it, and all is read again from the chain") as caught:
        read(store)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("how", DAMAGES.values(), ids=DAMAGES)
def test_reading_on_or_back_does_not_hide_the_damage(tmp_path, how):
    path = tmp_path / "ledger.sqlite"
    store = damaged(path, how)
    for change in (lambda: store.append(block(3), [record(4)], [block(4)]), lambda: store.rollback(3)):
        with suppress(StoreError):
            change()
        with pytest.raises(StoreError, match="delete it"):
            read(store)


def test_only_new_events_are_compared_when_only_those_are_asked_for(tmp_path):
    store = damaged(tmp_path / "ledger.sqlite", "SELECT 1")
    assert store.records(3) == [record(3)]
    assert store.records(4) == store.records(7) == []


def test_a_store_of_an_older_format_is_refused_and_kept(tmp_path):
    path = tmp_path / "ledger.sqlite"
    FileStore(path, LEDGER).close()
    with sqlite3.connect(path) as db:
        db.execute("UPDATE about SET value = 'petra-sync-1' WHERE name = 'format'")
        db.execute("DROP TABLE tally")
    db.close()
    with pytest.raises(StoreError, match="older format; delete it, and all is read again from the chain"):
        FileStore(path, LEDGER)


def test_a_database_of_another_program_is_left_as_it_is(tmp_path):
    path = tmp_path / "recipes.sqlite"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE recipe (name TEXT)")
    with pytest.raises(StoreError, match="give another file"):
        FileStore(path, LEDGER)
    assert db.execute("SELECT name FROM sqlite_master").fetchall() == [("recipe",)]
    db.close()


def test_a_full_disk_is_no_damage(tmp_path):
    store = FileStore(tmp_path / "ledger.sqlite", LEDGER)
    store._db.execute("PRAGMA max_page_count = 12")
    with pytest.raises(StoreError, match="free the disk"):
        store.append(None, [LogRecord(1, i, (bytes(32),), bytes(4096)) for i in range(50)], [block(1)])
    assert (store.records(), store.window()) == ([], [])
