"""TCP links between the processes of a village, each of which can be cut, slowed down or silenced while it is used.

A link listens at a port of its own and passes on what arrives. ``links.json`` in the village's folder says how each one
stands; whoever changes the file changes the network at once. No rights are needed for that, unlike for the kernel's
own tools, and a single process is cut off from a single other one.
"""

import asyncio
import fcntl
import json
import logging
import os
import signal
import socket
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from assets.codec import is_nested_deeply

FILE = "links.json"
HOST = "127.0.0.1"
LOOK_S = 0.05
"""How often the file is looked at."""
CHUNK = 65_536
"""Most bytes that are read at once."""
QUEUE = 64
"""Most chunks under way in one direction; the sender waits meanwhile."""
RESET = struct.pack("ii", 1, 0)
"""``SO_LINGER`` for no time: closing resets the connection."""

log = logging.getLogger("petra.village.links")


@dataclass(frozen=True, slots=True)
class Link:
    """How a link stands."""

    name: str
    """Who uses it for what, such as ``wallet7-chain``."""
    listen: int
    """Port on 127.0.0.1."""
    to: str
    """``host:port`` that it leads to."""
    cut: bool = False
    """Connections are reset, and new ones refused."""
    silent: bool = False
    """Nothing gets through, and nobody is told: what was sent arrives when the link is well again, as TCP has it."""
    delay_ms: int = 0
    """How long everything takes, each way."""
    bytes_per_s: int = 0
    """How much gets through, each way; 0: whatever the machine can do."""

    @property
    def target(self) -> tuple[str, int]:
        """Host and port that it leads to."""
        host, _, port = self.to.rpartition(":")
        return host, int(port)


class LinksError(ValueError):
    """``links.json`` is missing or is not what it should be; says what to do."""


def read_links(folder: Path) -> tuple[Link, ...]:
    """The links of a village. Raises :class:`LinksError`."""
    path = folder / FILE
    try:
        data = path.read_bytes()
        rows = None if is_nested_deeply(data) else json.loads(data)
    except OSError as error:
        raise LinksError(f"{path} cannot be read ({error.strerror}); give the folder of a village") from None
    except ValueError:
        rows = None
    if not isinstance(rows, list):
        raise LinksError(f"{path} is no list of links; write it as docs/chaos.md has it")
    links = tuple(_link(path, number, row) for number, row in enumerate(rows))
    for what in ("name", "listen"):
        seen = [getattr(link, what) for link in links]
        if len(set(seen)) != len(seen):
            raise LinksError(f"{path} has two links with the same {what}; give each its own")
    return links


def _link(path: Path, number: int, row: object) -> Link:
    def refuse(why: str) -> LinksError:
        return LinksError(f"{path}: link {number} {why}")

    known = {f.name: f.type for f in fields(Link)}
    if not isinstance(row, dict) or not {"name", "listen", "to"} <= row.keys() <= known.keys():
        raise refuse(f"needs name, listen and to, and may have {', '.join(sorted(known.keys() - {'name'}))}")
    for name, value in row.items():
        if type(value) is not known[name]:
            raise refuse(f"has a {name} that is no {getattr(known[name], '__name__', known[name])}")
    link = Link(**row)
    _, colon, port = link.to.rpartition(":")
    if not colon or not port.isascii() or not port.isdecimal() or not 0 < int(port) < 65_536:
        raise refuse("leads to no host:port")
    if not 0 < link.listen < 65_536 or link.delay_ms < 0 or link.bytes_per_s < 0:
        raise refuse("has a port, delay or bandwidth that cannot be")
    return link


def write_links(folder: Path, links: Sequence[Link]) -> None:
    """Write ``links.json`` in one step: nobody ever reads half of it."""
    fresh = folder / f"{FILE}.{os.getpid()}"
    fresh.write_text(json.dumps([asdict(link) for link in links], indent=1) + "\n", encoding="utf-8")
    fresh.replace(folder / FILE)


def change_links(folder: Path, change: Callable[[Link], Link]) -> tuple[Link, ...]:
    """Put each link through ``change`` and write the file, one changer at a time; those that are now different."""
    with _alone(folder):
        before = read_links(folder)
        after = tuple(change(link) for link in before)
        if after != before:
            write_links(folder, after)
    return tuple(new for old, new in zip(before, after, strict=True) if old != new)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder / f"{FILE}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


