"""Everything the bid store may refuse: one exception class per reason.

A refusal's docstring says what was wrong and lists its arguments; ``advice`` says what to do. Nothing has changed when
one is raised. Messages name note ids and addresses, so they go back to whoever signed the order and into no log.
"""

from typing import ClassVar


class _Refused(Exception):
    advice: ClassVar[str]

    def __str__(self) -> str:
        values = ", ".join("0x" + a.hex() if isinstance(a, bytes) else str(a) for a in self.args)
        return f"{type(self).__name__}({values}): {self.advice}"


# --- Posting an order --------------------------------------------------------------------------------------


class OrderRefused(_Refused):
    """The bid store does not take an order into its book."""


class MalformedOrder(OrderRefused):
    """``(what)``: a value that no order can have, such as a negative number or an address that is not 20 bytes."""

    advice = "give every field a value of its EIP-712 type, and an energy note with whole watt-hours"


class ZeroAddress(OrderRefused):
    """``(field)``: what is bought, or the money, would go to nobody."""

    advice = "give a fresh address of your own meter or wallet"


class OrderExpired(OrderRefused):
    """``(expires_s, now_s)``: the order ends at or before the ledger's present time."""

    advice = "sign an order whose expires_s lies after the ledger's time"


class LimitOutOfRange(OrderRefused):
    """``(limit_nano_per_wh, highest_nano_per_wh)``: a limit of 0, or one whose total no note can hold."""

    advice = "choose a limit between 1 and the highest price that is given here"


class WrongKind(OrderRefused):
    """``(expected, kind)``: a note of a kind that this side of a trade cannot give."""

    advice = "a seller offers one EPA note; a buyer one ECA note and FA notes"


class UnexpectedMoney(OrderRefused):
    """``(count)``: an order to sell with money in it."""

    advice = "a seller pays nothing; leave the FA notes out"


class NotEnoughMoney(OrderRefused):
    """``(needed_nano, offered_nano)``: the FA notes do not cover the whole energy at the limit."""

    advice = "add FA notes, or lower the limit"


class TooMuchMoney(OrderRefused):
    """``(offered_nano, highest_nano)``: FA notes whose sum no change note could hold."""

    advice = "offer fewer or smaller FA notes"


class TooManyOffered(OrderRefused):
    """``(count, highest)``: more FA notes than one order may name."""

    advice = "merge FA notes first, or offer larger ones"


class NoteNamedTwice(OrderRefused):
    """``(note_id)``: one note stands twice in the order."""

    advice = "name every note once"


class DeliveryOver(OrderRefused):
    """``(end, now_s)``: the class of the energy note can no longer match: its last interval has passed."""

    advice = "offer a note for an interval that is still to come"


class ChallengeUnknown(OrderRefused):
    """``()``: the challenge was never issued, is too old, or was used by another posting."""

    advice = "ask the bid store for a fresh challenge and sign the posting with it"


class SignatureCountWrong(OrderRefused):
    """``(expected, got)``: not exactly one signature for each run of consecutive notes of one owner."""

    advice = "sign once per owner, first for the energy note, then for the money"


class ForeignSignature(OrderRefused):
    """``(owner)``: the owner of an offered note did not sign this order, or this posting, for this ledger."""

    advice = "sign with the key that owns the note; nobody can offer a note of somebody else"


class Cancelled(OrderRefused):
    """``(nonce)``: the ledger has a cancellation of this owner's orders with this nonce."""

    advice = "sign the order again with another nonce"


class NoteUnknown(OrderRefused):
    """``(note_id)``: the ledger never created this note, or created it with other fields."""

    advice = "sync with the ledger and name the note exactly as it was created"


class NoteGone(OrderRefused):
    """``(note_id)``: the note has been spent."""

    advice = "sync with the ledger and offer a note that is unspent"


class NoteOnOffer(OrderRefused):
    """``(note_id)``: the note stands in another order that is open or matched."""

    advice = "wait until that order has expired or was dropped, or offer another note"


# --- Asking the store --------------------------------------------------------------------------------------


class OrderUnknown(LookupError):
    """No order with this id was posted, or it has lapsed and is forgotten."""

    def __init__(self) -> None:
        super().__init__("the bid store knows no such order; it was never posted, or it has lapsed")


class FillUnknown(LookupError):
    """The bid store did not match these orders, settled or gave up the match, or one of them has lapsed."""

    def __init__(self) -> None:
        super().__init__("the bid store has no such match; take the fills of the latest clearing")
