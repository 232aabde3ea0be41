from hypothesis import given
from hypothesis import strategies as st

from assets.keys import ThrowAwayKeys
from assets.notes import Note, eca, epa, fa
from assets.port import Entry
from assets.transactions import Domain, Signed, Withdraw, digest
from petra.membership import MAX_PEERS, mix_sessions, shards

DOMAIN = Domain(1, ThrowAwayKeys(1, "membership").fresh().address)


def withdrawals(homes: int, per_kind: int, window: int = 0) -> list[Entry]:
    keys = ThrowAwayKeys(2, "membership")
    entries = []
    for home in range(1, homes + 1):
        outputs: list[Note] = []
        for _ in range(per_kind):
            owners = [keys.fresh().address for _ in range(3)]
            outputs += [epa(owners[0], 100, window, window), eca(owners[1], 100, window, window), fa(owners[2], 5)]
        tx = Withdraw(home, 0, window, tuple(outputs))
        entries.append(Entry(home - 1, 0, digest(DOMAIN, tx), Signed(tx, ())))
    return entries


def test_every_home_is_in_every_session_of_a_small_community():
    sessions = mix_sessions(DOMAIN, withdrawals(5, 2), 0)
    assert len(sessions) == 6
    for session in sessions:
        assert len({note.origin for note in session.inputs}) == 5


def test_a_session_has_notes_of_one_class_only():
    for session in mix_sessions(DOMAIN, withdrawals(4, 2), 0):
        assert len({note.note.note_class for note in session.inputs}) == 1


def test_all_notes_are_mixed_exactly_once():
    sessions = mix_sessions(DOMAIN, withdrawals(4, 3), 0)
    ids = [note.id for session in sessions for note in session.inputs]
    assert len(ids) == len(set(ids)) == 4 * 9


def test_a_home_meets_the_same_neighbours_with_all_its_notes():
    """An order shows two notes of one home: two different crowds would leave few homes that it can be."""
    sessions = mix_sessions(DOMAIN, withdrawals(150, 2), 0)
    crowds = {frozenset(note.origin for note in session.inputs) for session in sessions}
    assert len(sessions) == 6 * 3
    assert sorted(map(len, crowds)) == [50, 50, 50]


def test_a_meter_that_withdrew_twice_makes_no_session_too_large():
    entries = withdrawals(64, 1)
    twice = Signed(Withdraw(1, 1, 0, (epa(ThrowAwayKeys(3, "again").fresh().address, 100, 0, 0),)), ())
    entries.append(Entry(64, 0, digest(DOMAIN, twice.tx), twice))
    sizes = sorted(session.size for session in mix_sessions(DOMAIN, entries, 0))
    assert sizes == [32, 33, 64, 64]


def test_withdrawals_for_another_window_stay_outside():
    assert mix_sessions(DOMAIN, withdrawals(4, 1, window=3), 2) == []


def test_a_lone_note_is_not_mixed():
    assert mix_sessions(DOMAIN, withdrawals(1, 2), 0) == []


@given(st.integers(0, 1000))
def test_shards_are_few_and_equal_and_lose_nothing(count):
    parts = shards(list(range(count)))
    assert [n for part in parts for n in part] == list(range(count))
    assert len(parts) == -(-count // MAX_PEERS)
    sizes = [len(part) for part in parts]
    assert not sizes or (max(sizes) <= MAX_PEERS and max(sizes) - min(sizes) <= 1)
