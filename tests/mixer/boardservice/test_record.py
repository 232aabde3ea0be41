import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.errors import EncodingError
from mixer.board import next_head
from mixer.boardservice.record import Record, author_of, decode_record
from tests.mixer.boardservice.test_frame import BOARD, KEY, SESSION, frames

records = st.builds(Record, st.integers(0, 2**63 - 1), frames)


@given(records)
def test_a_record_is_read_back_and_is_its_authors(record):
    assert decode_record(SESSION, record.encoded) == record
    assert author_of(record.encoded, SESSION, BOARD.address) == KEY.address


@given(records, st.binary(min_size=32, max_size=32))
def test_the_time_is_in_the_hash_chain(record, head):
    assert record.head_after(head) == next_head(head, record.encoded)
    later = Record(record.at_s ^ 1, record.frame)
    assert later.head_after(head) != record.head_after(head)


@given(st.binary(max_size=300))
def test_bytes_are_a_record_or_refused(data):
    try:
        record = decode_record(SESSION, data)
    except EncodingError:
        return
    assert record.encoded == data


@given(records)
def test_a_time_beyond_63_bits_is_refused(record):
    with pytest.raises(EncodingError, match="time"):
        decode_record(SESSION, b"\xff" + record.encoded[1:])
