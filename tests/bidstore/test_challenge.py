"""Challenges are good once, for a time, and in bounded number."""

import pytest

from bidstore.challenge import Challenges
from bidstore.errors import ChallengeUnknown


def test_a_challenge_is_good_once() -> None:
    challenges = Challenges()
    challenge = challenges.issue(0)
    challenges.use(challenge, 0)
    with pytest.raises(ChallengeUnknown, match="ask the bid store for a fresh challenge"):
        challenges.use(challenge, 0)


def test_checking_uses_nothing_up() -> None:
    challenges = Challenges()
    challenge = challenges.issue(0)
    challenges.check(challenge, 0)
    challenges.use(challenge, 0)


def test_a_made_up_challenge_is_refused() -> None:
    with pytest.raises(ChallengeUnknown):
        Challenges().use(bytes(32), 0)


def test_a_challenge_expires_with_ledger_time() -> None:
    challenges = Challenges(lifetime_s=10)
    challenge = challenges.issue(100)
    challenges.check(challenge, 109)
    with pytest.raises(ChallengeUnknown):
        challenges.check(challenge, 110)


def test_memory_is_bounded_and_the_oldest_goes_first() -> None:
    challenges = Challenges(capacity=3)
    first, *others = (challenges.issue(0) for _ in range(4))
    assert len(challenges) == 3
    with pytest.raises(ChallengeUnknown):
        challenges.check(first, 0)
    for challenge in others:
        challenges.check(challenge, 0)


def test_expired_challenges_leave_memory() -> None:
    challenges = Challenges(lifetime_s=10)
    for _ in range(5):
        challenges.issue(0)
    challenges.issue(10)
    assert len(challenges) == 1


def test_challenges_differ() -> None:
    challenges = Challenges()
    assert len({challenges.issue(0) for _ in range(100)}) == 100


@pytest.mark.parametrize("arguments", [{"lifetime_s": 0}, {"capacity": 0}])
def test_a_store_without_room_or_time_is_the_callers_mistake(arguments: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Challenges(**arguments)
