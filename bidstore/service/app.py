"""The bid store's HTTP API. Every refusal is problem+json (RFC 9457) whose ``type`` names a class of refusal.

GET  /v1                             the ledger and the limits
POST /v1/challenges                  a fresh challenge for one posting or cancellation
POST /v1/orders                      post a signed order, or replace an open one
GET  /v1/orders?power_w&start&end    the open orders of a class, 256 at a time (after)
GET  /v1/orders/{id}                 where an order stands
POST /v1/orders/{id}/cancellation    take an open order out of the book
GET  /v1/events?start                server-sent events: the same padded batches for every reader
GET  /metrics                        Prometheus
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Annotated, Any

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from assets.errors import EncodingError
from assets.port import Ledger
from bidstore import errors
from bidstore.posting import NoteClass
from bidstore.service import wire
from bidstore.service.exchange import Exchange
from bidstore.service.feed import Feed, padded
from bidstore.service.limits import Limits
from bidstore.service.metrics import Metrics
from bidstore.service.openapi import ID, PROBLEMS, body_of
from bidstore.service.operator import Operator
from bidstore.service.refusals import Busy, TooLarge, status_of
from bidstore.service.store import Store
from contracts.errors import NodeError

try:
    from fastapi import FastAPI, Path, Query, Request, Response
    from fastapi.exceptions import RequestValidationError
    from fastapi.responses import JSONResponse, PlainTextResponse
    from sse_starlette import EventSourceResponse, ServerSentEvent
    from starlette.exceptions import HTTPException
    from starlette.requests import ClientDisconnect
except ImportError as error:
    raise ImportError("the bid store's service needs FastAPI; run: pip install 'petra[service]'") from error

MAX_UINT32 = 2**32 - 1
MAX_SEQ = 2**63 - 1


def bidstore_app(
    store: Store, ledger: Ledger, limits: Limits | None = None, *, relay: Ledger | None = None, operate: bool = True
) -> FastAPI:
    """The ASGI application of one replica; with ``operate`` it leads whenever no other replica does.

    ``relay`` is a connection to the ledger of the leader's own: settling waits for blocks, and would keep orders
    waiting that are verified over the same one.
    """
    exchange, metrics = Exchange(store, ledger, limits), Metrics()
    operator = Operator(exchange, metrics.worked, relay)
    feed = Feed(store, exchange.limits.tick_s)
    readers = 0

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        work = None
        try:
            await exchange.prepare()
            work = asyncio.create_task(operator.run()) if operate else None
            yield
        finally:
            if work is not None:
                work.cancel()
                with suppress(asyncio.CancelledError):
                    await work
            await store.close()

    app = FastAPI(
        title="PETra bid store",
        version="1",
        lifespan=lifespan,
        openapi_url="/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        responses=PROBLEMS,
    )
    app.state.exchange = exchange

    async def refuse(_: Request, refusal: Exception) -> Response:
        metrics.refused(type(refusal))
        return _problem(status_of(refusal), type(refusal).__name__, str(refusal))

    for kind in (errors.OrderRefused, errors.OrderUnknown, EncodingError, Busy, TooLarge):
        app.add_exception_handler(kind, refuse)

    async def unavailable(request: Request, _: Exception) -> Response:
        return await refuse(request, Busy())

    for failure in (DBAPIError, PoolTimeout, NodeError, OSError):
        app.add_exception_handler(failure, unavailable)

    @app.exception_handler(ClientDisconnect)
    async def hung_up(_: Request, __: ClientDisconnect) -> Response:
        return Response(status_code=400)  # nobody reads it

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        return _problem(422, "InvalidRequest", f"{first['loc'][-1]}: {first['msg']}")

    @app.exception_handler(HTTPException)
    async def http_error(_: Request, error: HTTPException) -> Response:
        return _problem(error.status_code, "HttpError", str(error.detail), dict(error.headers or {}))

    @app.get("/v1")
    async def describe() -> dict[str, Any]:
        """The ledger that orders are signed for, and the limits."""
        return exchange.describe()

    @app.post("/v1/challenges", status_code=201)
    async def challenge() -> dict[str, str]:
        """A fresh challenge."""
        return {"challenge": wire.hex_of(await exchange.challenge())}

    @app.post("/v1/orders", status_code=201, openapi_extra=body_of("Posting"))
    async def post(request: Request) -> dict[str, str]:
        """Post an order."""
        posting, replaces = wire.posting_from_bytes(await _body(request, exchange.limits.body_bytes))
        order_id = await exchange.post(posting, replaces)
        metrics.accepted()
        return {"order": wire.hex_of(order_id)}

    whole = Query(ge=0, le=MAX_UINT32)

    @app.get("/v1/orders")
    async def open_orders(
        power_w: Annotated[int, whole],
        start: Annotated[int, whole],
        end: Annotated[int, whole],
        after: Annotated[str | None, Query(pattern=ID)] = None,
    ) -> dict[str, Any]:
        """Open orders of a class: the first ones after an id; an answer with fewer than 256 has the last."""
        known = b"" if after is None else wire.digest_of(after)
        orders = await exchange.open_orders(NoteClass(power_w, start, end), known)
        return {"orders": [wire.order_to_json(signed) for signed in orders]}

    order_id_parameter = Path(pattern=ID)

    @app.get("/v1/orders/{order}")
    async def standing(order: Annotated[str, order_id_parameter]) -> dict[str, Any]:
        """Where an order stands."""
        found = await exchange.standing(wire.digest_of(order))
        return {"status": found.status.value, "reason": found.reason}

    @app.post("/v1/orders/{order}/cancellation", status_code=204, openapi_extra=body_of("Cancellation"))
    async def cancel(order: Annotated[str, order_id_parameter], request: Request) -> Response:
        """Take an open order out of the book."""
        cancellation = wire.cancellation_from_bytes(await _body(request, exchange.limits.body_bytes))
        if cancellation.order_id != wire.digest_of(order):
            raise EncodingError("cancellation.order_id: expected the order of the request's path")
        await exchange.cancel(cancellation)
        return Response(status_code=204)

    @app.get("/v1/events", response_class=EventSourceResponse)
    async def events(start: Annotated[int, Query(ge=0, le=MAX_SEQ)] = 0) -> Response:
        """Follow the book: batches after number ``start``."""
        nonlocal readers
        if readers >= exchange.limits.readers:
            raise Busy
        return EventSourceResponse(stream(start), ping=3600, headers={"Cache-Control": "no-store"})

    async def stream(start: int) -> AsyncIterator[ServerSentEvent]:
        nonlocal readers
        readers += 1
        metrics.reading(1)
        try:
            while True:
                # Where nothing happened, an empty batch under the last number: silence has the same size.
                for number, body in await feed.after(start) or [(start, "[]")]:
                    start = number
                    yield ServerSentEvent(padded(number, body, exchange.limits.batch_bytes), id=str(number))
                await asyncio.sleep(exchange.limits.tick_s)
        except (DBAPIError, PoolTimeout, OSError):
            return  # the database is away: the stream ends, and its reader asks again from the last number
        finally:
            readers -= 1
            metrics.reading(-1)

    @app.get("/v1/batches")
    async def batches(start: Annotated[int, Query(ge=0, le=MAX_SEQ)] = 0) -> dict[str, Any]:
        """The same batches for who does not listen all the time; ``last`` is the newest of all."""
        return {"batches": [list(batch) for batch in await feed.after(start)], "last": await feed.last()}

    @app.get("/metrics", response_class=PlainTextResponse)
    async def measure() -> Response:
        """Prometheus' text format."""
        return Response(metrics.text(await store.counts()), media_type="text/plain; version=0.0.4")

    return app


def _problem(status: int, kind: str, detail: str, headers: dict[str, str] | None = None) -> Response:
    body = {"type": kind, "title": kind, "status": status, "detail": detail}
    extra = {"Retry-After": "2"} if status in (429, 503) else {}
    return JSONResponse(body, status, {**extra, **(headers or {})}, media_type="application/problem+json")


async def _body(request: Request, limit: int) -> bytes:
    """The request's body, read no further than ``limit``."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise TooLarge
    return bytes(body)
