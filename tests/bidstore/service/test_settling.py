"""Settlements that fail, and what a trader's timing is worth, through the whole service."""

import asyncio
from dataclasses import replace
from itertools import permutations

import pytest
from sqlalchemy import select

from assets.errors import NoteSpent
from assets.transactions import Settle
from bidstore import outcome
from bidstore.auction import Reason
from bidstore.service.client import Refused
from bidstore.service.settling import RESEND_S
from bidstore.service.tables import BATCHES, EVENTS
from contracts.errors import RelayError, VerdictUnknown


def go(coroutine):
    return asyncio.run(coroutine)


class Fails:
    """A ledger that nothing reaches as long as ``failures`` last."""

    def __init__(self, ledger, *failures) -> None:
        self._ledger, self.failures = ledger, list(failures)

    def __getattr__(self, name):
        return getattr(self._ledger, name)

    def submit(self, batch):
        if self.failures and (failure := self.failures.pop(0)) is not None:
            raise failure
        return self._ledger.submit(batch)


@pytest.fixture(params=["sqlite", "postgresql"])
def anywhere(request, service):
    """Opens a service on either database."""
    url = request.getfixturevalue("database") if request.param == "postgresql" else None
    return lambda **options: service(database=url, **options)


def settled(market) -> list:
    return [fill for e in market.ledger.entries() if isinstance(e.signed.tx, Settle) for fill in e.signed.tx.fills]


def test_a_batch_that_cannot_be_relayed_keeps_no_other_waiting(anywhere, market, monkeypatch) -> None:
    monkeypatch.setattr("contracts.settlements.MAX_FILLS", 1)

    async def play():
        async with anywhere() as s:
            ids = [await s.post(order) for _ in range(3) for order in (market.sale(), market.purchase())]
            s.close_gate()
            s.operator.view.ledger = Fails(market.ledger, None, RelayError("undone as a whole"))
            with pytest.raises(RelayError):
                await s.operator.tick()
            assert sorted(await s.status(*ids)) == ["matched"] * 2 + ["settled"] * 4
            await s.operator.tick()  # not at once again
            assert len(settled(market)) == 2
            market.ledger.advance_to(market.ledger.now_s + RESEND_S)
            await s.operator.tick()
            assert await s.status(*ids) == ["settled"] * 6
            assert len(settled(market)) == 3

    go(play())


def test_who_reads_learns_of_matches_while_the_ledger_is_away(service, market) -> None:
    async def play():
        async with service() as s:
            ids = [await s.post(order) for order in (market.sale(), market.purchase())]
            s.close_gate()
            s.operator.view.ledger = Fails(market.ledger, VerdictUnknown("nobody knows"))
            with pytest.raises(VerdictUnknown):
                await s.operator.tick()
            (batch,) = await s.exchange.store.rows(select(BATCHES.c.body))
            assert batch.body.count('"matched"') == 2
            assert await s.status(*ids) == ["matched", "matched"]

    go(play())


class Lags:
    """A ledger on which a settlement of another relayer's comes first, and whose entries lag behind its answers."""

    def __init__(self, ledger) -> None:
        self._ledger, self._hidden = ledger, 0

    def __getattr__(self, name):
        return getattr(self._ledger, name)

    def submit(self, batch):
        (theirs,) = self._ledger.submit(batch)
        self._hidden = 1
        note = batch[0].tx.fills[0].sell.order.energy.id
        return [replace(theirs, refusal=NoteSpent(note), fills=(NoteSpent(note),))]

    def entries(self, start=0):
        found = self._ledger.entries()
        return found[start : len(found) - self._hidden]

    def status(self, note_id):
        self._hidden = 0
        return self._ledger.status(note_id)


def test_a_refusal_by_a_ledger_that_has_the_settlement_already_drops_nobody(anywhere, market) -> None:
    async def play():
        async with anywhere() as s:
            ids = [await s.post(order) for order in (market.sale(), market.purchase())]
            s.close_gate()
            await s.operator.follower.follow()
            await s.operator.auctioneer.match()
            s.operator.view.ledger = Lags(market.ledger)
            await s.operator.settler.settle()
            assert await s.status(*ids) == ["settled", "settled"]
            told = "".join(row.body for row in await s.exchange.store.rows(select(EVENTS.c.body)))
            assert "dropped" not in told

    go(play())


