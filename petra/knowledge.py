"""Who learnt what: computed from what each party received in a run, against the truth that only the simulation has.

Everybody can read the ledger, so every observer starts from it. For each address an observer keeps the set of homes
that it may belong to; a set of one means that the address is *named*. Sources: a withdrawal names its addresses; a mix
gives each output the homes of all its inputs; what one transaction or one message shows to belong together shares
the intersection of its sets; and every home knows its own addresses, so that they hide nobody from it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from assets.keys import ZERO_ADDRESS, Address
from assets.notes import Kind
from assets.orders import Fill, Order
from assets.port import Entry
from assets.statement import SignedStatement
from assets.transactions import NO_MEMO, Settle, Transact, Withdraw
from bidstore.posting import Posting
from smartmeter.billing import BillingRecord

Homes = frozenset[int]
Truth = Mapping[Address, int]
"""The home that each address belongs to, deposit addresses of its meter included."""


@dataclass(frozen=True, slots=True)
class Observer:
    """One party, or one log that somebody reads."""

    name: str
    received: Sequence[object] = ()
    """Messages sent to this party."""
    own: Homes = frozenset()
    """The home whose addresses the observer knows because they are its own."""
    linked: Mapping[Address, Homes] = field(default_factory=dict)
    """Addresses that a message showed in the clear beside the homes that can have sent it."""


@dataclass(frozen=True, slots=True)
class Learnt:
    """What an observer can say after the run. Its own trades, readings and bills do not count."""

    observer: str
    trades: int
    """Trades that others made, and that the observer saw happen on the ledger."""
    sellers_named: int
    """Trades whose seller can only be one home."""
    buyers_named: int
    smallest_seller_set: int | None
    """Fewest homes among which the seller of a trade hides; ``None`` without trades."""
    smallest_buyer_set: int | None
    deposits_named: int
    """Deposits that can only be one home's."""
    limit_prices: int
    """Limit prices of others' orders that the observer received, or read in a settlement on the ledger."""
    readings: int
    """Readings of a home in an interval that the observer received."""
    bills: int
    """Totals of a home's period that the observer received."""


def learn(
    observer: Observer, entries: Sequence[Entry], truth: Truth, public: Mapping[Address, Homes] | None = None
) -> Learnt:
    """What ``observer`` can conclude from the ledger and from what it received.

    ``public``: :func:`candidates_of` somebody who received nothing, if it was computed before.
    """
    if public is None or observer.own or observer.linked or any(isinstance(m, Posting) for m in observer.received):
        candidates: Mapping[Address, Homes] = candidates_of(observer, entries, truth)
    else:
        candidates = public
    sellers, buyers = [], []
    for seller, buyer in trades_on(entries):
        if not {truth[seller], truth[buyer]} & observer.own:
            sellers.append(len(candidates[seller]))
            buyers.append(len(candidates[buyer]))
    deposits_named = sum(
        len(candidates[owner]) == 1 for owner in deposits_on(entries) if truth[owner] not in observer.own
    )
    limits = {order.energy.id: order for order in _orders(observer, entries)}.values()
    return Learnt(
        observer=observer.name,
        trades=len(sellers),
        sellers_named=sellers.count(1),
        buyers_named=buyers.count(1),
        smallest_seller_set=min(sellers, default=None),
        smallest_buyer_set=min(buyers, default=None),
        deposits_named=deposits_named,
        limit_prices=sum(truth[order.energy.note.owner] not in observer.own for order in limits),
        readings=sum(isinstance(m, BillingRecord) for m in observer.received),
        bills=sum(isinstance(m, SignedStatement) for m in observer.received),
    )


def trades_on(entries: Iterable[Entry]) -> Iterator[tuple[Address, Address]]:
    """Seller's and buyer's address of every trade on the ledger: by joint transaction, then by settled order."""
    entries = list(entries)
    for tx in _transfers(entries):
        by_kind = {Kind(i.note.kind): i.note.owner for i in tx.inputs}
        if Kind.EPA in by_kind and Kind.ECA in by_kind:
            yield by_kind[Kind.EPA], by_kind[Kind.ECA]
    for fill in _fills(entries):
        yield fill.sell.order.energy.note.owner, fill.buy.order.energy.note.owner


