"""Boards that are served for real on loopback."""

import asyncio
import sys
from contextlib import AsyncExitStack

import httpx2
import pytest
from sqlalchemy.exc import OperationalError

from assets.chainlog import Genesis, encode_log
from assets.errors import EncodingError
from assets.keys import SigningKey
from assets.ledger import SpecLedger
from assets.transactions import Domain
from mixer.board import MemoryBoard, next_head
from mixer.boardservice.admission import AnySession, NoteLog, UnspentNotes
from mixer.boardservice.board import RunningBoard
from mixer.boardservice.client import BoardClient, parse_board
from mixer.boardservice.description import decode_session, encode_session
from mixer.boardservice.errors import (
    AlreadyPlayed,
    BadRequest,
    BoardForked,
    BoardLost,
    BoardMisbehaved,
    NotAdmitted,
    NotAMember,
    OtherHistory,
    QuotaExceeded,
    SessionExpired,
    TooLarge,
    UnknownSession,
)
from mixer.boardservice.event import encode_event, with_length
from mixer.boardservice.frame import sign_frame
from mixer.boardservice.heads import SignedHead, first_head, sign_head
from mixer.boardservice.limits import Limits
from mixer.boardservice.play import MARK, play
from mixer.boardservice.record import Record, decode_record
from mixer.boardservice.store import Store, engine_of
from mixer.boardservice.ticket import sign_ticket
from mixer.coinshuffle import CoinShuffle
from mixer.engine import Rules
from mixer.engines import NAMES, engine_named
from mixer.follower import Seat
from mixer.judge import judge
from mixer.run import run_in_memory

COINSHUFFLE = CoinShuffle()


RULES = Rules(minimum=2, timeout_s=20)


async def mix(boards, community, *addresses, engine=COINSHUFFLE, absent=()):
    """All members play, spread over the boards; returns how it went and the records that each client read."""

    async def member(index):
        async with boards.client(addresses[index % len(addresses)], community, index) as client:
            played = await play(client, engine, community.session, RULES, seat_of(community, index))
            return played, client.records

    async with asyncio.timeout(60):
        ended = await asyncio.gather(*(member(index) for index in range(community.size) if index not in absent))
    return [played for played, _ in ended], [records for _, records in ended]


def seat_of(community, index):
    return Seat(community.keys[index], lambda: community.spare_key().address)


def test_peers_that_talk_over_http_only_end_with_one_signed_mix(boards, fresh_community):
    community = fresh_community(5)

    async def run():
        async with boards.serve() as address:
            return await mix(boards, community, address)

    ended, logs = asyncio.run(run())
    assert len({played.mixed for played in ended}) == 1
    assert ended[0].mixed is not None
    longest = max(logs, key=len)
    assert all(log == longest[: len(log)] for log in logs)
    assert community.ledger.submit([ended[0].mixed])[0].refusal is None


@pytest.mark.parametrize("name", NAMES)
def test_who_never_comes_is_excluded_by_the_boards_time_and_the_judge_agrees(boards, community, monkeypatch, name):
    monkeypatch.setattr("mixer.boardservice.play.SPREAD_S", 0.2)
    c, engine, rules = community(4), engine_named(name), Rules(minimum=2, timeout_s=2)
    monkeypatch.setattr(sys.modules[__name__], "RULES", rules)

    async def run():
        async with boards.serve() as address:
            return await mix(boards, c, address, engine=engine, absent=(1,))

    ended, _ = asyncio.run(run())
    longest = max(ended, key=lambda played: len(played.log))
    assert {played.mixed for played in ended} == {longest.mixed}
    assert len(longest.mixed.tx.inputs) == 3
    assert all(played.attempts == longest.attempts for played in ended)
    verdict = judge(
        engine, c.session, rules, longest.log, start_s=longest.start_s, until_s=longest.ended_s, opening=longest.opening
    )
    assert [(g.member, g.proven) for g in verdict.guilty] == [(1, False)]
    assert verdict.mixed == longest.mixed
    assert MARK in [entry.data for entry in longest.log]


