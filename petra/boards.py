"""What the operator of a mix board could read in the clear."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from assets.keys import Address
from assets.transactions import Signed, Transact
from mixer import envelope
from mixer.board import MemoryBoard
from mixer.dicemix import message
from mixer.dicemix.protocol import VERSION


@dataclass(frozen=True, slots=True)
class MixLog:
    """One finished mix: everything its board received, and the transaction that came of it."""

    board: MemoryBoard
    mix: Signed[Transact]


def links(logs: Iterable[MixLog], owners: Mapping[Address, int]) -> dict[Address, frozenset[int]]:
    """Output addresses that a message showed without showing all of them: its sender's, as far as anybody can tell.

    The list of all outputs that ends a mix shows nothing; a smaller list would. ``owners`` has the home behind each
    input address, which the ledger shows to everybody.
    """
    linked: dict[Address, frozenset[int]] = {}
    for log in logs:
        outputs = [note.owner for note in log.mix.tx.outputs]
        for post in log.board.received:
            shown = [address for address in outputs if post.find(address) >= 0]
            if 0 < len(shown) < len(outputs):
                sender = log.mix.tx.inputs[_sender(post)]
                linked |= dict.fromkeys(shown, frozenset({owners[sender.note.owner]}))
    return linked


def _sender(post: bytes) -> int:
    """Who posted it, with whichever engine."""
    dicemix = post[:1] == bytes([VERSION])
    return message.decode(post).sender if dicemix else envelope.decode(post).sender
