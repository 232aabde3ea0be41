"""Everything the bid store, and a wallet that it asks to sign, may refuse: one exception class per reason.

A refusal's docstring says what was wrong and lists its arguments; ``advice`` says what to do. Nothing has changed when
one is raised. Messages name note ids and addresses, so they go back to whoever made the offer and into no log.
"""

from typing import ClassVar


class _Refused(Exception):
    advice: ClassVar[str]

    def __str__(self) -> str:
        values = ", ".join("0x" + a.hex() if isinstance(a, bytes) else str(a) for a in self.args)
        return f"{type(self).__name__}({values}): {self.advice}"


# --- Posting an offer --------------------------------------------------------------------------------------


class OfferRefused(_Refused):
    """The bid store does not take an offer into its book."""


class MalformedOffer(OfferRefused):
    """``(what)``: a value that no offer can have, such as a negative number or an address that is not 20 bytes."""

    advice = "give every field a value of its EIP-712 type, and an energy note with whole watt-hours"


class ZeroAddress(OfferRefused):
    """``(field)``: what is bought, or the money, would go to nobody."""

    advice = "give a fresh address of your own meter or wallet"


class OfferExpired(OfferRefused):
    """``(expires_s, now_s)``: the offer ends at or before the ledger's present time."""

    advice = "sign an offer whose expires_s lies after the ledger's time"


class LimitOutOfRange(OfferRefused):
    """``(limit_nano_per_wh, highest_nano_per_wh)``: a limit of 0, or one whose total no note can hold."""

    advice = "choose a limit between 1 and the highest price that is given here"


class WrongKind(OfferRefused):
    """``(expected, kind)``: a note of a kind that this side of an offer cannot give."""

    advice = "a seller offers one EPA note; a buyer one ECA note and FA notes"


class UnexpectedMoney(OfferRefused):
    """``(count)``: a seller's offer with money in it."""

    advice = "a seller pays nothing; leave the FA notes out"


class NotEnoughMoney(OfferRefused):
    """``(needed_nano, offered_nano)``: the FA notes do not cover the whole energy at the limit."""

    advice = "add FA notes, or lower the limit"


class TooMuchMoney(OfferRefused):
    """``(offered_nano, highest_nano)``: FA notes whose sum no change note could hold."""

    advice = "offer fewer or smaller FA notes"


class TooManyOffered(OfferRefused):
    """``(count, highest)``: more FA notes than one joint transaction can spend."""

    advice = "merge FA notes first, or offer larger ones"


class NoteNamedTwice(OfferRefused):
    """``(note_id)``: one note stands twice in the offer."""

    advice = "name every note once"


class DeliveryOver(OfferRefused):
    """``(end, now_s)``: the class of the energy note can no longer match: its last interval has passed."""

    advice = "offer a note for an interval that is still to come"


class ChallengeUnknown(OfferRefused):
    """``()``: the challenge was never issued, is too old, or was used by another posting."""

    advice = "ask the bid store for a fresh challenge and sign the offer with it"


class SignatureCountWrong(OfferRefused):
    """``(expected, got)``: not exactly one signature for each run of consecutive notes of one owner."""

    advice = "sign once per owner, in the order of energy note and money"


class ForeignSignature(OfferRefused):
    """``(owner)``: the owner of an offered note did not sign this offer with this challenge on this ledger."""

    advice = "sign with the key that owns the note; nobody can offer a note of somebody else"


class NoteUnknown(OfferRefused):
    """``(note_id)``: the ledger never created this note, or created it with other fields."""

    advice = "sync with the ledger and name the note exactly as it was created"


class NoteGone(OfferRefused):
    """``(note_id)``: the note has been spent."""

    advice = "sync with the ledger and offer a note that is unspent"


class NoteOnOffer(OfferRefused):
    """``(note_id)``: the note stands in another offer that is open or matched."""

    advice = "wait until that offer has expired or was dropped, or offer another note"


# --- Asking the store --------------------------------------------------------------------------------------


class OfferUnknown(LookupError):
    """No offer with this id was posted, or it has lapsed and is forgotten."""

    def __init__(self) -> None:
        super().__init__("the bid store knows no such offer; it was never posted, or it has lapsed")


# --- Completing a trade ------------------------------------------------------------------------------------


class TradeRefused(_Refused):
    """A joint transaction is not signed by a wallet, or not completed by the bid store."""


class ProposalUnknown(TradeRefused):
    """``()``: the bid store did not propose this trade, gave it up, or one of its offers has lapsed."""

    advice = "take a proposal of the latest clearing"


class TradeSignatureCount(TradeRefused):
    """``(expected, got)``: not exactly one signature for each owner of the joint transaction."""

    advice = "collect one signature per owner, in the order of the transaction's owners"


class TradeNotSigned(TradeRefused):
    """``(owner)``: an owner's signature is missing, or is not good for this joint transaction."""

    advice = "ask the owner again, or give the proposal up"


class NotOneTrade(TradeRefused):
    """``(what)``: the transaction is not the joint transaction of one seller and one buyer in its one form."""

    advice = "refuse it; sign only one EPA note against one ECA note and money, with nothing else in it"


class OfferedNoteMissing(TradeRefused):
    """``(note_id)``: a note of the offer is not an input."""

    advice = "refuse it; this is not the trade that was offered"


class OwnNoteTaken(TradeRefused):
    """``(note_id)``: the transaction also spends a note that was not offered."""

    advice = "refuse it; sign for the notes of the offer only"


class Redirected(TradeRefused):
    """``(output, expected, got)``: an output goes to another address than the offer says."""

    advice = "refuse it; somebody tries to take what is yours"


class WorsePrice(TradeRefused):
    """``(limit_nano_per_wh, price_nano_per_wh)``: a seller would get less, or a buyer pay more, than its limit."""

    advice = "refuse it; the offer's limit holds"
