"""Every way to break the protocol, as a function from the message that was due to what is posted instead."""

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from assets.keys import Digest
from mixer.coinshuffle import CoinShuffle, CoinShufflePlayer
from mixer.envelope import Envelope, decode
from mixer.faults import Reason
from mixer.onion import wrap
from mixer.protocol import Phase

SPOKEN = (Phase.ANNOUNCEMENT, Phase.SHUFFLE, Phase.BROADCAST, Phase.EQUIVOCATION_CHECK, Phase.SIGNING)


@dataclass
class Cheat:
    """What a cheating member knows when it cheats."""

    community: object
    player: CoinShufflePlayer
    past: list[Envelope]
    """Its messages of earlier runs."""
    held: list[bytes] = field(default_factory=list)
    """What it posts once the deadline has passed."""

    @property
    def peer(self):
        return self.player.peer

    @property
    def position(self) -> int:
        return self.player.run.members.index(self.player.member)

    @property
    def later_keys(self) -> list[bytes]:
        watch = self.peer.watch
        return [watch.box_keys[m] for m in self.player.run.members if m > self.player.member]

    def sealed(self, envelope: Envelope, **changes) -> bytes:
        return self.community.reseal(envelope, **changes)

    def items(self, envelope: Envelope) -> list[bytes]:
        size = len(envelope.payload) // (self.position + 1)
        return [envelope.payload[at : at + size] for at in range(0, len(envelope.payload), size)]

    def opened(self) -> list[bytes]:
        return [self.peer._box.peel(onion) for onion in self.peer.watch.onions]


Act = Callable[[Cheat, Envelope], Iterable[bytes]]


def late(cheat: Cheat, e: Envelope) -> list[bytes]:
    cheat.held.append(e.encoded)
    return []


def another_phase(cheat: Cheat, e: Envelope) -> list[bytes]:
    """Of a phase in which the cheat has not spoken, and that is not due."""
    phase = Phase.SIGNING if e.phase is not Phase.SIGNING else Phase.REVEAL
    return [cheat.sealed(e, phase=phase)]


def complaint(reason: Reason) -> Act:
    return lambda cheat, e: [cheat.sealed(e, phase=Phase.COMPLAINT, payload=bytes([reason]))]


def false_accusation(cheat: Cheat, e: Envelope) -> list[bytes]:
    reason = Reason.OUTPUT_MISSING if e.phase is Phase.EQUIVOCATION_CHECK else Reason.UNREADABLE_ONION
    return list(complaint(reason)(cheat, e))


def replayed(cheat: Cheat, e: Envelope) -> list[bytes]:
    """Its message of the same phase, of the run before."""
    return [p.encoded for p in cheat.past if p.phase is e.phase]


ANYWHERE: dict[str, Act] = {
    "silent": lambda c, e: [],
    "late": late,
    "malformed": lambda c, e: [c.sealed(e, payload=secrets.token_bytes(len(e.payload)))],
    "too short": lambda c, e: [c.sealed(e, payload=e.payload[:-1])],
    "too long": lambda c, e: [c.sealed(e, payload=e.payload + b"\0")],
    "empty": lambda c, e: [c.sealed(e, payload=b"")],
    "equivocation": lambda c, e: [e.encoded, c.sealed(e, payload=secrets.token_bytes(len(e.payload)))],
    "another past": lambda c, e: [c.sealed(e, previous=Digest(b"\x99" * 32))],
    "another phase": another_phase,
    "another run": lambda c, e: [c.sealed(e, run=e.run + 1)],
    "another session": lambda c, e: [c.sealed(e, log=Digest(b"\x77" * 32))],
    "garbage": lambda c, e: [b"", secrets.token_bytes(300), e.encoded[:-1]],
    "false accusation": false_accusation,
    "nonsense shown": lambda c, e: [c.sealed(e, phase=Phase.EXHIBIT, payload=b"{}")],
}
"""Wherever a message is due."""