def test_replicas_on_one_postgresql_server_keep_one_log(boards, fresh_community, postgres_url):
    boards.database = postgres_url
    community = fresh_community(6, seed=11)

    async def run():
        async with AsyncExitStack() as stack:
            first, second = [await stack.enter_async_context(boards.serve()) for _ in range(2)]
            ended, logs = await mix(boards, community, first, second)
            store = Store(engine_of(postgres_url))
            opened = await store.session(community.session.id)
            stored = [decode_record(community.session.id, data) for data in await store.records(opened.nonce, 0)]
            await store.close()
            return ended, logs, stored

    ended, logs, stored = asyncio.run(run())
    assert len({played.mixed for played in ended}) == 1
    assert ended[0].mixed is not None
    times_s = [record.at_s for record in stored]
    assert times_s == sorted(times_s)
    assert all(log == stored[: len(log)] for log in logs)
    assert len(stored) == 4 * community.size


def test_a_board_that_was_restarted_goes_on_with_its_log(boards, community, read):
    c = community(3)

    async def run():
        async with boards.serve() as address, boards.client(address, c, 0) as client:
            await client.open()
            await client.post(b"before")
        async with boards.serve() as address, boards.client(address, c, 1) as client:
            await client.open()
            await read(client, 1)
            await client.post(b"after")
            return await read(client, 1)

    assert asyncio.run(run()) == [b"after"]


def test_posts_of_many_at_once_all_get_a_place_of_their_own(boards, community, read):
    c = community(5)

    async def run():
        async with boards.serve() as address, AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(boards.client(address, c, i)) for i in range(5)]
            for client in clients:
                await client.open()
            heads = await asyncio.gather(
                *(cl.post(f"{i} {n}".encode()) for n in range(4) for i, cl in enumerate(clients))
            )
            return heads, [await read(client, 20) for client in clients]

    heads, logs = asyncio.run(run())
    assert sorted(head.count for head in heads) == list(range(1, 21))
    assert all(log == logs[0] for log in logs)
    assert len(set(logs[0])) == 20


def refused(boards, community, refusal, act, **options):
    """``act(client, address)`` at a fresh board ends with ``refusal``, and the log stays empty."""

    async def run():
        async with boards.serve(**options) as address, boards.client(address, community, 0) as client:
            with pytest.raises(refusal) as caught:
                await act(client, address)
            return caught.value

    return asyncio.run(run())


def test_a_session_must_be_described_before_anything_is_posted(boards, community):
    refused(boards, community(3), UnknownSession, lambda client, _: client.post(b"x"))


def test_a_stranger_gets_no_ticket(boards, community):
    c = community(3)

    async def act(client, address):
        client._headers["Petra-Ticket"] = sign_ticket(0, c.session.id, address.key, SigningKey.generate()).text
        await client.open()

    refused(boards, c, NotAMember, act)


@pytest.mark.parametrize("ticket", ["", "no ticket", "AAAA", "é"[:0] + "A" * 4000])
def test_what_is_no_ticket_is_refused(boards, community, ticket):
    async def act(client, _):
        client._headers["Petra-Ticket"] = ticket
        await client.open()

    refused(boards, community(3), NotAMember, act)


def test_a_ticket_for_another_board_is_worth_nothing(boards, community):
    c = community(3)

    async def act(client, _):
        other = SigningKey.generate().address
        client._headers["Petra-Ticket"] = sign_ticket(0, c.session.id, other, c.keys[0]).text
        await client.open()

    refused(boards, c, NotAMember, act)


def test_a_member_cannot_post_in_anothers_name(boards, community):
    c = community(3)

    async def act(client, _):
        await client.open()
        client._author = 1
        await client.post(b"x")

    refused(boards, c, NotAMember, act)


def test_a_member_cannot_sign_for_another(boards, community):
    c = community(3)

    async def act(client, _):
        await client.open()
        client._key = c.keys[1]
        await client.post(b"x")

    refused(boards, c, NotAMember, act)


