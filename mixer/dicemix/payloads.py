"""What the payloads say. Lengths were checked before."""

from typing import NamedTuple

from assets.errors import EncodingError
from assets.keys import Address
from mixer.dicemix.field import decode_elements
from mixer.dicemix.protocol import BOX_KEY_BYTES, PUBLIC_KEY_BYTES, SALT_BYTES
from mixer.onion import check_box_key


class Announcement(NamedTuple):
    """The payload of a keys message, behind the owner's secp256k1 key."""

    public: bytes
    """X25519 key."""
    commitment: bytes
    """See :func:`mixer.dicemix.slots.commitment`."""


class Revelation(NamedTuple):
    """The payload of a revelation. All of it is worthless after the run that failed."""

    secret: bytes
    """X25519 key."""
    salt: bytes
    address: Address

    def __repr__(self) -> str:
        return "Revelation()"

    def encode(self) -> bytes:
        """As it is sent."""
        return self.secret + self.salt + self.address


def read_announcement(payload: bytes) -> Announcement:
    """Raises :class:`~assets.errors.EncodingError` for an X25519 key with which nobody shares a secret."""
    public = payload[PUBLIC_KEY_BYTES : PUBLIC_KEY_BYTES + BOX_KEY_BYTES]
    try:
        check_box_key(public)
    except ValueError as error:
        raise EncodingError(str(error)) from None
    return Announcement(public, payload[PUBLIC_KEY_BYTES + BOX_KEY_BYTES :])


def read_slots(payload: bytes) -> tuple[int, ...]:
    """Raises :class:`~assets.errors.EncodingError` for a number that is not reduced."""
    return decode_elements(payload)


def read_revelation(payload: bytes) -> Revelation:
    """Splits the payload; whether it opens anything is for :mod:`mixer.dicemix.blame` to say."""
    rest = payload[BOX_KEY_BYTES:]
    return Revelation(payload[:BOX_KEY_BYTES], rest[:SALT_BYTES], Address(rest[SALT_BYTES:]))
