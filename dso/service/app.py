"""The HTTP interface of the operator: intake of statements, reports, health, metrics."""

import csv
import hashlib
import hmac
import io
import re
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import asdict
from enum import Enum
from threading import Lock
from typing import TYPE_CHECKING, Annotated

from assets.commitments.codec import read_publication
from assets.commitments.errors import BadStatement
from assets.commitments.statement import PrivateStatement
from assets.statement import SignedStatement, Statement
from contracts.errors import NodeError, NodeUnreachable, Reorganised
from dso.accounts import Reason, StatementRefused
from dso.service.bodies import CheckedBodies
from dso.service.gauges import Gauges
from dso.service.intake import Intake
from dso.service.private_intake import MAX_BYTES, PrivateIntake
from dso.service.store import FIELDS

if TYPE_CHECKING:
    from fastapi import FastAPI


_SIGNATURE = re.compile(r"0x[0-9a-fA-F]{130}", re.ASCII)


class Role(Enum):
    """What a token is good for."""

    METER = "meter"
    """Delivering statements."""
    OPERATOR = "operator"
    """Reading bills and reconciling."""


def token_hash(token: str) -> str:
    """How a token is kept: SHA-256, hexadecimal. Tokens are long and random, so no salt is needed."""
    return hashlib.sha256(token.encode()).hexdigest()


