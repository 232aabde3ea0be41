"""What the service refuses beyond :mod:`bidstore.errors`, and the HTTP status of each refusal (RFC 9457)."""

from assets.errors import EncodingError
from bidstore import errors


class GateClosed(errors.OrderRefused):
    """``(start, closed_s, now_s)``: orders for that interval are no longer taken."""

    advice = "offer a note for a later interval"


class OrderKnown(errors.OrderRefused):
    """``(status)``: this very order was matched, settled or ended before."""

    advice = "sign a new order with another nonce, if its notes are unspent"


class RateLimited(errors.OrderRefused):
    """``(count, window_s)``: more postings and cancellations of this energy note than a window allows."""

    advice = "wait for the next window"


class NotReplaceable(errors.OrderRefused):
    """``()``: the order to be replaced is not open, or offers another energy note."""

    advice = "replace an open order of the same energy note; a matched one can only be cancelled on the ledger"


class NotCancellable(errors.OrderRefused):
    """``(status)``: only an open order can be cancelled here."""

    advice = "cancel on the ledger: that binds everybody, the bid store included"


class Busy(Exception):
    """The replica has as much to do as it takes on at a time."""

    def __str__(self) -> str:
        return "the bid store is busy; try again in a few seconds, or another replica"


class TooLarge(Exception):
    """The request's body is longer than the store reads."""

    def __str__(self) -> str:
        return "the request is too long; an order takes a few KiB"


STATUS: dict[type[Exception], int] = {
    EncodingError: 400,
    errors.MalformedOrder: 400,
    errors.ForeignSignature: 403,
    errors.SignatureCountWrong: 403,
    errors.OrderUnknown: 404,
    errors.ChallengeUnknown: 409,
    errors.NoteOnOffer: 409,
    errors.NoteGone: 409,
    errors.Cancelled: 409,
    GateClosed: 409,
    OrderKnown: 409,
    NotReplaceable: 409,
    NotCancellable: 409,
    TooLarge: 413,
    RateLimited: 429,
    Busy: 503,
}
"""Other refusals of an order are 422."""


def status_of(refusal: Exception) -> int:
    """The HTTP status of a refusal."""
    return STATUS.get(type(refusal), 422)
