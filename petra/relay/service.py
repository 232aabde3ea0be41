"""The relay's HTTP API. Every refusal is problem+json (RFC 9457) with a sentence; all answers have one length.

GET  /v1                    the ledger, and the lengths of bodies
POST /v1/transactions       take a signed transaction (:mod:`petra.relay.wire`); 202: it is on disk, and will be carried
GET  /health, /metrics      for who runs it; they name nobody
"""

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from threading import Event, Thread

from assets.errors import EncodingError, Refusal
from assets.keys import Digest
from assets.transactions import digest
from contracts.errors import NodeError
from petra.relay.carrier import Carrier
from petra.relay.mirror import Mirror
from petra.relay.queue import Queue
from petra.relay.refusals import AgainstTheRules, Malformed, NotNow, RelayRefusal, TooLarge
from petra.relay.wire import PADDING, SIZES, Carried, answer_of, signed_of

try:
    from fastapi import FastAPI, Request, Response
    from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
    from starlette.requests import ClientDisconnect
except ImportError as error:
    raise ImportError("the relay needs FastAPI; run: pip install 'petra[service]'") from error

log = logging.getLogger("petra.relay")

LEAVE_S = 3.0
"""How long the end of the service waits for the batch on its way, seconds."""

THREADS = 16
"""Requests that are verified at the same moment; some may wait for the node."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a relay lets strangers do."""

    waiting: int = 4096
    """Transactions that wait to be carried; beyond that it takes no more."""
    arriving: int = 1024
    """Requests at a time, most of them on their way: each may hold a body, and one connection is cheap to keep open."""
    checking: int = 64
    """Requests that have arrived and are verified at a time."""
    body_s: float = 60.0
    """How long a request's body may take to arrive, seconds: onion circuits are slow."""
    tick_s: float = 2.0
    """How often what was taken is carried."""


