"""One post as it stands in a session's log: a message, what its author had read before, and the author's signature.

    version 1 | author 2 | count 4 | head 32 | board's signature of that head 65 | length 4 | message | signature 65

Integers are unsigned and big-endian. ``count`` and ``head`` commit the author to the log that it was shown. A reader
who was shown another one finds out as soon as one post crosses over, and holds two statements that the board signed.
The author cannot frame the board: it would need the board's signature of a head that never was.
"""

import struct
from dataclasses import dataclass, field

from assets.errors import EncodingError
from assets.hashing import keccak
from assets.keys import SIGNATURE_BYTES, Address, Digest, SigningKey, recover_address
from mixer.boardservice.heads import SignedHead
from mixer.envelope import MAX_ENVELOPE_BYTES

VERSION = 1
_FRAME_TAG = keccak(b"PETra board frame v1")
_HEADER = struct.Struct(">BHI32s65sI")

MIN_FRAME_BYTES = _HEADER.size + SIGNATURE_BYTES
MAX_FRAME_BYTES = MIN_FRAME_BYTES + MAX_ENVELOPE_BYTES
"""A board refuses what is longer."""


@dataclass(frozen=True, slots=True, repr=False)
class Frame:
    """A post. Whether its author signed it is for the reader to check (:meth:`author_address`)."""

    author: int
    """Which owner of the session's inputs posted it."""
    seen: SignedHead
    """What the author had read."""
    message: bytes
    """What it says: an envelope of the mix, as far as the board is concerned just bytes."""
    signature: bytes
    encoded: bytes = field(init=False, compare=False)
    """The frame as it travels and stands in the log."""

    def __post_init__(self) -> None:
        if len(self.signature) != SIGNATURE_BYTES:
            raise ValueError(f"a frame's signature has {SIGNATURE_BYTES} bytes")
        object.__setattr__(self, "encoded", _body(self.author, self.seen, self.message) + self.signature)

    def __repr__(self) -> str:
        return f"Frame(of author {self.author}, {len(self.message)} bytes, after {self.seen.count} posts)"

    @property
    def id(self) -> Digest:
        """Identifies the frame: one that arrives twice is recorded once."""
        return Digest(keccak(self.encoded))

    def author_address(self, board: Address) -> Address:
        """Whose key signed the frame for this board; the zero address if nobody's did."""
        return recover_address(_digest(board, self.seen.session, self.encoded[:-SIGNATURE_BYTES]), self.signature)


def sign_frame(author: int, seen: SignedHead, message: bytes, key: SigningKey, board: Address) -> Frame:
    """A frame signed with ``key``. Raises ``ValueError`` if a field does not fit the encoding."""
    signature = key.sign(_digest(board, seen.session, _body(author, seen, message)))
    return Frame(author, seen, message, signature)


def decode_frame(session: Digest, data: bytes) -> Frame:
    """The frame of ``session`` that ``data`` encodes; raises :class:`~assets.errors.EncodingError` for all else."""
    if not MIN_FRAME_BYTES <= len(data) <= MAX_FRAME_BYTES:
        raise EncodingError(f"a frame has {MIN_FRAME_BYTES} to {MAX_FRAME_BYTES} bytes, not {len(data)}")
    version, author, count, head, head_signature, length = _HEADER.unpack_from(data)
    if version != VERSION:
        raise EncodingError(f"frame version {version} is unknown; this is version {VERSION}")
    if length != len(data) - MIN_FRAME_BYTES:
        raise EncodingError(f"the frame promises {length} bytes and carries {len(data) - MIN_FRAME_BYTES}")
    seen = SignedHead(session, count, Digest(head), head_signature)
    return Frame(author, seen, bytes(data[_HEADER.size : -SIGNATURE_BYTES]), bytes(data[-SIGNATURE_BYTES:]))


def _body(author: int, seen: SignedHead, message: bytes) -> bytes:
    if not 0 <= author < 2**16:
        raise ValueError(f"author is {author}; give 0 to {2**16 - 1}")
    if not 0 <= seen.count < 2**32:
        raise ValueError(f"count is {seen.count}; give 0 to {2**32 - 1}")
    if len(seen.head) != 32 or len(seen.signature) != SIGNATURE_BYTES:
        raise ValueError("a head is a hash of 32 bytes with a signature of 65")
    if len(message) > MAX_ENVELOPE_BYTES:
        raise ValueError(f"a message has at most {MAX_ENVELOPE_BYTES} bytes, this one {len(message)}")
    return _HEADER.pack(VERSION, author, seen.count, seen.head, seen.signature, len(message)) + message


def _digest(board: Address, session: Digest, body: bytes) -> bytes:
    return keccak(_FRAME_TAG + board + session + body)