def test_a_post_that_names_a_head_that_never_was_is_refused(boards, community):
    c = community(3)

    async def act(client, _):
        await client.open()
        client._head = SignedHead(c.session.id, 0, type(c.session.id)(b"\x01" * 32))
        await client.post(b"x")

    refused(boards, c, OtherHistory, act)


def test_the_description_must_be_that_of_the_session(boards, community, fresh_community):
    other = fresh_community(3, seed=4)

    async def act(client, _):
        client._session = other.session
        await client.open()

    refused(boards, community(3), BadRequest, act)


def test_an_author_cannot_post_more_often_than_its_quota(boards, community):
    async def act(client, _):
        await client.open()
        for n in range(3):
            await client.post(bytes([n]))

    refused(boards, community(3), QuotaExceeded, act, limits=Limits(posts_per_author=2))


def test_an_author_cannot_post_more_than_its_bytes(boards, community):
    async def act(client, _):
        await client.open()
        for n in range(3):
            await client.post(bytes([n]) * 1000)

    refused(boards, community(3), QuotaExceeded, act, limits=Limits(bytes_per_author=2500))


def test_a_post_that_is_too_long_is_refused_before_it_is_read(boards, community):
    async def act(client, _):
        await client.open()
        await client.post(bytes(2000))

    refused(boards, community(3), TooLarge, act, limits=Limits(frame_bytes=1000))


def test_an_author_cannot_hold_more_streams_than_its_quota(boards, community, read):
    c = community(3)

    async def run():
        async with boards.serve(limits=Limits(readers_per_author=1)) as address, AsyncExitStack() as stack:
            first, second = [await stack.enter_async_context(boards.client(address, c, 0)) for _ in range(2)]
            await first.open()
            await first.post(b"x")
            stream = first.follow()
            await anext(stream)
            with pytest.raises(QuotaExceeded):
                await read(second, 1)
            await stream.aclose()

    asyncio.run(run())


def test_a_busy_board_says_so_and_the_client_tries_again_and_then_gives_up(boards, community, monkeypatch):
    monkeypatch.setattr("mixer.boardservice.client.RETRY_S", 0.001)
    refused(boards, community(3), BoardLost, lambda client, _: client.open(), limits=Limits(sessions=0))


def test_a_board_that_is_gone_is_lost_and_not_replaced(boards, community, monkeypatch):
    monkeypatch.setattr("mixer.boardservice.client.RETRY_S", 0.001)
    c = community(3)

    async def run():
        async with boards.serve() as address:
            pass
        async with boards.client(address, c, 0) as client:
            with pytest.raises(BoardLost):
                await client.open()

    asyncio.run(run())


def test_a_board_need_not_admit_a_session(boards, community):
    class Nobody:
        async def refusal(self, session):
            return "Its notes are not on the ledger."

    error = refused(boards, community(3), NotAdmitted, lambda client, _: client.open(), admission=Nobody())
    assert "not on the ledger" in str(error)


def test_a_board_carries_sessions_of_unspent_notes_of_its_ledger_only(boards, fresh_community):
    c = fresh_community(3)

    def opens(client, _):
        return client.open()

    async def carried():
        async with boards.serve(admission=UnspentNotes(c.ledger)) as address, boards.client(address, c, 0) as client:
            await client.open()

    asyncio.run(carried())
    elsewhere = UnspentNotes(fresh_community(3, 1).ledger)
    boards.database += ".2"  # what a board has admitted once it carries on
    assert "unknown" in str(refused(boards, c, NotAdmitted, opens, admission=elsewhere))
    other = SpecLedger(Domain(1, c.session.domain.contract), c.ledger.grid, c.ledger.founder)
    assert "another ledger" in str(refused(boards, c, NotAdmitted, opens, admission=UnspentNotes(other)))
    c.ledger.submit([run_in_memory(c.session, c.peers(), MemoryBoard())])
    assert "spent" in str(refused(boards, c, NotAdmitted, opens, admission=UnspentNotes(c.ledger)))


