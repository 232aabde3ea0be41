"""What carries the messages of the mix: memory, HTTP on loopback (NOT ANONYMOUS), or Tor. Never one for another.

    with open_transport("tor") as transport:
        played = transport.mix([Table(session, engine, rules, seats)])

Every seat is a member of its own: its own HTTP client, its own connections, over Tor its own circuits.
"""

import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from assets.chainlog import Genesis, HashChain, genesis_to_json
from assets.codec import entry_to_json
from assets.keys import Digest
from assets.port import Ledger
from assets.transactions import Signed, Transact
from mixer.board import MemoryBoard
from mixer.engine import DEFAULT_TIMEOUT_S, Engine, Rules
from mixer.follower import Attempt, Follower, LogEntry, Seat
from mixer.memo import shared_work
from mixer.mixing import play
from mixer.opening import UNOPENED, fresh_opening
from mixer.session import MixSession
from petra.boards import view_of

if TYPE_CHECKING:
    import httpx2

    from mixer.boardservice.client import BoardAddress, Traffic
    from mixer.boardservice.errors import BoardLost
    from mixer.boardservice.play import PlayedSession
    from petra.onion.connections import ConnectionLog, Endpoint
    from petra.onion.proxy import TorProxy

NAMES = ("memory", "http", "tor")

TIMEOUT_S = 30
"""A request that takes longer has failed; over Tor it is tried again."""


BUSY_STEP_S = 180
"""Patience of peers over a board, in seconds."""

END_S = 15
"""A process that was told to end and has not is killed after this many seconds."""


class TransportFailed(Exception):
    """The mix's transport does not work. Nothing was sent by another way; all notes stay where they were."""

    def __str__(self) -> str:
        return " ".join(str(part) for part in self.args)


@dataclass(frozen=True, slots=True)
class Table:
    """A session to be mixed, how, and the members that this process plays."""

    session: MixSession
    engine: Engine
    rules: Rules
    seats: tuple[Seat, ...]


@dataclass(frozen=True, slots=True)
class Played:
    """A session that has ended."""

    session: MixSession
    mixed: Signed[Transact] | None
    """The mix transaction; ``None`` if too few members were left: then no note has moved."""
    attempts: tuple[Attempt, ...]
    """Its runs, as everybody saw them."""
    log: tuple[LogEntry, ...]
    """Every message that the board got up to the end, in order."""
    start_s: int
    """Board time at the beginning."""
    ended_s: int
    """Board time up to which the log is complete."""
    seconds: float
    """From the moment when all members were connected."""
    connect_s: float = 0.0
    """Seconds until they were: sessions opened, circuits and connections built."""
    traffic: "tuple[Traffic, ...]" = ()
    """By seat; empty in memory."""
    opening: Digest = UNOPENED
    """First head of the log: which opening of the session this was."""

    @property
    def rounds(self) -> int:
        """Messages that waited for one another: every message names what its author had read, round by round."""
        return len({view_of(entry.data) for entry in self.log} - {None})


class Transport(Protocol):
    """A way for mix messages."""

    @property
    def name(self) -> str:
        """``memory``, ``http`` or ``tor``."""

    @property
    def anonymous(self) -> bool:
        """Whether the board is kept from learning who posts."""

    @property
    def step_s(self) -> int:
        """How long a peer should wait for the others before it takes one for silent."""

    def follow(self, ledger: Ledger) -> None:
        """Let the board know what stands on ``ledger``: it carries sessions of unspent notes only."""

    def mix(self, tables: Sequence[Table]) -> list[Played]:
        """Play all ``tables`` at the same time, each to its end, without the members that break the protocol.

        Raises :class:`TransportFailed` if the way breaks; then no mix of the batch is used.
        """

    def round_s(self, peers: int, rounds: int = 5, *, in_turn: bool = False, message_bytes: int = 1024) -> float:
        """Mean seconds in which ``peers`` members each post a message and read what all posted.

        With ``in_turn`` those from one member's post until the next member has read it (:mod:`petra.rounds`).
        """

    def account(self) -> list[str]:
        """What a user should know of what was sent, in sentences."""


