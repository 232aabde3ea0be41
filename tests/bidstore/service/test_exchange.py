"""Orders from posting to their end, in memory and over HTTP, on SQLite; what is forged or replayed is refused."""

import asyncio
from dataclasses import replace

import pytest

from assets.keys import Digest
from assets.orders import Fill
from assets.transactions import Settle, Signed
from bidstore import outcome
from bidstore.auction import Reason
from bidstore.posting import class_of
from bidstore.service.client import Refused
from bidstore.service.database import engine_of
from bidstore.service.exchange import Exchange
from bidstore.service.store import ORDERS, Store, select
from bidstore.service.wire import Cancellation, order_from_bytes, sign_cancellation

both = pytest.mark.parametrize("http", [False, True], ids=["memory", "http"])


def go(coroutine):
    return asyncio.run(coroutine)


async def refused(coroutine) -> tuple[str, int]:
    with pytest.raises(Refused) as caught:
        await coroutine
    return caught.value.reason, caught.value.status


@both
def test_an_order_goes_from_posting_to_the_ledger(service, market, http) -> None:
    async def play():
        async with service(http=http) as s:
            sale, purchase = market.sale(100_000), market.purchase(200_000)
            ids = [await s.post(sale), await s.post(purchase)]
            assert {x.order for x in await s.client.open_orders(class_of(sale))} == {sale, purchase}
            await s.operator.tick()
            assert await s.status(*ids) == ["open", "open"]  # the gate is open
            s.close_gate()
            await s.operator.tick()
            assert await s.status(*ids) == ["settled", "settled"]
            (fill,) = market.ledger.entries()[-1].signed.tx.fills
            assert fill.price_nano_per_wh == 150_000
            before = len(market.ledger.entries())
            await s.operator.tick()
            assert len(market.ledger.entries()) == before

    go(play())


@both
def test_a_cancelled_order_leaves_the_book_and_a_replayed_cancellation_is_refused(service, market, http) -> None:
    async def play():
        async with service(http=http) as s:
            sale = market.sale()
            order_id = await s.post(sale)
            cancellation = sign_cancellation(s.domain, order_id, await s.client.challenge(), s.key(sale))
            await s.client.withdraw(cancellation)
            assert await s.status(order_id) == ["cancelled"]
            assert await refused(s.client.withdraw(cancellation)) == ("ChallengeUnknown", 409)
            assert await refused(s.cancel(order_id, sale)) == ("NotCancellable", 409)
            assert await refused(s.post(sale)) == ("OrderKnown", 409)
            again = replace(sale, nonce=1)
            assert await s.status(await s.post(again)) == ["open"]

    go(play())


@both
def test_a_book_of_many_orders_is_read_part_by_part(service, market, http, monkeypatch) -> None:
    for module in ("exchange", "client"):
        monkeypatch.setattr(f"bidstore.service.{module}.ORDERS_AT_ONCE", 2)

    async def play():
        async with service(http=http) as s:
            for count in range(1, 6):
                sale = market.sale()
                await s.post(sale)
                found = await s.client.open_orders(class_of(sale))
                assert len({x.order for x in found}) == len(found) == count

    go(play())


def test_nobody_else_cancels_an_order(service, market) -> None:
    async def play():
        async with service() as s:
            sale, other = market.sale(), market.sale()
            order_id = await s.post(sale)
            assert await refused(s.cancel(order_id, other)) == ("ForeignSignature", 403)
            assert await refused(s.cancel(Digest(bytes(32)), sale)) == ("OrderUnknown", 404)
            made_up = Cancellation(order_id, bytes(32), bytes(65))
            assert await refused(s.client.withdraw(made_up)) == ("ChallengeUnknown", 409)
            assert await s.status(order_id) == ["open"]

    go(play())


@both
def test_what_is_forged_or_stolen_is_refused(service, market, http) -> None:
    async def play():
        async with service(http=http) as s:
            sale, other = market.sale(), market.sale()
            posting = await s.posting(sale)
            cheaper = replace(posting.signed, order=replace(sale, limit_nano_per_wh=1))
            redirected = replace(posting.signed, order=replace(sale, pay_to=market.address()))
            for stolen in (cheaper, redirected, replace(posting.signed, signatures=(bytes(65),))):
                assert await refused(s.client.submit(replace(posting, signed=stolen))) == ("ForeignSignature", 403)
            taken_over = replace(posting, signature=(await s.posting(other)).signature)
            assert await refused(s.client.submit(taken_over)) == ("ForeignSignature", 403)
            assert await refused(s.client.submit(replace(posting, challenge=bytes(32)))) == ("ChallengeUnknown", 409)
            await s.client.submit(posting)
            assert await refused(s.client.submit(posting)) == ("ChallengeUnknown", 409)
            wrong = replace(sale, energy=market.purchase().energy, nonce=2)
            assert await refused(s.post(wrong)) == ("WrongKind", 422)
            unknown = replace(other, energy=replace(other.energy, index=9))
            assert await refused(s.post(unknown)) == ("NoteUnknown", 422)
            twice = replace(sale, nonce=3)
            assert await refused(s.post(twice)) == ("NoteOnOffer", 409)

    go(play())