def create_app(intake: Intake, tokens: Mapping[str, Role], private: PrivateIntake | None = None) -> "FastAPI":
    """The service. ``tokens``: role by :func:`token_hash`; ``private``: takes private statements, too.

    Raises ``ImportError`` that says what to install.
    """
    try:
        from fastapi import Body, Depends, FastAPI, HTTPException, Request, Response
        from fastapi.exceptions import RequestValidationError
        from fastapi.responses import JSONResponse
        from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
        from prometheus_client import CollectorRegistry, Counter, generate_latest
        from starlette.concurrency import run_in_threadpool
    except ImportError as error:
        raise ImportError("the service needs FastAPI; run: pip install 'petra[service]'") from error

    app = FastAPI(title="PETra DSO", version="1")
    app.add_middleware(CheckedBodies, apart="/private-statements")
    registry = CollectorRegistry()
    received = Counter("petra_dso_statements", "Statements received, by verdict", ["verdict"], registry=registry)
    gauges = Gauges(registry)
    bearer = HTTPBearer(auto_error=False)
    one_way = Lock()
    """Held while a period is looked up in one book and booked in the other: it is stated in one way only."""

    def stated_privately(meter: int, first: int, last: int) -> bool:
        return private is not None and private.covers(meter, first, last)

    def needs(role: Role) -> Callable[..., None]:
        def check(given: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]) -> None:
            presented = token_hash("" if given is None else given.credentials)
            held = next((r for known, r in tokens.items() if hmac.compare_digest(known, presented)), None)
            if held is None:
                raise HTTPException(401, "give a token: Authorization: Bearer ...", {"WWW-Authenticate": "Bearer"})
            if held is not role:
                raise HTTPException(403, f"this needs a token of role {role.value}")

        return check

    operator = [Depends(needs(Role.OPERATOR))]

    def not_now(_: Request, error: Exception) -> JSONResponse:
        """The ledger's node or the disk fails: nothing was acknowledged."""
        if isinstance(error, Reorganised):
            intake.reload()
            if private is not None:
                private.reload()
        received.labels("not_now").inc()
        return JSONResponse({"detail": f"nothing was booked, deliver again: {error}"}, 503, {"Retry-After": "10"})

    for kind in (NodeError, NodeUnreachable, sqlite3.Error):
        app.add_exception_handler(kind, not_now)

    @app.exception_handler(RequestValidationError)
    def malformed(_: Request, error: RequestValidationError) -> JSONResponse:
        """What is wrong, without what was sent: that may hold numbers that JSON has not."""
        found = (f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        return JSONResponse({"detail": "; ".join(found)}, 422)

    @app.post("/statements", dependencies=[Depends(needs(Role.METER))])
    def receive(body: Annotated[dict[str, int | str], Body()]) -> dict[str, str]:
        """Deliver a signed statement; the answer means that it is on disk. Deliver again if none came."""
        try:
            signed = decode(body)
        except ValueError as error:
            received.labels("malformed").inc()
            raise HTTPException(422, str(error)) from error
        s = signed.statement
        try:
            with one_way:
                if stated_privately(s.meter, s.first, s.last):
                    received.labels("overlap").inc()
                    why = f"meter {s.meter} stated the period privately; a plain statement would show more"
                    raise HTTPException(409, why)
                new = intake.receive(signed)
        except StatementRefused as refused:
            received.labels(refused.reason.name.lower()).inc()
            status = 409 if refused.reason is Reason.CONTRADICTORY else 422
            raise HTTPException(status, str(refused)) from refused
        received.labels("booked" if new else "repeated").inc()
        return {"status": "booked" if new else "booked before"}

    @app.post("/private-statements", dependencies=[Depends(needs(Role.METER))])
    async def receive_private(request: Request) -> dict[str, str]:
        """Deliver what `petra statement make` wrote; the answer means that it verified and is on disk."""
        if private is None:
            raise HTTPException(404, "this service takes no private statements")
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > MAX_BYTES:
                raise HTTPException(413, f"a publication has at most {MAX_BYTES} bytes")

        def book() -> bool:
            s = read_publication(bytes(body))[2].statement
            with one_way:
                if intake.covers(s.meter, s.first, s.last):
                    raise BadStatement(s.meter, "first", "the period overlaps a plain statement that was booked")
                return private.receive(bytes(body))

        try:
            new = await run_in_threadpool(book)
        except BadStatement as bad:
            received.labels("refused_private").inc()
            raise HTTPException(422, str(bad)) from bad
        except ValueError as error:
            received.labels("malformed").inc()
            raise HTTPException(422, str(error)) from error
        received.labels("booked_private" if new else "repeated").inc()
        return {"status": "booked" if new else "booked before"}

    @app.get("/private-statements", dependencies=operator)
    def private_statements() -> list[dict[str, int]]:
        """The private statements booked: period and bill, which is all that they show."""
        return [] if private is None else [private_row(s) for s in private.statements()]

    @app.get("/statements", dependencies=operator)
    def statements() -> list[dict[str, int]]:
        """All statements booked."""
        return [asdict(s) for s in intake.statements()]

    @app.get("/statements.csv", dependencies=operator)
    def statements_csv() -> Response:
        """The same as CSV."""
        text = io.StringIO()
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(FIELDS)
        rows.writerows([getattr(s, name) for name in FIELDS] for s in intake.statements())
        return Response(text.getvalue(), media_type="text/csv")

    @app.get("/faults", dependencies=operator)
    def faults(first: int, last: int) -> dict[str, list[int]]:
        """Meters whose statements are missing for ``first..last``, or late, contradictory or implausible."""
        try:
            gaps = intake.missing(first, last)
        except ValueError as error:
            raise HTTPException(422, str(error)) from error
        missing = {m.meter for m in gaps if private is None or not private.states(m.meter, m.first, m.last)}
        plain, hidden = intake.faults(), {} if private is None else private.faults()
        return {
            "missing": sorted(missing),
            **{fault: sorted({*meters, *hidden.get(fault, [])}) for fault, meters in plain.items()},
        }

    @app.post("/reconciliation", dependencies=operator)
    def reconciliation(first: int, last: int, measured_wh: Annotated[dict[int, int], Body()]) -> dict[str, object]:
        """Reconcile a period with what each feeder measured, in Wh."""
        try:
            found = intake.reconcile(first, last, measured_wh)
        except ValueError as error:
            raise HTTPException(422, str(error)) from error
        return {**asdict(found), "balanced": found.balanced, "shortfall_nano": found.shortfall_nano}

    @app.get("/health")
    def health() -> dict[str, str]:
        """Whether the service answers and its store can be read."""
        intake.stored()
        return {"status": "ok"}

    @app.get("/metrics")
    def metrics() -> Response:
        """Prometheus metrics; they name no meter."""
        gauges.read(intake, private)
        return Response(generate_latest(registry), media_type="text/plain; version=0.0.4")

    return app


def decode(body: Mapping[str, object]) -> SignedStatement:
    """A statement from its JSON object; raises ``ValueError`` for an unknown or missing field, or a wrong type."""
    if set(body) != {*FIELDS, "signature"}:
        raise ValueError(f"a statement has the fields {', '.join(FIELDS)} and signature, and no other")
    values: dict[str, int] = {}
    for name in FIELDS:
        value = body[name]
        if not isinstance(value, int) or isinstance(value, bool):
            raise ValueError(f"{name} of a statement is a whole number")
        values[name] = value
    text = body["signature"]
    if not isinstance(text, str) or not _SIGNATURE.fullmatch(text):
        raise ValueError("the signature is 0x and 130 hexadecimal digits")
    return SignedStatement(Statement(**values), bytes.fromhex(text[2:]))


PRIVATE_FIELDS = ("meter", "nonce", "first", "last", "fa_withdrawn_nano", "bill_nano")
"""What the operator is shown of a private statement; the rest is commitments."""


def private_row(s: PrivateStatement) -> dict[str, int]:
    """A private statement as a row of a report."""
    return {name: getattr(s, name) for name in PRIVATE_FIELDS}


def encode(signed: SignedStatement) -> dict[str, int | str]:
    """The JSON object of a statement."""
    return {**asdict(signed.statement), "signature": "0x" + signed.signature.hex()}