@dataclass(slots=True)
class MemoryTransport:
    """All peers and the board in one process."""

    name: str = "memory"
    anonymous: bool = False
    step_s: int = DEFAULT_TIMEOUT_S

    def follow(self, ledger: Ledger) -> None:
        """A board in memory asks nobody."""

    def mix(self, tables: Sequence[Table]) -> list[Played]:
        """Play one table after the other; time is simulated. What all members check, this process checks once."""
        played = []
        for table in tables:
            with shared_work():
                played.append(_in_memory(table))
        return played

    def round_s(self, peers: int, rounds: int = 5, *, in_turn: bool = False, message_bytes: int = 1024) -> float:
        """The time of the appends and reads alone."""
        started = time.perf_counter()
        for _ in range(rounds):
            board = MemoryBoard()
            for _ in range(1 if in_turn else peers):
                board.append(bytes(message_bytes))
            for _ in range(peers):
                board.read_from(0)
        return (time.perf_counter() - started) / rounds

    def account(self) -> list[str]:
        """Nothing was sent."""
        return []


@dataclass
class BoardTransport:
    """Every peer talks to a board in another process, over HTTP; with ``proxy``, through Tor."""

    board: "BoardAddress"
    runner: asyncio.Runner
    proxy: "TorProxy | None" = None
    connections: "ConnectionLog | None" = None
    ledger_log: "LedgerLog | None" = None
    """What the board reads of the ledger; ``None`` for a board that carries any session."""
    sessions: int = field(default=0, init=False)

    @property
    def name(self) -> str:
        """``http`` or ``tor``."""
        return "tor" if self.proxy else "http"

    @property
    def anonymous(self) -> bool:
        """Only over Tor."""
        return self.proxy is not None

    @property
    def step_s(self) -> int:
        """Longer than in memory: all peers of a simulation share this process, and its machine may be busy."""
        return BUSY_STEP_S

    def http_client(self, session: bytes, role: str) -> "httpx2.AsyncClient":
        """A client for ``role`` in ``session``. Over Tor, another role or session never shares a circuit with it."""
        if self.proxy is not None:
            return self.proxy.client(self.proxy.identity(session, role), TIMEOUT_S)
        from petra.onion.proxy import direct_client

        return direct_client(TIMEOUT_S)

    def follow(self, ledger: Ledger) -> None:
        """Add the ledger's new entries to the log that the board reads."""
        if self.ledger_log is not None:
            self.ledger_log.follow(ledger)

    def mix(self, tables: Sequence[Table]) -> list[Played]:
        """Play all tables at once."""
        with self._failing_in_one_sentence():
            if self.proxy is not None:
                self.proxy.verify()
            with shared_work():
                return self.runner.run(self._mix(tables))

    @contextmanager
    def _failing_in_one_sentence(self) -> Iterator[None]:
        from mixer.boardservice.errors import AlreadyPlayed, BoardLost, BoardMisbehaved, BoardRefusal
        from petra.onion.errors import NotAnonymous, NotTor

        try:
            yield
        except NotTor as error:
            raise TransportFailed(str(error)) from error
        except ExceptionGroup as errors:
            first = _first(errors)
            if isinstance(first, (AlreadyPlayed, BoardLost, BoardMisbehaved, BoardRefusal, NotAnonymous, OSError)):
                raise TransportFailed(f"the mix over {self.name} stopped:", str(first)) from first
            raise

    async def _mix(self, tables: Sequence[Table]) -> list[Played]:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._play_table(table)) for table in tables]
        return [task.result() for task in tasks]

    async def _play_table(self, table: Table) -> Played:
        from mixer.boardservice.errors import BoardLost

        begun: list[float] = [time.perf_counter()]
        start, opened = _Start(len(table.seats)), asyncio.Event()

        async def ready() -> None:
            await start.wait()
            begun.append(time.perf_counter())

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._play_seat(table, seat, opened, ready, start)) for seat in table.seats]
        seconds = time.perf_counter() - begun[-1]
        self.sessions += 1
        if self.proxy is not None:
            self.proxy.forget(table.session.id)  # nothing that follows shares a circuit with the mix
        results = [task.result() for task in tasks]
        ended = [(played, traffic) for played, traffic in results if not isinstance(played, BoardLost)]
        if not ended:  # it is not the members' connections but the board that is gone
            raise next(lost for lost, _ in results if isinstance(lost, BoardLost))
        first = max((played for played, _ in ended), key=lambda played: len(played.log))
        if any(played.mixed != first.mixed for played, _ in ended):
            raise TransportFailed("the members disagree about the mix; the board showed them different logs")
        return Played(
            table.session,
            first.mixed,
            first.attempts,
            first.log,
            first.start_s,
            first.ended_s,
            seconds,
            begun[-1] - begun[0],
            tuple(traffic for _, traffic in results),
            first.opening,
        )

    async def _play_seat(
        self, table: Table, seat: Seat, opened: asyncio.Event, ready: Callable[[], Awaitable[None]], start: "_Start"
    ) -> "tuple[PlayedSession | BoardLost, Traffic]":
        """Play one seat. If its connection breaks for good it ends, and the others exclude the member as silent."""
        from mixer.boardservice.client import BoardClient
        from mixer.boardservice.errors import BoardLost
        from mixer.boardservice.play import play

        session = table.session
        http = self.http_client(session.id, f"mix {session.index_of(seat.key.address)}")
        async with BoardClient(http, self.board, session, seat.key) as board:
            try:
                if seat is table.seats[0]:
                    await board.open()
                    opened.set()
                else:
                    await opened.wait()  # described once, a session need not be described by everybody
                played = await play(board, table.engine, session, table.rules, seat, ready=ready)
            except BoardLost as lost:
                opened.set()
                start.leave()
                return lost, board.traffic
            return played, board.traffic

    def round_s(self, peers: int, rounds: int = 5, *, in_turn: bool = False, message_bytes: int = 1024) -> float:
        """Measured on the board and the way of this transport."""
        from petra.rounds import round_times_s

        measured = round_times_s(
            self.http_client, self.board, peers, rounds, in_turn=in_turn, message_bytes=message_bytes
        )
        with self._failing_in_one_sentence(), shared_work():
            times_s = self.runner.run(measured)
        return sum(times_s) / len(times_s)

    def account(self) -> list[str]:
        """How anonymous it was, and where this process connected to."""
        if self.proxy is None:
            return ["NOT ANONYMOUS: the mix went over plain HTTP; the board saw every wallet's network address."]
        lines = [f"The mix went over Tor to {self.board.url}; offers, trades and bills stayed in memory."]
        if self.connections is not None:
            to = ", ".join(f"{target} {count}×" for target, count in sorted(self.connections.opened.items()))
            lines.append(
                f"Connections of this process, which holds all wallets: {to or 'none'}; no other was possible."
            )
        return lines


