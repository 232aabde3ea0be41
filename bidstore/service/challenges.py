"""Challenges that any replica can check, without a record of those that were issued.

A challenge is the ledger time of its issue (5 bytes), randomness (11), and a keyed hash of both (16) under a secret
that the replicas share through their database. So issuing one writes nothing, and a flood fills nothing. Only a used
one is recorded, in the same transaction as what it was used for, until it would be too old anyway.
"""

import hmac
import secrets

from bidstore.errors import ChallengeUnknown

SECRET_BYTES = 32
_TIME_BYTES, _SEALED = 5, 16


class SealedChallenges:
    """Issues and checks challenges, good for ``lifetime_s`` seconds of ledger time."""

    def __init__(self, secret: bytes, lifetime_s: int) -> None:
        if len(secret) != SECRET_BYTES or lifetime_s < 1:
            raise ValueError("challenges need a secret of 32 bytes and a lifetime of at least 1 s")
        self._secret = secret
        self.lifetime_s = lifetime_s

    def issue(self, now_s: int) -> bytes:
        """A fresh challenge: 32 bytes that nobody can predict."""
        body = now_s.to_bytes(_TIME_BYTES, "big") + secrets.token_bytes(_SEALED - _TIME_BYTES)
        return body + self._seal(body)

    def check(self, challenge: bytes, now_s: int) -> None:
        """Raise :class:`~bidstore.errors.ChallengeUnknown` unless it was issued here and is not too old.

        Whether it was used before, only the database knows.
        """
        body, seal = challenge[:_SEALED], challenge[_SEALED:]
        if len(challenge) != 2 * _SEALED or not hmac.compare_digest(seal, self._seal(body)):
            raise ChallengeUnknown
        if now_s - int.from_bytes(body[:_TIME_BYTES], "big") >= self.lifetime_s:
            raise ChallengeUnknown

    def _seal(self, body: bytes) -> bytes:
        return hmac.digest(self._secret, b"petra bid store challenge" + body, "sha256")[:_SEALED]