def test_a_ledger_log_that_grows_is_read_on(boards, fresh_community, tmp_path):
    c, path = fresh_community(3), tmp_path / "ledger.jsonl"
    admission = UnspentNotes(NoteLog(path))
    assert "cannot be read" in asyncio.run(admission.refusal(c.session))
    lines = list(encode_log(Genesis(c.ledger.domain, c.ledger.grid, c.ledger.founder), c.ledger.entries()))
    path.write_bytes(b"".join(lines[:-1]))
    assert "unknown" in asyncio.run(admission.refusal(c.session))
    with path.open("ab") as file:
        file.write(lines[-1][:-7])  # half of a line waits for its other half
    assert "unknown" in asyncio.run(admission.refusal(c.session))
    with path.open("ab") as file:
        file.write(lines[-1][-7:])
    assert asyncio.run(admission.refusal(c.session)) is None
    c.ledger.submit([run_in_memory(c.session, c.peers(), MemoryBoard())])
    lines = list(encode_log(Genesis(c.ledger.domain, c.ledger.grid, c.ledger.founder), c.ledger.entries()))
    with path.open("ab") as file:
        file.write(lines[-1])
    assert "spent" in asyncio.run(admission.refusal(c.session))
    with path.open("ab") as file:
        file.write(lines[-1])
    assert "cannot be read" in asyncio.run(admission.refusal(c.session))


def test_a_session_ends_when_its_time_is_over_and_leaves_nothing(boards, community):
    c = community(3)
    now = [1000.0]

    async def run():
        board = RunningBoard(
            Store(engine_of(boards.database)), boards.key, AnySession(), Limits(lifetime_s=60), clock=lambda: now[0]
        )
        async with board.running():
            ticket = sign_ticket(0, c.session.id, boards.key.address, c.keys[0]).text
            log = await board.describe(c.session.id, encode_session(c.session), ticket)
            frame = sign_frame(0, log.head(0), b"x", c.keys[0], boards.key.address)
            assert log.opened_s == 1000
            first = await board.post(c.session.id, frame.encoded, ticket)
            assert await board.post(c.session.id, frame.encoded, ticket) == first  # arrives twice, stands once
            assert log.count == 1
            now[0] += 60
            with pytest.raises(SessionExpired):
                await board.post(c.session.id, frame.encoded, ticket)
            assert await board.tidy() == 1
            with pytest.raises(UnknownSession):
                await board.log(c.session.id, ticket)

    asyncio.run(run())


def test_a_session_opened_anew_begins_another_log_even_within_one_second_and_without_what_was_written_late(
    boards, community
):
    c = community(3)
    now = [1000.0]

    async def run():
        store = Store(engine_of(boards.database))
        board = RunningBoard(store, boards.key, AnySession(), Limits(lifetime_s=60), clock=lambda: now[0])
        async with board.running():
            ticket = sign_ticket(0, c.session.id, boards.key.address, c.keys[0]).text
            before = await board.describe(c.session.id, encode_session(c.session), ticket)
            late = sign_frame(0, before.head(0), b"x", c.keys[0], boards.key.address)
            now[0] += 60
            assert await board.tidy() == 1
            await before.post(0, late.encoded)  # a post that was on its way when the session was deleted
            now[0] = 1000.0
            after = await board.describe(c.session.id, encode_session(c.session), ticket)
            assert (after.opened_s, after.count) == (before.opened_s, 0)
            assert after.head(0).head != before.head(0).head
            with pytest.raises(OtherHistory):
                await board.post(c.session.id, late.encoded, ticket)
            assert len(await store.records(before.nonce, 0)) == 1
            await after.post(0, sign_frame(0, after.head(0), b"y", c.keys[0], boards.key.address).encoded)
            assert await board.tidy() == 0
            assert (len(await store.records(before.nonce, 0)), len(await store.records(after.nonce, 0))) == (0, 1)

    asyncio.run(run())