class _Start:
    """Where members wait for one another. Who has lost its connection is not waited for."""

    def __init__(self, members: int) -> None:
        self._missing, self._open = members, asyncio.Event()

    async def wait(self) -> None:
        """Arrive, and wait for the rest."""
        self.leave()
        await self._open.wait()

    def leave(self) -> None:
        """Be waited for no more."""
        self._missing -= 1
        if self._missing <= 0:
            self._open.set()


@dataclass
class LedgerLog:
    """A growing ``ledger.jsonl``, by which a board in another process knows which notes are unspent."""

    path: Path
    _chain: HashChain = field(default_factory=HashChain, init=False)

    def follow(self, ledger: Ledger) -> None:
        """Add the entries that are new, whole lines at a time."""
        lines = []
        if not self._chain.lines:
            lines.append(self._chain.seal(genesis_to_json(Genesis(ledger.domain, ledger.grid, ledger.founder))))
        lines += [self._chain.seal(entry_to_json(entry)) for entry in ledger.entries(self._chain.lines - 1)]
        with self.path.open("ab") as file:
            file.write(b"".join(lines))


def _first(errors: BaseException) -> BaseException:
    """One of the errors that were raised at the same time."""
    while isinstance(errors, BaseExceptionGroup):
        errors = errors.exceptions[0]
    return errors


def _in_memory(table: Table) -> Played:
    board, session, opening = MemoryBoard(), table.session, fresh_opening()
    started = time.perf_counter()
    followers = [Follower(table.engine, session, table.rules, 0, seat, opening) for seat in table.seats]
    mixing = play(board, followers)
    seconds = time.perf_counter() - started
    return Played(session, mixing.mixed, mixing.attempts, mixing.log, 0, mixing.ended_s, seconds, opening=opening)


