import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.errors import EncodingError
from assets.keys import Digest
from mixer.boardservice.event import LENGTH_BYTES, decode_event, encode_event, with_length
from mixer.boardservice.heads import sign_head
from tests.mixer.boardservice.test_frame import BOARD, SESSION

HEAD = sign_head(SESSION, 3, Digest(b"\x09" * 32), BOARD)


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=5))
def test_an_event_is_read_back(records):
    event = encode_event(HEAD, [with_length(record) for record in records])
    assert int.from_bytes(event[:LENGTH_BYTES], "big") == len(event) - LENGTH_BYTES
    assert decode_event(event[LENGTH_BYTES:]) == (HEAD.head, HEAD.signature, records)


@given(st.lists(st.binary(max_size=50), min_size=1, max_size=3), st.integers(1, 60))
def test_an_event_that_was_cut_is_refused(records, cut):
    event = encode_event(HEAD, [with_length(record) for record in records])[LENGTH_BYTES:]
    try:
        _, _, found = decode_event(event[:-cut])
    except EncodingError:
        return
    assert found == records[: len(found)]


@given(st.binary(max_size=400))
def test_bytes_are_an_event_or_refused(data):
    try:
        head, signature, records = decode_event(data)
    except EncodingError:
        return
    assert head + signature + b"".join(map(with_length, records)) == data


@pytest.mark.parametrize("data", [b"", bytes(97), bytes(96), bytes(99)])
def test_an_event_without_a_record_is_refused(data):
    with pytest.raises(EncodingError):
        decode_event(data)
