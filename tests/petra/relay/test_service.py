"""The relay over HTTP: taken, refused with a sentence, busy; and nothing about anybody in what it says of itself."""

import asyncio
import gzip
from pathlib import Path

import httpx2
import pytest

from assets.transactions import Signed, digest
from petra.relay.carrier import Carrier
from petra.relay.client import RelayClient, RelayRefused, RelayUnreachable
from petra.relay.mirror import Mirror
from petra.relay.queue import Queue
from petra.relay.service import Limits, Metrics, relay_app
from petra.relay.wire import ANSWER_BYTES, SIZES, body_of
from tests.petra.relay.community import Community, community


def play(tmp_path: Path, scene, homes: Community | None = None, **limits):
    """Run ``scene(client, http, homes, queue)`` against a relay that ticks fast."""
    homes = homes or community()
    queue, mirror, metrics = Queue(tmp_path / "relay.db", homes.domain), Mirror(homes.ledger), Metrics()
    carrier = Carrier(queue, mirror, homes.ledger, metrics.carried)
    app = relay_app(queue, mirror, carrier, Limits(**{"tick_s": 0.02, **limits}), metrics)

    async def run():
        transport = httpx2.ASGITransport(app)
        async with app.router.lifespan_context(app), httpx2.AsyncClient(transport=transport) as http:
            await scene(RelayClient("http://relay/", http), http, homes, queue)

    asyncio.run(run())
    queue.close()


async def until_carried(queue: Queue) -> None:
    async with asyncio.timeout(20):
        while queue.waiting():
            await asyncio.sleep(0.01)


def test_what_many_hand_in_is_recorded_once_each(tmp_path: Path) -> None:
    async def scene(client, http, homes, queue):
        signed = [homes.withdrawal(home) for home in range(4)]
        await asyncio.gather(*(client.submit(s) for s in signed * 3))
        await until_carried(queue)
        digests = [e.digest for e in homes.ledger.entries()]
        assert sorted(digests[1:]) == sorted(digest(homes.domain, s.tx) for s in signed)
        async with asyncio.timeout(20):  # the carrier counts after it has noted them
            text = ""
            while 'relay_carried_total{verdict="recorded"} 4.0' not in text:
                text = (await http.get("http://relay/metrics")).text
        assert "relay_taken_total 4.0" in text
        assert "relay_waiting 0.0" in text
        shown = text + (await http.get("http://relay/v1")).text
        for one in signed:
            assert digest(homes.domain, one.tx).hex() not in shown

    play(tmp_path, scene)


def test_refusals_are_sentences_and_all_answers_have_one_length(tmp_path: Path) -> None:
    async def scene(client, http, homes, queue):
        good = homes.withdrawal(0)
        with pytest.raises(RelayRefused, match="key of the expected address"):
            await client.submit(Signed(good.tx, (bytes(65),)))
        answers = [
            await http.post("http://relay/v1/transactions", content=content)
            for content in (body_of(good), b"", b"{}".ljust(SIZES[0]), b" " * (SIZES[-1] + 1))
        ]
        assert [a.status_code for a in answers] == [202, 400, 400, 413]
        assert {len(a.content) for a in answers} == {ANSWER_BYTES}
        assert answers[1].headers["content-type"] == "application/problem+json"
        assert answers[3].json()["type"] == "TooLarge"
        assert "sizes" in (await http.get("http://relay/v1")).json()
        assert (await http.get("http://relay/health")).json() == {"status": "ok"}

    play(tmp_path, scene)


def test_a_relay_that_is_full_is_unreachable_for_now(tmp_path: Path) -> None:
    async def scene(client, http, homes, queue):
        await client.submit(homes.withdrawal(0))
        with pytest.raises(RelayUnreachable, match="another relay"):
            await client.submit(homes.withdrawal(1))

    play(tmp_path, scene, tick_s=60.0, waiting=1)


def test_a_request_that_arrives_slowly_keeps_nobody_else_out(tmp_path: Path) -> None:
    async def scene(client, http, homes, queue):
        arriving, rest = asyncio.Event(), asyncio.Event()

        async def slowly():
            yield b"{"
            arriving.set()
            await rest.wait()
            yield b" " * (SIZES[0] - 1)

        slow = asyncio.create_task(http.post("http://relay/v1/transactions", content=slowly()))
        await arriving.wait()
        await client.submit(homes.withdrawal(0))
        rest.set()
        assert (await slow).status_code == 400

    play(tmp_path, scene, checking=1)


def test_no_more_requests_arrive_at_a_time_than_there_is_room_for(tmp_path: Path) -> None:
    async def scene(client, http, homes, queue):
        with pytest.raises(RelayUnreachable, match="another relay"):
            await client.submit(homes.withdrawal(0))

    play(tmp_path, scene, arriving=0)


@pytest.mark.parametrize(
    ("status", "content"), [(200, b"hello"), (404, b"{}"), (202, b"[]"), (500, b""), (202, b"x" * 5000)]
)
def test_what_is_no_relay_is_said_to_be_none(status: int, content: bytes) -> None:
    async def run():
        transport = httpx2.MockTransport(lambda _: httpx2.Response(status, content=content))
        async with httpx2.AsyncClient(transport=transport) as http:
            with pytest.raises(RelayUnreachable, match="no sound relay"):
                await RelayClient("http://elsewhere", http).submit(community().withdrawal(0))

    asyncio.run(run())


def test_a_packed_answer_is_never_unpacked() -> None:
    packed = gzip.compress(b'{"status": "taken"}'.ljust(ANSWER_BYTES))

    async def run():
        asked = []

        def answer(request):
            asked.append(request.headers["accept-encoding"])
            return httpx2.Response(202, stream=httpx2.ByteStream(packed), headers={"Content-Encoding": "gzip"})

        async with httpx2.AsyncClient(transport=httpx2.MockTransport(answer)) as http:
            with pytest.raises(RelayUnreachable, match="no sound relay"):
                await RelayClient("http://elsewhere", http).submit(community().withdrawal(0))
        assert asked == ["identity"]

    asyncio.run(run())


def test_a_relay_that_does_not_answer_is_unreachable() -> None:
    async def run():
        async with httpx2.AsyncClient(trust_env=False) as http:
            with pytest.raises(RelayUnreachable, match="submit it again"):
                await RelayClient("http://127.0.0.1:1", http).submit(community().withdrawal(0))

    asyncio.run(run())