def test_posting_an_open_order_again_changes_nothing(service, market) -> None:
    async def play():
        async with service() as s:
            sale = market.sale()
            assert await s.post(sale) == await s.post(sale)
            assert (await s.exchange.store.counts()) == {"open": 1}

    go(play())


def test_two_orders_over_one_note_at_the_same_moment_leave_one(service, market) -> None:
    async def play():
        async with service() as s:
            sale = market.sale()
            rivals = [s.post(replace(sale, nonce=n)) for n in range(6)]
            results = await asyncio.gather(*rivals, return_exceptions=True)
            assert sorted(type(r).__name__ for r in results) == ["Refused"] * 5 + ["bytes"]
            assert {r.reason for r in results if isinstance(r, Refused)} == {"NoteOnOffer"}

    go(play())


def test_a_replacement_takes_the_place_of_the_old_order_or_nothing_happens(service, market) -> None:
    async def play():
        async with service() as s:
            sale, other = market.sale(100), market.sale()
            old = await s.post(sale)
            better = replace(sale, limit_nano_per_wh=200, nonce=1)
            assert await refused(s.post(other, replaces=old)) == ("NotReplaceable", 409)
            new = await s.post(better, replaces=old)
            assert await s.status(old, new) == ["cancelled", "open"]
            assert await refused(s.post(replace(sale, nonce=2), replaces=old)) == ("NotReplaceable", 409)

    go(play())


def test_a_note_is_named_only_so_often_in_a_window(service, market) -> None:
    async def play():
        async with service(requests_per_note=3) as s:
            sale, other = market.sale(), market.sale()
            for _ in range(3):
                await s.post(sale)
            assert await refused(s.post(sale)) == ("RateLimited", 429)
            await s.post(other)  # another note is not held up
            market.ledger.advance_to(market.ledger.now_s + s.exchange.limits.note_window_s)
            await s.post(sale)

    go(play())


def test_a_replica_that_is_busy_says_so_and_a_long_body_is_not_read(service, market) -> None:
    async def play():
        async with service(waiting=1, http=True, body_bytes=100) as s:
            assert await refused(s.post(market.sale())) == ("TooLarge", 413)
        async with service(waiting=1) as s:
            sales = [market.sale() for _ in range(3)]
            results = await asyncio.gather(*(s.post(sale) for sale in sales), return_exceptions=True)
            assert [r.reason for r in results if isinstance(r, Refused)] == ["Busy", "Busy"]
            for sale in sales:  # nothing was lost
                await s.post(sale)

    go(play())


def test_a_note_spent_or_an_order_cancelled_on_the_ledger_moves_no_price(service, market) -> None:
    async def play():
        async with service() as s:
            spent, void, sale, purchase = market.sale(1), market.sale(2), market.sale(100), market.purchase(200)
            ids = [await s.post(order) for order in (spent, void, sale, purchase)]
            market.spend(spent.energy)
            market.cancel(void)
            s.close_gate()
            await s.operator.tick()
            assert await s.status(*ids) == ["dropped", "dropped", "settled", "settled"]
            assert (await s.client.standing(ids[0])).reason == outcome.SPENT
            assert (await s.client.standing(ids[1])).reason == outcome.CANCELLED
            assert market.ledger.entries()[-1].signed.tx.fills[0].price_nano_per_wh == 150

    go(play())


def test_a_double_spend_between_matching_and_settling_returns_the_other_side_to_the_next_auction(
    service, market
) -> None:
    async def play():
        async with service() as s:
            cheat, honest, late = market.sale(1), market.purchase(200), market.sale(300)
            ids = [await s.post(order) for order in (cheat, honest, late)]
            s.close_gate()
            await s.operator.follower.follow()
            await s.operator.auctioneer.match()
            assert await s.status(*ids) == ["matched", "matched", "open"]
            market.spend(cheat.energy)
            await s.operator.settler.settle()
            assert await s.status(*ids) == ["dropped", "open", "open"]
            assert (await s.client.standing(ids[1])).reason == outcome.OTHER_SIDE
            await s.operator.tick()
            assert (await s.client.standing(ids[1])).reason == Reason.NO_CROSSING.value

    go(play())


