"""Members that break a mix on purpose, so that benches and faults show who is excluded. For throw-away notes only.

The cheat is an honest player whose messages are changed on their way out, signed as if it had meant them. The same for
every engine.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from assets.keys import Address, SigningKey
from assets.transactions import Signed, Transaction
from mixer import envelope, protocol
from mixer.dicemix import message
from mixer.dicemix import protocol as dicemix
from mixer.engine import Engine, Outcome, Player, Run, Watcher

Sent = envelope.Envelope | message.Message
Rewrite = Callable[[Sent, SigningKey], tuple[bytes, ...]]
"""From a message that is due, and the cheat's key, to what is posted in its place."""


def again(sent: Sent, payload: bytes, key: SigningKey) -> bytes:
    """The message with another payload, signed."""
    if isinstance(sent, envelope.Envelope):
        return envelope.seal(sent.log, sent.run, sent.phase, sent.sender, sent.previous, payload, key).encoded
    return message.seal(sent.log, sent.run, sent.phase, sent.sender, sent.previous, payload, key).encoded


def _flipped(payload: bytes) -> bytes:
    return payload[:-1] + bytes([payload[-1] ^ 1])


def is_first(sent: Sent) -> bool:
    """Whether a member introduces itself with it."""
    return _is(sent, *_FIRST)


def _is(sent: Sent, shuffle: set[protocol.Phase], dice: set[dicemix.Phase]) -> bool:
    return sent.phase in shuffle if isinstance(sent, envelope.Envelope) else sent.phase in dice


_FIRST = {protocol.Phase.ANNOUNCEMENT}, {dicemix.Phase.KEYS}
_HIDDEN = {protocol.Phase.SHUFFLE, protocol.Phase.BROADCAST}, {dicemix.Phase.SLOTS}
_SIGNING = {protocol.Phase.SIGNING}, {dicemix.Phase.SIGNING}


def _equivocate(sent: Sent, key: SigningKey) -> tuple[bytes, ...]:
    other = sent.payload[: protocol.PUBLIC_KEY_BYTES] + secrets.token_bytes(32) + sent.payload[65:]
    return (sent.encoded, again(sent, other, key)) if is_first(sent) else (sent.encoded,)


def _short(sent: Sent, key: SigningKey) -> tuple[bytes, ...]:
    return (again(sent, sent.payload[:-1], key) if is_first(sent) else sent.encoded,)


def _garbled(sent: Sent, key: SigningKey) -> tuple[bytes, ...]:
    return (again(sent, _flipped(sent.payload), key) if _is(sent, *_HIDDEN) else sent.encoded,)


def _refuse(sent: Sent, key: SigningKey) -> tuple[bytes, ...]:
    return () if _is(sent, *_SIGNING) else (sent.encoded,)


def _wrong_signature(sent: Sent, key: SigningKey) -> tuple[bytes, ...]:
    return (again(sent, bytes(len(sent.payload)), key) if _is(sent, *_SIGNING) else sent.encoded,)


DEVIATIONS: dict[str, Rewrite] = {
    "equivocate": _equivocate,
    "wrong-length": _short,
    "garble": _garbled,
    "refuse-to-sign": _refuse,
    "wrong-signature": _wrong_signature,
}
"""Two keys; a message too short; a changed onion or slots message; no signature; one that is not the owner's."""


@dataclass(frozen=True, slots=True)
class CheatingEngine:
    """``inner``, whose members' messages go through what ``deviation`` says for their owner; ``None``: honest."""

    inner: Engine
    deviation: Callable[[Address], Rewrite | None]

    @property
    def name(self) -> str:
        """That of the honest engine: the cheat does not announce itself."""
        return self.inner.name

    def play(self, run: Run, key: SigningKey, output: Address) -> Player:
        """A member of ``run``."""
        player, rewrite = self.inner.play(run, key, output), self.deviation(key.address)
        return player if rewrite is None else _Cheat(player, key, rewrite)

    def watch(self, run: Run) -> Watcher:
        """A reader of ``run``, who has nothing to cheat with."""
        return self.inner.watch(run)


class _Cheat:
    """A player whose messages are rewritten."""

    def __init__(self, player: Player, key: SigningKey, rewrite: Rewrite) -> None:
        self._player, self._key, self._rewrite = player, key, rewrite

    @property
    def run(self) -> Run:
        return self._player.run

    @property
    def member(self) -> int:
        return self._player.member

    @property
    def deadline_s(self) -> int | None:
        return self._player.deadline_s

    @property
    def outcome(self) -> Outcome | None:
        return self._player.outcome

    def begin(self) -> tuple[bytes, ...]:
        return self._changed(self._player.begin())

    def receive(self, data: bytes) -> tuple[bytes, ...]:
        return self._changed(self._player.receive(data))

    def tick(self, now_s: int) -> tuple[bytes, ...]:
        return self._changed(self._player.tick(now_s))

    def expose(self, spend: Signed[Transaction]) -> tuple[bytes, ...]:
        return self._player.expose(spend)

    def _changed(self, messages: tuple[bytes, ...]) -> tuple[bytes, ...]:
        return tuple(data for sent in messages for data in self._rewrite(_read(sent), self._key))


def _read(data: bytes) -> Sent:
    return message.decode(data) if data[:1] == bytes([dicemix.VERSION]) else envelope.decode(data)
