"""How a member of a mix can cheat: what is posted in place of a message that was due.

The same for every engine: a message is taken apart and sealed again by the engine's own rules, with the cheat's key.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from assets.keys import Address, SigningKey
from assets.transactions import Signed, Transaction
from mixer.engine import Engine, Outcome, Player, Run, Watcher

Reseal = Callable[[bytes], bytes]
"""The same message with this payload, signed by the cheat."""

Manner = Callable[[bytes, bytes, Reseal], list[bytes]]
"""From a message, its payload and the resealing of it, to what is posted."""


def _silent(message: bytes, payload: bytes, reseal: Reseal) -> list[bytes]:
    """Nothing at all."""
    return []


def _equivocation(message: bytes, payload: bytes, reseal: Reseal) -> list[bytes]:
    """Two different messages where there is one to send."""
    return [message, reseal(secrets.token_bytes(len(payload)))]


def _garbage(message: bytes, payload: bytes, reseal: Reseal) -> list[bytes]:
    """Something of the right length."""
    return [reseal(secrets.token_bytes(len(payload)))]


def _duplicate(message: bytes, payload: bytes, reseal: Reseal) -> list[bytes]:
    """The first output or onion in place of the last: somebody's output appears twice, another not at all."""
    for size in (20, 68, 116, 164, 212, 260, 308, 356, 404, 452):  # an address, and one layer more each
        if len(payload) % size == 0 and len(payload) >= 2 * size:
            return [reseal(payload[:-size] + payload[:size])]
    return [message]


MANNERS: dict[str, Manner] = {
    "silent": _silent,
    "equivocation": _equivocation,
    "garbage": _garbage,
    "duplicate": _duplicate,
}


@dataclass(frozen=True, slots=True)
class CheatingEngine:
    """An engine whose member cheats as ``manner`` says when it plays; ``None``: it is honest."""

    engine: Engine
    manner: Callable[[], str | None]

    @property
    def name(self) -> str:
        """As the engine's."""
        return self.engine.name

    def play(self, run: Run, key: SigningKey, output: Address) -> Player:
        """The member, which cheats."""
        return CheatingPlayer(self.engine.play(run, key, output), self.engine.name, key, self.manner())

    def watch(self, run: Run) -> Watcher:
        """A reader without secrets, who has nothing to cheat with."""
        return self.engine.watch(run)


class CheatingPlayer:
    """A member that lets the protocol make its messages, and posts others. It announces itself like everybody."""

    def __init__(self, player: Player, engine: str, key: SigningKey, manner: str | None) -> None:
        self._player, self._engine, self._key, self._manner = player, engine, key, manner

    @property
    def run(self) -> Run:
        """Which run."""
        return self._player.run

    @property
    def member(self) -> int:
        """Place of its note among the session's inputs."""
        return self._player.member

    @property
    def deadline_s(self) -> int | None:
        """When what is due will be late."""
        return self._player.deadline_s

    @property
    def outcome(self) -> Outcome | None:
        """How the run ended."""
        return self._player.outcome

    def begin(self) -> tuple[bytes, ...]:
        """Honest: a cheat that never appears is only absent."""
        return self._player.begin()

    def receive(self, data: bytes) -> tuple[bytes, ...]:
        """Read on, and cheat."""
        return self._instead(self._player.receive(data))

    def tick(self, now_s: int) -> tuple[bytes, ...]:
        """Go on, and cheat."""
        return self._instead(self._player.tick(now_s))

    def expose(self, spend: Signed[Transaction]) -> tuple[bytes, ...]:
        """As it should be."""
        return self._player.expose(spend)

    def _instead(self, messages: tuple[bytes, ...]) -> tuple[bytes, ...]:
        if self._manner is None:
            return messages
        return tuple(posted for message in messages for posted in self._posted(message, MANNERS[self._manner]))

    def _posted(self, message: bytes, manner: Manner) -> list[bytes]:
        if self._engine == "coinshuffle":
            from mixer import envelope

            e = envelope.decode(message)

            def again(payload: bytes) -> bytes:
                return envelope.seal(e.log, e.run, e.phase, e.sender, e.previous, payload, self._key).encoded

            return manner(message, e.payload, again)
        from mixer.dicemix import message as dicemix

        m = dicemix.decode(message)

        def resealed(payload: bytes) -> bytes:
            return dicemix.seal(m.log, m.run, m.phase, m.sender, m.previous, payload, self._key).encoded

        return manner(message, m.payload, resealed)