@pytest.mark.parametrize("name", NAMES)
def test_a_session_lost_with_its_board_is_mixed_at_another_whatever_is_replayed_there(
    boards, fresh_community, tmp_path, name
):
    """Every member plays twice; what they posted at the first board is shown at the second, by a member."""
    c, engine = fresh_community(4, seed=5), engine_named(name)

    async def run():
        async with boards.serve() as address:
            _, logs = await mix(boards, c, address, engine=engine)
        boards.database = str(tmp_path / "another.db")
        async with boards.serve() as address, boards.client(address, c, 2) as client:

            async def replay():
                for record in logs[0][: 2 * c.size]:
                    await client.post(record.frame.message)

            async def member(index):
                ready = replay if index == 2 else None
                own = client if index == 2 else boards.client(address, c, index)
                async with own:
                    return await play(own, engine, c.session, RULES, seat_of(c, index), ready=ready)

            async with asyncio.timeout(60):
                return await asyncio.gather(*map(member, range(c.size)))

    ended = asyncio.run(run())
    assert {played.mixed for played in ended} == {ended[0].mixed}
    assert ended[0].mixed is not None
    assert len(ended[0].mixed.tx.inputs) == c.size


def test_a_member_that_restarts_within_one_opening_does_not_play_again(boards, community):
    c = community(3)

    async def run():
        async with boards.serve() as address:
            async with boards.client(address, c, 0) as client:
                await client.open()
                await client.post(b"as far as it came before it crashed")
            async with boards.client(address, c, 0) as client, asyncio.timeout(20):
                with pytest.raises(AlreadyPlayed, match="has posted in this opening"):
                    await play(client, COINSHUFFLE, c.session, RULES, seat_of(c, 0))
            async with boards.client(address, c, 1) as client:
                await client.open()
                assert client.standing == 1

    asyncio.run(run())


def test_two_boards_with_one_key_that_show_two_logs_are_found_out_by_the_first_post_that_crosses(
    boards, community, read, tmp_path
):
    """A dishonest board: peer 0 sees one log, peers 1 and 2 another; a post of peer 0 is carried over."""
    c = community(3)

    async def run():
        key, board = boards.key, boards.key.address
        async with boards.serve() as left, boards.client(left, c, 0) as zero:
            await zero.open()
            await zero.post(b"left")
            await read(zero, 1)
            head = zero.head
        crossing = sign_frame(0, head, b"what peer 0 says next", c.keys[0], board)
        boards.database = str(tmp_path / "other.db")
        forged = ForgedLog(c, key, [sign_frame(1, first(c, key), b"right", c.keys[1], board), crossing])
        async with boards.serve(app_of=lambda real: forged.app()) as right, boards.client(right, c, 2) as two:
            with pytest.raises(BoardForked) as caught:
                await read(two, 2)
        assert caught.value.theirs == head
        assert caught.value.mine.count == head.count
        assert caught.value.mine.head != head.head
        assert head.is_signed_by(board)

    asyncio.run(run())


LIES = (
    "unsigned frame",
    "unsigned head",
    "head of other frames",
    "frames from the future",
    "time that goes back",
    "two openings",
)


@pytest.mark.parametrize("lie", LIES)
def test_a_board_that_lies_is_not_believed(boards, community, read, lie):
    c = community(3)
    board = boards.key.address
    key = boards.key
    frames = [sign_frame(1, first(c, key), b"x", c.keys[1], board)]
    if lie == "unsigned frame":
        frames = [sign_frame(1, first(c, key), b"x", c.keys[2], board)]
    if lie == "unsigned head":
        key = SigningKey.generate()
    if lie == "frames from the future":
        frames = [sign_frame(1, sign_head(c.session.id, 5, c.session.id, key), b"x", c.keys[1], board)]
    opened_s = OPENED_S + (lie == "two openings")
    at_s = OPENED_S - (lie == "time that goes back")
    forged = ForgedLog(c, key, frames, at_s, opened_s, wrong_head=lie == "head of other frames")

    async def run():
        async with boards.serve(app_of=lambda real: forged.app()) as address, boards.client(address, c, 0) as client:
            with pytest.raises(BoardMisbehaved):
                await read(client, 1)

    asyncio.run(run())


OPENED_S = 1_000_000
NONCE = bytes(range(32))
BOARD_ADDRESS = SigningKey(bytes(31) + b"\x07").address


