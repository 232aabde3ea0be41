"""The board's HTTP API.

    GET  /v1/board                       the board's address and limits
    PUT  /v1/sessions/{id}               describe a session (JSON); again is no harm. Answers as GET does
    GET  /v1/sessions/{id}               when it was opened, the signed head of its empty log, number of records
    POST /v1/sessions/{id}/posts         add a frame (octets); answers with the signed head after it
    GET  /v1/sessions/{id}/events?start  all records from ``start`` on, for as long as one listens

Everything about a session wants a ticket in the header ``Petra-Ticket``. A refusal is problem+json (RFC 9457) whose
``type`` names a class of :mod:`mixer.boardservice.errors`.
"""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from http import HTTPStatus

from assets.keys import Digest
from mixer.boardservice.board import RunningBoard
from mixer.boardservice.description import MAX_DESCRIPTION_BYTES
from mixer.boardservice.errors import BadRequest, BoardRefusal, Busy, TooLarge
from mixer.boardservice.event import EVENT_BYTES, SIGN_OF_LIFE, encode_event
from mixer.boardservice.log import SessionLog
from mixer.boardservice.ticket import HEADER

try:
    import anyio
    from fastapi import FastAPI, Request, Response
    from fastapi.exceptions import RequestValidationError
    from fastapi.responses import JSONResponse, StreamingResponse
    from sqlalchemy.exc import SQLAlchemyError
    from starlette.exceptions import HTTPException
    from starlette.requests import ClientDisconnect
except ImportError as error:
    raise ImportError("the board service needs FastAPI and SQLAlchemy; run: pip install 'petra[service]'") from error

HEARTBEAT_S = 15
"""A stream on which nothing happens carries a sign of life this often, so that its reader knows the board is there."""

PACE_S = 0.02
"""Least time between two events of a stream: shorter than a message takes through an onion network."""

FAN_OUT_BYTES_S = 12_000_000
"""How fast an event goes out to the members one after the other, in the order of their inputs after its author's.

Where members post in turn, the next one need not share an onion network with all who only watch: 50 members' shuffle
over Tor took 13 s in place of 17, and 8 s in place of 9 where tors send at once (*measured*; docs/transport.md).
"""

LATEST_S = 0.25
"""No member waits longer for its place in that order."""

_ID = re.compile("[0-9a-f]{64}")


def board_app(board: RunningBoard) -> FastAPI:
    """The ASGI application of ``board``."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with board.running():
            yield

    app = FastAPI(
        title="PETra mix board",
        version="1",
        lifespan=lifespan,
        openapi_url="/v1/openapi.json",
        docs_url=None,  # these pages would have the reader's browser fetch scripts from elsewhere
        redoc_url=None,
    )

    @app.exception_handler(BoardRefusal)
    async def refuse(_: Request, refusal: BoardRefusal) -> Response:
        body = {"type": type(refusal).__name__, "title": refusal.title, "status": refusal.status}
        body["detail"] = refusal.detail
        headers = {"Retry-After": "1"} if isinstance(refusal, Busy) else None
        return JSONResponse(body, refusal.status, headers, media_type="application/problem+json")

    @app.exception_handler(RequestValidationError)
    async def refuse_parameter(request: Request, _: RequestValidationError) -> Response:
        return await refuse(request, BadRequest("The parameter start is a whole number."))

    @app.exception_handler(HTTPException)
    async def refuse_address(_: Request, refusal: HTTPException) -> Response:
        title = HTTPStatus(refusal.status_code).phrase
        body = {"type": "about:blank", "title": title, "status": refusal.status_code}
        body["detail"] = "The board has no such address, or not for this method; see /v1/openapi.json."
        return JSONResponse(body, refusal.status_code, refusal.headers, media_type="application/problem+json")

    @app.exception_handler(SQLAlchemyError)
    async def refuse_for_now(request: Request, _: SQLAlchemyError) -> Response:
        return await refuse(request, Busy("Its database does not answer."))

    @app.get("/v1/board")
    async def describe_board() -> dict[str, object]:
        """The board's address, with which it signs heads, and its limits."""
        return {"address": "0x" + board.key.address.hex(), "limits": asdict(board.limits)}

    @app.put("/v1/sessions/{session}")
    async def describe_session(session: str, request: Request) -> Response:
        """Open a session, or learn that it is open."""
        description = await _body(request, MAX_DESCRIPTION_BYTES)
        return _opened(await board.describe(_digest(session), description, request.headers.get(HEADER, "")))

    @app.get("/v1/sessions/{session}")
    async def session_of(session: str, request: Request) -> Response:
        """How the log begins."""
        return _opened((await board.log(_digest(session), request.headers.get(HEADER, "")))[0])

    @app.post("/v1/sessions/{session}/posts", status_code=201)
    async def post(session: str, request: Request) -> Response:
        """Add a frame to the log."""
        head = await board.post(
            _digest(session), await _body(request, board.limits.frame_bytes), request.headers.get(HEADER, "")
        )
        return JSONResponse(
            {"count": head.count, "head": head.head.hex(), "signature": head.signature.hex()}, status_code=201
        )

    @app.get("/v1/sessions/{session}/events")
    async def events(session: str, request: Request, start: int = 0) -> Response:
        """Follow the log."""
        log, author = await board.log(_digest(session), request.headers.get(HEADER, ""))
        if not 0 <= start <= log.count:
            raise BadRequest(f"The log has {log.count} posts; start at one of them or after the last.")
        board.require_room(log, author)
        return StreamingResponse(
            _stream(board, log, author, start),
            media_type="application/octet-stream",
            headers={"Cache-Control": "no-store"},
        )

    return app


async def _stream(board: RunningBoard, log: SessionLog, author: int, start: int) -> AsyncIterator[bytes]:
    """Events, each with the records that are new, their count and the signed head after them, until the session ends.

    Each waits for its place among the members' streams (:data:`FAN_OUT_BYTES_S`), and a moment after the one before:
    what many members post at the same time makes few events.
    """
    with board.reading(log, author):
        yield SIGN_OF_LIFE
        while not board.expired(log):
            if start < log.count:
                fresh = log.size_from(start)
                if fresh <= EVENT_BYTES:  # more is not news but a log that somebody reads again
                    before = log.places_after_author(author) * fresh
                    await anyio.sleep(min(LATEST_S, before / FAN_OUT_BYTES_S))
                records, size = [], 0
                for record in log.records(start):
                    records.append(record)
                    size += len(record)
                    if size > EVENT_BYTES:
                        break
                start += len(records)
                yield encode_event(log.head(start), records)
                await anyio.sleep(PACE_S)
            else:
                with anyio.move_on_after(HEARTBEAT_S) as silence:
                    await log.wait_beyond(start)
                if silence.cancelled_caught:
                    yield SIGN_OF_LIFE


def _opened(log: SessionLog) -> Response:
    head = log.head(0)
    return JSONResponse(
        {
            "opened_s": log.opened_s,
            "nonce": log.nonce.hex(),
            "head": head.head.hex(),
            "signature": head.signature.hex(),
            "count": log.count,
        }
    )


def _digest(text: str) -> Digest:
    if not _ID.fullmatch(text):
        raise BadRequest("A session's id has 64 lower-case hexadecimal digits.")
    return Digest(bytes.fromhex(text))


async def _body(request: Request, limit: int) -> bytes:
    """The request's body, read no further than ``limit``."""
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > limit:
                raise TooLarge(f"It takes at most {limit} bytes.")
    except ClientDisconnect:
        raise BadRequest("It was cut off.") from None
    return bytes(body)
