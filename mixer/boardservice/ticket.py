"""A ticket: the proof that whoever asks owns an input of the session. No account, and no network address, is needed.

It is the owner's signature over board and session, so it is made without asking anybody, is the same each time, and
is worth nothing on another board or for another session.
"""

import base64
import binascii
from dataclasses import dataclass

from assets.hashing import keccak
from assets.keys import SIGNATURE_BYTES, Address, Digest, SigningKey, recover_address
from mixer.boardservice.errors import NotAMember

HEADER = "Petra-Ticket"
"""The HTTP header that carries a ticket."""

_TICKET_TAG = keccak(b"PETra board ticket v1")


@dataclass(frozen=True, slots=True)
class Ticket:
    """Who claims to be which member."""

    author: int
    """Place of the owner's note among the session's inputs."""
    signature: bytes

    def __repr__(self) -> str:
        return f"Ticket(of author {self.author})"

    @property
    def text(self) -> str:
        """As in the header."""
        return base64.b64encode(self.author.to_bytes(2, "big") + self.signature).decode()


def sign_ticket(author: int, session: Digest, board: Address, key: SigningKey) -> Ticket:
    """The ticket of the owner of input ``author``."""
    return Ticket(author, key.sign(_digest(author, session, board)))


def check_ticket(text: str, session: Digest, board: Address, owners: tuple[Address, ...]) -> int:
    """Which member ``text`` proves its bearer to be. Raises :class:`~mixer.boardservice.errors.NotAMember`."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        data = b""
    if len(data) != 2 + SIGNATURE_BYTES:
        raise NotAMember(f"Send the header {HEADER} with a ticket.")
    author = int.from_bytes(data[:2], "big")
    if author >= len(owners) or recover_address(_digest(author, session, board), data[2:]) != owners[author]:
        raise NotAMember("The ticket is not signed by that owner for this board and session.")
    return author


def _digest(author: int, session: Digest, board: Address) -> bytes:
    return keccak(_TICKET_TAG + board + session + author.to_bytes(2, "big"))
