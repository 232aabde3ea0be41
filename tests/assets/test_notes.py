import pytest
from eth_abi import encode
from eth_utils import keccak
from hypothesis import given
from hypothesis import strategies as st

from assets.keys import Address, Digest
from assets.notes import IssuedNote, Kind, Note, eca, epa, fa, issued, word

OWNER = Address(bytes(range(1, 21)))
uint32, uint64 = st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1)
notes = st.builds(Note, st.sampled_from(Kind), st.binary(min_size=20, max_size=20).map(Address), uint64, uint32, uint32)
issued_notes = st.builds(IssuedNote, notes, st.binary(min_size=32, max_size=32).map(Digest), uint32)


@given(issued_notes)
def test_a_note_id_is_the_hash_of_its_abi_encoding(issued_note):
    n = issued_note.note
    encoded = encode(
        ["uint8", "address", "uint64", "uint32", "uint32", "bytes32", "uint256"],
        [int(n.kind), "0x" + n.owner.hex(), n.quantity, n.start, n.end, issued_note.origin, issued_note.index],
    )
    assert issued_note.id == keccak(encoded)


def test_a_note_id_is_the_golden_one():
    issued_note = IssuedNote(epa(OWNER, 500, 3, 4), Digest(b"\xab" * 32), 2)
    assert issued_note.id.hex() == "b77ca1618b10105ba09c4d98cd6148b2d353ae4870eaf25b1b3b80d9f1b49c9c"


@given(issued_notes, issued_notes)
def test_different_notes_have_different_ids(one, other):
    assert (one.id == other.id) == (one == other)


def test_notes_are_made_with_their_kind_and_span():
    assert epa(OWNER, 5, 1, 2) == Note(Kind.EPA, OWNER, 5, 1, 2)
    assert eca(OWNER, 5, 1, 2) == Note(Kind.ECA, OWNER, 5, 1, 2)
    assert fa(OWNER, 5) == Note(Kind.FA, OWNER, 5, 0, 0)


def test_a_note_has_either_a_power_or_an_amount():
    assert epa(OWNER, 5, 1, 2).power_w == 5
    assert fa(OWNER, 7).amount_nano == 7
    with pytest.raises(ValueError, match="only FA notes have an amount"):
        _ = eca(OWNER, 5, 1, 2).amount_nano
    with pytest.raises(ValueError, match="only EPA and ECA notes have a power"):
        _ = fa(OWNER, 5).power_w


def test_notes_of_one_class_differ_only_in_their_owner():
    other = Address(b"\x09" * 20)
    assert epa(OWNER, 5, 1, 2).note_class == epa(other, 5, 1, 2).note_class
    classes = {epa(OWNER, 5, 1, 2), eca(OWNER, 5, 1, 2), epa(OWNER, 6, 1, 2), epa(OWNER, 5, 0, 2), epa(OWNER, 5, 1, 3)}
    assert len({note.note_class for note in classes}) == 5


def test_a_transaction_issues_its_outputs_in_order():
    origin = Digest(b"\x01" * 32)
    outputs = (fa(OWNER, 1), fa(OWNER, 1), epa(OWNER, 5, 1, 2))
    created = issued(outputs, origin)
    assert [note.note for note in created] == list(outputs)
    assert [note.index for note in created] == [0, 1, 2]
    assert {note.origin for note in created} == {origin}
    assert len({note.id for note in created}) == 3


@given(st.integers(0, 2**256 - 1))
def test_a_word_is_an_abi_word(value):
    assert word(value) == encode(["uint256"], [value])
