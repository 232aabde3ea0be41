"""The HTTP API as its description says: fuzzed by schemathesis, without a single 5xx; metrics and logs name nobody."""

import asyncio
import json

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bidstore.service import wire
from bidstore.service.app import bidstore_app
from bidstore.service.database import engine_of
from bidstore.service.limits import Limits
from bidstore.service.logs import redact
from bidstore.service.store import Store

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is missing; run: make test")
from schemathesis.specs.openapi.checks import (  # noqa: E402
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

STREAM = "/v1/events"
"""Never ends, so it is tried by hand."""


@pytest.fixture
def running(market, tmp_path):
    """A replica's application, its loop, and how to call it."""
    with asyncio.Runner() as runner:
        app = bidstore_app(Store(engine_of(str(tmp_path / "b.db"))), market.ledger, Limits(tick_s=0.05), operate=False)
        lifespan = app.router.lifespan_context(app)
        runner.run(lifespan.__aenter__())
        http = httpx2.AsyncClient(transport=httpx2.ASGITransport(app, raise_app_exceptions=False), base_url="http://s")
        yield lambda method, path, **options: runner.run(http.request(method, path, **options))
        runner.run(http.aclose())
        runner.run(lifespan.__aexit__(None, None, None))


def test_whatever_fits_the_description_gets_an_answer_that_fits_it(market, tmp_path) -> None:
    from starlette.testclient import TestClient

    app = bidstore_app(Store(engine_of(str(tmp_path / "b.db"))), market.ledger, Limits(tick_s=0.05), operate=False)
    statuses = set()
    with TestClient(app, raise_server_exceptions=False):
        schema = schemathesis.openapi.from_asgi("/v1/openapi.json", app).exclude(path=STREAM)
        operations = [result.ok() for result in schema.get_all_operations()]
        assert len(operations) == 8

        for operation in operations:

            @settings(max_examples=8, suppress_health_check=list(HealthCheck), database=None)
            @given(case=operation.as_strategy())
            def check(case) -> None:
                response = case.call()
                statuses.add(response.status_code)
                assert response.status_code < 500, response.text
                case.validate_response(
                    response,
                    checks=[status_code_conformance, content_type_conformance, response_schema_conformance],
                )

            check()
    assert {200, 201} <= statuses
    assert any(status >= 400 for status in statuses)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_an_order_with_any_byte_changed_is_refused(running, market, data) -> None:
    if not hasattr(market, "body"):
        market.body = wire.posting_to_bytes(market.sign(market.sale(), bytes(32)))
    body = bytearray(market.body)
    place = data.draw(st.integers(0, len(body) - 1))
    body[place] ^= data.draw(st.integers(1, 255))
    answer = running("POST", "/v1/orders", content=bytes(body))
    assert 400 <= answer.status_code < 500
    assert answer.headers["content-type"] == "application/problem+json"


def test_deeply_nested_bodies_are_refused(running) -> None:
    for body in (b"[" * 30_000, b'{"signed":' * 3_000, b'{"a":[' * 5_000):
        for path in ("/v1/orders", f"/v1/orders/0x{'0' * 64}/cancellation"):
            assert running("POST", path, content=body).status_code == 400


@given(body=st.binary(max_size=300))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_noise_is_refused_with_a_sentence(running, body) -> None:
    for path in ("/v1/orders", f"/v1/orders/0x{'0' * 64}/cancellation"):
        answer = running("POST", path, content=body)
        assert answer.status_code == 400
        assert answer.json()["detail"]


def test_metrics_have_no_label_that_could_name_a_prosumer(running, market) -> None:
    sale = market.sale()
    challenge = wire.digest_of(running("POST", "/v1/challenges").json()["challenge"])
    body = wire.posting_to_bytes(market.sign(sale, challenge))
    assert running("POST", "/v1/orders", content=body).status_code == 201
    assert running("POST", "/v1/orders", content=body).status_code == 409
    text = running("GET", "/metrics").text
    assert "bidstore_orders_accepted_total 1.0" in text
    assert 'bidstore_refused_total{reason="ChallengeUnknown"} 1.0' in text
    assert 'bidstore_orders{status="open"} 1.0' in text
    for secret in (sale.energy.id, sale.energy.note.owner, sale.deliver_to):
        assert secret.hex() not in text
    labels = {line.split("{")[1].split("=")[0] for line in text.splitlines() if "{" in line}
    assert labels <= {"reason", "status", "what"}


def test_logs_lose_every_id_and_address() -> None:
    entry = {"event": "x 0x" + "ab" * 20, "from": "10.0.0.7:99", "raw": b"\x01", "n": 3, "site": "a" * 56 + ".onion"}
    assert json.dumps(redact(None, "", entry)).count("[removed]") == 4
    assert redact(None, "", entry)["n"] == 3


def test_the_stream_is_padded_also_when_nothing_happens(market, tmp_path) -> None:
    from petra.serving import served

    async def play():
        app = bidstore_app(Store(engine_of(str(tmp_path / "b.db"))), market.ledger, Limits(tick_s=0.05), operate=False)
        sizes = []
        async with (
            served(app) as port,
            httpx2.AsyncClient(trust_env=False) as http,
            http.stream("GET", f"http://127.0.0.1:{port}{STREAM}") as answer,
        ):
            number = ""
            async for line in answer.aiter_lines():
                if line.startswith("id: "):
                    number = line[4:]
                elif line.startswith("data: "):
                    sizes.append(len(number) + len(line) - 6)
                    if len(sizes) == 3:
                        break
        assert sizes == [4096] * 3

    asyncio.run(play())
