"""The rules for taking an order into the book. Each function raises the first that is broken and changes nothing."""

from collections.abc import Mapping

from assets.domain import Domain
from assets.errors import EncodingError, FractionalEnergy
from assets.keys import SIGNATURE_BYTES, ZERO_ADDRESS, Address, Digest
from assets.notes import MAX_QUANTITY, IssuedNote, Kind, NoteId
from assets.orders import MAX_MONEY, Order, Side, SignedOrder, order_digest
from assets.port import Ledger, NoteStatus
from assets.words import exactly
from bidstore import errors
from bidstore.posting import Posting, class_of, posting_digest


def identify(signed: SignedOrder, domain: Domain) -> Digest:
    """The order's id: its digest. Refused is what has none, or is too large to look at."""
    order = signed.order
    if len(order.money) > MAX_MONEY:
        raise errors.TooManyOffered(len(order.money), MAX_MONEY)
    if order.side not in (Side.SELL, Side.BUY):
        raise errors.MalformedOrder("the side is neither 1 (SELL) nor 2 (BUY)")
    if order.side == Side.SELL and order.money:
        raise errors.UnexpectedMoney(len(order.money))
    try:
        for signature in signed.signatures:
            exactly(signature, SIGNATURE_BYTES)
        return order_digest(domain, order)
    except EncodingError as error:
        raise errors.MalformedOrder(str(error)) from error


def check_terms(order: Order, ledger: Ledger) -> None:
    """The right kinds of notes, each once, for an interval to come; a limit that can be paid; not expired."""
    now_s, grid = ledger.now_s, ledger.grid
    for name, address in (("deliver_to", order.deliver_to), ("pay_to", order.pay_to)):
        if address == ZERO_ADDRESS:
            raise errors.ZeroAddress(name)
    _check_kind(order.energy, Kind.EPA if order.side == Side.SELL else Kind.ECA)
    for note in order.money:
        _check_kind(note, Kind.FA)
    named: set[NoteId] = set()
    for note in order.notes:
        if note.id in named:
            raise errors.NoteNamedTwice(note.id)
        named.add(note.id)
    if order.expires_s <= now_s:
        raise errors.OrderExpired(order.expires_s, now_s)
    end = order.energy.note.end
    if grid.end_s(end) <= now_s:
        raise errors.DeliveryOver(end, now_s)
    _check_limit(order, grid.interval_s)


def _check_kind(note: IssuedNote, expected: Kind) -> None:
    if note.note.kind != expected:
        raise errors.WrongKind(expected.name, int(note.note.kind))


def _check_limit(order: Order, interval_s: int) -> None:
    try:
        energy_wh = class_of(order).energy_wh(interval_s)
    except FractionalEnergy as fractional:
        raise errors.MalformedOrder(str(fractional)) from fractional
    if energy_wh < 1:
        raise errors.MalformedOrder("the energy note holds no energy")
    highest = MAX_QUANTITY // energy_wh
    if not 1 <= order.limit_nano_per_wh <= highest:
        raise errors.LimitOutOfRange(order.limit_nano_per_wh, highest)
    if order.side == Side.BUY:
        offered_nano = sum(note.note.amount_nano for note in order.money)
        needed_nano = order.limit_nano_per_wh * energy_wh
        if offered_nano < needed_nano:
            raise errors.NotEnoughMoney(needed_nano, offered_nano)
        if offered_nano > MAX_QUANTITY:
            raise errors.TooMuchMoney(offered_nano, MAX_QUANTITY)


def check_ownership(posting: Posting, order_id: Digest, domain: Domain) -> None:
    """Every owner signed the order, and the energy note's owner this posting of it."""
    order = posting.signed.order
    owners, signatures = order.owners, posting.signed.signatures
    if len(signatures) != len(owners):
        raise errors.SignatureCountWrong(len(owners), len(signatures))
    for owner, signature in zip(owners, signatures, strict=True):
        _check_signature(domain, order_id, owner, signature)
    _check_signature(
        domain, posting_digest(domain, order_id, posting.challenge), order.energy.note.owner, posting.signature
    )


def _check_signature(domain: Domain, message: Digest, owner: Address, signature: bytes) -> None:
    if owner == ZERO_ADDRESS or domain.recover(message, signature) != owner:
        raise errors.ForeignSignature(owner)


def check_stands(order: Order, ledger: Ledger, cancelled: Mapping[Address, int]) -> None:
    """The order was not cancelled, and every note of it exists on the ledger and is unspent."""
    if cancelled.get(order.energy.note.owner, 0) >> order.nonce & 1:
        raise errors.Cancelled(order.nonce)
    for note in order.notes:
        status = ledger.status(note.id)
        if status is NoteStatus.UNKNOWN:
            raise errors.NoteUnknown(note.id)
        if status is NoteStatus.SPENT:
            raise errors.NoteGone(note.id)