def test_an_order_cancelled_on_the_ledger_after_its_match_is_dropped_and_the_other_returns(anywhere, market) -> None:
    async def play():
        async with anywhere() as s:
            sale, purchase = market.sale(), market.purchase()
            ids = [await s.post(sale), await s.post(purchase)]
            s.close_gate()
            await s.operator.follower.follow()
            await s.operator.auctioneer.match()
            market.cancel(sale)
            await s.operator.settler.settle()
            assert await s.status(*ids) == ["dropped", "open"]
            assert (await s.client.standing(ids[0])).reason == outcome.CANCELLED
            assert (await s.client.standing(ids[1])).reason == outcome.OTHER_SIDE

    go(play())


def test_notes_of_other_classes_never_meet(service, market) -> None:
    async def play():
        async with service() as s:
            orders = market.sale(1, power_w=400), market.purchase(9, power_w=800), market.purchase(9, start=5, end=6)
            ids = [await s.post(order) for order in orders]
            s.close_gate()
            await s.operator.tick()
            assert await s.status(*ids) == ["open"] * 3
            for order_id in ids:
                assert (await s.client.standing(order_id)).reason == Reason.NO_COUNTERPART.value

    go(play())


def test_rivals_for_one_note_and_twins_of_one_order_at_the_same_moment(anywhere, market) -> None:
    async def play():
        async with anywhere() as s:
            sale, twin = market.sale(), market.sale()
            rivals = [s.post(replace(sale, nonce=n)) for n in range(8)]
            results = await asyncio.gather(*rivals, *(s.post(twin) for _ in range(8)), return_exceptions=True)
            refused = [r for r in results if isinstance(r, Refused)]
            assert {r.reason for r in refused} == {"NoteOnOffer"}
            assert len(refused) == 7
            assert set(results[8:]) == {results[8]}
            assert await s.exchange.store.counts() == {"open": 2}

    go(play())


def test_an_order_that_is_refused_for_one_note_holds_none_of_the_others(anywhere, market) -> None:
    async def play():
        async with anywhere() as s:
            first, second = market.purchase(), market.purchase()
            await s.post(first)
            with pytest.raises(Refused, match="NoteOnOffer"):
                await s.post(replace(second, money=first.money))
            await s.post(second)
            assert await s.exchange.store.counts() == {"open": 2}

    go(play())


def test_an_order_is_cancelled_replaced_or_matched_but_not_two_of_these(anywhere, market) -> None:
    async def play():
        async with anywhere() as s:
            sale = market.sale()
            old = await s.post(sale)
            better = replace(sale, nonce=1)
            results = await asyncio.gather(
                s.cancel(old, sale), s.post(better, replaces=old), s.cancel(old, sale), return_exceptions=True
            )
            assert sum(isinstance(r, Refused) for r in results) == 2
            assert (await s.exchange.store.counts())["cancelled"] == 1

    go(play())


def test_neither_waiting_nor_posting_again_changes_who_trades_at_what_price(service, open_market, tmp_path) -> None:
    """The same notes and limits, posted in every order, one of them withdrawn and posted anew: the same trades."""

    async def play(market, orders, database):
        async with service(database=str(tmp_path / database), market=market) as s:
            for order in orders:
                order_id = await s.post(order)
                if order.limit_nano_per_wh == 120:
                    await s.cancel(order_id, order)
                    again = replace(order, nonce=1)
                    await s.post(again)
            s.close_gate()
            await s.operator.tick()
        return {(f.sell.order.energy.id, f.buy.order.energy.id, f.price_nano_per_wh) for f in settled(market)}

    outcomes = []
    for number, arrival in enumerate(permutations(range(4))):
        market = open_market()  # the same keys and notes every time
        orders = market.sale(100), market.sale(120), market.sale(120), market.purchase(130)
        outcomes.append(go(play(market, [orders[i] for i in arrival], f"{number}.db")))
        if number == 5:
            break
    assert len(outcomes[0]) == 1
    assert all(result == outcomes[0] for result in outcomes)
