"""A ledger that goes back, a node that lags, orders that are written late, and users who give what cannot work."""

import asyncio
import socket
from dataclasses import replace

import httpx2
import pytest
from sqlalchemy.exc import OperationalError
from typer.testing import CliRunner

from assets.keys import Digest
from bidstore.auction import Reason
from bidstore.service.app import bidstore_app
from bidstore.service.client import Refused
from bidstore.service.database import engine_of
from bidstore.service.limits import Limits
from bidstore.service.store import Store
from contracts.errors import NodeBehind, Reorganised
from petra.cli import app
from petra.serving import served


def go(coroutine):
    return asyncio.run(coroutine)


@pytest.fixture(params=["sqlite", "postgresql"])
def anywhere(request, service):
    """Opens a service on either database."""
    url = request.getfixturevalue("database") if request.param == "postgresql" else None
    return lambda **options: service(database=url, **options)


def test_an_order_that_is_written_after_its_auction_is_in_the_next_one(anywhere, market) -> None:
    """It was verified before gate closure, and then waited for the database."""

    async def play():
        async with anywhere() as s:
            sale, purchase = market.sale(), market.purchase()
            sale_id = await s.post(sale)
            waiting, go_on = [], asyncio.Event()
            add = s.exchange.store.add

            async def late(offers):
                waiting.extend(offers)
                await go_on.wait()
                return await add(offers)

            s.exchange.store.add = late
            posting = asyncio.create_task(s.post(purchase))
            while not waiting:
                await asyncio.sleep(0.01)
            s.close_gate()
            await s.operator.tick()
            assert (await s.client.standing(sale_id)).reason == Reason.NO_COUNTERPART.value
            go_on.set()
            ids = [sale_id, await posting]
            await s.operator.tick()
            assert await s.status(*ids) == ["settled", "settled"]
            assert market.ledger.entries()[-1].signed.tx.fills[0].price_nano_per_wh == 150_000

    go(play())


def test_an_order_that_nobody_took_is_still_told_why_when_it_has_expired(service, market) -> None:
    async def play():
        async with service() as s:
            sale = market.sale()
            sale_id = await s.post(sale)
            s.close_gate()
            await s.operator.tick()
            market.ledger.advance_to(sale.expires_s)
            await s.operator.tick()
            standing = await s.client.standing(sale_id)
            assert (standing.status.value, standing.reason) == ("expired", Reason.NO_COUNTERPART.value)

    go(play())


class Behind:
    """A ledger whose node lags as long as ``behind``."""

    def __init__(self, ledger) -> None:
        self._ledger, self.behind = ledger, True

    def __getattr__(self, name):
        return getattr(self._ledger, name)

    def entries(self, start=0):
        if self.behind:
            raise NodeBehind("the node has fewer blocks than were read before")
        return self._ledger.entries(start)


def test_a_node_that_lags_is_no_error_of_the_stores(service, market) -> None:
    async def play():
        async with service(http=True) as s:
            sale = market.sale()
            s.exchange.view.ledger = Behind(market.ledger)
            with pytest.raises(Refused) as refused:
                await s.post(sale)
            assert (refused.value.reason, refused.value.status) == ("Busy", 503)
            s.exchange.view.ledger.behind = False
            await s.post(sale)

    go(play())


class GoesBack:
    """A chain that drops its newest entries: whoever asks first from beyond them is told, and told once."""

    def __init__(self, ledger) -> None:
        self._ledger, self.branch, self._told = ledger, None, True

    def __getattr__(self, name):
        return getattr(self._ledger, name)

    def entries(self, start=0):
        if self.branch is None:
            return self._ledger.entries(start)
        told, self._told = self._told, False
        if told and start:
            raise Reorganised(0)
        return self.branch[start:]


