"""What becomes of the home's orders: read from the settlements on the whole ledger, never by asking for an order."""

from collections.abc import Iterable
from typing import Protocol

from assets.keys import Digest
from assets.notes import NoteId
from assets.orders import Order, order_digest
from assets.port import Entry
from assets.transactions import Domain, Settle
from petra.prosumer.records import OrderFate, OrderRecord


class OrderBook(Protocol):
    """The durable memory of orders."""

    def add_order(self, order_id: Digest, order: Order, window: int, ledger_s: int | None, found: bool = False) -> bool:
        """Remember an order before it is posted."""

    def close_order(
        self,
        order_id: Digest,
        fate: OrderFate,
        ledger_s: int | None,
        price_nano_per_wh: int | None = None,
        reason: str | None = None,
    ) -> None:
        """Say what became of an order."""

    def orders(self, window: int | None = None) -> list[OrderRecord]:
        """All orders, or those of a window."""


class Fates:
    """Follows the ledger for the home's own orders."""

    def __init__(self, domain: Domain, book: OrderBook) -> None:
        self._domain, self._book = domain, book
        self._fate: dict[Digest, OrderFate] = {}
        self._ends_s: dict[Digest, int] = {}
        self._energy: dict[NoteId, set[Digest]] = {}
        self._settled: set[Digest] = set()
        for record in book.orders():
            self._remember(record.id, record.energy, record.expires_s, record.fate)

    def begin(self, order_id: Digest, order: Order, window: int, now_s: int) -> None:
        """Remember an order; durable when this returns. An order that is known stays as it is."""
        if self._book.add_order(order_id, order, window, now_s) or order_id not in self._fate:
            self._remember(order_id, order.energy.id, order.expires_s, OrderFate.OPEN)

    def is_open(self, order_id: Digest) -> bool:
        """Whether an order may still be settled, as far as is known; also if it is not known at all."""
        return self._fate.get(order_id, OrderFate.OPEN) is OrderFate.OPEN

    def refused(self, order_id: Digest, now_s: int, reason: str) -> None:
        """No bid store takes an order."""
        self._close(order_id, OrderFate.REFUSED, now_s, reason=reason)

    def restart(self) -> None:
        """The chain took entries back: all of it is followed again."""
        self._settled = set()

    def follow(self, entries: Iterable[Entry]) -> list[Digest]:
        """Take in the next entries; the orders that were settled in them."""
        fresh = []
        for entry in entries:
            if not isinstance(entry.signed.tx, Settle):
                continue
            for fill in entry.signed.tx.fills:
                for signed in (fill.sell, fill.buy):
                    if not (known := self._energy.get(signed.order.energy.id)):
                        continue
                    order_id = order_digest(self._domain, signed.order)
                    if order_id not in known:
                        continue
                    self._settled.add(order_id)
                    if self._fate[order_id] is not OrderFate.SETTLED:
                        self._close(order_id, OrderFate.SETTLED, entry.time_s, fill.price_nano_per_wh)
                        fresh.append(order_id)
        return fresh

    def expire(self, now_s: int) -> list[Digest]:
        """Close what cannot be settled any more; every entry up to ``now_s`` must have been followed.

        An order whose settlement the chain took back, and did not record again, is one of them.
        """
        over = [
            order_id
            for order_id, ends_s in self._ends_s.items()
            if ends_s <= now_s
            and (
                self._fate[order_id] is OrderFate.OPEN
                or (self._fate[order_id] is OrderFate.SETTLED and order_id not in self._settled)
            )
        ]
        for order_id in over:
            self._close(order_id, OrderFate.EXPIRED, self._ends_s[order_id])
        return over

    def _remember(self, order_id: Digest, energy: NoteId, expires_s: int, fate: OrderFate) -> None:
        self._fate[order_id], self._ends_s[order_id] = fate, expires_s
        self._energy.setdefault(energy, set()).add(order_id)

    def _close(
        self, order_id: Digest, fate: OrderFate, at_s: int, price: int | None = None, reason: str | None = None
    ) -> None:
        self._book.close_order(order_id, fate, at_s, price, reason)
        self._fate[order_id] = fate
