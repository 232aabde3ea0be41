import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.errors import EncodingError
from assets.keys import Digest, SigningKey
from mixer.boardservice.frame import decode_frame, sign_frame
from mixer.boardservice.heads import sign_head

SESSION, BOARD, KEY = Digest(b"\x05" * 32), SigningKey(b"\x01" * 32), SigningKey(b"\x02" * 32)

frames = st.builds(
    lambda author, count, head, message: sign_frame(
        author, sign_head(SESSION, count, Digest(head), BOARD), message, KEY, BOARD.address
    ),
    st.integers(0, 2**16 - 1),
    st.integers(0, 2**32 - 1),
    st.binary(min_size=32, max_size=32),
    st.binary(max_size=200),
)


@given(frames)
def test_a_frame_is_read_back_and_is_its_authors(frame):
    read = decode_frame(SESSION, frame.encoded)
    assert read == frame
    assert read.encoded == frame.encoded
    assert read.author_address(BOARD.address) == KEY.address


@given(frames, st.data())
def test_no_byte_of_a_frame_can_be_changed(frame, data):
    at = data.draw(st.integers(0, len(frame.encoded) - 1))
    bit = data.draw(st.integers(0, 7))
    changed = bytearray(frame.encoded)
    changed[at] ^= 1 << bit
    try:
        read = decode_frame(SESSION, bytes(changed))
    except EncodingError:
        return
    assert read.author_address(BOARD.address) != KEY.address


@given(frames)
def test_a_frame_is_worth_nothing_on_another_board_or_in_another_session(frame):
    assert frame.author_address(KEY.address) != KEY.address
    moved = decode_frame(Digest(b"\x06" * 32), frame.encoded)
    assert moved.author_address(BOARD.address) != KEY.address


@given(st.binary(max_size=400))
def test_bytes_are_a_frame_or_refused(data):
    try:
        frame = decode_frame(SESSION, data)
    except EncodingError:
        return
    assert frame.encoded == data


@pytest.mark.parametrize("author", [-1, 2**16])
def test_an_author_has_two_bytes(author):
    with pytest.raises(ValueError, match="author"):
        sign_frame(author, sign_head(SESSION, 1, SESSION, BOARD), b"", KEY, BOARD.address)
