"""Envelopes have one encoding; everything else is refused, and only with the decoder's own error."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.errors import EncodingError
from assets.keys import Digest, ThrowAwayKeys
from mixer.envelope import MAX_ENVELOPE_BYTES, MIN_ENVELOPE_BYTES, Envelope, decode, seal
from mixer.protocol import MAX_PAYLOAD_BYTES, MAX_PEERS, MAX_RUN, Phase
from mixer.signatures import ForeignSignature, check_address, check_key

KEY = ThrowAwayKeys(0, "envelopes").fresh()
HASHES = st.binary(min_size=32, max_size=32).map(Digest)

envelopes = st.builds(
    Envelope,
    log=HASHES,
    run=st.integers(0, MAX_RUN),
    phase=st.sampled_from(Phase),
    sender=st.integers(0, MAX_PEERS - 1),
    previous=HASHES,
    payload=st.binary(max_size=200),
    signature=st.binary(min_size=64, max_size=64),
)


def example(payload: bytes = b"payload") -> Envelope:
    return seal(Digest(b"\x01" * 32), 3, Phase.SHUFFLE, 2, Digest(b"\x02" * 32), payload, KEY)


@given(envelopes)
def test_an_envelope_survives_the_wire(envelope):
    decoded = decode(envelope.encoded)
    assert decoded == envelope
    assert (decoded.encoded, decoded.digest) == (envelope.encoded, envelope.digest)


@given(st.binary(max_size=300))
def test_random_bytes_are_refused_with_the_decoders_error(data):
    with pytest.raises(EncodingError):
        decode(data)


@given(envelopes, st.data())
def test_changed_bytes_are_refused_or_another_message(envelope, data):
    raw = bytearray(envelope.encoded)
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        decoded = decode(bytes(raw))
    except EncodingError:
        return
    assert decoded.encoded == bytes(raw)
    assert (decoded == envelope) == (bytes(raw) == envelope.encoded)


@given(envelopes, st.binary(min_size=1, max_size=40))
def test_bytes_left_over_or_missing_are_refused(envelope, extra):
    for data in (envelope.encoded + extra, envelope.encoded[: -len(extra)]):
        with pytest.raises(EncodingError):
            decode(data)


def test_unknown_versions_phases_senders_and_lengths_are_refused():
    raw = example().encoded
    for message, change in {
        "version 1": b"\x01" + raw[1:],
        "not a valid Phase": raw[:1] + b"\x00" + raw[2:],
        "sender is 65535": raw[:2] + b"\xff\xff" + raw[4:],
        "promises 8 bytes and carries 7": raw[:72] + b"\x00\x00\x00\x08" + raw[76:],
        "140 to": raw[: MIN_ENVELOPE_BYTES - 1],
    }.items():
        with pytest.raises(EncodingError, match=message):
            decode(change)
    with pytest.raises(EncodingError, match="an envelope has"):
        decode(bytes(MAX_ENVELOPE_BYTES + 1))


def test_a_field_that_does_not_fit_is_the_callers_mistake():
    good = example()
    for message, changes in {
        "run is -1": {"run": -1},
        "run is 4294967296": {"run": MAX_RUN + 1},
        "sender is 256": {"sender": MAX_PEERS},
        "32 bytes": {"previous": Digest(b"")},
        "at most": {"payload": bytes(MAX_PAYLOAD_BYTES + 1)},
        "64 bytes": {"signature": b""},
    }.items():
        fields = {n: getattr(good, n) for n in ("log", "run", "phase", "sender", "previous", "payload", "signature")}
        with pytest.raises(ValueError, match=message):
            Envelope(**(fields | changes))


def test_the_signature_covers_every_field():
    good = example()
    check_key(KEY.public_key, good.digest, good.signature)
    check_address(KEY.address, good.digest, good.signature)
    for changes in (
        {"log": Digest(b"\x09" * 32)},
        {"run": 4},
        {"phase": Phase.BROADCAST},
        {"sender": 1},
        {"previous": Digest(b"\x09" * 32)},
        {"payload": b"Payload"},
    ):
        fields = {n: getattr(good, n) for n in ("log", "run", "phase", "sender", "previous", "payload", "signature")}
        other = Envelope(**(fields | changes))
        assert other.digest != good.digest
        with pytest.raises(ForeignSignature):
            check_key(KEY.public_key, other.digest, other.signature)
        with pytest.raises(ForeignSignature):
            check_address(KEY.address, other.digest, other.signature)


def test_the_second_signature_that_ecdsa_allows_is_refused():
    good = example()
    order = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
    high_s = good.signature[:32] + (order - int.from_bytes(good.signature[32:], "big")).to_bytes(32, "big")
    for signature in (high_s, bytes(64), b"\xff" * 64):
        with pytest.raises(ForeignSignature):
            check_key(KEY.public_key, good.digest, signature)
        with pytest.raises(ForeignSignature):
            check_address(KEY.address, good.digest, signature)


def test_repr_names_neither_session_nor_content():
    assert repr(example()) == "Envelope(shuffle of peer 2, run 3, 7 bytes)"
    assert repr(replace_signature(example())) == repr(example())


def replace_signature(envelope: Envelope) -> Envelope:
    fields = ("log", "run", "phase", "sender", "previous", "payload")
    return Envelope(*(getattr(envelope, name) for name in fields), signature=bytes(64))
