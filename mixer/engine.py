"""What every mixing engine offers, so that sessions, restarts, judging and tests are the same for all of them.

An *engine* plays one run. Everything around it is written once, for all engines:

* The *session* (:class:`~mixer.session.MixSession`) follows from the ledger. A member is named by the place of its note
  among the session's inputs, in every run the same.
* A *run* is one attempt of some of the members. Run 0 is that of all.
* The *log* is what the board shows: messages with the board's time. :class:`mixer.follower.Follower` reads it to a
  player or watcher: each entry as ``tick(entry.at_s)`` and then ``receive(entry.data)``, a ``tick`` at each deadline
  exactly, and a further ``tick(now_s)`` once the log is known to be complete up to ``now_s``. Time enters nowhere else,
  so all who read the same log find the same outcome at the same moment.
* A run ends :class:`Mixed`, :class:`Blamed` or :class:`Aborted`. :func:`next_run` says what follows, and is pure:
  blamed members are out, nobody new gets in, everybody left starts again with a fresh address and fresh run keys.
* A *watcher* is the same state machine without secrets. :func:`mixer.judge.judge` feeds a log to watchers, run after
  run, and thereby computes from public data alone whom every honest player has excluded. An engine has no other judge.

Rules that an engine keeps: a member that revealed a key of the run, or posted a complaint, never signs in that run; one
that has begun to sign never reveals. Whatever a message looks like, :meth:`Watcher.receive` does not raise. Messages of
another session, of another opening of this one or of another run, and those after the end of the run, change nothing.
"""

from dataclasses import dataclass, field
from typing import Protocol

from assets.keys import Address, Digest, SigningKey
from assets.transactions import Signed, Transact, Transaction
from mixer.opening import UNOPENED, log_id
from mixer.session import MixSession

DEFAULT_MINIMUM = 8
"""Fewest members of a run in real use: fewer hide little, so the notes rather stay where they are."""

DEFAULT_TIMEOUT_S = 30
"""Seconds of board time that a run waits for what is due in each step."""


@dataclass(frozen=True, slots=True)
class Run:
    """One attempt at a session. Equal runs are equal for every reader of the log."""

    session: MixSession
    number: int
    """From 0; every restart adds one."""
    members: tuple[int, ...]
    """Who takes part: places among the session's inputs, ascending."""
    start_s: int
    """Board time at which the first messages are due to be written: when the run before it ended."""
    timeout_s: int = DEFAULT_TIMEOUT_S
    """What is due in a step counts until this long after the step began; a message at that very second is late."""
    mixes: tuple[Digest, ...] = ()
    """Digests of the mix transactions that earlier runs began to sign: whose signatures betray nobody."""
    opening: Digest = UNOPENED
    """First head of the log, by which the board opened it."""
    log: Digest = field(init=False, compare=False)
    """Names the log: what every message says it is for (:mod:`mixer.opening`)."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "log", log_id(self.session.id, self.opening))
        if self.number < 0:
            raise ValueError(f"run is {self.number}; give 0 or more")
        if self.timeout_s < 1:
            raise ValueError(f"timeout_s is {self.timeout_s}; give at least 1 second")
        ascending = sorted(set(self.members))
        if (
            list(self.members) != ascending
            or not ascending
            or not 0 <= ascending[0] <= ascending[-1] < self.session.size
        ):
            raise ValueError("members are places among the session's inputs, ascending, each once")

    @property
    def size(self) -> int:
        """Number of members."""
        return len(self.members)


@dataclass(frozen=True, slots=True)
class Guilt:
    """Why one member is out."""

    member: int
    """Place of its note among the session's inputs."""
    phase: str
    """What was going on, in words."""
    reason: str
    """What it did, in words."""
    proven: bool
    """Whether its own signatures convict it. If not, what it owed is not on the board: a board that hides messages can
    bring that about, so it is a reason to go on without the member, but not to ban it."""
    evidence: tuple[bytes, ...] = ()
    """Messages as they stand on the board, from which anybody can see it."""


@dataclass(frozen=True, slots=True)
class Mixed:
    """The mix transaction is complete. Whether the ledger takes it, the ledger says."""

    signed: Signed[Transact]


