"""What wallets call: one interface over a store in memory and over HTTP, and so over Tor.

client = HttpClient("http://….onion", http)      # http: the transport's own httpx2 client; nothing else is opened
client = MemoryClient(exchange)
order_id = await client.post(signed, domain, key)
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy import select

from assets.codec import is_nested_deeply
from assets.domain import Domain
from assets.errors import EncodingError
from assets.keys import Address, Digest, SigningKey
from assets.orders import SignedOrder, order_digest
from bidstore import errors
from bidstore.posting import NoteClass, sign_posting
from bidstore.service import wire
from bidstore.service.exchange import ORDERS_AT_ONCE, Exchange
from bidstore.service.store import Standing, Status
from bidstore.service.tables import BATCHES
from bidstore.service.wire import Cancellation, sign_cancellation

if TYPE_CHECKING:
    import httpx2

    from bidstore.posting import Posting


ANSWER_BYTES = 4 * 1024 * 1024
"""Longest answer that is read; 256 orders with 16 FA notes each take about 2 MiB."""


PLAIN = {"Accept-Encoding": "identity"}
"""Header of every request: a packed answer may be small and fill the memory, so none is unpacked."""


class Refused(Exception):
    """The bid store refused a request: ``(reason, status, detail)``. Nothing has changed."""

    def __init__(self, reason: str, status: int, detail: str) -> None:
        super().__init__(reason, status, detail)
        self.reason, self.status, self.detail = reason, status, detail

    def __str__(self) -> str:
        return self.detail


class Unreachable(Exception):
    """The bid store did not answer. Whether it took the order is open: post it again, which changes nothing twice."""

    def __str__(self) -> str:
        return "the bid store did not answer; post the order again: an order is never taken twice"


class BadAnswer(Unreachable):
    """What answered is no bid store, or a broken one."""

    def __str__(self) -> str:
        return "what answered is no sound bid store; check its address, or use another replica"


@contextmanager
def _sound() -> Iterator[None]:
    """What a store answers is read as what anybody could have sent."""
    try:
        yield
    except (ValueError, LookupError, TypeError, AttributeError, EncodingError) as error:
        raise BadAnswer from error


def _json(data: bytes) -> Any:  # noqa: ANN401 - JSON
    if is_nested_deeply(data):
        raise ValueError("nested too deeply")
    return json.loads(data)


def _require_plain(answer: "httpx2.Response") -> None:
    if answer.headers.get("Content-Encoding", "identity") != "identity":
        raise BadAnswer


class Client(Protocol):
    """A bid store, as a wallet sees it."""

    async def challenge(self) -> bytes:
        """A fresh challenge."""

    async def submit(self, posting: "Posting", replaces: Digest | None = None) -> Digest:
        """Hand in a posting; returns the order's id. Raises :class:`Refused` or :class:`Unreachable`."""

    async def withdraw(self, cancellation: Cancellation) -> None:
        """Hand in a cancellation. Raises as :meth:`submit` does."""

    async def standing(self, order_id: Digest) -> Standing:
        """Where an order stands. Asking by id ties the asker to the order; the events do not."""

    async def open_orders(self, note_class: NoteClass) -> tuple[SignedOrder, ...]:
        """The open orders of a class."""

    def events(self, start: int = 0) -> AsyncIterator[tuple[int, list[dict[str, Any]]]]:
        """The book's changes after batch ``start``, as everybody gets them: number of the batch, and its changes."""


async def post(
    client: Client, domain: Domain, signed: SignedOrder, key: SigningKey, replaces: Digest | None = None
) -> Digest:
    """Post an order with a fresh challenge; ``key`` is that of its energy note."""
    return await client.submit(sign_posting(domain, signed, await client.challenge(), key), replaces)


async def cancel(client: Client, domain: Domain, order_id: Digest, key: SigningKey) -> None:
    """Take an open order out of the book. It voids nothing on the ledger: for that, submit a ``Cancel`` there."""
    await client.withdraw(sign_cancellation(domain, order_id, await client.challenge(), key))


async def _all(domain: Domain, part: Callable[[bytes], Awaitable[tuple[SignedOrder, ...]]]) -> tuple[SignedOrder, ...]:
    """All orders of a class, asked for part by part; no part may repeat, or the store would keep us for ever."""
    orders: list[SignedOrder] = []
    last = b""
    while True:
        fresh = await part(last)
        orders += fresh
        if len(fresh) < ORDERS_AT_ONCE:
            return tuple(orders)
        newest = order_digest(domain, fresh[-1].order)
        if newest <= last:
            raise Unreachable
        last = newest


