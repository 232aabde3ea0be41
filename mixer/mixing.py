"""Plays a whole session in memory, restarts included: every message goes over the board, and time is simulated."""

from collections.abc import Sequence
from dataclasses import dataclass

from assets.transactions import Signed, Transact
from mixer.board import Board
from mixer.engine import Engine, Rules
from mixer.follower import Attempt, Follower, LogEntry, Seat
from mixer.session import MixSession


@dataclass(frozen=True, slots=True)
class Mixing:
    """How a session went."""

    attempts: tuple[Attempt, ...]
    """Its runs, as the members that were never excluded saw them."""
    mixed: Signed[Transact] | None
    """The mix transaction; ``None`` if too few members were left, and the notes stay where they are."""
    log: tuple[LogEntry, ...]
    """All messages, with the time at which the board took each: what a judge needs."""
    ended_s: int
    """Time at the end: the log is complete up to here."""
    rounds: int
    """How often all had to read before anybody could write again, the last reading included."""
    sent_bytes: tuple[int, ...]
    """What each follower put on the board, in the order given."""


def mix_in_memory(
    engine: Engine, session: MixSession, rules: Rules, seats: Sequence[Seat], board: Board, *, start_s: int = 0
) -> Mixing:
    """Mix the notes of ``session``, one seat for each of them in any order, without those who break the protocol.

    Time passes only when all wait. Raises ``ValueError`` if the seats are not those of the session.
    """
    if sorted(session.index_of(seat.key.address) for seat in seats) != list(range(session.size)):
        raise ValueError(f"the session has {session.size} members; give a seat for each of them")
    return play(board, [Follower(engine, session, rules, start_s, seat) for seat in seats], start_s)


def play(board: Board, followers: Sequence[Follower], start_s: int = 0) -> Mixing:
    """Let ``followers`` of one session talk over an empty ``board`` until none of them waits for anything.

    Raises ``ValueError`` if they do not agree on how it went: that takes a board with several logs.
    """
    log: list[LogEntry] = []
    now_s = start_s

    sent = [0] * len(followers)

    def post(number: int, messages: tuple[bytes, ...]) -> None:
        for data in messages:
            log.append(LogEntry(now_s, board.append(data).data))
            sent[number] += len(data)

    for number, follower in enumerate(followers):
        post(number, follower.begin())
    read = rounds = 0
    while True:
        while batch := log[read:]:
            read, rounds = len(log), rounds + 1
            for entry in batch:
                for number, follower in enumerate(followers):
                    post(number, follower.read(entry))
        deadlines = [f.deadline_s for f in followers if f.deadline_s is not None]
        if not deadlines:
            break
        now_s = max(now_s, min(deadlines))
        for number, follower in enumerate(followers):
            post(number, follower.tick(now_s))
    first = followers[0]
    if any(f.attempts != first.attempts or f.mixed != first.mixed for f in followers):
        raise ValueError("the members disagree about the session; the board showed them different logs")
    return Mixing(tuple(first.attempts), first.mixed, tuple(log), now_s, rounds, tuple(sent))