class RunningLink:
    """A link that carries connections."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self._server: asyncio.Server | None = None
        self._carried: dict[asyncio.Task[None], list[asyncio.StreamWriter]] = {}
        self._speaks = asyncio.Event()

    @property
    def stands(self) -> bool:
        """Whether it is what it should be: cut, or listening."""
        return self.link.cut or self._server is not None

    async def become(self, link: Link) -> None:
        """Stand as ``link`` says from now on; its port and target stay. Raises ``OSError`` if the port is taken."""
        self.link = link
        if link.silent:
            self._speaks.clear()
        else:
            self._speaks.set()
        if link.cut:
            self.close()
        elif self._server is None:
            self._server = await asyncio.start_server(self._carry, HOST, link.listen)

    def close(self) -> None:
        """Refuse new connections and reset those there are."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for task, writers in self._carried.items():
            for writer in writers:
                _reset(writer)
            task.cancel()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a connection is carried outside of a task")
        writers = self._carried[task] = [writer]
        try:
            await self._speaks.wait()
            there, back = await asyncio.open_connection(*self.link.target)
            writers.append(back)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pass_on(reader, back))
                group.create_task(self._pass_on(there, writer))
        except* (OSError, asyncio.CancelledError):
            # Cut, or one end is gone: the other learns it as it would over a cable.
            for open_writer in writers:
                _reset(open_writer)
        finally:
            del self._carried[task]
            for open_writer in writers:
                open_writer.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on what one side sends until it has said all."""
        loop = asyncio.get_running_loop()
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(QUEUE)

        async def read() -> None:
            while True:
                data = await reader.read(CHUNK)
                await under_way.put((loop.time(), data))
                if not data:
                    return

        async with asyncio.TaskGroup() as group:
            group.create_task(read())
            while True:
                sent_s, data = await under_way.get()
                await asyncio.sleep(max(0.0, sent_s + self.link.delay_ms / 1000 - loop.time()))
                await self._speaks.wait()
                if not data:
                    if writer.can_write_eof() and not writer.is_closing():
                        writer.write_eof()
                    return
                writer.write(data)
                await writer.drain()
                if self.link.bytes_per_s:
                    await asyncio.sleep(len(data) / self.link.bytes_per_s)


def _reset(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    with suppress(OSError):
        if sock is not None and sock.fileno() >= 0:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    writer.transport.abort()


class Links:
    """The links of one village, as its file has them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: dict[tuple[str, int, str], RunningLink] = {}
        self._seen: tuple[int, int, int] | None = None

    def __len__(self) -> int:
        return len(self._running)

    async def look(self) -> bool:
        """Read the file if it was changed; whether it was.

        Raises :class:`LinksError`, with all links as they were, or ``OSError`` if a port is taken: then the others are
        as they should be, and the next look tries it again.
        """
        try:
            stat = (self._folder / FILE).stat()
        except OSError:
            stat = None
        seen = (0, 0, 0) if stat is None else (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        if seen == self._seen:
            return False
        self._seen = seen
        links = {(link.name, link.listen, link.to): link for link in read_links(self._folder)}
        for gone in self._running.keys() - links.keys():
            self._running.pop(gone).close()
        failures = []
        for key, link in links.items():
            running = self._running.setdefault(key, RunningLink(link))
            if running.link == link and running.stands:
                continue
            try:
                await running.become(link)
            except OSError as error:
                failures.append(f"link {link.name} cannot listen at port {link.listen} ({error.strerror})")
        if failures:
            self._seen = None  # they are tried again at the next look
            raise OSError("; ".join(failures))
        return True

    def close(self) -> None:
        """Reset everything."""
        for link in self._running.values():
            link.close()
        self._running.clear()


async def run(folder: Path, ready: Callable[[int], None]) -> None:
    """Run the links of a village until SIGTERM or SIGINT; ``ready`` is told how many there are.

    Raises :class:`LinksError` or ``OSError`` at the start. Later a file that cannot be used leaves the links as they
    are, and the log says so.
    """
    stop, links = asyncio.Event(), Links(folder)
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    await links.look()
    ready(len(links))
    said = ""
    try:
        while not stop.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), LOOK_S)
            try:
                if await links.look():
                    log.info("the links have changed")
                    said = ""
            except (LinksError, OSError) as error:
                if str(error) != said:
                    log.warning("%s", error)
                said = str(error)
    finally:
        links.close()


def cut(link: Link) -> Link:
    """The link, cut."""
    return replace(link, cut=True)


def well(link: Link) -> Link:
    """The link with nothing wrong."""
    return replace(link, cut=False, silent=False, delay_ms=0, bytes_per_s=0)
