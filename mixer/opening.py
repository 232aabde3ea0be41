"""Which log a message is for: that of one opening of a session, and of no other.

A session is fixed by the ledger and can be opened more than once: a board is lost, or forgets the session after its
time, or a simulation is resumed. Members who then start again draw fresh keys and fresh addresses, so what they sign
the second time differs from what they signed the first time, and both are right. Every message therefore names the
*log* it is for, a hash of the session and of the head with which the board opened it. What was signed for another log
is of another session as far as readers and judges are concerned: no message, and no evidence.
"""

import secrets

from assets.hashing import keccak
from assets.keys import Digest

_LOG_TAG = keccak(b"PETra mix log v1")

OPENING_BYTES = 32

UNOPENED = Digest(bytes(OPENING_BYTES))
"""The opening of a session that is played once and never again, as in a test. No board gives it out."""


def log_id(session: Digest, opening: Digest) -> Digest:
    """Names the log of the session with id ``session`` that begins with the head ``opening``. Raises ``ValueError``."""
    if len(opening) != OPENING_BYTES:
        raise ValueError(f"an opening is a hash of {OPENING_BYTES} bytes, not of {len(opening)}")
    return Digest(keccak(_LOG_TAG + session + opening))


def fresh_opening() -> Digest:
    """An opening for a log that no board keeps: drawn at random, so that it never comes again."""
    return Digest(secrets.token_bytes(OPENING_BYTES))