class LosesReceipts:
    """A ledger whose connection breaks once, after it recorded a settlement."""

    def __init__(self, ledger) -> None:
        self._ledger, self.broken = ledger, False

    def __getattr__(self, name):
        return getattr(self._ledger, name)

    def submit(self, batch):
        receipts = self._ledger.submit(batch)
        if not self.broken:
            self.broken = True
            raise ConnectionError("the answer was lost")
        return receipts


def test_a_lost_receipt_loses_no_order_and_settles_none_twice(service, market) -> None:
    async def play():
        async with service() as s:
            ids = [await s.post(order) for order in (market.sale(), market.purchase())]
            s.close_gate()
            s.operator.view.ledger = LosesReceipts(market.ledger)
            with pytest.raises(ConnectionError):
                await s.operator.tick()
            assert await s.status(*ids) == ["matched", "matched"]
            before = len(market.ledger.entries())
            await s.operator.tick()
            assert await s.status(*ids) == ["settled", "settled"]
            assert len(market.ledger.entries()) == before

    go(play())


def test_what_somebody_else_settled_is_settled_here(service, market) -> None:
    async def play():
        async with service() as s:
            orders = market.sale(100), market.purchase(200)
            ids = [await s.post(order) for order in orders]
            market.ledger.submit([Signed(Settle((Fill(*map(s.signed, orders), 400, 120),)), ())])[0].require()
            await s.operator.tick()
            assert await s.status(*ids) == ["settled", "settled"]

    go(play())


def test_after_gate_closure_nothing_is_taken_and_an_order_nobody_took_expires(service, market) -> None:
    async def play():
        async with service() as s:
            sale, late = market.sale(), market.sale()
            order_id = await s.post(sale)
            s.close_gate()
            assert await refused(s.post(late)) == ("GateClosed", 409)
            assert await refused(s.cancel(order_id, sale)) == ("NotCancellable", 409)
            await s.operator.tick()
            assert (await s.client.standing(order_id)).reason == Reason.NO_COUNTERPART.value
            market.ledger.advance_to(market.ledger.grid.end_s(5))
            await s.operator.tick()
            assert await s.status(order_id) == ["expired"]

    go(play())


def test_every_reader_gets_the_same_padded_batches(service, market) -> None:
    async def play():
        async with service() as s:
            ids = [await s.post(order) for order in (market.sale(), market.purchase())]
            s.close_gate()
            await s.operator.tick()
            read = []
            for _ in range(2):
                read.append([])
                async for number, changes in s.client.events():
                    read[-1].append((number, changes))
                    if number == 2:
                        break
            assert read[0] == read[1]
            changes = [change for _, part in read[0] for change in part]
            told = [change["status"] for change in changes if change.get("order") == "0x" + ids[0].hex()]
            assert told == ["open", "matched", "settled"]
            (held,) = [change for change in changes if "auction" in change]
            assert (held["auction"]["volume"], held["auction"]["price_nano_per_wh"]) == (1, 150_000)

    go(play())


def test_a_database_of_another_ledger_is_refused(service, market, open_market, tmp_path) -> None:
    async def play():
        async with service():
            pass
        from assets.keys import Address
        from assets.transactions import Domain

        other = open_market(Domain(32, Address(bytes(19) + b"\x02")))
        exchange = Exchange(Store(engine_of(str(tmp_path / "bids.db"))), other.ledger)
        with pytest.raises(ValueError, match="another ledger"):
            await exchange.prepare()
        await exchange.store.close()

    go(play())


def test_an_order_comes_back_from_the_database_as_it_was_signed(service, market) -> None:
    async def play():
        async with service() as s:
            purchase = market.purchase(money_nano=(10**9, 10**8))
            await s.post(purchase)
            (row,) = await s.exchange.store.rows(select(ORDERS.c.body))
            assert order_from_bytes(row.body) == s.signed(purchase)

    go(play())


def test_ties_are_broken_by_an_entry_that_came_after_gate_closure_if_one_comes_soon(service, market) -> None:
    async def play():
        async with service(seed_wait_s=20) as s:
            ids = [await s.post(order) for order in (market.sale(), market.purchase())]
            s.close_gate()
            await s.operator.tick()
            assert await s.status(*ids) == ["open", "open"]  # the last entry was known while orders arrived
            market.spend(market.sale().energy)
            await s.operator.tick()
            assert await s.status(*ids) == ["settled", "settled"]
            quiet = [await s.post(order) for order in (market.sale(start=6, end=6), market.purchase(start=6, end=6))]
            s.close_gate(6)
            await s.operator.tick()
            assert await s.status(*quiet) == ["open", "open"]
            market.ledger.advance_to(market.ledger.now_s + 20)
            await s.operator.tick()
            assert await s.status(*quiet) == ["settled", "settled"]

    go(play())
