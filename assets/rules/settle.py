"""Settlement of matched orders, and their cancellation. Nobody need trust who matched them. Source: DESIGN §7."""

from collections.abc import Sequence

from assets import errors
from assets.keys import Digest
from assets.notes import IssuedNote, Kind, NoteId
from assets.orders import MAX_FILLS, Fill, Order, SignedOrder, order_digest
from assets.rules.notes import check_note, check_signatures, check_unspent, create, spend
from assets.rules.state import LedgerState
from assets.transactions import Cancel, Settle, Signed, inputs_of, outputs_of
from assets.units import SECONDS_PER_HOUR


def judge_fills(state: LedgerState, fills: Sequence[Fill]) -> list[errors.Refusal | None]:
    """Why each fill is refused, if it is. They are judged in order: what one spends is gone for the next."""
    spent: set[NoteId] = set()
    verdicts: list[errors.Refusal | None] = []
    for fill in fills:
        try:
            check_fill(state, fill, spent)
        except errors.Refusal as refusal:
            verdicts.append(refusal)
        else:
            verdicts.append(None)
            spent.update(note.id for order in (fill.sell.order, fill.buy.order) for note in order.notes)
    return verdicts


def check_settle(state: LedgerState, signed: Signed[Settle]) -> None:
    """There are fills, not too many, and every one is right."""
    check_batch(signed)
    for refusal in judge_fills(state, signed.tx.fills):
        if refusal is not None:
            raise refusal


def check_batch(signed: Signed[Settle]) -> None:
    """There are fills, and not too many."""
    if not signed.tx.fills:
        raise errors.EmptyTransaction
    if len(signed.tx.fills) > MAX_FILLS:
        raise errors.TooManyFills(len(signed.tx.fills), MAX_FILLS)


def check_fill(state: LedgerState, fill: Fill, spent: set[NoteId]) -> None:
    """Both orders stand, neither gets less than it demands, and the notes are good; ``spent`` are gone meanwhile."""
    sell, buy = fill.sell.order, fill.buy.order
    sell_id, buy_id = (order_digest(state.domain, order) for order in (sell, buy))
    _check_order(state, fill.sell, sell_id, Kind.EPA)
    _check_order(state, fill.buy, buy_id, Kind.ECA)
    check_unspent(state, (*sell.notes, *buy.notes), spent)
    sold, bought = sell.energy.note, buy.energy.note
    if (sold.start, sold.end) != (bought.start, bought.end):
        raise errors.SpanMismatch(sell_id, buy_id)
    if fill.power_w * state.grid.interval_s % SECONDS_PER_HOUR:
        raise errors.FractionalPower(0, fill.power_w)
    for order, order_id in ((sell, sell_id), (buy, buy_id)):
        most_w = order.energy.note.quantity
        if not max(1, min(order.least_w, most_w)) <= fill.power_w <= most_w:
            raise errors.FillSize(order_id, order.least_w, most_w, fill.power_w)
    price = fill.price_nano_per_wh
    if price < sell.limit_nano_per_wh:
        raise errors.PriceLimit(sell_id, sell.limit_nano_per_wh, price)
    if price > buy.limit_nano_per_wh:
        raise errors.PriceLimit(buy_id, buy.limit_nano_per_wh, price)
    proceeds_nano = price * fill.energy_wh(state.grid.interval_s)
    offered_nano = sum(note.note.quantity for note in buy.money)
    if proceeds_nano > offered_nano:
        raise errors.Unfunded(buy_id, proceeds_nano, offered_nano)
    for index, note in enumerate(fill.outputs(state.grid.interval_s)):
        check_note(state, index, note)


def _check_order(state: LedgerState, signed: SignedOrder, order_id: Digest, energy: Kind) -> None:
    """The order is in time, not cancelled, offers the right kinds of notes, and its owners signed it."""
    order: Order = signed.order
    if order.expires_s <= state.time_s:
        raise errors.OrderExpired(order_id, order.expires_s, state.time_s)
    if state.cancelled.get(order.energy.note.owner, 0) >> order.nonce & 1:
        raise errors.OrderCancelled(order_id)
    _check_kind(order.energy, energy)
    for note in order.money:
        _check_kind(note, Kind.FA)
    check_signatures(state.domain, order_id, order.owners, signed.signatures)


def _check_kind(issued_note: IssuedNote, expected: Kind) -> None:
    if issued_note.note.kind != expected:
        raise errors.WrongKind(issued_note.id, int(expected), int(issued_note.note.kind))


def apply_settle(state: LedgerState, tx: Settle, message: Digest) -> None:
    """Spend and create the notes of a settlement that passed :func:`check_settle`."""
    spend(state, inputs_of(tx))
    create(state, outputs_of(tx, state.grid.interval_s), message)


def check_cancel(state: LedgerState, signed: Signed[Cancel], message: Digest) -> None:
    """The owner signed ``message``."""
    if not signed.tx.nonces:
        raise errors.EmptyTransaction
    check_signatures(state.domain, message, (signed.tx.owner,), signed.signatures)


def apply_cancel(state: LedgerState, tx: Cancel) -> None:
    """Void the orders of a cancellation that passed :func:`check_cancel`."""
    state.cancelled[tx.owner] = state.cancelled.get(tx.owner, 0) | tx.nonces
