"""What the operator of a mix board could read in the clear."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from assets.errors import EncodingError
from assets.keys import Address, Digest
from assets.transactions import Signed, Transact
from mixer import envelope
from mixer.dicemix import message
from mixer.dicemix.protocol import VERSION
from mixer.session import MixSession


@dataclass(frozen=True, slots=True)
class MixLog:
    """One finished mix: its session, everything that the board received, and the transaction that came of it."""

    session: MixSession
    posts: tuple[bytes, ...]
    mix: Signed[Transact]


def links(logs: Iterable[MixLog], owners: Mapping[Address, int]) -> dict[Address, frozenset[int]]:
    """Output addresses that a message showed without showing all of them: its sender's, as far as anybody can tell.

    The list of all outputs that ends a mix shows nothing; a smaller list would. ``owners`` has the home behind each
    input address, which the ledger shows to everybody. Senders are numbered as the session's inputs are, of which the
    transaction lacks those of excluded members.
    """
    linked: dict[Address, frozenset[int]] = {}
    for log in logs:
        outputs = [note.owner for note in log.mix.tx.outputs]
        for post in log.posts:
            shown = [address for address in outputs if post.find(address) >= 0]
            sent = _decoded(post) if 0 < len(shown) < len(outputs) else None
            if sent is not None and sent.sender < log.session.size:
                owner = log.session.owners[sent.sender]
                linked |= dict.fromkeys(shown, frozenset({owners[owner]}))
    return linked


def view_of(post: bytes) -> Digest | None:
    """What the author of a message had read, as a hash; ``None`` for what is no message of an engine."""
    sent = _decoded(post)
    return None if sent is None else sent.previous


def sender_of(post: bytes) -> int | None:
    """Who wrote a message, by its own account: the place of its note among the session's inputs."""
    sent = _decoded(post)
    return None if sent is None else sent.sender


def _decoded(post: bytes) -> envelope.Envelope | message.Message | None:
    """The message, of whichever engine."""
    try:
        return message.decode(post) if post[:1] == bytes([VERSION]) else envelope.decode(post)
    except EncodingError:
        return None
