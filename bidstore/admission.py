"""The rules for taking an offer into the book. Each function raises the first that is broken and changes nothing."""

from assets.errors import FractionalEnergy
from assets.keys import ZERO_ADDRESS, Digest, recover_address
from assets.notes import MAX_NOTES, MAX_QUANTITY, IssuedNote, Kind, NoteId
from assets.port import Ledger, NoteStatus
from assets.transactions import Domain
from bidstore import errors
from bidstore.challenge import CHALLENGE_BYTES
from bidstore.offer import Offer, Side, SignedOffer, offer_digest

MAX_MONEY = MAX_NOTES - 2
"""Most FA notes of one offer: a joint transaction also spends two energy notes."""

_MAX_U32 = 2**32 - 1
_MAX_TIME_S = 2**64 - 1


def check_shape(signed: SignedOffer) -> None:
    """Every value can be encoded, so that ids and digests exist and mean one thing only."""
    offer = signed.offer
    if offer.side not in (Side.SELL, Side.BUY):
        raise errors.MalformedOffer("side")
    if len(offer.money) > MAX_MONEY:
        raise errors.TooManyOffered(len(offer.money), MAX_MONEY)
    for note in offer.notes:
        _check_note_shape(note)
    for name, address in (("deliver_to", offer.deliver_to), ("pay_to", offer.pay_to)):
        if len(address) != len(ZERO_ADDRESS):
            raise errors.MalformedOffer(name)
        if address == ZERO_ADDRESS:
            raise errors.ZeroAddress(name)
    if not 0 <= offer.limit_nano_per_wh <= MAX_QUANTITY:
        raise errors.LimitOutOfRange(offer.limit_nano_per_wh, MAX_QUANTITY)
    if not 0 <= offer.expires_s <= _MAX_TIME_S:
        raise errors.MalformedOffer("expires_s")
    if len(signed.challenge) != CHALLENGE_BYTES:
        raise errors.MalformedOffer("challenge")


def _check_note_shape(issued: IssuedNote) -> None:
    note = issued.note
    if len(note.owner) != len(ZERO_ADDRESS) or len(issued.origin) != 32:
        raise errors.MalformedOffer("note")
    if not 1 <= note.quantity <= MAX_QUANTITY or not 0 <= note.start <= note.end <= _MAX_U32:
        raise errors.MalformedOffer("note")
    if note.kind not in (Kind.EPA, Kind.ECA, Kind.FA) or not 0 <= issued.index < MAX_NOTES:
        raise errors.MalformedOffer("note")


def check_terms(offer: Offer, ledger: Ledger) -> None:
    """The right kinds of notes, each once, for an interval to come; a limit that can be paid; not expired."""
    now_s, grid = ledger.now_s, ledger.grid
    expected = Kind.EPA if offer.side is Side.SELL else Kind.ECA
    if offer.energy.note.kind != expected:
        raise errors.WrongKind(expected.name, Kind(offer.energy.note.kind).name)
    if offer.side is Side.SELL and offer.money:
        raise errors.UnexpectedMoney(len(offer.money))
    for note in offer.money:
        if note.note.kind != Kind.FA:
            raise errors.WrongKind(Kind.FA.name, Kind(note.note.kind).name)
    named: set[NoteId] = set()
    for note in offer.notes:
        if note.id in named:
            raise errors.NoteNamedTwice(note.id)
        named.add(note.id)
    if offer.expires_s <= now_s:
        raise errors.OfferExpired(offer.expires_s, now_s)
    if grid.end_s(offer.note_class.end) <= now_s:
        raise errors.DeliveryOver(offer.note_class.end, now_s)
    _check_limit(offer, grid.interval_s)


def _check_limit(offer: Offer, interval_s: int) -> None:
    try:
        energy_wh = offer.energy_wh(interval_s)
    except FractionalEnergy as fractional:
        raise errors.MalformedOffer("energy") from fractional
    highest = MAX_QUANTITY // energy_wh
    if not 1 <= offer.limit_nano_per_wh <= highest:
        raise errors.LimitOutOfRange(offer.limit_nano_per_wh, highest)
    if offer.side is Side.BUY:
        offered_nano = sum(note.note.amount_nano for note in offer.money)
        needed_nano = offer.limit_nano_per_wh * energy_wh
        if offered_nano < needed_nano:
            raise errors.NotEnoughMoney(needed_nano, offered_nano)
        if offered_nano > MAX_QUANTITY:
            raise errors.TooMuchMoney(offered_nano, MAX_QUANTITY)


def check_ownership(signed: SignedOffer, domain: Domain) -> Digest:
    """Every owner signed this offer with this challenge for this ledger. Returns the offer's id."""
    offer_id = offer_digest(domain, signed.offer, signed.challenge)
    owners = signed.offer.owners
    if len(signed.signatures) != len(owners):
        raise errors.SignatureCountWrong(len(owners), len(signed.signatures))
    for owner, signature in zip(owners, signed.signatures, strict=True):
        if owner == ZERO_ADDRESS or recover_address(offer_id, signature) != owner:
            raise errors.ForeignSignature(owner)
    return offer_id


def check_notes(offer: Offer, ledger: Ledger) -> None:
    """Every note exists on the ledger and is unspent."""
    for note in offer.notes:
        status = ledger.status(note.id)
        if status is NoteStatus.UNKNOWN:
            raise errors.NoteUnknown(note.id)
        if status is NoteStatus.SPENT:
            raise errors.NoteGone(note.id)
