"""The board: an append-only log that every peer reads from the first message to the last.

Each entry's head is the hash of the head before it and of the message, so that a reader that has once seen a head
notices if anything before it is changed. Peers trust the board for nothing but delivery.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from assets.hashing import keccak
from assets.keys import Digest
from mixer.envelope import MAX_ENVELOPE_BYTES

EMPTY_HEAD = Digest(keccak(b"PETra mix board v1"))
"""Head of a board without messages."""


@dataclass(frozen=True, slots=True)
class Post:
    """One message as it stands on a board."""

    position: int
    """Place in the log, from 0."""
    data: bytes
    head: Digest
    """Hash of everything up to and including this message."""


class Board(Protocol):
    """A board, whatever carries it."""

    def append(self, data: bytes) -> Post:
        """Add a message. Raises ``ValueError`` if it is longer than any envelope."""

    def read_from(self, position: int) -> Sequence[Post]:
        """All messages from ``position`` on."""


class MemoryBoard:
    """A board in memory. Its :attr:`received` is exactly what the operator of a board gets to see."""

    def __init__(self) -> None:
        self._posts: list[Post] = []

    @property
    def received(self) -> tuple[bytes, ...]:
        """The bytes of every message, in order."""
        return tuple(post.data for post in self._posts)

    @property
    def head(self) -> Digest:
        """Hash of the whole log."""
        return self._posts[-1].head if self._posts else EMPTY_HEAD

    def append(self, data: bytes) -> Post:
        """Add a message. Raises ``ValueError`` if it is longer than any envelope."""
        if len(data) > MAX_ENVELOPE_BYTES:
            raise ValueError(f"a message has at most {MAX_ENVELOPE_BYTES} bytes, this one {len(data)}")
        post = Post(len(self._posts), data, next_head(self.head, data))
        self._posts.append(post)
        return post

    def read_from(self, position: int) -> Sequence[Post]:
        """All messages from ``position`` on."""
        return self._posts[position:]


def next_head(head: Digest, data: bytes) -> Digest:
    """The head after ``data`` was appended to a log whose head was ``head``."""
    return Digest(keccak(head + keccak(data)))


class BrokenChain(Exception):
    """``(position)``: the board's log does not continue what was read before."""


def check_chain(posts: Iterable[Post], position: int = 0, head: Digest = EMPTY_HEAD) -> Digest:
    """The head after ``posts``, which follow ``position`` messages with head ``head``.

    Raises :class:`BrokenChain` at the first post whose place or head is wrong.
    """
    for post in posts:
        head = next_head(head, post.data)
        if post.position != position or post.head != head:
            raise BrokenChain(position)
        position += 1
    return head