HARMLESS: dict[str, Act] = {
    "repeated": lambda c, e: [e.encoded, e.encoded, e.encoded],
    "noise": lambda c, e: [secrets.token_bytes(200), e.encoded, c.sealed(e, run=e.run + 3)],
    "in another's name": lambda c, e: [e.encoded, e.encoded[:2] + bytes([0, (e.sender + 1) % 2]) + e.encoded[4:]],
}
"""Not wrong enough to exclude anybody."""


def with_own(make: Callable[[Cheat, list[bytes]], bytes]) -> Act:
    """The shuffle as it should be, but with another onion of the cheat's own."""
    return lambda c, e: [c.sealed(e, payload=b"".join([*c.opened(), make(c, c.later_keys)]))]


def replaced(cheat: Cheat, e: Envelope) -> list[bytes]:
    """Somebody's onion gives way to a second one of the cheat's own."""
    mine = [wrap(secrets.token_bytes(20), cheat.later_keys) for _ in range(2)]
    return [cheat.sealed(e, payload=b"".join([*cheat.opened()[1:], *mine]))]


def twice(cheat: Cheat, e: Envelope) -> list[bytes]:
    items = cheat.items(e)
    return [cheat.sealed(e, payload=b"".join([*items[:-1], items[0]]))]


def garbage_at(depth: int) -> Act:
    def make(cheat: Cheat, keys: list[bytes]) -> bytes:
        garbage = secrets.token_bytes(20 + 48 * (len(keys) - depth))
        return wrap(garbage, keys[:depth])

    return with_own(make)


SHUFFLING: dict[str, tuple[Act, Callable[[int, int], bool]]] = {
    "replaced onion": (replaced, lambda position, size: position > 0),
    "dropped onion": (twice, lambda position, size: position > 0),
    "all replaced": (
        lambda c, e: [
            c.sealed(e, payload=b"".join(wrap(secrets.token_bytes(20), c.later_keys) for _ in range(c.position + 1)))
        ],
        lambda position, size: position > 0,
    ),
    "garbage for the next": (garbage_at(0), lambda position, size: position < size - 1),
    "garbage for the one after": (garbage_at(1), lambda position, size: position < size - 2),
    "zero address": (with_own(lambda c, keys: wrap(bytes(20), keys)), lambda position, size: True),
}
"""At a member's turn, and at which positions they make a difference."""


class Cheating(CoinShuffle):
    """The engine of a member that deviates in the phases and runs of ``acts``."""

    def __init__(self, community, acts: dict[Phase, Act], runs: Callable[[int], bool] = lambda run: True) -> None:
        self.community, self.acts, self.runs = community, acts, runs
        self.past: list[Envelope] = []
        self.deviated: list[int] = []
        """Runs in which a message was due that the cheat replaced."""

    def play(self, run, key, output):
        return CheatingPlayer(self, super().play(run, key, output))


class CheatingPlayer:
    def __init__(self, engine: Cheating, player: CoinShufflePlayer) -> None:
        self._engine, self._player = engine, player
        self._cheat = Cheat(engine.community, player, list(engine.past))

    def __getattr__(self, name: str):
        return getattr(self._player, name)

    def begin(self):
        return self._instead(self._player.begin())

    def receive(self, data):
        return self._instead(self._player.receive(data))

    def tick(self, now_s):
        before = self._player.deadline_s
        messages = self._instead(self._player.tick(now_s))
        if before is not None and now_s >= before:
            messages, self._cheat.held = (*messages, *self._cheat.held), []
        return messages

    def _instead(self, messages):
        posted: list[bytes] = []
        for data in messages:
            envelope = decode(data)
            self._engine.past.append(envelope)
            act = self._engine.acts.get(envelope.phase)
            if act is None or not self._engine.runs(envelope.run):
                posted.append(data)
            else:
                self._engine.deviated.append(envelope.run)
                posted += act(self._cheat, envelope)
        return tuple(posted)
