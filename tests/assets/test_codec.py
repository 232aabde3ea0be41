import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.codec import (
    canonical,
    entry_from_json,
    entry_to_json,
    issued_note_from_json,
    issued_note_to_json,
    note_from_json,
    note_to_json,
    parse,
    signed_from_json,
    signed_to_json,
)
from assets.errors import EncodingError
from assets.keys import Address, Digest
from assets.notes import IssuedNote, Kind, Note, epa, fa
from assets.port import Entry
from assets.transactions import Signed, Transact
from tests.assets.drawing import digests, issued_notes, signed_transactions, u64

entries = st.builds(Entry, u64, u64, digests, signed_transactions)

OWNER = Address(bytes(range(20)))
NOTE = epa(OWNER, 500, 3, 4)
ENTRY = Entry(
    5,
    1_600_000_000,
    Digest(b"\xab" * 32),
    Signed(Transact((IssuedNote(NOTE, Digest(b"\x01" * 32), 2),), (fa(OWNER, 7),)), (b"\x02" * 65,)),
)


@given(entries)
def test_what_is_encoded_decodes_to_the_same_entry_through_bytes(entry):
    line = canonical(entry_to_json(entry))
    assert b"\n" not in line
    decoded = entry_from_json(parse(line))
    assert decoded == entry
    assert canonical(entry_to_json(decoded)) == line


@given(signed_transactions)
def test_a_signed_transaction_survives_the_round_trip(signed):
    assert signed_from_json(parse(canonical(signed_to_json(signed)))) == signed


@given(issued_notes)
def test_notes_survive_the_round_trip_with_their_id(issued_note):
    assert note_from_json(note_to_json(issued_note.note)) == issued_note.note
    decoded = issued_note_from_json(issued_note_to_json(issued_note))
    assert decoded == issued_note
    assert decoded.id == issued_note.id
    assert isinstance(decoded.note.kind, Kind)


def test_a_note_is_written_as_documented():
    assert canonical(note_to_json(NOTE)) == (
        b'{"end":4,"kind":"EPA","owner":"0x000102030405060708090a0b0c0d0e0f10111213","quantity":500,"start":3}'
    )


def test_equal_notes_encode_equally_whether_their_kind_is_named_or_numbered():
    assert note_to_json(Note(1, OWNER, 500, 3, 4)) == note_to_json(NOTE)


def edit(path, value):
    """The entry's JSON with the field at ``path`` replaced, or removed when ``value`` is ``...``."""
    obj = entry_to_json(ENTRY)
    at = obj
    for step in path[:-1]:
        at = at[step]
    if value is ...:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    return obj


INPUT = ("signed", "tx", "inputs", 0)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("seq",), True, "entry.seq: expected an integer from 0 to 2**64-1, got True"),
        (("seq",), -1, "entry.seq: expected an integer from 0"),
        (("seq",), 2**64, "entry.seq: expected an integer from 0"),
        (("seq",), "5", "entry.seq: expected an integer from 0"),
        (("seq",), 5.0, "entry.seq: expected an integer from 0"),
        (("seq",), None, "entry.seq: expected an integer from 0"),
        (("seq",), ..., "entry.seq: missing; expected exactly the fields digest, seq, signed, time_s"),
        (("extra",), 1, "entry.extra: unknown; expected exactly the fields digest, seq, signed, time_s"),
        (("digest",), "0x" + "AB" * 32, "entry.digest: expected 0x and 64 lower-case hexadecimal digits"),
        (("digest",), "0X" + "ab" * 32, "entry.digest: expected 0x and 64"),
        (("digest",), "ab" * 32, "entry.digest: expected 0x and 64"),
        (("digest",), "0x" + "ab" * 31, "entry.digest: expected 0x and 64"),
        (("digest",), "0x" + "ab" * 33, "entry.digest: expected 0x and 64"),
        (("digest",), "0x" + "ab" * 32 + "\n", "entry.digest: expected 0x and 64"),
        (("digest",), "0x" + "٠" * 64, "entry.digest: expected 0x and 64"),
        (("digest",), 7, "entry.digest: expected 0x and 64"),
        (("signed",), [], "entry.signed: expected an object"),
        (("signed", "signatures"), {}, "entry.signed.signatures: expected an array"),
        (("signed", "signatures", 0), "0x" + "02" * 64, "entry.signed.signatures[0]: expected 0x and 130"),
        (("signed", "tx"), "transact", "entry.signed.tx: expected an object"),
        (("signed", "tx", "type"), "Transact", 'entry.signed.tx.type: expected one of "withdraw", "transact"'),
        (("signed", "tx", "type"), ["transact"], "entry.signed.tx.type: expected one of"),
        (("signed", "tx", "type"), "withdraw", "entry.signed.tx.meter: missing"),
        (("signed", "tx", "type"), ..., "entry.signed.tx.type: expected one of"),
        (("signed", "tx", "memo"), ..., "entry.signed.tx.memo: missing"),
        ((*INPUT, "index"), 2**16, "entry.signed.tx.inputs[0].index: expected an integer from 0 to 2**16-1"),
        ((*INPUT, "note", "kind"), 1, 'entry.signed.tx.inputs[0].note.kind: expected one of "EPA", "ECA", "FA"'),
        ((*INPUT, "note", "kind"), "epa", "entry.signed.tx.inputs[0].note.kind: expected one of"),
        ((*INPUT, "note", "owner"), "0x", "entry.signed.tx.inputs[0].note.owner: expected 0x and 40"),
    ],
)
def test_anything_but_the_encoding_is_refused_naming_field_and_expectation(path, value, message):
    with pytest.raises(EncodingError) as caught:
        entry_from_json(edit(path, value))
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("obj", [None, [], 3, "entry", True])
def test_an_entry_is_an_object(obj):
    with pytest.raises(EncodingError, match=r"^entry: expected an object"):
        entry_from_json(obj)


