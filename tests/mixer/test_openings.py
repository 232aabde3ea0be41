"""A session that is opened again: what was signed for the first opening is no message of the second, nor evidence."""

import itertools
import json
import random
from dataclasses import replace
from pathlib import Path

import pytest

from assets.keys import Digest
from assets.transactions import Signed
from mixer import opening as openings
from mixer.board import MemoryBoard
from mixer.engine import Blamed, Mixed, Rules, Run, first_run
from mixer.engines import NAMES, engine_named
from mixer.follower import Follower, LogEntry, Seat
from mixer.judge import judge
from mixer.mixing import play
from mixer.opening import fresh_opening, log_id
from tests.mixer.vectors import PATH, vectors

RULES = Rules(minimum=2)
FIRST, SECOND = Digest(b"\x01" * 32), Digest(b"\x02" * 32)
engines = pytest.mark.parametrize("name", NAMES)


class Replaying:
    """A member that also posts what it has kept of another opening, whoever signed it."""

    def __init__(self, follower, kept):
        self._follower, self._kept = follower, list(kept)

    def __getattr__(self, name):
        return getattr(self._follower, name)

    def begin(self):
        return self._kept[: len(self._kept) // 2] + list(self._follower.begin())

    def read(self, entry):
        more, self._kept = self._kept[-1:], self._kept[:-1]
        return [*more, *self._follower.read(entry)]


def followers(c, name, opening):
    seats = [Seat(key, lambda: c.spare_key().address) for key in c.keys]
    return [Follower(engine_named(name), c.session, RULES, 0, seat, opening) for seat in seats]


def played(c, name, opening):
    return play(MemoryBoard(), followers(c, name, opening))


def merged(one, other, seed):
    """The messages of two logs, each in its order."""
    rng = random.Random(seed)
    turns = [0] * len(one) + [1] * len(other)
    rng.shuffle(turns)
    logs = iter(one), iter(other)
    return [LogEntry(0, next(logs[turn]).data) for turn in turns]


@engines
@pytest.mark.parametrize("seed", range(5))
def test_messages_of_an_earlier_opening_convict_nobody(community, name, seed):
    c = community(4)
    before, now = played(c, name, FIRST), played(c, name, SECOND)
    both = merged(before.log, now.log, seed)
    for opening, own in ((FIRST, before), (SECOND, now)):
        verdict = judge(engine_named(name), c.session, RULES, both, until_s=10**6, opening=opening)
        assert verdict.guilty == ()
        assert verdict.mixed == own.mixed


@engines
def test_who_plays_twice_within_one_opening_is_proven_to_equivocate(community, name):
    c = community(4)
    both = [*played(c, name, FIRST).log[:4], *played(c, name, FIRST).log]
    verdict = judge(engine_named(name), c.session, RULES, both, until_s=10**6, opening=FIRST)
    assert verdict.guilty
    assert {g.reason for g in verdict.guilty if g.proven} == {"equivocation"}


@engines
def test_members_mix_while_one_of_them_replays_an_earlier_opening(community, name):
    c = community(5)
    kept = [entry.data for entry in played(c, name, FIRST).log]
    made = followers(c, name, SECOND)
    mixing = play(MemoryBoard(), [Replaying(made[0], kept), *made[1:]])
    assert mixing.mixed is not None
    assert [type(attempt.outcome) for attempt in mixing.attempts] == [Mixed]
    assert {entry.data for entry in mixing.log} > set(kept[: len(kept) // 2])


@engines
def test_the_same_replay_would_have_excluded_innocents_without_the_opening(community, name):
    """The attack, within one opening: what the binding is there to stop."""
    c = community(5)
    kept = [entry.data for entry in played(c, name, FIRST).log]
    made = followers(c, name, FIRST)
    mixing = play(MemoryBoard(), [Replaying(made[0], kept), *made[1:]])
    blamed = [attempt.outcome for attempt in mixing.attempts if isinstance(attempt.outcome, Blamed)]
    assert blamed
    assert any(guilt.proven for outcome in blamed for guilt in outcome.guilty)


@engines
def test_an_incomplete_mix_of_an_earlier_opening_is_no_betrayal(community, name):
    c = community(4)
    mix = played(c, name, FIRST).mixed
    player = engine_named(name).play(first_run(c.session, RULES, 0, SECOND), c.keys[0], c.spare_key().address)
    player.begin()
    for missing in range(4):
        signatures = tuple(b"\x01" * 65 if i == missing else s for i, s in enumerate(mix.signatures))
        with pytest.raises(ValueError, match="do not show it"):
            player.expose(Signed(mix.tx, signatures))
    (shown,) = player.expose(mix)
    player.receive(shown)
    assert isinstance(player.outcome, Blamed)
    assert not any(guilt.proven for guilt in player.outcome.guilty)


@engines
def test_two_openings_share_no_digest_that_is_signed(community, name):
    c = community(3)
    logs = [played(c, name, opening) for opening in (FIRST, SECOND)]
    memos = {log.mixed.tx.memo for log in logs}
    assert len(memos) == 2
    ids = {c.session.id, log_id(c.session.id, FIRST), log_id(c.session.id, SECOND), log_id(FIRST, c.session.id)}
    assert len(ids) == 4


def test_the_next_run_is_of_the_same_log(community):
    c = community(3)
    run = first_run(c.session, RULES, 7, FIRST)
    assert run.log == log_id(c.session.id, FIRST)
    assert replace(run, number=1).log == run.log
    assert Run(c.session, 0, (0, 1, 2), 7).log == log_id(c.session.id, openings.UNOPENED)


def test_an_opening_is_a_hash_and_none_comes_twice(community):
    with pytest.raises(ValueError, match="32 bytes"):
        log_id(FIRST, Digest(b""))
    drawn = {bytes(fresh_opening()) for _ in range(100)}
    assert len(drawn) == 100
    assert all(len(opening) == 32 for opening in drawn)


def test_the_published_vectors_are_those_of_this_program():
    assert json.loads(Path(PATH).read_text()) == vectors()


def test_the_published_vectors_differ_from_one_another():
    found = vectors()
    for one, other in itertools.combinations(found["openings"], 2):
        assert one["log"] != other["log"]
        assert all(one[name]["message"] != other[name]["message"] for name in NAMES)
