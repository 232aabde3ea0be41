"""The signed envelope around every message, in one canonical binary encoding.

    version 1 | phase 1 | sender 2 | run 4 | log 32 | previous 32 | payload length 4 | payload | signature 64

Integers are unsigned and big-endian. The signature covers everything before it.
"""

import struct
from dataclasses import dataclass, field

from assets.errors import EncodingError
from assets.hashing import keccak
from assets.keys import Digest, SigningKey
from mixer.memo import public
from mixer.protocol import ENVELOPE_SIGNATURE_BYTES, MAX_PAYLOAD_BYTES, MAX_PEERS, MAX_RUN, VERSION, Phase

_ENVELOPE_TAG = keccak(b"PETra mix envelope v1")
_HEADER = struct.Struct(">BBHI32s32sI")

MIN_ENVELOPE_BYTES = _HEADER.size + ENVELOPE_SIGNATURE_BYTES
MAX_ENVELOPE_BYTES = MIN_ENVELOPE_BYTES + MAX_PAYLOAD_BYTES
"""No message is longer than this; a board may refuse what is."""


@dataclass(frozen=True, slots=True, repr=False)
class Envelope:
    """One message. Whether it is signed by its sender is for the reader to check (:mod:`mixer.signatures`)."""

    log: Digest
    """Which log it is for: a session's, as one board opened it (:mod:`mixer.opening`)."""
    run: int
    """Number of the attempt within the session, from 0."""
    phase: Phase
    sender: int
    """Which peer: the place of its note among the session's inputs."""
    previous: Digest
    """The sender's view: hash of everything that it accepted before this message (:mod:`mixer.transcript`)."""
    payload: bytes
    signature: bytes
    """64 bytes ``r ‖ s`` of the key that owns the sender's input, over :attr:`digest`."""
    encoded: bytes = field(init=False, compare=False)
    """The message as it travels."""
    digest: Digest = field(init=False, compare=False)
    """What is signed: a tagged Keccak-256 of everything but the signature. Identifies the message."""

    def __post_init__(self) -> None:
        if len(self.signature) != ENVELOPE_SIGNATURE_BYTES:
            raise ValueError(f"an envelope's signature has {ENVELOPE_SIGNATURE_BYTES} bytes")
        body = _body(self.log, self.run, self.phase, self.sender, self.previous, self.payload)
        object.__setattr__(self, "encoded", body + self.signature)
        object.__setattr__(self, "digest", Digest(keccak(_ENVELOPE_TAG + body)))

    def __repr__(self) -> str:
        return f"Envelope({self.phase.title} of peer {self.sender}, run {self.run}, {len(self.payload)} bytes)"


def seal(
    log: Digest, run: int, phase: Phase, sender: int, previous: Digest, payload: bytes, key: SigningKey
) -> Envelope:
    """An envelope signed with ``key``. Raises ``ValueError`` if a field does not fit the encoding."""
    digest = keccak(_ENVELOPE_TAG + _body(log, run, phase, sender, previous, payload))
    signature = key.sign(digest)[:ENVELOPE_SIGNATURE_BYTES]
    return Envelope(log, run, phase, sender, previous, payload, signature)


@public
def decode(data: bytes) -> Envelope:
    """The envelope that ``data`` encodes.

    Raises :class:`~assets.errors.EncodingError` for anything else: another version, an unknown phase, a length that
    does not fit, bytes left over.
    """
    if not MIN_ENVELOPE_BYTES <= len(data) <= MAX_ENVELOPE_BYTES:
        raise EncodingError(f"an envelope has {MIN_ENVELOPE_BYTES} to {MAX_ENVELOPE_BYTES} bytes, not {len(data)}")
    version, phase, sender, run, log, previous, length = _HEADER.unpack_from(data)
    if version != VERSION:
        raise EncodingError(f"envelope version {version} is unknown; this is version {VERSION}")
    if length != len(data) - MIN_ENVELOPE_BYTES:
        raise EncodingError(f"the envelope promises {length} bytes and carries {len(data) - MIN_ENVELOPE_BYTES}")
    try:
        return Envelope(
            Digest(log),
            run,
            Phase(phase),
            sender,
            Digest(previous),
            bytes(data[_HEADER.size : -ENVELOPE_SIGNATURE_BYTES]),
            bytes(data[-ENVELOPE_SIGNATURE_BYTES:]),
        )
    except ValueError as error:
        raise EncodingError(str(error)) from None


def _body(log: Digest, run: int, phase: Phase, sender: int, previous: Digest, payload: bytes) -> bytes:
    if not 0 <= run <= MAX_RUN:
        raise ValueError(f"run is {run}; give 0 to {MAX_RUN}")
    if not 0 <= sender < MAX_PEERS:
        raise ValueError(f"sender is {sender}; give 0 to {MAX_PEERS - 1}")
    if len(log) != 32 or len(previous) != 32:
        raise ValueError("log and previous are hashes of 32 bytes")
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise ValueError(f"a payload has at most {MAX_PAYLOAD_BYTES} bytes, this one {len(payload)}")
    return _HEADER.pack(VERSION, phase, sender, run, log, previous, len(payload)) + payload
