"""What a board's stream carries: events, each with the records that are new and the signed head after them.

    length 4 | head 32 | board's signature of that head 65 | records, each: length 4 | record

Integers are unsigned and big-endian. An event of length 0 is a sign of life. Binary, because every byte is sent to
every member, and over an onion network every relay pays for it.
"""

from collections.abc import Iterable

from assets.errors import EncodingError
from assets.keys import SIGNATURE_BYTES
from mixer.boardservice.heads import SignedHead
from mixer.boardservice.record import MAX_RECORD_BYTES

LENGTH_BYTES = 4
SIGN_OF_LIFE = bytes(LENGTH_BYTES)

EVENT_BYTES = 256 * 1024
"""Records are put into one event until it is longer than this."""

MAX_EVENT_BYTES = EVENT_BYTES + MAX_RECORD_BYTES + 200
"""No event is longer; a reader need not keep more of a stream than this."""

_SEAL_BYTES = 32 + SIGNATURE_BYTES


def with_length(data: bytes) -> bytes:
    """``data`` behind its length."""
    return len(data).to_bytes(LENGTH_BYTES, "big") + data


def encode_event(head: SignedHead, records: Iterable[bytes]) -> bytes:
    """The event that ends at ``head``; ``records`` have their lengths already."""
    return with_length(head.head + head.signature + b"".join(records))


def decode_event(event: bytes) -> tuple[bytes, bytes, list[bytes]]:
    """Head, signature and records of an event without its length; raises :class:`~assets.errors.EncodingError`."""
    records, at = [], _SEAL_BYTES
    while at < len(event):
        end = at + LENGTH_BYTES + int.from_bytes(event[at : at + LENGTH_BYTES], "big")
        records.append(event[at + LENGTH_BYTES : end])
        at = end
    if at != len(event) or not records:
        raise EncodingError("an event is a head, its signature and at least one record, with nothing left over")
    return event[:32], event[32:_SEAL_BYTES], records
