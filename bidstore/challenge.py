"""Challenges: random numbers that make a posting good once."""

import secrets
from collections.abc import Iterator

from bidstore.errors import ChallengeUnknown


class Challenges:
    """Issues challenges and accepts each once, within ``lifetime_s`` seconds of ledger time.

    At most ``capacity`` wait at any time; beyond that the oldest is forgotten, whose holder has to ask again. So memory
    is bounded whatever strangers ask for, and a flood costs time, never a wrong answer.
    """

    def __init__(self, lifetime_s: int = 600, capacity: int = 65_536) -> None:
        if lifetime_s < 1 or capacity < 1:
            raise ValueError("challenges need a lifetime of at least 1 s and room for at least 1")
        self._lifetime_s = lifetime_s
        self._capacity = capacity
        self._issued_s: dict[bytes, int] = {}  # oldest first: ledger time never goes back

    def issue(self, now_s: int) -> bytes:
        """A fresh challenge that nobody can predict: 32 bytes."""
        for challenge in list(self._outdated(now_s)):
            del self._issued_s[challenge]
        if len(self._issued_s) >= self._capacity:
            del self._issued_s[next(iter(self._issued_s))]
        challenge = secrets.token_bytes(32)
        self._issued_s[challenge] = now_s
        return challenge

    def check(self, challenge: bytes, now_s: int) -> None:
        """Raise :class:`~bidstore.errors.ChallengeUnknown` unless the challenge is good; uses nothing up."""
        issued_s = self._issued_s.get(challenge)
        if issued_s is None or now_s - issued_s >= self._lifetime_s:
            raise ChallengeUnknown

    def use(self, challenge: bytes, now_s: int) -> None:
        """Check a challenge and use it up."""
        self.check(challenge, now_s)
        del self._issued_s[challenge]

    def __len__(self) -> int:
        return len(self._issued_s)

    def _outdated(self, now_s: int) -> Iterator[bytes]:
        for challenge, issued_s in self._issued_s.items():
            if now_s - issued_s < self._lifetime_s:
                return
            yield challenge
