"""A ledger with homes whose notes can be mixed, and peers that misbehave."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import pytest

from assets.intervals import IntervalGrid
from assets.keys import Address, Digest, SigningKey, ThrowAwayKeys
from assets.ledger import SpecLedger
from assets.notes import IssuedNote, epa, issued
from assets.port import NoteStatus
from assets.transactions import (
    Authorisation,
    Domain,
    FeederCapacity,
    Regulate,
    Signed,
    Transact,
    Withdraw,
    digest,
    sign,
)
from mixer.board import MemoryBoard
from mixer.envelope import Envelope, decode, seal
from mixer.faults import PeerFault
from mixer.peer import Peer
from mixer.protocol import Phase
from mixer.run import run_in_memory
from mixer.session import MixSession
from mixer.step import Step

DOMAIN = Domain(1337, Address(b"\x42" * 20))
WATTS = 400

Rewrite = Callable[[Envelope], Iterable[bytes]]


@dataclass
class Community:
    """``size`` homes, each with one note of the same class on a ledger, and the session that mixes them."""

    size: int
    seed: int = 0
    ledger: SpecLedger = field(init=False)
    session: MixSession = field(init=False)
    keys: list[SigningKey] = field(init=False)
    """Owner of each input, in the order of the peers."""
    outputs: list[Address] = field(init=False)
    """Fresh address of each peer."""

    def __post_init__(self) -> None:
        keys = ThrowAwayKeys(self.seed, f"mixer tests {self.size}")
        dso = keys.fresh()
        meters = [keys.fresh() for _ in range(self.size)]
        self.ledger = SpecLedger(DOMAIN, IntervalGrid(0, 3600), dso.address)
        grants = tuple(Authorisation(i, m.address, 0, WATTS, 0, 0) for i, m in enumerate(meters))
        capacity = FeederCapacity(0, WATTS * self.size, 0)
        self.ledger.submit([sign(DOMAIN, Regulate(0, (capacity,), grants), dso)])
        owned: list[tuple[IssuedNote, SigningKey]] = []
        for number, meter in enumerate(meters):
            key = keys.fresh()
            withdrawal = Withdraw(number, 0, 7, (epa(key.address, WATTS, 7, 7),))
            self.ledger.submit([sign(DOMAIN, withdrawal, meter)])
            owned.append((issued(withdrawal.outputs, digest(DOMAIN, withdrawal))[0], key))
        owned.sort(key=lambda pair: pair[0].id)
        self.keys = [key for _, key in owned]
        self.outputs = [keys.fresh().address for _ in range(self.size)]
        self.session = MixSession(DOMAIN, 7, tuple(note for note, _ in owned), self.ledger.entries()[-1].digest)

        self._spare = ThrowAwayKeys(self.seed, f"mixer tests, fresh addresses {self.size}")

    def spare_key(self) -> SigningKey:
        """A key that was never used."""
        return self._spare.fresh()

    def peers(self, **options: object) -> list[Peer]:
        return [self.peer(i, **options) for i in range(self.size)]

    def peer(self, index: int, **options: object) -> Peer:
        return Peer(self.session, self.keys[index], self.outputs[index], **options)  # type: ignore[arg-type]

    def reseal(self, envelope: Envelope, **changes: object) -> bytes:
        """``envelope`` with other contents, signed by its sender as if it had meant them."""
        parts = {
            "log": envelope.log,
            "run": envelope.run,
            "phase": envelope.phase,
            "sender": envelope.sender,
            "previous": envelope.previous,
            "payload": envelope.payload,
        } | changes
        return seal(**parts, key=self.keys[envelope.sender]).encoded  # type: ignore[arg-type]

    def notes_unspent(self) -> bool:
        return all(self.ledger.status(i) is NoteStatus.UNSPENT for i in self.session.input_ids)

    def run_with(self, saboteurs: dict[int, Rewrite]) -> "Outcome":
        """A run in which the peers of ``saboteurs`` post something else than the protocol says."""
        peers = self.peers()
        board = MemoryBoard()
        driven = [Saboteur(p, saboteurs[p.index]) if p.index in saboteurs else p for p in peers]
        outcome = Outcome(self, board, [p for p in peers if p.index not in saboteurs])
        try:
            outcome.signed = run_in_memory(self.session, driven, board)
        except PeerFault as fault:
            outcome.raised = fault
        return outcome


@dataclass
class Outcome:
    """How a run ended."""

    community: Community
    board: MemoryBoard
    honest: list[Peer]
    signed: Signed[Transact] | None = None
    raised: PeerFault | None = None

    def posted(self, phase: Phase) -> list[Envelope]:
        """Well-formed messages of a phase on the board."""
        return [e for e in _decodable(self.board.received) if e.phase is phase]


def _decodable(posts: Sequence[bytes]) -> Iterable[Envelope]:
    for data in posts:
        try:
            yield decode(data)
        except ValueError:
            continue


class Saboteur:
    """A peer whose every message goes through ``rewrite``, which may drop, change, repeat or add."""

    def __init__(self, peer: Peer, rewrite: Rewrite) -> None:
        self._peer = peer
        self._rewrite = rewrite

    def __getattr__(self, name: str) -> object:
        return getattr(self._peer, name)

    def start(self, now_s: int = 0) -> Step:
        return self._rewritten(self._peer.start(now_s))

    def receive(self, message: bytes | Envelope) -> Step:
        return self._rewritten(self._peer.receive(message))

    def tick(self, now_s: int) -> Step:
        return self._rewritten(self._peer.tick(now_s))

    def _rewritten(self, step: Step) -> Step:
        return Step(tuple(data for m in step.messages for data in self._rewrite(decode(m))), step.events)


def snapshot(peer: Peer) -> dict[str, object]:
    """Everything a peer remembers, comparable."""
    state = vars(peer) | {f"watch.{name}": value for name, value in vars(peer.watch).items()}
    del state["watch"]
    transcript = state.pop("watch.transcript")
    state["transcript"] = (transcript.envelopes, transcript.view, dict(transcript._slots))
    state["signers"] = list(state.pop("watch._signers")._keys)
    return {name: value.copy() if isinstance(value, dict | set | list) else value for name, value in state.items()}


@pytest.fixture(scope="session")
def community() -> Callable[..., Community]:
    """``community(size, seed)`` makes a :class:`Community`; equal arguments give equal ones, built once."""
    built: dict[tuple[int, int], Community] = {}

    def make(size: int, seed: int = 0) -> Community:
        if (size, seed) not in built:
            built[size, seed] = Community(size, seed)
        return built[size, seed]

    return make


@pytest.fixture(scope="session")
def fresh_community() -> Callable[..., Community]:
    """The same, with a ledger of its own each time."""
    return Community


@pytest.fixture(scope="session")
def remembered() -> Callable[[Peer], dict[str, object]]:
    """Everything a peer remembers, comparable."""
    return snapshot


@pytest.fixture(scope="session")
def other_digest() -> Digest:
    """A hash of nothing that occurs."""
    return Digest(b"\x99" * 32)
