"""Rooms in which DiceMix peers meet, honest ones and others, and from which everybody takes the same log."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import pytest

from assets.keys import Address, SigningKey, ThrowAwayKeys
from mixer.dicemix.faults import Fault
from mixer.dicemix.message import Message, decode, seal
from mixer.dicemix.peer import Peer
from mixer.dicemix.proceedings import Proceedings
from mixer.dicemix.protocol import Phase
from mixer.engine import Mixed, Outcome, Rules, Run, first_run, next_run
from mixer.follower import LogEntry as Entry
from mixer.session import MixSession

TIMEOUT_S = 30

Rewrite = Callable[["Saboteur", Message], Iterable[bytes]]
"""What a misbehaving peer posts in place of one of its messages."""


class Community(Protocol):
    """Homes with a note each, from tests/mixer/conftest.py."""

    session: MixSession
    keys: list[SigningKey]
    outputs: list[Address]


class Saboteur:
    """A peer whose every message goes through ``rewrite``, which may drop, change, repeat, delay or add."""

    def __init__(self, peer: Peer, key: SigningKey, rewrite: Rewrite) -> None:
        self.peer = peer
        self.key = key
        self.rewrite = rewrite
        self.late: list[bytes] = []
        """Posted once the deadline has passed."""
        self.log: Sequence[Entry] = ()
        """All that was posted so far: attackers read before they write."""
        self.before: list[Entry] = []
        """The log of the run before."""

    def begin(self) -> tuple[bytes, ...]:
        return self._rewritten(self.peer.begin())

    def receive(self, data: bytes) -> tuple[bytes, ...]:
        return self._rewritten(self.peer.receive(data))

    def tick(self, now_s: int) -> tuple[bytes, ...]:
        return self._rewritten(self.peer.tick(now_s))

    def _rewritten(self, messages: Iterable[bytes]) -> tuple[bytes, ...]:
        return tuple(data for m in messages for data in self.rewrite(self, decode(m)))

    def resealed(self, message: Message, **changes: object) -> bytes:
        """``message`` with other contents, signed as if they were meant."""
        parts = {
            "log": message.log,
            "run": message.run,
            "phase": message.phase,
            "sender": message.sender,
            "previous": message.previous,
            "payload": message.payload,
        } | changes
        return seal(**parts, key=self.key).encoded  # type: ignore[arg-type]

    def heard(self, phase: Phase) -> list[Message]:
        """What others posted in ``phase`` so far."""
        return [m for m in map(readable, self.log) if m and m.phase is phase and m.sender != self.peer.member]


@dataclass
class Room:
    """One run: its peers, its log with times, and how it ended."""

    run: Run
    peers: list[Peer | Saboteur]
    log: list[Entry] = field(default_factory=list)
    now_s: int = 0

    def play(self) -> "Room":
        """Run to the end: in each round the honest peers post first, the saboteurs last; then time passes."""
        self.now_s = self.run.start_s
        read = 0
        ordered = sorted(self.peers, key=lambda peer: isinstance(peer, Saboteur))
        for peer in ordered:
            self._post(peer.begin())
        while True:
            while read < len(self.log):
                batch, read = self.log[read:], len(self.log)
                for peer in ordered:
                    for entry in batch:
                        self._post(peer.receive(entry.data))
            deadlines = [peer.deadline_s for peer in self.honest if peer.deadline_s is not None]
            if not deadlines:
                return self
            self.now_s = min(deadlines)
            for peer in ordered:
                self._post(peer.tick(self.now_s))
            for peer in self.saboteurs:
                self._post(peer.late)
                peer.late = []

    def _post(self, messages: Iterable[bytes]) -> None:
        self.log += [Entry(self.now_s, data) for data in messages]
        for saboteur in self.saboteurs:
            saboteur.log = self.log

    @property
    def honest(self) -> list[Peer]:
        return [peer for peer in self.peers if isinstance(peer, Peer)]

    @property
    def saboteurs(self) -> list[Saboteur]:
        return [peer for peer in self.peers if isinstance(peer, Saboteur)]

    @property
    def outcome(self) -> Outcome | None:
        return self.honest[0].outcome

    @property
    def faults(self) -> tuple[Fault, ...]:
        return self.honest[0].faults

    @property
    def reasons(self) -> dict[int, str]:
        return {fault.participant: fault.reason.name for fault in self.faults}

    def witnessed(self) -> Proceedings:
        """What a third party makes of the log."""
        witness = Proceedings(self.run)
        for entry in self.log:
            witness.tick(entry.at_s)
            witness.receive(entry.data)
        witness.tick(self.now_s)
        return witness

    @property
    def messages(self) -> list[Message]:
        """Everything on the log that is a message."""
        return [m for m in map(readable, self.log) if m is not None]


def readable(entry: Entry) -> Message | None:
    """The message of an entry, if it is one."""
    try:
        return decode(entry.data)
    except ValueError:
        return None


def room(
    community: Community,
    saboteurs: dict[int, Rewrite] | None = None,
    *,
    run: Run | None = None,
    outputs: Sequence[Address] | None = None,
) -> Room:
    """A run of a community's peers, some of which misbehave."""
    run = run or first_run(community.session, Rules(minimum=2, timeout_s=TIMEOUT_S))
    assert run is not None
    peers: list[Peer | Saboteur] = []
    for member in run.members:
        key = community.keys[member]
        peer = Peer(run, key, (outputs or community.outputs)[member])
        rewrite = (saboteurs or {}).get(member)
        peers.append(Saboteur(peer, key, rewrite) if rewrite else peer)
    return Room(run, peers)


def until_mixed(community: Community, saboteurs: dict[int, Rewrite], most_runs: int = 99) -> list[Room]:
    """Run after run, without whoever was found guilty, with fresh keys and addresses, until there is no next one."""
    fresh = ThrowAwayKeys(community.session.size, "dicemix tests: fresh outputs")
    rules = Rules(minimum=2, timeout_s=TIMEOUT_S, max_runs=most_runs)
    run = first_run(community.session, rules)
    rooms: list[Room] = []
    while run is not None:
        outputs = [fresh.fresh().address for _ in community.session.owners]
        current = room(community, saboteurs, run=run, outputs=outputs)
        for saboteur in current.saboteurs:
            saboteur.before = rooms[-1].log if rooms else []
        rooms.append(current.play())
        outcome = current.outcome
        assert outcome is not None
        run = next_run(run, outcome, rules, current.now_s)
    return rooms


def blamed(rooms: Sequence[Room]) -> set[int]:
    """Everybody who was excluded."""
    return {fault.participant for r in rooms for fault in r.faults}


def mixed(rooms: Sequence[Room]) -> bool:
    """Whether the last run mixed."""
    return isinstance(rooms[-1].outcome, Mixed)


@pytest.fixture(scope="session")
def make_room() -> Callable[..., Room]:
    """``make_room(community, {member: rewrite})``; call ``play()`` on it."""
    return room


@pytest.fixture(scope="session")
def mix_in_the_end() -> Callable[..., list[Room]]:
    """``mix_in_the_end(community, {member: rewrite})`` plays runs until there is no next one."""
    return until_mixed
