"""The joint transaction of one trade (PETra paper, section "Transactions"), and a wallet's check before it signs.

It has one form, so that a wallet need not know its counterpart's offer to see that nothing is taken on the side:

    inputs   one EPA note, one ECA note, FA notes             each owner's inputs are adjacent
    outputs  EPA -> buyer.deliver_to      ECA -> seller.deliver_to      FA proceeds -> seller.pay_to
             FA change -> buyer.pay_to    (left out if it is 0)

What the check cannot see: whether every pair of an auction got the same price. A store that lies can shift money
between a seller and a buyer within both limits, never beyond, and never to anybody else.
"""

from assets.errors import EncodingError, Unbalanced
from assets.keys import Address
from assets.ledger import check_balance
from assets.notes import IssuedNote, Kind, Note, eca, epa, fa
from assets.transactions import NO_MEMO, Transact
from bidstore.errors import NotOneTrade, OfferedNoteMissing, OwnNoteTaken, Redirected, WorsePrice
from bidstore.offer import Offer, Side

_EPA, _ECA, _PROCEEDS, _CHANGE = range(4)
"""Places among the outputs."""


def joint_transaction(sell: Offer, buy: Offer, price_nano_per_wh: int, interval_s: int) -> Transact:
    """The transaction with which ``sell`` and ``buy`` trade their whole notes at a price; unsigned.

    Raises ``ValueError`` if the offers are not one sale and one purchase of one class, if the price is beyond a limit
    or 0, or if the buyer's money does not cover it.
    """
    if (sell.side, buy.side) != (Side.SELL, Side.BUY) or sell.note_class != buy.note_class:
        raise ValueError("a trade needs an offer to sell and an offer to buy of one note class")
    if not max(1, sell.limit_nano_per_wh) <= price_nano_per_wh <= buy.limit_nano_per_wh:
        raise ValueError("the price of a trade lies between the two limits, and is at least 1")
    proceeds_nano = price_nano_per_wh * sell.energy_wh(interval_s)
    change_nano = sum(note.note.amount_nano for note in buy.money) - proceeds_nano
    if change_nano < 0:
        raise ValueError("the buyer's money does not cover the price")
    outputs = [
        epa(buy.deliver_to, *sell.note_class),
        eca(sell.deliver_to, *buy.note_class),
        fa(sell.pay_to, proceeds_nano),
    ]
    if change_nano:
        outputs.append(fa(buy.pay_to, change_nano))
    return Transact(_by_owner((sell.energy, *buy.notes)), tuple(outputs))


def _by_owner(notes: tuple[IssuedNote, ...]) -> tuple[IssuedNote, ...]:
    """The notes with each owner's together, owners in the order of their first note: everybody signs once."""
    rank: dict[Address, int] = {}
    for note in notes:
        rank.setdefault(note.note.owner, len(rank))
    return tuple(sorted(notes, key=lambda n: rank[n.note.owner]))


def check_trade(offer: Offer, transact: Transact, interval_s: int) -> None:
    """Raise a :class:`~bidstore.errors.TradeRefused` unless the transaction gives ``offer`` what it demands.

    For a wallet, before it signs: the transaction is one trade of the offer's class, spends the offer's notes and no
    other note of their owners, sends what is bought and the money to the offer's addresses, and its price is no worse
    than the limit. The wallet then signs for ``offer.owners``, and for none of its other addresses.
    """
    _check_inputs(offer, transact)
    _check_form(offer, transact)
    energy_wh = offer.energy_wh(interval_s)
    price, remainder = divmod(transact.outputs[_PROCEEDS].quantity, energy_wh)
    if remainder:
        raise NotOneTrade("the proceeds are not a whole price per Wh")
    if offer.side == Side.SELL:
        _check_owner(transact, _ECA, offer.deliver_to)
        _check_owner(transact, _PROCEEDS, offer.pay_to)
        if price < offer.limit_nano_per_wh:
            raise WorsePrice(offer.limit_nano_per_wh, price)
    else:
        _check_owner(transact, _EPA, offer.deliver_to)
        if len(transact.outputs) > _CHANGE:
            _check_owner(transact, _CHANGE, offer.pay_to)
        if price > offer.limit_nano_per_wh:
            raise WorsePrice(offer.limit_nano_per_wh, price)


def _check_inputs(offer: Offer, transact: Transact) -> None:
    try:
        ids = [note.id for note in transact.inputs]
    except EncodingError as error:
        raise NotOneTrade(str(error)) from error
    offered = {note.id for note in offer.notes}
    owners = set(offer.owners)
    for note_id in offered:
        if ids.count(note_id) != 1:
            raise OfferedNoteMissing(note_id)
    for note, note_id in zip(transact.inputs, ids, strict=True):
        if note_id in offered:
            continue
        if note.note.owner in owners:
            raise OwnNoteTaken(note_id)
        if offer.side == Side.BUY and note.note.kind == Kind.FA:
            raise NotOneTrade("somebody else's money is among the inputs")


def _check_form(offer: Offer, transact: Transact) -> None:
    energy_kinds = sorted(int(n.note.kind) for n in transact.inputs if n.note.kind != Kind.FA)
    if energy_kinds != [Kind.EPA, Kind.ECA]:
        raise NotOneTrade("the inputs are not one EPA note, one ECA note and FA notes")
    kinds = [int(note.kind) for note in transact.outputs]
    if kinds not in ([Kind.EPA, Kind.ECA, Kind.FA], [Kind.EPA, Kind.ECA, Kind.FA, Kind.FA]):
        raise NotOneTrade("the outputs are not EPA, ECA, proceeds and at most one change note, in this order")
    energy = [n.note for n in transact.inputs if n.note.kind != Kind.FA] + list(transact.outputs[:_PROCEEDS])
    if any((n.quantity, n.start, n.end) != offer.note_class for n in energy):
        raise NotOneTrade("the energy notes are not all of the offer's class")
    if any(note.quantity < 1 for note in transact.outputs):
        raise NotOneTrade("an output note is worth nothing")
    if transact.memo != NO_MEMO:
        raise NotOneTrade("a trade has no memo")
    _check_balanced(transact)


def _check_balanced(transact: Transact) -> None:
    inputs: list[Note] = [n.note for n in transact.inputs]
    try:
        check_balance(inputs, transact.outputs)
    except Unbalanced as unbalanced:
        raise NotOneTrade(f"inputs and outputs differ: {unbalanced}") from unbalanced


def _check_owner(transact: Transact, index: int, expected: Address) -> None:
    got = transact.outputs[index].owner
    if got != expected:
        raise Redirected(index, expected, got)
