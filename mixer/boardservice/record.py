"""What stands in a session's log: a frame, and when the board took it.

    at_s 8 | frame

The time is the board's, in whole seconds, and never less than that of the record before. It is in the hash chain, so a
board cannot tell two members two times without showing two logs. It is how time enters a mix: whoever reads the same
log finds the same deadlines passed.
"""

from dataclasses import dataclass, field

from assets.errors import EncodingError
from assets.hashing import keccak
from assets.keys import Address, Digest
from mixer.boardservice.frame import MAX_FRAME_BYTES, Frame, decode_frame
from mixer.memo import public

TIME_BYTES = 8
MAX_RECORD_BYTES = TIME_BYTES + MAX_FRAME_BYTES


@dataclass(frozen=True, slots=True)
class Record:
    """A frame with the board's time."""

    at_s: int
    """When the board took it, seconds."""
    frame: Frame
    encoded: bytes = field(init=False, compare=False, repr=False)
    """As it is kept, hashed and sent."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "encoded", self.at_s.to_bytes(TIME_BYTES, "big") + self.frame.encoded)

    def head_after(self, head: Digest) -> Digest:
        """The log's head after this record, if it was ``head`` before: :func:`mixer.board.next_head`."""
        return Digest(keccak(head + _hash(self.encoded)))


@public
def decode_record(session: Digest, data: bytes) -> Record:
    """The record of ``session`` that ``data`` encodes; raises :class:`~assets.errors.EncodingError` for all else."""
    if len(data) < TIME_BYTES:
        raise EncodingError("a record begins with 8 bytes of time")
    at_s = int.from_bytes(data[:TIME_BYTES], "big")
    if at_s >= 2**63:
        raise EncodingError(f"a record's time is below 2^63, not {at_s}")
    return Record(at_s, decode_frame(session, data[TIME_BYTES:]))


@public
def author_of(record: bytes, session: Digest, board: Address) -> Address:
    """Whose key signed the frame of an encoded record of ``session`` for ``board``."""
    return decode_record(session, record).frame.author_address(board)


@public
def _hash(data: bytes) -> bytes:
    return keccak(data)
