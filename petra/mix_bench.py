"""What a mix takes: sessions of throw-away notes, played over any transport, beside the least that they could take."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from assets.hashing import keccak
from assets.keys import Address, Digest, RandomKeys
from assets.notes import IssuedNote, epa
from assets.transactions import Domain
from mixer.board import MemoryBoard
from mixer.engine import Engine, Rules
from mixer.engines import engine_named
from mixer.follower import Follower, LogEntry, Seat
from mixer.logfile import MixLogFile, encode
from mixer.memo import shared_work
from mixer.mixing import play
from mixer.protocol import MAX_PEERS, MIN_PEERS
from mixer.session import MixSession
from petra.boards import sender_of, view_of
from petra.mix_cheats import DEVIATIONS, CheatingEngine
from petra.transports import Played, Table, Transport

HEADER = (
    "engine",
    "over",
    "N",
    "runs",
    "rounds",
    "connect s",
    "mix s",
    "bound s",
    "÷",
    "KiB sent",
    "KiB read",
    "CPU ms",
)
"""What :meth:`Measured.cells` shows."""

SILENT_TIMEOUT_S = 10
"""Over a board, how long others wait for members that are silent on purpose."""

_DOMAIN = Domain(1337, Address(b"\x42" * 20))
_ORIGIN = Digest(keccak(b"PETra mix bench: no ledger"))
_POWER_W = 400


@dataclass(frozen=True, slots=True)
class Bound:
    """The least that a session could take on this transport and machine."""

    together: int
    """Rounds in which several members post."""
    together_s: float
    """Measured time in which all post a message of that mean size, and all read them."""
    in_turn: int
    """Rounds in which one member posts."""
    in_turn_s: float
    """Measured time in which one member posts such a message, and the next has read it."""
    crypto_s: float
    """CPU time of all members, who share this process's one processor."""

    @property
    def seconds(self) -> float:
        """Rounds × measured post-and-fetch time + cryptography."""
        return self.together * self.together_s + self.in_turn * self.in_turn_s + self.crypto_s


@dataclass(frozen=True, slots=True)
class Measured:
    """One session."""

    engine: str
    transport: str
    members: int
    runs: int
    rounds: int
    connect_s: float
    """Until all members were connected to the board."""
    seconds: float
    """From then to the complete transaction at all members."""
    bound: Bound | None
    """``None`` in memory, where there is nothing but the members' work."""
    sent_bytes: int
    """Messages of the member that sent most."""
    read_bytes: int
    """Of each member: the whole log."""
    cpu_s: float
    """Of one member, on average, when it shares no work with others."""

    def cells(self) -> list[str]:
        """The figures as text."""
        bound = "-" if self.bound is None else f"{self.bound.seconds:.2f}"
        ratio = "-" if self.bound is None else f"{self.seconds / self.bound.seconds:.2f}"
        return [
            self.engine,
            self.transport,
            str(self.members),
            str(self.runs),
            str(self.rounds),
            f"{self.connect_s:.2f}",
            f"{self.seconds:.3f}",
            bound,
            ratio,
            f"{self.sent_bytes / 1024:.1f}",
            f"{self.read_bytes / 1024:.1f}",
            f"{self.cpu_s * 1e3:.1f}",
        ]


