"""The head of a session's log, signed by the board: what a board cannot take back.

A log of ``count`` frames has the head that :func:`mixer.board.next_head` gives, starting from the session's own
:func:`first_head`. The board signs every head that it gives out. Two different heads for one count are proof that it
showed two logs, whoever holds them.
"""

from dataclasses import dataclass

from assets.hashing import keccak
from assets.keys import SIGNATURE_BYTES, Address, Digest, SigningKey, recover_address
from mixer.board import EMPTY_HEAD, next_head

_HEAD_TAG = keccak(b"PETra board head v1")

NO_SIGNATURE = bytes(SIGNATURE_BYTES)
"""In place of a signature for the empty log, whose head everybody computes."""


def first_head(session: Digest) -> Digest:
    """Head of the session's log while it is empty."""
    return next_head(EMPTY_HEAD, session)


@dataclass(frozen=True, slots=True)
class SignedHead:
    """A board's statement: the first ``count`` frames of this session have this head."""

    session: Digest
    count: int
    head: Digest
    signature: bytes = NO_SIGNATURE

    def __repr__(self) -> str:
        return f"head 0x{self.head[:8].hex()}… after {self.count} posts"

    @property
    def digest(self) -> Digest:
        """What the board signs."""
        return Digest(keccak(_HEAD_TAG + self.session + self.count.to_bytes(8, "big") + self.head))

    def is_signed_by(self, board: Address) -> bool:
        """Whether the board vouches for this head; the empty log's own head needs no voucher."""
        if self.count == 0:
            return self.head == first_head(self.session) and self.signature == NO_SIGNATURE
        return recover_address(self.digest, self.signature) == board


def sign_head(session: Digest, count: int, head: Digest, key: SigningKey) -> SignedHead:
    """The statement of the board with ``key``."""
    unsigned = SignedHead(session, count, head)
    return unsigned if count == 0 else SignedHead(session, count, head, key.sign(unsigned.digest))