def first(community, key):
    return sign_head(community.session.id, 0, first_head(BOARD_ADDRESS, community.session.id, OPENED_S, NONCE), key)


class ForgedLog:
    """A server that shows frames of its choice."""

    def __init__(self, community, key, frames, at_s=OPENED_S, opened_s=OPENED_S, wrong_head=False):
        self.community, self.key, self.wrong_head, self.opened_s = community, key, wrong_head, opened_s
        self.records = [Record(at_s, frame) for frame in frames]

    def app(self):
        from fastapi import FastAPI
        from fastapi.responses import Response

        session = self.community.session.id
        app = FastAPI()
        empty = first(self.community, self.key)
        head = empty.head
        for record in self.records:
            head = next_head(head, record.encoded)
        if self.wrong_head:
            head = next_head(head, b"")
        signed = sign_head(session, len(self.records), head, self.key)

        @app.get("/v1/sessions/{session}")
        async def opened(session: str):
            opened = {"opened_s": self.opened_s, "nonce": NONCE.hex(), "count": 0}
            return opened | {"head": empty.head.hex(), "signature": empty.signature.hex()}

        event = encode_event(signed, [with_length(record.encoded) for record in self.records])

        @app.get("/v1/sessions/{session}/events")
        async def events(session: str):
            return Response(event, media_type="application/octet-stream")

        return app


def test_a_description_is_read_back_and_nothing_else_is(community):
    session = community(4).session
    data = encode_session(session)
    assert decode_session(data) == session
    for wrong in (data[:-1], data + b" ", b"{}", b"[]", data.replace(b'"anchor"', b'"anker"'), b"x" * 10**6):
        with pytest.raises(EncodingError):
            decode_session(wrong)


@pytest.mark.parametrize("text", ["", "http://x", "https://x#0x" + "1" * 40, "http://x#0x12", "ftp://x#0x" + "1" * 40])
def test_what_is_no_board_is_refused_with_how_to_write_one(text):
    with pytest.raises(ValueError, match="write http://host:port#0x"):
        parse_board(text)


def test_a_board_address_is_read_back():
    text = "http://abc.onion#0x" + "1f" * 20
    assert str(parse_board(text)) == text


def test_a_database_that_cannot_be_opened_is_named():
    async def run():
        store = Store(engine_of("postgresql://petra@127.0.0.1:1/none"))
        with pytest.raises(ConnectionError, match="cannot be opened"):
            await store.prepare()
        await store.close()

    asyncio.run(run())
    with pytest.raises(ValueError, match="postgresql"):
        engine_of("mysql://x")


def test_a_file_that_is_no_database_is_named(tmp_path):
    path = tmp_path / "no.db"
    path.write_text("this is a text, and not a database at all; " * 100)

    async def prepare():
        store = Store(engine_of(str(path)))
        try:
            await store.prepare()
        finally:
            await store.close()

    with pytest.raises(ConnectionError, match="not a database"):
        asyncio.run(prepare())


def test_a_start_that_is_no_number_is_refused_as_everything_else(boards, community):
    c = community(3)

    async def ask():
        async with boards.serve() as address, boards.client(address, c, 0) as client:
            return await client._request("GET", client._path + "/events?start=a")

    with pytest.raises(BadRequest, match="start"):
        asyncio.run(ask())


def test_a_request_that_is_cut_off_leaves_no_traceback(boards, community, capsys):
    c = community(3)

    async def cut_off():
        async with boards.serve() as address:
            _, writer = await asyncio.open_connection("127.0.0.1", int(address.url.rpartition(":")[2]))
            path = f"/v1/sessions/{c.session.id.hex()}/posts"
            writer.write(f"POST {path} HTTP/1.1\r\nHost: board\r\nContent-Length: 9\r\n\r\nabc".encode())
            await writer.drain()
            await asyncio.sleep(0.1)
            writer.close()
            await asyncio.sleep(0.1)

    asyncio.run(cut_off())
    assert "Traceback" not in capsys.readouterr().err