class MemoryClient:
    """Calls a store in this process."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    async def challenge(self) -> bytes:
        """A fresh challenge."""
        return await self._exchange.challenge()

    async def submit(self, posting: "Posting", replaces: Digest | None = None) -> Digest:
        """Hand in a posting."""
        try:
            return await self._exchange.post(posting, replaces)
        except Exception as error:  # told apart, or raised as it is
            raise _refused(error) from error

    async def withdraw(self, cancellation: Cancellation) -> None:
        """Hand in a cancellation."""
        try:
            await self._exchange.cancel(cancellation)
        except Exception as error:
            raise _refused(error) from error

    async def standing(self, order_id: Digest) -> Standing:
        """Where an order stands."""
        try:
            return await self._exchange.standing(order_id)
        except errors.OrderUnknown as error:
            raise _refused(error) from error

    async def open_orders(self, note_class: NoteClass) -> tuple[SignedOrder, ...]:
        """The open orders of a class."""
        return await _all(self._exchange.view.domain, lambda after: self._exchange.open_orders(note_class, after))

    async def events(self, start: int = 0) -> AsyncIterator[tuple[int, list[dict[str, Any]]]]:
        """The book's changes after batch ``start``."""
        while True:
            after = select(BATCHES.c.seq, BATCHES.c.body).where(BATCHES.c.seq > start).order_by(BATCHES.c.seq)
            for row in await self._exchange.store.rows(after.limit(64)):
                start = row.seq
                yield start, json.loads(row.body)
            await asyncio.sleep(self._exchange.limits.tick_s)


def _refused(error: Exception) -> Exception:
    from bidstore.service.refusals import Busy, status_of

    if isinstance(error, errors.OrderRefused | errors.OrderUnknown | EncodingError | Busy):
        return Refused(type(error).__name__, status_of(error), str(error))
    return error


class HttpClient:
    """Calls a store over HTTP with a client that the transport made: over Tor, one with circuits of its own."""

    def __init__(self, url: str, http: "httpx2.AsyncClient") -> None:
        self._url = url.rstrip("/")
        self._http = http

    async def challenge(self) -> bytes:
        """A fresh challenge."""
        answer = await self._call("POST", "/v1/challenges")
        with _sound():
            return wire.digest_of(answer["challenge"])

    async def submit(self, posting: "Posting", replaces: Digest | None = None) -> Digest:
        """Hand in a posting."""
        answer = await self._call("POST", "/v1/orders", wire.posting_to_bytes(posting, replaces))
        with _sound():
            return wire.digest_of(answer["order"])

    async def withdraw(self, cancellation: Cancellation) -> None:
        """Hand in a cancellation."""
        path = f"/v1/orders/{wire.hex_of(cancellation.order_id)}/cancellation"
        await self._call("POST", path, wire.cancellation_to_bytes(cancellation))

    async def standing(self, order_id: Digest) -> Standing:
        """Where an order stands."""
        answer = await self._call("GET", f"/v1/orders/{wire.hex_of(order_id)}")
        with _sound():
            return Standing(Status(answer["status"]), None if answer["reason"] is None else str(answer["reason"]))

    async def open_orders(self, note_class: NoteClass) -> tuple[SignedOrder, ...]:
        """The open orders of a class."""
        query = "&".join(f"{name}={value}" for name, value in note_class._asdict().items())

        async def part(after: bytes) -> tuple[SignedOrder, ...]:
            more = f"&after={wire.hex_of(after)}" if after else ""
            answer = await self._call("GET", f"/v1/orders?{query}{more}")
            with _sound():
                return tuple(wire.order_from_json(obj) for obj in answer["orders"])

        return await _all(await self._domain(), part)

    async def _domain(self) -> Domain:
        described = await self._call("GET", "/v1")
        with _sound():
            return Domain(int(described["chain_id"]), Address(bytes.fromhex(described["contract"][2:])))

    async def events(self, start: int = 0) -> AsyncIterator[tuple[int, list[dict[str, Any]]]]:
        """The book's changes after batch ``start``, until the connection ends."""
        import httpx2

        number: int | None = None
        changes: list[dict[str, Any]] | None = None
        try:
            url = f"{self._url}/v1/events?start={start}"
            async with self._http.stream("GET", url, headers=PLAIN, timeout=None) as answer:
                _require_plain(answer)
                async for line in answer.aiter_lines():
                    with _sound():
                        if line.startswith("id: "):
                            number = int(line[4:])
                        elif line.startswith("data: ") and number is not None:
                            changes = _json(line[6:].encode())
                    if number is not None and changes:  # empty: nothing happened
                        yield number, changes
                    if changes is not None:
                        number = changes = None
        except httpx2.TransportError as error:
            raise Unreachable from error

    async def _call(self, method: str, path: str, body: bytes = b"") -> Any:  # noqa: ANN401 - JSON, which the caller checks
        import httpx2

        headers = PLAIN | ({"Content-Type": "application/json"} if body else {})
        data = bytearray()
        try:
            async with self._http.stream(method, self._url + path, content=body, headers=headers) as answer:
                _require_plain(answer)
                async for chunk in answer.aiter_bytes():
                    data += chunk
                    if len(data) > ANSWER_BYTES:
                        raise BadAnswer
        except httpx2.TransportError as error:
            raise Unreachable from error
        with _sound():
            parsed = _json(bytes(data)) if data else {}
            if not answer.is_success:
                raise Refused(str(parsed["type"]), answer.status_code, str(parsed["detail"]))
            return parsed