@contextmanager
def open_transport(
    name: str,
    onion_dir: Path | None = None,
    *,
    reach: str = "",
    say: Callable[[str], None] = lambda line: None,
    any_session: bool = False,
) -> Iterator[Transport]:
    """The transport called ``name``, with a board of its own for as long as the block lasts.

    The board carries sessions whose notes are unspent on the ledger that :meth:`Transport.follow` was given, or with
    ``any_session`` every session, which is for measurements.

    ``onion_dir`` is the folder of a private Tor network that runs; without it ``tor`` starts one and ends it. Over
    Tor this process can meanwhile open connections to the SOCKS port only, and to ``reach``, the URL of the ledger's
    node if there is one. Raises ``ValueError`` for an unknown name, :class:`TransportFailed` if parts are missing or
    do not start, or if the SOCKS port is not Tor's.
    """
    if name not in NAMES:
        raise ValueError(f"--transport is {', '.join(NAMES[:-1])} or {NAMES[-1]}; not {name!r}")
    if name == "memory":
        yield MemoryTransport()
        return
    with ExitStack() as stack:
        log = None
        admission: tuple[str, ...] = ("--any-session",)
        if not any_session:
            log = LedgerLog(
                Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="petra-log-"))) / "ledger.jsonl"
            )
            admission = ("--ledger-log", str(log.path))
        if name == "http":
            board = stack.enter_context(_board_process(*admission))
            yield BoardTransport(board, stack.enter_context(asyncio.Runner()), ledger_log=log)
            return
        from petra.onion.connections import watched_connections
        from petra.onion.errors import NotTor, OnionError
        from petra.onion.network import load
        from petra.onion.proxy import TorProxy

        if onion_dir is None:
            onion_dir = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="petra-onion-")))
            say("starting a private Tor network on this machine")
            stack.enter_context(_network_process(onion_dir))
        try:
            network = load(onion_dir)
            proxy = TorProxy(network.socks_port)
            proxy.verify()
        except (NotTor, OnionError) as error:
            raise TransportFailed(str(error)) from error
        say("publishing the board as an onion service")
        board = stack.enter_context(_board_process(*admission, "--onion-dir", str(onion_dir)))
        allowed = {(proxy.host, proxy.port), *_endpoints(reach)}
        connections = stack.enter_context(watched_connections(allowed))
        yield BoardTransport(board, stack.enter_context(asyncio.Runner()), proxy, connections, log)


def _endpoints(url: str) -> "Iterator[Endpoint]":
    """Where a URL leads: by the name in it, and by the addresses that the name has now."""
    parts = urlsplit(url)
    if parts.hostname:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        yield parts.hostname, port
        with suppress(OSError):  # whoever connects will say that there is no such host
            for *_, address in socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM):
                yield str(address[0]), port


@contextmanager
def _board_process(*arguments: str) -> "Iterator[BoardAddress]":
    """A board in a process of its own, which ends with this one."""
    from mixer.boardservice.client import parse_board

    with _petra("board", "serve", "--with-parent", *arguments) as (process, said):
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            process.wait()
            raise TransportFailed("the board did not start:", _last_line(said))
        yield parse_board(json.loads(line)["board"])


@contextmanager
def _network_process(folder: Path) -> Iterator[None]:
    """A private network, started and ended by processes of their own: this one opens no control connection."""
    with _petra("onion", "up", "--dir", str(folder), "--owner", str(os.getpid())) as (process, said):
        process.communicate()
        if process.returncode:
            raise TransportFailed("the private Tor network did not start:", _last_line(said))
    try:
        yield
    finally:
        with _petra("onion", "down", "--dir", str(folder)) as (process, _):
            process.communicate()


@contextmanager
def _petra(*arguments: str) -> "Iterator[tuple[subprocess.Popen[str], IO[str]]]":
    """A ``petra`` of its own, and what it says on standard error: in a file, because a pipe that nobody reads fills."""
    pipe = subprocess.PIPE
    command = [sys.executable, "-m", "petra", *arguments]
    with (
        tempfile.TemporaryFile("w+") as said,
        subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=said, text=True) as process,  # noqa: S603
    ):
        try:
            yield process, said
        finally:
            if process.stdin is not None and not process.stdin.closed:
                process.stdin.close()
            try:
                process.wait(END_S)
            except subprocess.TimeoutExpired:
                process.kill()


def _last_line(said: IO[str]) -> str:
    said.seek(0)
    return ([line for line in said.read().splitlines() if line.strip()] or ["it left no message"])[-1]
