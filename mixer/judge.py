"""The verdict on a session, computed by anybody from its log alone.

The session comes from the ledger, the rules from whoever called for the mix, the log from a board. No secret, no clock
and no other source takes part, so everybody with the same log finds the same verdict, and it is the verdict by which
the honest members themselves went on.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from assets.keys import Digest
from assets.transactions import Signed, Transact
from mixer.engine import Blamed, Engine, Guilt, Rules
from mixer.follower import Attempt, Follower, LogEntry
from mixer.opening import UNOPENED
from mixer.session import MixSession


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a log says about a session."""

    session: Digest
    """Id of the session."""
    attempts: tuple[Attempt, ...]
    """Every run that has ended, and how."""
    mixed: Signed[Transact] | None
    """The complete mix transaction, if there is one."""
    unfinished: bool
    """Whether a run still goes on where the log ends."""

    @property
    def guilty(self) -> tuple[Guilt, ...]:
        """All members that were excluded, in the order of the runs."""
        return tuple(g for a in self.attempts if isinstance(a.outcome, Blamed) for g in a.outcome.guilty)


def judge(
    engine: Engine,
    session: MixSession,
    rules: Rules,
    log: Iterable[LogEntry],
    *,
    start_s: int = 0,
    until_s: int | None = None,
    opening: Digest = UNOPENED,
) -> Verdict:
    """The verdict on ``log``, which is complete up to ``until_s``, or up to its last entry.

    It began at ``start_s`` with the head ``opening``: only what was signed for that opening counts.

    Raises ``ValueError`` if the log's time goes back; nothing else in a log can stop the judge.
    """
    follower = Follower(engine, session, rules, start_s, opening=opening)
    follower.begin()
    for entry in log:
        follower.read(entry)
    if until_s is not None:
        follower.tick(until_s)
    mixed = follower.mixed
    return Verdict(session.id, tuple(follower.attempts), mixed, mixed is None and not follower.over)
