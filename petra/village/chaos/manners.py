"""How a village's wallet can cheat in mixes: what it posts in place of a message that was due.

It introduces itself like everybody in every manner: a cheat that never appears is only absent.
"""

import secrets

from assets.keys import SigningKey
from petra.mix_cheats import Rewrite, Sent, again, is_first

_ITEM_BYTES = range(20, 453, 48)
"""An address, and one layer of encryption more each."""


def _silent(sent: Sent, key: SigningKey) -> tuple[bytes, ...]:
    """Nothing at all."""
    return ()


def _equivocation(sent: Sent, key: SigningKey) -> tuple[bytes, ...]:
    """Two different messages where there is one to send."""
    return (sent.encoded, *_garbage(sent, key))


def _garbage(sent: Sent, key: SigningKey) -> tuple[bytes, ...]:
    """Something of the right length."""
    return (again(sent, secrets.token_bytes(len(sent.payload)), key),)


def _duplicate(sent: Sent, key: SigningKey) -> tuple[bytes, ...]:
    """The first output or onion in place of the last: somebody's output appears twice, another not at all."""
    payload = sent.payload
    for size in _ITEM_BYTES:
        if len(payload) % size == 0 and len(payload) >= 2 * size:
            return (again(sent, payload[:-size] + payload[:size], key),)
    return (sent.encoded,)


def _introduced(rewrite: Rewrite) -> Rewrite:
    return lambda sent, key: (sent.encoded,) if is_first(sent) else rewrite(sent, key)


MANNERS: dict[str, Rewrite] = {
    "silent": _introduced(_silent),
    "equivocation": _introduced(_equivocation),
    "garbage": _introduced(_garbage),
    "duplicate": _introduced(_duplicate),
}
