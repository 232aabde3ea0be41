"""Links over real sockets."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import pytest

from petra.onion.ports import free_ports
from petra.village.links import Link, Links, LinksError, change_links, cut, read_links, well, write_links


async def echo(reader, writer):
    with suppress(OSError, asyncio.CancelledError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def linked(folder, **state):
    """An echo server behind a link; the link's port, and what makes a changed file take effect."""
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    (listen,) = free_ports(1)
    write_links(folder, [Link("a-b", listen, f"127.0.0.1:{server.sockets[0].getsockname()[1]}", **state)])
    links = Links(folder)
    await links.look()

    async def change(how):
        change_links(folder, how)
        await links.look()

    try:
        yield listen, change
    finally:
        links.close()
        server.close()


async def say(port, data=b"hello"):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    got = await reader.readexactly(len(data))
    return reader, writer, got


async def close(writer):
    writer.close()
    await writer.wait_closed()


def test_a_link_carries_both_ways_and_ends_when_both_have_ended(tmp_path) -> None:
    async def body():
        async with linked(tmp_path) as (port, _):
            data = os.urandom(3_000_000)
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            got = asyncio.create_task(reader.read(-1))
            writer.write(data)
            writer.write_eof()
            assert await got == data
            await close(writer)

    asyncio.run(body())


def test_a_cut_link_resets_what_is_open_refuses_what_is_new_and_comes_back(tmp_path) -> None:
    async def body():
        async with linked(tmp_path) as (port, change):
            reader, writer, _ = await say(port)
            await change(cut)
            with pytest.raises(ConnectionResetError):
                await reader.read(1)
            writer.close()
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", port)
            await change(well)
            _, writer, got = await say(port)
            assert got == b"hello"
            await close(writer)

    asyncio.run(body())


def test_a_silent_link_tells_nobody_and_delivers_later_what_was_sent(tmp_path) -> None:
    async def body():
        async with linked(tmp_path) as (port, change):
            old_reader, old_writer, _ = await say(port)
            await change(lambda link: replace(link, silent=True))
            new_reader, new_writer = await asyncio.open_connection("127.0.0.1", port)
            for writer in (old_writer, new_writer):
                writer.write(b"late")
            waiting = [asyncio.create_task(r.readexactly(4)) for r in (old_reader, new_reader)]
            done, _ = await asyncio.wait(waiting, timeout=0.3)
            assert not done
            await change(well)
            assert await asyncio.gather(*waiting) == [b"late", b"late"]
            for writer in (old_writer, new_writer):
                await close(writer)

    asyncio.run(body())


def test_a_slow_link_takes_its_time_each_way_and_no_byte_is_lost(tmp_path) -> None:
    async def body():
        async with linked(tmp_path, delay_ms=100) as (port, change):
            loop = asyncio.get_running_loop()
            began_s = loop.time()
            reader, writer, _ = await say(port)
            assert loop.time() - began_s >= 0.2
            await change(lambda link: replace(link, delay_ms=0, bytes_per_s=1_000_000))
            began_s, data = loop.time(), os.urandom(400_000)
            writer.write(data)
            assert await reader.readexactly(len(data)) == data
            assert loop.time() - began_s >= 0.2
            await close(writer)

    asyncio.run(body())


def test_a_link_to_nobody_resets(tmp_path) -> None:
    async def body():
        listen, nobody = free_ports(2)
        write_links(tmp_path, [Link("a-b", listen, f"127.0.0.1:{nobody}")])
        links = Links(tmp_path)
        await links.look()
        reader, writer = await asyncio.open_connection("127.0.0.1", listen)
        with pytest.raises(ConnectionResetError):
            await reader.read(1)
        writer.close()
        links.close()

    asyncio.run(body())