@pytest.mark.parametrize(
    ("note", "field"),
    [
        (Note(4, OWNER, 1, 0, 0), "note.kind"),
        (Note(Kind.FA, Address(bytes(19)), 1, 0, 0), "note.owner"),
        (Note(Kind.FA, OWNER, 2**64, 0, 0), "note.quantity"),
        (Note(Kind.FA, OWNER, True, 0, 0), "note.quantity"),
        (Note(Kind.EPA, OWNER, 1, -1, 0), "note.start"),
        (Note(Kind.EPA, OWNER, 1, 0, 2**32), "note.end"),
    ],
)
def test_what_could_not_be_read_back_is_not_written(note, field):
    with pytest.raises(EncodingError, match=f"^{field}: expected "):
        note_to_json(note)


@pytest.mark.parametrize("value", [1.0, None, True, (1,), b"x", {1: 2}, ["\ud800"], {"a": [float("nan")]}])
def test_values_without_canonical_encoding_are_refused(value):
    with pytest.raises(EncodingError, match="expected"):
        canonical(value)


LINE = canonical(entry_to_json(ENTRY))


@pytest.mark.parametrize(
    "line",
    [
        LINE + b"\n",
        LINE + b"\r\n",
        b" " + LINE,
        b"\xef\xbb\xbf" + LINE,
        LINE.replace(b",", b", ", 1),
        LINE.replace(b'"seq":5', b'"seq":5,"seq":5'),
        LINE.replace(b'"seq":5', b'"seq":05'),
        LINE.replace(b'"seq":5', b'"seq":-0'),
        LINE.replace(b'"seq":5', b'"seq":5.0'),
        LINE.replace(b'"seq":5', b'"seq":5e0'),
        LINE.replace(b'"seq":5', b'"seq":NaN'),
        LINE.replace(b'"seq":5', b'"seq":null'),
        LINE.replace(b'"seq":5', b'"seq":' + b"9" * 5000),
        LINE.replace(b'"seq"', b'"\\u0073eq"'),
        LINE.replace(b'"seq"', b'"\\ud800"'),
        LINE.replace(b'"seq"', b'"\xff"'),
        json.dumps(json.loads(LINE), sort_keys=False, separators=(",", ":"))[::-1].encode(),
        b'{"b":1,"a":2}',
        b"[" * 100_000,
        b"[" * 18 + b"]" * 18,
        b'["]",' * 100_000,
        b'{"]\\"]":' * 100_000,
        b'"' + b"[" * 100_000,
        b'"' + b'\\"' * 100_000 + b"\\",
        b"",
        LINE[:-1],
        LINE + LINE,
    ],
)
def test_a_second_encoding_of_the_same_thing_is_refused(line):
    with pytest.raises(EncodingError, match=r"^value(\.seq)?: expected "):
        parse(line)


def test_text_beyond_ascii_has_one_encoding_too():
    assert canonical({"Σ": "ü"}) == '{"Σ":"ü"}'.encode()
    assert parse('{"Σ":"ü"}'.encode()) == {"Σ": "ü"}
    with pytest.raises(EncodingError, match="canonical"):
        parse(b'{"a":"\\u00fc"}')


@given(st.binary(max_size=40))
def test_arbitrary_bytes_parse_to_their_own_encoding_or_are_refused(data):
    try:
        value = parse(data)
    except EncodingError:
        return
    assert canonical(value) == data