@dataclass(frozen=True, slots=True)
class Blamed:
    """Members broke the protocol. No note has moved."""

    guilty: tuple[Guilt, ...]
    """At least one, each member once, ascending."""
    mix: Digest | None = None
    """Digest of the mix transaction, if the run had begun to sign it."""


@dataclass(frozen=True, slots=True)
class Aborted:
    """The run failed by nobody's fault (an unlucky collision). The same members try again."""

    why: str
    mix: Digest | None = None
    """As for :class:`Blamed`."""


Outcome = Mixed | Blamed | Aborted


class Watcher(Protocol):
    """A reader of one run's log. Never raises for what a message contains."""

    @property
    def run(self) -> Run:
        """Which run."""

    @property
    def deadline_s(self) -> int | None:
        """Board time at which what is due now will be late; ``None`` if the run is over."""

    @property
    def outcome(self) -> Outcome | None:
        """How the run ended; ``None`` while it goes on. :class:`Mixed` can still turn into :class:`Blamed`, if somebody
        shows that a member spent its note elsewhere."""

    def receive(self, data: bytes) -> object:
        """Read the next message of the board."""

    def tick(self, now_s: int) -> object:
        """Tell the board's time. Raises ``ValueError`` if it goes back."""


class Player(Watcher, Protocol):
    """A member of one run, with its secrets. It reads the whole log, its own messages included.

    Each call returns the messages that are now to be put on the board, in order.
    """

    @property
    def member(self) -> int:
        """Place of its note among the session's inputs."""

    def begin(self) -> tuple[bytes, ...]:
        """Start, at the run's ``start_s``. Raises ``ValueError`` the second time."""

    def receive(self, data: bytes) -> tuple[bytes, ...]:
        """Read the next message of the board."""

    def tick(self, now_s: int) -> tuple[bytes, ...]:
        """Tell the board's time. Raises ``ValueError`` if it goes back."""

    def expose(self, spend: Signed[Transaction]) -> tuple[bytes, ...]:
        """The message that shows a transaction from the ledger in which a member spends its note elsewhere.

        :mod:`mixer.exhibits` judges it. Raises ``ValueError`` if it convicts no member of this run.
        """


class Engine(Protocol):
    """A way to mix."""

    @property
    def name(self) -> str:
        """How logs and commands call it: lower case, no spaces."""

    def play(self, run: Run, key: SigningKey, output: Address) -> Player:
        """The member of ``run`` whose note ``key`` owns, to move it to ``output``, an address used for nothing else.

        Raises ``ValueError`` if the arguments do not fit together.
        """

    def watch(self, run: Run) -> Watcher:
        """A reader of ``run`` without secrets: from it the judge learns the outcome."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What everybody of a session has to agree on beside the session itself."""

    minimum: int = DEFAULT_MINIMUM
    """Fewest members with whom a run is tried."""
    timeout_s: int = DEFAULT_TIMEOUT_S
    max_runs: int = 256
    """After so many runs the session is given up: bounds what :class:`Aborted` runs can cost."""

    def __post_init__(self) -> None:
        if self.minimum < 2 or self.timeout_s < 1 or self.max_runs < 1:
            raise ValueError("rules need a minimum of at least 2, a timeout of at least 1 s and at least 1 run")


def first_run(session: MixSession, rules: Rules, start_s: int = 0, opening: Digest = UNOPENED) -> Run | None:
    """The run of all members; ``None`` if they are fewer than the minimum."""
    members = tuple(range(session.size))
    if len(members) < rules.minimum:
        return None
    return Run(session, 0, members, start_s, rules.timeout_s, opening=opening)


def next_run(run: Run, outcome: Outcome, rules: Rules, now_s: int) -> Run | None:
    """The run that follows one that ended with ``outcome`` at ``now_s``; ``None`` if there is none.

    There is none after a mix, below the minimum, and after too many runs: then the notes stay where they are.
    """
    if isinstance(outcome, Mixed):
        return None
    out = {guilt.member for guilt in outcome.guilty} if isinstance(outcome, Blamed) else set()
    members = tuple(member for member in run.members if member not in out)
    if len(members) < rules.minimum or run.number + 1 >= rules.max_runs:
        return None
    mixes = run.mixes if outcome.mix is None else (*run.mixes, outcome.mix)
    return Run(run.session, run.number + 1, members, now_s, rules.timeout_s, mixes, run.opening)