def test_a_chain_that_went_back_is_read_again_by_everybody(service, market) -> None:
    async def play():
        async with service() as s:
            order = market.sale()
            await s.post(order)
            view = s.operator.view
            view.ledger = GoesBack(market.ledger)
            await s.operator.follower.follow()
            old = await view.marks()
            market.cancel(order)
            *others, cancellation = market.ledger.entries()
            view.ledger.branch = [replace(e, seq=i) for i, e in enumerate([cancellation, *others[: len(old) - 1]])]
            await s.operator.follower.follow()  # and it is told
            assert [digest for _, digest in await view.marks()] == [e.digest for e in view.ledger.branch]
            with pytest.raises(Exception, match="Cancelled"):
                await view.ask(lambda ledger: view.check_stands(order, ledger))

    go(play())


def test_who_hangs_up_in_the_middle_of_a_request_leaves_no_trace(market, tmp_path, capfd) -> None:
    async def play():
        service = bidstore_app(Store(engine_of(str(tmp_path / "b.db"))), market.ledger, Limits(), operate=False)
        async with served(service) as port:
            with socket.create_connection(("127.0.0.1", port)) as line:
                line.sendall(b"POST /v1/orders HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc")
                await asyncio.sleep(0.1)
            await asyncio.sleep(0.2)

    go(play())
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("url", ["http://[::1", "http://a\x00b", "nothing"])
def test_a_book_at_no_address_is_one_sentence(url) -> None:
    told = CliRunner().invoke(app, ["bidstore", "book", "--url", url, "--power-w", "400", "--start", "5"])
    assert told.exit_code == 2
    assert len(told.output.splitlines()) == 1


def test_an_sqlite_database_in_memory_is_refused() -> None:
    with pytest.raises(ValueError, match="file"):
        engine_of("sqlite+aiosqlite://")


def test_a_database_that_cannot_be_opened_is_said_before_anything_starts(tmp_path) -> None:
    for path in (tmp_path, tmp_path / "none" / "b.db"):
        with pytest.raises(ConnectionError, match="cannot be opened"):
            engine_of(str(path))


def test_requests_that_fail_in_the_database_count_for_their_note_as_well(anywhere, market) -> None:
    async def refusal(coroutine):
        with pytest.raises(Refused) as refused:
            await coroutine
        return refused.value.reason

    async def play():
        async with anywhere(requests_per_note=4) as s:
            order, another = market.sale(), market.sale()
            order_id = await s.post(order)
            posting = await s.posting(replace(order, nonce=1))
            assert await refusal(s.client.submit(posting, Digest(bytes(32)))) == "NotReplaceable"
            assert await refusal(s.client.submit(posting, Digest(bytes(32)))) == "ChallengeUnknown"
            await s.cancel(order_id, order)
            assert await refusal(s.cancel(order_id, order)) == "NotCancellable"
            assert await refusal(s.cancel(order_id, order)) == "RateLimited"
            assert await refusal(s.post(replace(order, nonce=2), Digest(bytes(32)))) == "RateLimited"
            await s.post(another)

    go(play())


def test_a_replacement_whose_answer_was_lost_is_posted_again(anywhere, market) -> None:
    async def play():
        async with anywhere() as s:
            order = market.sale(100)
            old, better = await s.post(order), replace(order, limit_nano_per_wh=200, nonce=1)
            new = await s.post(better, replaces=old)
            assert await s.post(better, replaces=old) == new
            assert await s.status(old, new) == ["cancelled", "open"]

    go(play())


def test_a_stream_ends_quietly_when_the_database_goes_away(market, tmp_path, capfd) -> None:
    async def play():
        store = Store(engine_of(str(tmp_path / "b.db")))
        service = bidstore_app(store, market.ledger, Limits(tick_s=0.05), operate=False)
        async with served(service) as port, httpx2.AsyncClient(trust_env=False) as http:

            async def away(query):
                raise OperationalError("SELECT", {"note": "secret"}, Exception("gone"))

            async with http.stream("GET", f"http://127.0.0.1:{port}/v1/events", timeout=5) as answer:
                lines = answer.aiter_lines()
                await anext(lines)
                store.rows = away
                async for _ in lines:
                    pass

    go(play())
    assert capfd.readouterr().err == ""
