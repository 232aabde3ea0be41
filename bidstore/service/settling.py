"""Carrying matches to the ledger until it has confirmed them.

A match is *pending* from its auction on. It is sent; once the ledger's entries have it, following closes it. If they
do not show it after a while, whatever the receipt said, it is sent again: the ledger takes each order once. A fill that
the ledger refuses ends only after the entries were read, so that what settled unnoticed blames nobody.
"""

from collections.abc import Callable, Iterable, Sequence

from sqlalchemy import or_, select, update

from assets.keys import Digest
from assets.orders import Fill, SignedOrder, order_digest
from assets.port import Ledger, Receipt
from assets.transactions import Settle, Signed
from bidstore import errors, outcome
from bidstore.service.following import Follower
from bidstore.service.store import Status
from bidstore.service.tables import FILLS, ORDERS
from bidstore.service.wire import order_from_bytes
from contracts.errors import RelayError
from contracts.settlements import batches

RESEND_S = 120
"""A settlement that does not show for so long (ledger time) is sent again."""

FILLS_PER_TICK = 512
"""Fills in one tick, so that following and publishing do not wait for long."""


class Settler:
    """Sends what is pending, and takes the ledger's verdicts into the book."""

    def __init__(self, follower: Follower, count: Callable[[str, int], None]) -> None:
        self._follower, self._count = follower, count
        self.store, self.view = follower.store, follower.view

    async def settle(self) -> None:
        """Carry the pending matches to the ledger.

        Raises what the connection to the ledger raises. What was being sent then is sent again later, unless it shows.
        """
        now_s = await self.view.now_s()
        pending = await self._pending(now_s)
        failure: RelayError | None = None
        place = 0
        for batch in batches([fill for _, fill in pending]):
            seqs = [seq for seq, _ in pending[place : place + len(batch)]]
            place += len(batch)
            try:
                receipt = await self._submit(batch)
            except RelayError as error:  # of this batch alone: it does not keep the others waiting
                await self._sent(seqs, now_s)
                failure = error
                continue
            except Exception:  # of whatever kind: the ledger may have it, so that sending it again has to wait
                await self._sent(seqs, now_s)
                raise
            self._count("settlements", 1)
            await self._take(batch, seqs, receipt)
        if failure is not None:
            raise failure

    async def _submit(self, batch: tuple[Fill, ...]) -> Receipt:
        (receipt,) = await self.view.ask(lambda ledger: ledger.submit([Signed(Settle(batch), ())]))
        return receipt

    async def _pending(self, now_s: int) -> list[tuple[int, Fill]]:
        sell, buy = ORDERS.alias("sell"), ORDERS.alias("buy")
        bodies = (sell.c.body.label("sell_body"), buy.c.body.label("buy_body"))
        waiting = (
            select(FILLS.c.seq, FILLS.c.power_w, FILLS.c.price_nano_per_wh, *bodies)
            .join(sell, sell.c.id == FILLS.c.sell)
            .join(buy, buy.c.id == FILLS.c.buy)
            .where(FILLS.c.state == "pending", or_(FILLS.c.sent_s.is_(None), FILLS.c.sent_s <= now_s - RESEND_S))
            .order_by(FILLS.c.seq)
            .limit(FILLS_PER_TICK)
        )

        def order(body: bytes) -> SignedOrder:
            return order_from_bytes(bytes(body))

        return [
            (row.seq, Fill(order(row.sell_body), order(row.buy_body), row.power_w, row.price_nano_per_wh))
            for row in await self.store.rows(waiting)
        ]

    async def _sent(self, seqs: Sequence[int], time_s: int) -> None:
        async with self.store.leading() as connection:
            sent = update(FILLS).where(FILLS.c.seq.in_(seqs), FILLS.c.state == "pending")
            await connection.execute(sent.values(sent_s=time_s))

    async def _take(self, fills: Sequence[Fill], seqs: Sequence[int], receipt: Receipt) -> None:
        verdicts = receipt.fills or (receipt.refusal,) * len(fills)
        await self._sent(seqs, receipt.time_s)
        refused = [(fill, refusal) for fill, refusal in zip(fills, verdicts, strict=True) if refusal is not None]
        sides = [signed for fill, _ in refused for signed in (fill.sell, fill.buy)]
        gone = await self.view.ask(lambda ledger: self._gone(ledger, sides))
        await self._follower.follow()  # after they were found gone: those that settled are known as settled now
        async with self.store.leading() as connection:
            for fill, refusal in refused:
                for signed in (fill.sell, fill.buy):
                    order_id = order_digest(self.view.domain, signed.order)
                    reason = outcome.blame(refusal, order_id) or (outcome.SPENT if order_id in gone else None)
                    if reason is not None:
                        await self.store.change(connection, [order_id], Status.DROPPED, reason, [Status.MATCHED])
            await self._follower.repair(connection)
        self._count("refused fills", len(refused))

    def _gone(self, ledger: Ledger, orders: Iterable[SignedOrder]) -> set[Digest]:
        """Ids of the orders that were cancelled, or with a note that is not unspent."""
        gone = set()
        self.view.follow(ledger)
        for signed in orders:
            try:
                self.view.check_stands(signed.order, ledger)
            except errors.OrderRefused:
                gone.add(order_digest(self.view.domain, signed.order))
        return gone