def table_of(engine_name: str, members: int, silent: int = 0, timeout_s: int = 30, cheat: str = "") -> Table:
    """A session of ``members`` throw-away notes, with seats for all but the first ``silent``.

    The member in the middle deviates as :data:`petra.mix_cheats.DEVIATIONS` calls it, if ``cheat`` is given.

    Raises ``ValueError`` for sizes that cannot be mixed.
    """
    if not MIN_PEERS <= members <= MAX_PEERS or members - silent < MIN_PEERS:
        raise ValueError(
            f"give sessions of {MIN_PEERS} to {MAX_PEERS} members, at least {MIN_PEERS} of them not silent"
        )
    engine: Engine = engine_named(engine_name)
    rules, keys = Rules(minimum=MIN_PEERS, timeout_s=timeout_s), RandomKeys()
    key_of = {key.address: key for key in (keys.fresh() for _ in range(members))}
    notes = [IssuedNote(epa(owner, _POWER_W, 0, 0), _ORIGIN, index) for index, owner in enumerate(key_of)]
    session = MixSession(_DOMAIN, 0, tuple(sorted(notes, key=lambda note: note.id)), _ORIGIN)
    seats = tuple(Seat(key_of[owner], lambda: keys.fresh().address) for owner in session.owners[silent:])
    if cheat:
        deviations = {session.owners[silent + len(seats) // 2]: DEVIATIONS[cheat]}
        engine = CheatingEngine(engine, deviations.get)
    return Table(session, engine, rules, seats)


def cpu_time_s(table: Table, *, shared: bool = False) -> float:
    """CPU seconds of all members of ``table``, played in memory; ``shared``: they share checks of public data."""
    followers = [Follower(table.engine, table.session, table.rules, 0, seat) for seat in table.seats]
    started_s = time.process_time()
    if shared:
        with shared_work():
            play(MemoryBoard(), followers)
    else:
        play(MemoryBoard(), followers)
    return time.process_time() - started_s


def bound_of(transport: Transport, table: Table, played: Played) -> Bound:
    """The bound of a session as it was played, measured on the same transport with messages of the same mean sizes."""
    sizes: dict[Digest, list[int]] = {}
    for entry in played.log:
        view = view_of(entry.data)
        if view is not None:
            sizes.setdefault(view, []).append(len(entry.data))
    alone = [posts[0] for posts in sizes.values() if len(posts) == 1]
    several = [posts for posts in sizes.values() if len(posts) > 1]
    members = len(table.seats)

    def mean(found: list[int]) -> int:
        return sum(found) // max(1, len(found))

    together_s = transport.round_s(members, len(several), message_bytes=mean([size for p in several for size in p]))
    in_turn_s = transport.round_s(members, len(alone), in_turn=True, message_bytes=mean(alone)) if alone else 0.0
    crypto_s = cpu_time_s(table, shared=True)
    return Bound(len(several), together_s, len(alone), in_turn_s, crypto_s)


def measure(
    transport: Transport,
    engine_name: str,
    members: int,
    silent: int = 0,
    out: Path | None = None,
    cheat: str = "",
    tell: Callable[[Table, Played], object] = lambda table, played: None,
) -> Measured:
    """Mix ``members`` notes, of which the first ``silent`` members never post; keep the log in ``out``.

    With ``cheat`` a member deviates. ``tell`` gets the session as it was played.

    Raises ``ValueError`` for sizes that cannot be mixed, and :class:`~petra.transports.TransportFailed`.
    """
    timeout_s = SILENT_TIMEOUT_S if silent or cheat else transport.step_s
    table = table_of(engine_name, members, silent, timeout_s, cheat)
    (played,) = transport.mix([table])
    tell(table, played)
    if out is not None:
        log = MixLogFile(
            table.engine.name, table.session, table.rules, played.start_s, played.log, played.ended_s, played.opening
        )
        out.write_bytes(encode(log))
    return Measured(
        engine_name,
        transport.name,
        members,
        len(played.attempts),
        played.rounds,
        played.connect_s,
        played.seconds,
        None if transport.name == "memory" or silent or cheat else bound_of(transport, table, played),
        max(_sent_bytes(played.log).values(), default=0),
        sum(len(entry.data) for entry in played.log),
        cpu_time_s(table) / len(table.seats),
    )


def _sent_bytes(log: tuple[LogEntry, ...]) -> dict[int, int]:
    """Bytes of messages by sender."""
    sent: dict[int, int] = {}
    for entry in log:
        sender = sender_of(entry.data)
        if sender is not None:
            sent[sender] = sent.get(sender, 0) + len(entry.data)
    return sent