class Metrics:
    """Totals, without any label that could tell one prosumer from another."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._taken = Counter("relay_taken", "Transactions taken", registry=self.registry)
        self._refused = Counter("relay_refused", "Requests refused", ["reason"], registry=self.registry)
        self._carried = Counter("relay_carried", "What became of them", ["verdict"], registry=self.registry)
        self._failed = Counter("relay_failed_ticks", "Ticks in which the node failed", registry=self.registry)
        self._waiting = Gauge("relay_waiting", "Transactions to be carried", registry=self.registry)

    def taken(self) -> None:
        """A transaction was taken."""
        self._taken.inc()

    def refused(self, reason: str) -> None:
        """A request was refused."""
        self._refused.labels(reason).inc()

    def carried(self, verdict: str, count: int) -> None:
        """What became of ``count`` transactions."""
        self._carried.labels(verdict).inc(count)

    def failed(self) -> None:
        """A tick failed."""
        self._failed.inc()

    def text(self, waiting: int) -> bytes:
        """The exposition format."""
        self._waiting.set(waiting)
        return generate_latest(self.registry)


class Intake:
    """Takes transactions that the ledger would record."""

    def __init__(self, queue: Queue, mirror: Mirror, limits: Limits) -> None:
        self.queue, self.mirror, self.limits = queue, mirror, limits
        self.threads = ThreadPoolExecutor(THREADS, "intake")

    def close(self) -> None:
        """Let go of the threads."""
        self.threads.shutdown(wait=False, cancel_futures=True)

    def take(self, body: bytes) -> bool:
        """Check a request's body and put its transaction on disk; ``False`` if it was taken or recorded before.

        Blocks. Raises a :class:`~petra.relay.refusals.RelayRefusal`; nothing has changed then.
        """
        try:
            signed = signed_of(body)
            message = digest(self.mirror.domain, signed.tx)
            data = body.rstrip(PADDING)
        except EncodingError as error:
            raise Malformed(str(error)) from None
        if self.queue.has(message) or self.mirror.recorded(message):
            return False
        if self.queue.waiting() >= self.limits.waiting:
            raise NotNow("the relay has as much to carry as it takes on; try again in a minute, or another relay")
        if self.mirror.refusal(signed, message) is not None:
            self._look_again(signed, message)
            if self.mirror.recorded(message):
                return False
        try:
            return self.queue.add(message, data, signed.tx)
        except sqlite3.Error:
            raise NotNow("the relay cannot write to its disk; try another relay") from None

    def _look_again(self, signed: Carried, message: Digest) -> None:
        """What was just recorded may make it right."""
        try:
            self.mirror.refresh()
        except (NodeError, OSError):
            raise NotNow("the relay's node does not answer, so that it cannot check this; try again") from None
        if self.mirror.recorded(message):
            return
        try:
            self.mirror.check(signed, message)
        except Refusal as refusal:
            raise AgainstTheRules(str(refusal)) from None


def relay_app(queue: Queue, mirror: Mirror, carrier: Carrier, limits: Limits, metrics: Metrics) -> FastAPI:
    """The ASGI application. ``carrier`` works while it runs."""
    intake, arriving, checking = Intake(queue, mirror, limits), 0, 0

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        stop = Event()
        # A thread that may be left behind: it can wait for blocks for minutes, and the file has all that it carries.
        work = Thread(target=carry, args=(carrier, limits.tick_s, metrics, stop), name="carrier", daemon=True)
        work.start()
        try:
            yield
        finally:
            stop.set()
            await asyncio.to_thread(work.join, LEAVE_S)
            intake.close()

    app = FastAPI(
        title="PETra relay",
        version="1",
        lifespan=lifespan,
        openapi_url="/v1/openapi.json",
        docs_url=None,  # these pages would have the reader's browser fetch scripts from elsewhere
        redoc_url=None,
    )

    @app.exception_handler(RelayRefusal)
    async def refuse(_: Request, refusal: RelayRefusal) -> Response:
        kind = type(refusal).__name__
        metrics.refused(kind)
        title = (type(refusal).__doc__ or kind).split("\n")[0]
        body = answer_of({"type": kind, "title": title, "status": refusal.status, "detail": refusal.detail[:600]})
        headers = {"Retry-After": "5"} if isinstance(refusal, NotNow) else None
        return Response(body, refusal.status, headers, "application/problem+json")

    @app.exception_handler(ClientDisconnect)
    async def hung_up(_: Request, __: ClientDisconnect) -> Response:
        return Response(status_code=400)  # nobody reads it

    @app.get("/v1")
    async def describe() -> Response:
        """The ledger that transactions are signed for."""
        domain = mirror.domain
        fields = {"chain_id": domain.chain_id, "contract": "0x" + domain.contract.hex(), "sizes": list(SIZES)}
        return Response(answer_of({**fields, "tick_s": limits.tick_s}), media_type="application/json")

    @app.post("/v1/transactions", status_code=202)
    async def take(request: Request) -> Response:
        """Take a transaction."""
        nonlocal arriving, checking
        if arriving >= limits.arriving:
            raise NotNow("the relay is busy; try again in a few seconds, or another relay")
        arriving += 1
        try:
            body = await _body(request, limits.body_s)
        finally:
            arriving -= 1
        if checking >= limits.checking:
            raise NotNow("the relay is busy; try again in a few seconds, or another relay")
        checking += 1
        try:
            if await asyncio.get_running_loop().run_in_executor(intake.threads, intake.take, body):
                metrics.taken()
        finally:
            checking -= 1
        return Response(answer_of({"status": "taken"}), 202, media_type="application/json")

    @app.get("/health")
    async def health() -> dict[str, str]:
        """Whether the service answers and its file can be read."""
        await asyncio.to_thread(queue.waiting)
        return {"status": "ok"}

    @app.get("/metrics")
    async def measure() -> Response:
        """Prometheus' text format."""
        text = metrics.text(await asyncio.to_thread(queue.waiting))
        return Response(text, media_type="text/plain; version=0.0.4")

    return app


def carry(carrier: Carrier, tick_s: float, metrics: Metrics, stop: Event) -> None:
    """Step the carrier every ``tick_s`` until told to stop, whatever the node does."""
    silent = False
    while not stop.wait(tick_s):
        try:
            carrier.step()
            if silent:
                log.info("the ledger answers again")
            silent = False
        except Exception as failure:  # a node and its libraries fail in ways of their own; the file has it all
            metrics.failed()
            if not silent:
                log.warning("nothing can be carried (%s); it is tried again", type(failure).__name__)
            silent = True


async def _body(request: Request, timeout_s: float) -> bytes:
    """The request's body, read no further than the longest that there is."""
    body = bytearray()
    try:
        async with asyncio.timeout(timeout_s):
            async for chunk in request.stream():
                body += chunk
                if len(body) > SIZES[-1]:
                    raise TooLarge(f"a body has at most {SIZES[-1]} bytes")
    except TimeoutError:
        raise NotNow("the request took too long to arrive; try again") from None
    return bytes(body)
