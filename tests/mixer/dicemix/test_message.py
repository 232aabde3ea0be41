"""One encoding of each message, and nothing else is one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.errors import EncodingError
from assets.keys import Digest, ThrowAwayKeys
from mixer import envelope
from mixer.board import MAX_ENVELOPE_BYTES
from mixer.dicemix.message import MAX_MESSAGE_BYTES, MIN_MESSAGE_BYTES, Message, decode, seal
from mixer.dicemix.protocol import MAX_PAYLOAD_BYTES, MAX_PEERS, MAX_RUN, Phase, payload_bytes
from mixer.dicemix.signers import Signers
from mixer.signatures import ForeignSignature

KEY = ThrowAwayKeys(0, "dicemix messages").fresh()

MESSAGES = st.builds(
    seal,
    st.binary(min_size=32, max_size=32).map(Digest),
    st.integers(0, MAX_RUN),
    st.sampled_from(Phase),
    st.integers(0, MAX_PEERS - 1),
    st.binary(min_size=32, max_size=32).map(Digest),
    st.binary(max_size=200),
    st.just(KEY),
)


@given(MESSAGES)
def test_messages_survive_the_wire(message):
    assert decode(message.encoded) == message


@given(MESSAGES, st.data())
def test_a_changed_bit_is_refused_or_is_another_message_that_nobody_signed(message, data):
    at = data.draw(st.integers(0, len(message.encoded) - 1))
    changed = bytearray(message.encoded)
    changed[at] ^= 1 << data.draw(st.integers(0, 7))
    try:
        other = decode(bytes(changed))
    except EncodingError:
        return
    assert other.encoded == bytes(changed)
    signers = Signers([KEY.address] * MAX_PEERS)
    with pytest.raises(ForeignSignature):
        signers.check(other)


@given(st.binary(max_size=400) | st.binary(max_size=300).map(lambda data: b"\xd2\x01\x00\x00" + data))
def test_any_bytes_are_refused_or_the_only_encoding_of_what_they_say(data):
    try:
        message = decode(data)
    except EncodingError:
        return
    assert message.encoded == data


@given(MESSAGES)
def test_the_other_engine_does_not_read_these_messages(message):
    with pytest.raises(EncodingError):
        envelope.decode(message.encoded)


def test_every_board_takes_the_longest_message():
    assert MIN_MESSAGE_BYTES + MAX_PAYLOAD_BYTES == MAX_MESSAGE_BYTES <= MAX_ENVELOPE_BYTES
    assert all((payload_bytes(phase, MAX_PEERS) or 0) <= MAX_PAYLOAD_BYTES for phase in Phase)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"run": -1}, "run is"),
        ({"run": MAX_RUN + 1}, "run is"),
        ({"sender": MAX_PEERS}, "sender is"),
        ({"log": b""}, "32 bytes"),
        ({"previous": bytes(33)}, "32 bytes"),
        ({"payload": bytes(MAX_PAYLOAD_BYTES + 1)}, "at most"),
        ({"signature": bytes(65)}, "signature"),
    ],
)
def test_what_does_not_fit_is_not_encoded(change, sentence):
    parts = {
        "log": bytes(32), "run": 0, "phase": Phase.KEYS, "sender": 0, "previous": bytes(32), "payload": b"",
        "signature": bytes(64),
    }  # fmt: skip
    with pytest.raises(ValueError, match=sentence):
        Message(**(parts | change))


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        (lambda data: b"\x01" + data[1:], "version"),
        (lambda data: data[:1] + b"\x63" + data[2:], "Phase"),
        (lambda data: data + b"\x00", "promises"),
        (lambda data: data[:-80], "bytes"),
        (lambda data: data[:100], "bytes"),
    ],
)
def test_a_sentence_says_what_is_wrong(changed, sentence):
    data = seal(Digest(bytes(32)), 0, Phase.KEYS, 0, Digest(bytes(32)), bytes(97), KEY).encoded
    with pytest.raises(EncodingError, match=sentence):
        decode(changed(data))


def test_a_message_does_not_print_its_payload():
    message = seal(Digest(bytes(32)), 3, Phase.REVELATION, 5, Digest(bytes(32)), b"secret" * 14, KEY)
    assert repr(message) == "Message(revelation of peer 5, run 3, 84 bytes)"
