"""The rules for taking an offer into the book. Each function raises the first that is broken and changes nothing."""

from assets.errors import EncodingError, FractionalEnergy
from assets.keys import ZERO_ADDRESS, Digest, recover_address
from assets.notes import MAX_NOTES, MAX_QUANTITY, IssuedNote, Kind, NoteId
from assets.port import Ledger, NoteStatus
from assets.transactions import Domain
from bidstore import errors
from bidstore.offer import Offer, Side, SignedOffer, offer_digest

MAX_MONEY = MAX_NOTES - 2
"""Most FA notes of one offer: a joint transaction also spends two energy notes."""


def identify(signed: SignedOffer, domain: Domain) -> Digest:
    """The offer's id: its digest. Refused is what has none, or is too large to look at."""
    offer = signed.offer
    if len(offer.money) > MAX_MONEY:
        raise errors.TooManyOffered(len(offer.money), MAX_MONEY)
    if offer.side not in (Side.SELL, Side.BUY):
        raise errors.MalformedOffer("the side is neither 1 (SELL) nor 2 (BUY)")
    try:
        return offer_digest(domain, offer, signed.challenge)
    except EncodingError as error:
        raise errors.MalformedOffer(str(error)) from error


def check_terms(offer: Offer, ledger: Ledger) -> None:
    """The right kinds of notes, each once, for an interval to come; a limit that can be paid; not expired."""
    now_s, grid = ledger.now_s, ledger.grid
    for name, address in (("deliver_to", offer.deliver_to), ("pay_to", offer.pay_to)):
        if address == ZERO_ADDRESS:
            raise errors.ZeroAddress(name)
    _check_kind(offer.energy, Kind.EPA if offer.side == Side.SELL else Kind.ECA)
    if offer.side == Side.SELL and offer.money:
        raise errors.UnexpectedMoney(len(offer.money))
    for note in offer.money:
        _check_kind(note, Kind.FA)
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


def _check_kind(note: IssuedNote, expected: Kind) -> None:
    if note.note.kind != expected:
        raise errors.WrongKind(expected.name, int(note.note.kind))


def _check_limit(offer: Offer, interval_s: int) -> None:
    try:
        energy_wh = offer.energy_wh(interval_s)
    except FractionalEnergy as fractional:
        raise errors.MalformedOffer(str(fractional)) from fractional
    if energy_wh < 1:
        raise errors.MalformedOffer("the energy note holds no energy")
    highest = MAX_QUANTITY // energy_wh
    if not 1 <= offer.limit_nano_per_wh <= highest:
        raise errors.LimitOutOfRange(offer.limit_nano_per_wh, highest)
    if offer.side == Side.BUY:
        offered_nano = sum(note.note.amount_nano for note in offer.money)
        needed_nano = offer.limit_nano_per_wh * energy_wh
        if offered_nano < needed_nano:
            raise errors.NotEnoughMoney(needed_nano, offered_nano)
        if offered_nano > MAX_QUANTITY:
            raise errors.TooMuchMoney(offered_nano, MAX_QUANTITY)


def check_ownership(signed: SignedOffer, message: Digest) -> None:
    """Every owner signed ``message``, the digest of this offer with its challenge for this ledger."""
    owners = signed.offer.owners
    if len(signed.signatures) != len(owners):
        raise errors.SignatureCountWrong(len(owners), len(signed.signatures))
    for owner, signature in zip(owners, signed.signatures, strict=True):
        if owner == ZERO_ADDRESS or recover_address(message, signature) != owner:
            raise errors.ForeignSignature(owner)


def check_notes(offer: Offer, ledger: Ledger) -> None:
    """Every note exists on the ledger and is unspent."""
    for note in offer.notes:
        status = ledger.status(note.id)
        if status is NoteStatus.UNKNOWN:
            raise errors.NoteUnknown(note.id)
        if status is NoteStatus.SPENT:
            raise errors.NoteGone(note.id)