def test_a_database_that_fails_for_a_moment_makes_the_board_busy_and_nothing_worse(boards, community, monkeypatch):
    """A replica goes on following, and a member's request is tried again."""
    c = community(3)
    records, failures = Store.records, [0]

    async def fail_once(store, session, start):
        failures[0] += 1
        if failures[0] == 1:
            raise OperationalError("select", {}, OSError("the server restarts"))
        return await records(store, session, start)

    monkeypatch.setattr(Store, "records", fail_once)
    monkeypatch.setattr(Store, "shared", True)
    monkeypatch.setattr("mixer.boardservice.client.RETRY_S", 0.01)

    async def open_and_follow():
        async with boards.serve() as address, boards.client(address, c, 0) as client:
            await client.open()  # fails once, and is tried again
            failures[0] = 0
            stream = asyncio.create_task(anext(client.follow()))
            while failures[0] < 3:  # the replica's own look, before and after it failed
                await asyncio.sleep(0.01)
            stream.cancel()

    async def in_time():
        async with asyncio.timeout(10):
            await open_and_follow()

    asyncio.run(in_time())


class BrokenNode:
    domain = Domain(1, bytes(20))

    def status(self, note_id):
        raise RuntimeError("http://user:secret@node answered nonsense")


def test_a_ledger_that_breaks_admits_nobody_and_shows_nothing_of_itself(boards, community):
    c = community(3)
    node = BrokenNode()
    node.domain = c.session.domain

    async def open_session():
        admission = UnspentNotes(node)
        async with boards.serve(admission=admission) as address, boards.client(address, c, 0) as client:
            await client.open()

    with pytest.raises(NotAdmitted, match="cannot be read") as refusal:
        asyncio.run(open_session())
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize(
    "answer",
    [
        b"[" * 100_000,
        b'{"opened_s": Infinity}',
        b'{"count": Infinity, "head": "", "signature": ""}',
        b'{"count": -1, "head": "%s", "signature": "%s"}' % (b"0" * 64, b"0" * 130),
        b'{"opened_s": 1, "count": 1, "head": "00", "signature": "00"}',
        None,
    ],
)
@pytest.mark.parametrize("status", [200, 400])
def test_an_answer_that_cannot_be_read_is_the_boards_fault(community, answer, status):
    """Whatever a board answers, a member ends with a sentence; ``None`` stands for a body that no one can unpack."""
    c = community(3)
    headers = {"Content-Encoding": "gzip"} if answer is None else {}

    def hostile(request):
        return httpx2.Response(status, headers=headers, stream=httpx2.ByteStream(answer or b"no gzip"))

    async def ask(what):
        http = httpx2.AsyncClient(transport=httpx2.MockTransport(hostile))
        address = parse_board("http://board#0x" + "07" * 20)
        async with BoardClient(http, address, c.session, c.keys[0]) as client:
            await what(client)

    for what in (BoardClient.open, lambda client: client.post(b"")):
        with pytest.raises(BoardMisbehaved):
            asyncio.run(ask(what))


def test_an_answer_longer_than_any_answer_is_not_read_to_its_end(community):
    c = community(3)
    sent = []

    class Endless(httpx2.AsyncByteStream):
        async def __aiter__(self):
            for _ in range(1000):
                sent.append(1)
                yield b" " * 4096

    async def ask():
        http = httpx2.AsyncClient(transport=httpx2.MockTransport(lambda _: httpx2.Response(200, stream=Endless())))
        board = parse_board("http://x.onion#0x" + "11" * 20)
        async with BoardClient(http, board, c.session, c.keys[0]) as client:
            await client.open()

    with pytest.raises(BoardMisbehaved, match="longer than"):
        asyncio.run(ask())
    assert len(sent) < 10


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nothing", 404), ("DELETE", "/v1/board", 405)])
def test_an_unknown_address_is_refused_as_a_problem(boards, method, path, status):
    async def ask():
        async with boards.serve() as address, httpx2.AsyncClient(trust_env=False) as http:
            return await http.request(method, address.url + path)

    answer = asyncio.run(ask())
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status
    assert "openapi.json" in answer.json()["detail"]
