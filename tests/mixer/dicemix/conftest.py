"""Rooms in which DiceMix peers meet, honest ones and ones that misbehave, and from which everybody takes the same log."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import pytest

from assets.keys import Address, SigningKey, ThrowAwayKeys
from assets.transactions import Signed, Transact
from mixer.dicemix.events import Step
from mixer.dicemix.faults import Fault
from mixer.dicemix.judge import Entry, Ruling, judge
from mixer.dicemix.message import Message, decode, seal
from mixer.dicemix.peer import Peer
from mixer.dicemix.protocol import Phase
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

    def __getattr__(self, name: str) -> object:
        return getattr(self.peer, name)

    def start(self, now_s: int = 0) -> Step:
        return self._rewritten(self.peer.start(now_s))

    def receive(self, message: bytes | Message) -> Step:
        return self._rewritten(self.peer.receive(message))

    def tick(self, now_s: int) -> Step:
        return self._rewritten(self.peer.tick(now_s))

    def _rewritten(self, step: Step) -> Step:
        return Step(tuple(data for m in step.messages for data in self.rewrite(self, decode(m))), step.events)

    def resealed(self, message: Message, **changes: object) -> bytes:
        """``message`` with other contents, signed as if they were meant."""
        parts = {
            "session": message.session,
            "run": message.run,
            "phase": message.phase,
            "sender": message.sender,
            "previous": message.previous,
            "payload": message.payload,
        } | changes
        return seal(**parts, key=self.key).encoded  # type: ignore[arg-type]


@dataclass
class Room:
    """One run: its peers, its log with times, and how it ended."""

    session: MixSession
    peers: list[Peer | Saboteur]
    run: int = 0
    started_s: int = 0
    log: list[Entry] = field(default_factory=list)
    now_s: int = 0

    def play(self) -> "Room":
        """Run to the end: messages first, saboteurs last in each round, then time."""
        self.now_s = self.started_s
        read = 0
        ordered = sorted(self.peers, key=lambda peer: isinstance(peer, Saboteur))
        for peer in ordered:
            self._post(peer, peer.start(self.now_s))
        while not all(peer.closed for peer in self.honest):
            while read < len(self.log):
                # One batch a round: saboteurs see what the honest peers of the round posted before they post.
                batch, read = self.log[read:], len(self.log)
                for peer in ordered:
                    for entry in batch:
                        self._post(peer, peer.receive(entry.data))
            running = [p.deadline_s for p in self.honest if p.deadline_s is not None]
            if not running:
                break
            self.now_s = min(running)
            for peer in ordered:
                if not peer.closed:
                    self._post(peer, peer.tick(self.now_s))
            for peer in self.saboteurs:
                self.log += [Entry(self.now_s, data) for data in peer.late]
                peer.late = []
        return self

    def _post(self, peer: Peer | Saboteur, step: Step) -> None:
        self.log += [Entry(self.now_s, data) for data in step.messages]
        for saboteur in self.saboteurs:
            saboteur.log = self.log

    @property
    def honest(self) -> list[Peer]:
        return [peer for peer in self.peers if isinstance(peer, Peer)]

    @property
    def saboteurs(self) -> list[Saboteur]:
        return [peer for peer in self.peers if isinstance(peer, Saboteur)]

    @property
    def signed(self) -> Signed[Transact] | None:
        return self.honest[0].signed

    @property
    def faults(self) -> tuple[Fault, ...]:
        return self.honest[0].faults

    @property
    def ruling(self) -> Ruling:
        """What a third party makes of the log."""
        return judge(
            self.session, self.log, run=self.run, started_s=self.started_s, now_s=self.now_s, timeout_s=TIMEOUT_S
        )

    @property
    def messages(self) -> list[Message]:
        """Everything on the log that is a message."""
        return [m for m in map(readable, self.log) if m is not None]


def readable(entry: Entry) -> Message | None:
    """The message of an entry, if it is one."""
    try:
        return entry.data if isinstance(entry.data, Message) else decode(entry.data)
    except ValueError:
        return None


def room(community: Community, saboteurs: dict[int, Rewrite] | None = None, **options: object) -> Room:
    """A run of all of a community's peers, some of which misbehave."""
    return _room(
        community.session,
        dict(zip(community.session.owners, community.keys, strict=True)),
        community.outputs,
        {community.session.owners[i]: r for i, r in (saboteurs or {}).items()},
        0,
    )


def _room(session, keys, outputs, saboteurs, run, started_s=0):  # type: ignore[no-untyped-def]
    peers: list[Peer | Saboteur] = []
    for owner, output in zip(session.owners, outputs, strict=True):
        peer = Peer(session, keys[owner], output, run=run, timeout_s=TIMEOUT_S)
        peers.append(Saboteur(peer, keys[owner], saboteurs[owner]) if owner in saboteurs else peer)
    return Room(session, peers, run, started_s, now_s=started_s)


def until_mixed(community: Community, saboteurs: dict[int, Rewrite], most_runs: int) -> list[Room]:
    """Run after run, without whoever was found guilty, with fresh keys and addresses, until the mix is complete."""
    keys = dict(zip(community.session.owners, community.keys, strict=True))
    bad = {community.session.owners[i]: rewrite for i, rewrite in saboteurs.items()}
    fresh = ThrowAwayKeys(len(keys), "dicemix tests: fresh outputs")
    session, rooms = community.session, []
    for run in range(most_runs):
        outputs = [fresh.fresh().address for _ in session.owners]
        started_s = rooms[-1].now_s if rooms else 0
        rooms.append(_room(session, keys, outputs, bad, run, started_s).play())
        if rooms[-1].signed is not None:
            return rooms
        guilty = rooms[-1].ruling.guilty
        inputs = tuple(note for i, note in enumerate(session.inputs) if i not in guilty)
        session = replace(session, inputs=inputs)
    raise AssertionError(f"no mix in {most_runs} runs: {[[str(f) for f in r.faults] for r in rooms]}")


@pytest.fixture(scope="session")
def make_room() -> Callable[..., Room]:
    """``make_room(community, {index: rewrite})``; call ``play()`` on it."""
    return room


@pytest.fixture(scope="session")
def mix_in_the_end() -> Callable[..., list[Room]]:
    """``mix_in_the_end(community, {index: rewrite}, most_runs)`` plays runs until one succeeds."""
    return until_mixed


@pytest.fixture(scope="session")
def phases() -> type[Phase]:
    return Phase
