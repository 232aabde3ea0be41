"""Follows the log of a session over all its runs, as a member or as a mere reader. The same for every engine."""

from collections.abc import Callable
from dataclasses import dataclass

from assets.keys import Address, Digest, SigningKey
from assets.transactions import Signed, Transact, Transaction
from mixer.engine import Engine, Mixed, Outcome, Player, Rules, Run, Watcher, first_run, next_run
from mixer.opening import UNOPENED
from mixer.session import MixSession


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One message as it stands in a log."""

    at_s: int
    """The board's time when it took the message: seconds, never less than before."""
    data: bytes


@dataclass(frozen=True, slots=True)
class Attempt:
    """A run that has ended."""

    run: Run
    outcome: Outcome
    ended_s: int
    """Board time."""


@dataclass(frozen=True, slots=True)
class Seat:
    """What a member brings: the key of its note, and where fresh addresses come from, one for each run."""

    key: SigningKey
    fresh_address: Callable[[], Address]


class Follower:
    """Reads a session's log from its first entry to its last; with a ``seat`` it also takes part.

    A member that is excluded goes on reading. Calls return the messages that are now to be put on the board. Stop
    reading once the ledger has taken the mix: only until then does it matter that a member spent its note elsewhere.
    """

    def __init__(
        self,
        engine: Engine,
        session: MixSession,
        rules: Rules,
        start_s: int = 0,
        seat: Seat | None = None,
        opening: Digest = UNOPENED,
    ) -> None:
        self._engine, self._rules, self._seat = engine, rules, seat
        self._member = None if seat is None else session.index_of(seat.key.address)
        self._next = first_run(session, rules, start_s, opening)
        self._watcher: Watcher | None = None
        self._player: Player | None = None
        self._now_s = start_s
        self.attempts: list[Attempt] = []
        """Runs that have ended, in order."""

    @property
    def deadline_s(self) -> int | None:
        """When to call :meth:`tick` at the latest; ``None`` while nothing is awaited."""
        return None if self._watcher is None else self._watcher.deadline_s

    @property
    def run(self) -> Run | None:
        """The run that is going on, or that ended with a mix; ``None`` before the first and after the last."""
        return None if self._watcher is None else self._watcher.run

    @property
    def mixed(self) -> Signed[Transact] | None:
        """The complete mix transaction."""
        outcome = None if self._watcher is None else self._watcher.outcome
        return outcome.signed if isinstance(outcome, Mixed) else None

    @property
    def over(self) -> bool:
        """Whether the session has ended without a mix."""
        return self._watcher is None and self._next is None

    def begin(self) -> tuple[bytes, ...]:
        """Start the first run."""
        return self._start()

    def read(self, entry: LogEntry) -> tuple[bytes, ...]:
        """Read the next entry. Raises ``ValueError`` if its time is before that of the last one."""
        messages = () if entry.at_s == self._now_s else self.tick(entry.at_s)  # a second has many entries
        if self._player is not None:
            messages += self._player.receive(entry.data)
        elif self._watcher is not None:
            self._watcher.receive(entry.data)
        return messages + self._advance(entry.at_s)

    def tick(self, now_s: int) -> tuple[bytes, ...]:
        """Tell the board's time, up to which the log has been read. Raises ``ValueError`` if it goes back."""
        if now_s < self._now_s:
            raise ValueError(f"the board's time went back from {self._now_s} to {now_s}")
        self._now_s = now_s
        messages: tuple[bytes, ...] = ()
        while (deadline_s := self.deadline_s) is not None and deadline_s <= now_s:
            messages += self._tell(deadline_s) + self._advance(deadline_s)
        return messages + self._tell(now_s)

    def expose(self, spend: Signed[Transaction]) -> tuple[bytes, ...]:
        """The message that shows a transaction in which a member spends its note elsewhere; none if excluded.

        Raises ``ValueError`` if it convicts no member of the present run.
        """
        return () if self._player is None else self._player.expose(spend)

    def _tell(self, now_s: int) -> tuple[bytes, ...]:
        if self._player is not None:
            return self._player.tick(now_s)
        if self._watcher is not None:
            self._watcher.tick(now_s)
        return ()

    def _advance(self, now_s: int) -> tuple[bytes, ...]:
        """Note how the run has ended, if it has, and start the next."""
        if self._watcher is None or (outcome := self._watcher.outcome) is None:
            return ()
        run = self._watcher.run
        if self.attempts and self.attempts[-1].run == run:
            if self.attempts[-1].outcome == outcome:
                return ()
            self.attempts.pop()
        self.attempts.append(Attempt(run, outcome, now_s))
        if isinstance(outcome, Mixed):
            return ()
        self._next = next_run(run, outcome, self._rules, now_s)
        return self._start()

    def _start(self) -> tuple[bytes, ...]:
        run, self._next = self._next, None
        self._player = self._watcher = None
        if run is None:
            return ()
        if self._seat is None or self._member not in run.members:
            self._watcher = self._engine.watch(run)
            return ()
        self._watcher = self._player = self._engine.play(run, self._seat.key, self._seat.fresh_address())
        return self._player.begin()
