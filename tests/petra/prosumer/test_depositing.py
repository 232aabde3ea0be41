"""Which note of a home goes first: what loses its worth soonest, and no stranger's note before the home's own."""

from random import Random
from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from assets.keys import Address, Digest
from assets.notes import IssuedNote, Kind, Note
from petra.prosumer.depositing import Depositing

OWNER = Address(bytes(19) + b"\x01")


def note(number, kind, quantity, interval):
    window = 0 if kind == Kind.FA else interval
    return IssuedNote(Note(kind, OWNER, quantity, window, window), Digest(bytes(31) + bytes([number])), 0)


def in_turn(due, seed=0):
    """The notes in the order in which they go, all being due all the time."""
    nothing = SimpleNamespace()
    depositing = Depositing(nothing, nothing, nothing, nothing, nothing, Random(seed))
    left = dict(due)
    while left:
        goes = depositing.turn(left)
        del left[goes]
        yield goes


def test_energy_that_counts_goes_before_money_and_money_before_what_strangers_sent() -> None:
    strange, money = note(1, Kind.EPA, 10_000, 2), note(2, Kind.FA, 5, 3)
    crumb, own, next_own = note(3, Kind.EPA, 1, 3), note(4, Kind.ECA, 200, 3), note(5, Kind.EPA, 200, 4)
    due = {strange: 3, money: 3, crumb: 3, next_own: 4, own: 3}
    assert list(in_turn(due)) == [own, next_own, crumb, money, strange]


@given(st.sets(st.integers(1, 200), max_size=20), st.integers())
def test_each_note_goes_once(numbers, seed) -> None:
    due = {note(n, Kind.EPA, 200, 3 + n % 3): 3 for n in numbers}
    assert set(in_turn(due, seed)) == set(due)
    assert Depositing(*[SimpleNamespace()] * 5, Random(seed)).turn({}) is None