def test_a_port_that_is_taken_holds_up_no_other_link_and_is_tried_again(tmp_path) -> None:
    async def body():
        ports = free_ports(2)
        taken = await asyncio.start_server(echo, "127.0.0.1", ports[0])
        target = f"127.0.0.1:{ports[0]}"
        write_links(tmp_path, [Link("a-b", ports[0], target), Link("c-d", ports[1], target)])
        links = Links(tmp_path)
        with pytest.raises(OSError, match=f"link a-b cannot listen at port {ports[0]}"):
            await links.look()
        _, writer, got = await say(ports[1])
        assert got == b"hello"
        await close(writer)
        taken.close()
        await taken.wait_closed()
        assert await links.look()
        assert not await links.look()
        _, writer = await asyncio.open_connection("127.0.0.1", ports[0])
        writer.close()
        links.close()

    asyncio.run(body())


def test_links_come_and_go_with_the_file(tmp_path) -> None:
    async def body():
        async with linked(tmp_path) as (port, _):
            (first,) = read_links(tmp_path)
            (other,) = free_ports(1)
            links = Links(tmp_path)
            write_links(tmp_path, [replace(first, name="c-d", listen=other)])
            assert await links.look()
            assert not await links.look(), "nothing has changed since"
            _, writer, got = await say(other)
            assert got == b"hello"
            write_links(tmp_path, [])
            await links.look()
            writer.close()
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", other)
            assert len(links) == 0
            assert port != other

    asyncio.run(body())


GOOD = {"name": "a-b", "listen": 20001, "to": "127.0.0.1:8545", "cut": False, "delay_ms": 0}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "no list of links"),
        ("{}", "no list of links"),
        ("[" * 5000 + "]" * 5000, "no list of links"),
        (json.dumps([{**GOOD, "surprise": 1}]), "needs name, listen and to"),
        (json.dumps([{"name": "a"}]), "needs name, listen and to"),
        (json.dumps([{**GOOD, "cut": 1}]), "cut that is no bool"),
        (json.dumps([{**GOOD, "delay_ms": -1}]), "cannot be"),
        (json.dumps([{**GOOD, "listen": 70_000}]), "cannot be"),
        (json.dumps([{**GOOD, "to": "nowhere"}]), "no host:port"),
        (json.dumps([GOOD, GOOD]), "same name"),
        (json.dumps([GOOD, {**GOOD, "name": "c"}]), "same listen"),
    ],
)
def test_a_file_that_is_no_list_of_links_is_refused_in_one_sentence(tmp_path, content, said) -> None:
    (tmp_path / "links.json").write_text(content)
    with pytest.raises(LinksError, match=said):
        read_links(tmp_path)


def test_the_promised_form_is_read_and_a_missing_file_is_named(tmp_path) -> None:
    (tmp_path / "links.json").write_text(json.dumps([GOOD]))
    assert read_links(tmp_path) == (Link(**GOOD),)
    with pytest.raises(LinksError, match="folder of a village"):
        read_links(tmp_path / "elsewhere")


def test_the_process_follows_the_file_survives_a_damaged_one_and_stops_gracefully(tmp_path) -> None:
    code = (
        "from pathlib import Path; import sys; from petra.commands.village_chaos import links; links(Path(sys.argv[1]))"
    )

    async def body():
        async with linked(tmp_path) as (_, _change):
            (first,) = read_links(tmp_path)
            (other,) = free_ports(1)
            write_links(tmp_path, [replace(first, listen=other)])
            process = subprocess.Popen(
                [sys.executable, "-c", code, str(tmp_path)],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            try:
                assert json.loads(await asyncio.to_thread(process.stdout.readline)) == {"links": 1}
                _, writer, got = await say(other)
                assert got == b"hello"
                (tmp_path / "links.json").write_text("half a fi")
                await asyncio.sleep(0.2)
                writer.write(b"x")
                write_links(tmp_path, [replace(first, listen=other, cut=True)])
                for _ in range(100):
                    try:
                        _, again = await asyncio.open_connection("127.0.0.1", other)
                        again.close()
                        await asyncio.sleep(0.05)
                    except ConnectionRefusedError:
                        break
                else:
                    pytest.fail("the link was not cut")
                process.send_signal(signal.SIGTERM)
                assert await asyncio.to_thread(process.wait, 10) == 0
                writer.close()
            finally:
                process.kill()
                process.wait()
                process.stdout.close()

    asyncio.run(body())
