"""A client of a store that is none, or that answers nonsense: one error that says so, whatever it sends."""

import asyncio
import gzip

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assets.keys import Digest
from bidstore.posting import NoteClass
from bidstore.service.client import BadAnswer, HttpClient, Refused, Unreachable

ID = Digest(bytes(32))
QUESTIONS = {
    "challenge": lambda client: client.challenge(),
    "standing": lambda client: client.standing(ID),
    "open orders": lambda client: client.open_orders(NoteClass(400, 5, 5)),
    "events": lambda client: anext(client.events()),
}


def ask(question, answer, status=200):
    async def play():
        transport = httpx2.MockTransport(lambda request: httpx2.Response(status, content=answer))
        async with httpx2.AsyncClient(transport=transport) as http:
            return await QUESTIONS[question](HttpClient("http://store", http))

    return asyncio.run(play())


NONSENSE = [
    b"",
    b"[]",
    b"null",
    b"{}",
    b"no JSON",
    b"\xff",
    b"[" * 100_000,
    b'{"challenge": 7, "status": "asleep", "reason": null, "orders": 5, "chain_id": 1, "contract": 3}',
    b'{"challenge": "0x00", "status": [], "reason": {}, "orders": [{}], "chain_id": "x", "contract": "0x"}',
    b" " * (5 << 20),
]


@pytest.mark.parametrize("answer", NONSENSE, ids=range(len(NONSENSE)))
@pytest.mark.parametrize("question", ["challenge", "standing", "open orders"])
@pytest.mark.parametrize("status", [200, 302, 404, 500])
def test_nonsense_is_one_error(question, answer, status) -> None:
    with pytest.raises(BadAnswer, match="no sound bid store"):
        ask(question, answer, status)


@pytest.mark.parametrize("stream", [b"id: x\n", b"id: 1\ndata: " + b"[" * 100_000 + b"\n", b"id: 1\ndata: no\n"])
def test_so_is_a_stream_of_nonsense(stream) -> None:
    with pytest.raises(BadAnswer):
        ask("events", stream)


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_packed_answer_is_never_unpacked(question) -> None:
    packed = gzip.compress(b'id: 1\ndata: [{"status": "open"}]\n')

    def answer(request):
        assert request.headers["accept-encoding"] == "identity"
        return httpx2.Response(200, stream=httpx2.ByteStream(packed), headers={"Content-Encoding": "gzip"})

    async def play():
        async with httpx2.AsyncClient(transport=httpx2.MockTransport(answer)) as http:
            await QUESTIONS[question](HttpClient("http://store", http))

    with pytest.raises(BadAnswer):
        asyncio.run(play())


def test_silence_in_a_stream_is_passed_over() -> None:
    stream = b'id: 0\r\ndata: []   \r\n\r\nid: 1\r\ndata: [{"status": "open"}]\r\n\r\n'
    assert ask("events", stream) == (1, [{"status": "open"}])


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(answer=st.binary(max_size=80), question=st.sampled_from(["challenge", "standing"]))
def test_so_is_noise(answer, question) -> None:
    with pytest.raises(BadAnswer):
        ask(question, answer)


def test_a_refusal_is_told_in_the_stores_words() -> None:
    with pytest.raises(Refused, match="later") as refused:
        ask("challenge", b'{"type": "Busy", "detail": "later"}', 503)
    assert (refused.value.reason, refused.value.status) == ("Busy", 503)


def test_a_store_that_is_away_is_unreachable() -> None:
    async def play():
        async with httpx2.AsyncClient(trust_env=False) as http:
            await HttpClient("http://127.0.0.1:1", http).challenge()

    with pytest.raises(Unreachable, match="post the order again"):
        asyncio.run(play())


def test_an_answer_that_is_not_packed_as_it_says_is_nonsense() -> None:
    async def play():
        packed = {"Content-Encoding": "gzip"}
        transport = httpx2.MockTransport(
            lambda _: httpx2.Response(200, headers=packed, stream=httpx2.ByteStream(b"no"))
        )
        async with httpx2.AsyncClient(transport=transport) as http:
            with pytest.raises(BadAnswer):
                await HttpClient("http://store", http).challenge()

    asyncio.run(play())
