"""What became of a match, in sentences for the owners of its orders: without ids and addresses."""

from assets.errors import FillSize, NoteSpent, OrderCancelled, OrderExpired, PriceLimit, Refusal, Unfunded, UnknownNote
from assets.keys import Digest

SPENT = "a note of the order is no longer unspent on the ledger"
CANCELLED = "its owner cancelled it"
OTHER_SIDE = "the other side of the match failed on the ledger"
GIVEN_UP = "the match was not carried to the ledger in time"

_OF_AN_ORDER: dict[type[Refusal], str] = {
    OrderExpired: "it expired before it was settled",
    OrderCancelled: CANCELLED,
    FillSize: "the ledger refused the part of it that was to trade",
    PriceLimit: "the ledger refused the price as beyond its limit",
    Unfunded: "its money does not cover the price",
}
"""Refusals that name one order, in their first argument."""


def blame(refusal: Refusal, order_id: Digest) -> str | None:
    """Why the order must leave the book after a refused fill; ``None`` if it may stay where its notes are unspent.

    A refusal that blames neither order would come again, so then both leave.
    """
    reason = _OF_AN_ORDER.get(type(refusal))
    if reason is not None:
        return reason if refusal.args[0] == order_id else None
    if isinstance(refusal, NoteSpent | UnknownNote):
        return None
    return f"the ledger refused the match ({type(refusal).__name__})"
