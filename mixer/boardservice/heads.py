"""The head of a session's log, signed by the board: what a board cannot take back.

A log of ``count`` records has the head that :func:`mixer.board.next_head` gives, starting from the session's own
:func:`first_head`, which says which board opened it, and when, and is never the same twice. The board signs every head
that it gives out. Two different heads for one count of one opening are proof that it showed two logs, or two clocks,
whoever holds them.
"""

from dataclasses import dataclass

from assets.hashing import keccak
from assets.keys import SIGNATURE_BYTES, Address, Digest, SigningKey, recover_address
from mixer.board import EMPTY_HEAD, next_head
from mixer.memo import public

_HEAD_TAG = keccak(b"PETra board head v1")

NO_SIGNATURE = bytes(SIGNATURE_BYTES)
"""In place of a signature that is not there: no board vouches for it."""


NONCE_BYTES = 32
"""What a board draws at random when it opens a session."""


def first_head(board: Address, session: Digest, opened_s: int, nonce: bytes) -> Digest:
    """Head of the session's log while it is empty: the session's *opening*.

    ``board`` opened it at ``opened_s`` of its time and drew ``nonce``, so that no two openings have one head, not even
    those of one board in one second. Raises ``ValueError`` if the nonce is not 32 bytes long.
    """
    if len(nonce) != NONCE_BYTES:
        raise ValueError(f"a nonce has {NONCE_BYTES} bytes, not {len(nonce)}")
    return next_head(EMPTY_HEAD, board + session + opened_s.to_bytes(8, "big") + nonce)


@dataclass(frozen=True, slots=True)
class SignedHead:
    """A board's statement: the first ``count`` records of this session have this head."""

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
        """Whether the board vouches for this head."""
        return _signer(self.digest, self.signature) == board


def sign_head(session: Digest, count: int, head: Digest, key: SigningKey) -> SignedHead:
    """The statement of the board with ``key``."""
    return SignedHead(session, count, head, key.sign(SignedHead(session, count, head).digest))


@public
def _signer(digest: Digest, signature: bytes) -> Address:
    return recover_address(digest, signature)