def deposits_on(entries: Iterable[Entry]) -> Iterator[Address]:
    """The address of every deposit on the ledger: a note that moved on its own."""
    for tx in _transfers(entries):
        if len(tx.inputs) == len(tx.outputs) == 1:
            yield tx.outputs[0].owner


def orders_on(entries: Iterable[Entry]) -> Iterator[Order]:
    """The orders that settled: they stand on the ledger in full."""
    yield from (order for fill in _fills(entries) for order in _sides(fill))


def candidates_of(observer: Observer, entries: Sequence[Entry], truth: Truth) -> dict[Address, Homes]:
    """For each address on the ledger, the homes that it may belong to in the eyes of ``observer``."""
    homes: dict[Address, Homes] = {}

    def know(address: Address, candidates: Homes) -> None:
        if observer.own and truth[address] in observer.own:
            candidates = observer.own
        elif observer.own and candidates != observer.own:
            candidates -= observer.own
        linked = observer.linked.get(address)
        homes[address] = candidates if linked is None else candidates & linked

    for entry in entries:
        tx = entry.signed.tx
        if isinstance(tx, Withdraw):
            for note in tx.outputs:
                know(note.owner, frozenset({tx.meter}))
        elif isinstance(tx, Transact):
            sets = {homes[i.note.owner] for i in tx.inputs}
            pool = sets.pop() if len(sets) == 1 else frozenset().union(*sets)
            for note in tx.outputs:
                know(note.owner, pool)
        elif isinstance(tx, Settle):
            for order in (order for fill in tx.fills for order in _sides(fill)):
                for address in [a for a in _addresses(order) if a not in homes]:  # set - keys() would visit all keys
                    know(address, homes[order.energy.note.owner])
    return _intersect(homes, _belonging_together(observer, entries))


def _belonging_together(observer: Observer, entries: Sequence[Entry]) -> Iterable[set[Address]]:
    """Groups of addresses that are shown to be of one home: by a trade's form, a deposit's, or an order's text."""
    for tx in _transfers(entries):
        if len(tx.inputs) == 1:
            yield {tx.inputs[0].note.owner} | {o.owner for o in tx.outputs}
        else:
            # The form of a joint transaction is public: who gives EPA gets ECA, and the other way round.
            sold = {i.note.owner for i in tx.inputs if i.note.kind == Kind.EPA}
            yield sold | {o.owner for o in tx.outputs if o.kind == Kind.ECA}
            bought = {i.note.owner for i in tx.inputs if i.note.kind != Kind.EPA}
            yield bought | {o.owner for o in tx.outputs if o.kind == Kind.EPA}
    for order in _orders(observer, entries):
        yield _addresses(order)


def _orders(observer: Observer, entries: Iterable[Entry]) -> Iterator[Order]:
    """The orders that an observer has seen: those that settled stand on the ledger in full."""
    yield from (message.signed.order for message in observer.received if isinstance(message, Posting))
    yield from orders_on(entries)


def _addresses(order: Order) -> set[Address]:
    """All addresses of the one home whose order it is."""
    return {n.note.owner for n in order.notes} | {order.deliver_to, order.pay_to, order.keep_at} - {ZERO_ADDRESS}


def _sides(fill: Fill) -> tuple[Order, Order]:
    return fill.sell.order, fill.buy.order


def _fills(entries: Iterable[Entry]) -> Iterator[Fill]:
    for entry in entries:
        if isinstance(entry.signed.tx, Settle):
            yield from entry.signed.tx.fills


def _transfers(entries: Iterable[Entry]) -> Iterable[Transact]:
    """Deposits, and trades by joint transaction: transfers that are not mixes."""
    for entry in entries:
        tx = entry.signed.tx
        if isinstance(tx, Transact) and tx.memo == NO_MEMO:
            yield tx


def _intersect(homes: dict[Address, Homes], groups: Iterable[set[Address]]) -> dict[Address, Homes]:
    """Give all addresses of a group the homes that are possible for each of them."""
    together: dict[Address, set[Address]] = {}
    for group in groups:
        merged = set(group).union(*(together.get(a, set()) for a in group))
        for address in merged:
            together[address] = merged
    known: dict[Address, Homes] = {}
    for address, group in together.items():
        if address in homes:
            sets = {homes[a] for a in group if a in homes}
            known[address] = sets.pop() if len(sets) == 1 else frozenset.intersection(*sets)
    return homes | known
