"""The signed message, in one canonical binary encoding.

    version 1 | phase 1 | sender 2 | run 4 | log 32 | previous 32 | payload length 4 | payload | signature 64

Integers are unsigned and big-endian. The signature covers everything before it, under a tag of DiceMix alone.
"""

import struct
from dataclasses import dataclass, field

from assets.errors import EncodingError
from assets.hashing import keccak
from assets.keys import Digest, SigningKey
from mixer.dicemix.protocol import HASH_BYTES, MAX_PAYLOAD_BYTES, MAX_PEERS, MAX_RUN, SIGNATURE_BYTES, VERSION, Phase
from mixer.memo import public

_TAG = keccak(b"PETra DiceMix message v1")
_HEADER = struct.Struct(">BBHI32s32sI")

MIN_MESSAGE_BYTES = _HEADER.size + SIGNATURE_BYTES
MAX_MESSAGE_BYTES = MIN_MESSAGE_BYTES + MAX_PAYLOAD_BYTES
"""No message is longer than this; a board may refuse what is."""


@dataclass(frozen=True, slots=True, repr=False)
class Message:
    """One message. Whether its sender signed it is for the reader to check (:mod:`mixer.dicemix.signers`)."""

    log: Digest
    """Which log it is for: a session's, as one board opened it (:mod:`mixer.opening`)."""
    run: int
    """Number of the attempt within the session, from 0."""
    phase: Phase
    sender: int
    """Which member: the place of its note among the session's inputs."""
    previous: Digest
    """The sender's view: hash of all complete phases before this message."""
    payload: bytes
    signature: bytes
    """64 bytes ``r ‖ s`` of the key that owns the sender's input, over :attr:`digest`."""
    encoded: bytes = field(init=False, compare=False)
    """The message as it travels."""
    digest: Digest = field(init=False, compare=False)
    """What is signed: a tagged Keccak-256 of everything but the signature. Identifies the message."""

    def __post_init__(self) -> None:
        if len(self.signature) != SIGNATURE_BYTES:
            raise ValueError(f"a message's signature has {SIGNATURE_BYTES} bytes")
        body = _body(self.log, self.run, self.phase, self.sender, self.previous, self.payload)
        object.__setattr__(self, "encoded", body + self.signature)
        object.__setattr__(self, "digest", Digest(keccak(_TAG + body)))

    def __repr__(self) -> str:
        return f"Message({self.phase.title} of peer {self.sender}, run {self.run}, {len(self.payload)} bytes)"


def seal(
    log: Digest, run: int, phase: Phase, sender: int, previous: Digest, payload: bytes, key: SigningKey
) -> Message:
    """A message signed with ``key``. Raises ``ValueError`` if a field does not fit the encoding."""
    digest = keccak(_TAG + _body(log, run, phase, sender, previous, payload))
    return Message(log, run, phase, sender, previous, payload, key.sign(digest)[:SIGNATURE_BYTES])


@public
def decode(data: bytes) -> Message:
    """The message that ``data`` encodes.

    Raises :class:`~assets.errors.EncodingError` for anything else: another version, an unknown phase, a length that
    does not fit, bytes left over.
    """
    if not MIN_MESSAGE_BYTES <= len(data) <= MAX_MESSAGE_BYTES:
        raise EncodingError(f"a message has {MIN_MESSAGE_BYTES} to {MAX_MESSAGE_BYTES} bytes, not {len(data)}")
    version, phase, sender, run, log, previous, length = _HEADER.unpack_from(data)
    if version != VERSION:
        raise EncodingError(f"message version {version} is unknown; this is version {VERSION}")
    if length != len(data) - MIN_MESSAGE_BYTES:
        raise EncodingError(f"the message promises {length} bytes and carries {len(data) - MIN_MESSAGE_BYTES}")
    payload, signature = bytes(data[_HEADER.size : -SIGNATURE_BYTES]), bytes(data[-SIGNATURE_BYTES:])
    try:
        return Message(Digest(log), run, Phase(phase), sender, Digest(previous), payload, signature)
    except ValueError as error:
        raise EncodingError(str(error)) from None


def _body(log: Digest, run: int, phase: Phase, sender: int, previous: Digest, payload: bytes) -> bytes:
    if not 0 <= run <= MAX_RUN:
        raise ValueError(f"run is {run}; give 0 to {MAX_RUN}")
    if not 0 <= sender < MAX_PEERS:
        raise ValueError(f"sender is {sender}; give 0 to {MAX_PEERS - 1}")
    if len(log) != HASH_BYTES or len(previous) != HASH_BYTES:
        raise ValueError("log and previous are hashes of 32 bytes")
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise ValueError(f"a payload has at most {MAX_PAYLOAD_BYTES} bytes, this one {len(payload)}")
    return _HEADER.pack(VERSION, phase, sender, run, log, previous, len(payload)) + payload
