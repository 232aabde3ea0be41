"""What a board lets its users do, on one page."""

from dataclasses import dataclass

from mixer.boardservice.frame import MAX_FRAME_BYTES


@dataclass(frozen=True, slots=True)
class Limits:
    """Caps and quotas. An author is the owner of an input note, as its key proves; network addresses do not count."""

    frame_bytes: int = MAX_FRAME_BYTES
    """Longest post."""
    posts_per_author: int = 64
    """In one session: a run takes at most five and a mark of time, so this is room for ten restarts."""
    bytes_per_author: int = 4 * MAX_FRAME_BYTES
    """In one session."""
    readers_per_author: int = 4
    """Streams of one session that an author keeps open at a time."""
    sessions: int = 1024
    """Sessions that are open at a time."""
    readers: int = 2048
    """Streams of all sessions at a time."""
    waiting_posts: int = 1024
    """Posts that wait to be written; beyond that the board says that it is busy."""
    lifetime_s: int = 3600
    """How long a session may be used after it was described; then it is deleted."""
