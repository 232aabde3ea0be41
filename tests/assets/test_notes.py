import pytest
from eth_abi import encode
from eth_utils import keccak
from hypothesis import given
from hypothesis import strategies as st

from assets.errors import EncodingError
from assets.keys import Address, Digest
from assets.notes import IssuedNote, Kind, Note, eca, epa, fa, issued, note_of_word, note_word
from assets.words import word
from tests.assets.drawing import issued_notes, notes

OWNER = Address(bytes(range(1, 21)))


@given(issued_notes)
def test_a_note_id_is_the_hash_of_its_three_words(issued_note):
    words = (note_word(issued_note.note), issued_note.origin, issued_note.index)
    assert issued_note.id == keccak(encode(["bytes32", "bytes32", "uint256"], words))


@given(notes)
def test_a_note_has_one_word_and_a_word_one_note(note):
    assert note_of_word(note_word(note)) == note


@given(st.binary(min_size=32, max_size=32))
def test_bytes_are_the_word_of_one_note_or_of_none(packed):
    try:
        note = note_of_word(packed)
    except EncodingError:
        return
    assert note_word(note) == packed


def test_the_word_of_a_note_is_laid_out_as_documented():
    energy = epa(OWNER, 0x01020304, 0x05060708, 0x05060708 + 9)
    assert note_word(energy) == OWNER + bytes.fromhex("010001020304050607080009")
    assert note_word(fa(OWNER, 0x0102030405060708)) == OWNER + bytes.fromhex("030000000102030405060708")


@pytest.mark.parametrize(
    "note",
    [
        epa(OWNER, 2**32, 0, 0),
        epa(OWNER, -1, 0, 0),
        epa(OWNER, 1, 3, 2),
        epa(OWNER, 1, 0, 2**16),
        eca(OWNER, 1, 2**32 - 1, 2**32),
        fa(OWNER, 2**64),
        Note(Kind.FA, OWNER, 1, 0, 1),
        Note(Kind.FA, OWNER, 1, -1, 0),
        Note(256, OWNER, 1, 0, 0),
        Note(Kind.EPA, Address(b"short"), 1, 0, 0),
    ],
)
def test_what_has_no_word_is_an_encoding_error(note):
    with pytest.raises(EncodingError):
        note_word(note)


def test_a_note_id_is_the_golden_one():
    issued_note = IssuedNote(epa(OWNER, 500, 3, 4), Digest(b"\xab" * 32), 2)
    assert issued_note.id.hex() == "e4533adb660307d0b3037f843418b4f5ca5f5f3f0a6cc211a80fca10c6ce6da2"


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
