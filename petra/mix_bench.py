"""What a mix takes: sessions of throw-away notes, played in memory."""

import time
from dataclasses import dataclass
from pathlib import Path

from assets.hashing import keccak
from assets.keys import Address, Digest, RandomKeys
from assets.notes import IssuedNote, epa
from assets.transactions import Domain
from mixer.board import MemoryBoard
from mixer.engine import Rules
from mixer.engines import engine_named
from mixer.follower import Follower, Seat
from mixer.logfile import MixLogFile, encode
from mixer.mixing import play
from mixer.protocol import MAX_PEERS, MIN_PEERS
from mixer.session import MixSession

HEADER = ("members", "runs", "rounds", "seconds", "bytes sent, most", "bytes read", "CPU of a member, ms")
"""What :meth:`Measured.cells` shows."""

_DOMAIN = Domain(1337, Address(b"\x42" * 20))
_ORIGIN = Digest(keccak(b"PETra mix bench: no ledger"))
_POWER_W = 400


@dataclass(frozen=True, slots=True)
class Measured:
    """One session."""

    members: int
    runs: int
    rounds: int
    seconds: float
    sent_bytes: int
    """Of the member that sent most."""
    read_bytes: int
    """Of each member: the whole log."""
    cpu_s: float
    """Of one member, on average."""

    def cells(self) -> list[str]:
        """The figures as text."""
        return [
            str(self.members),
            str(self.runs),
            str(self.rounds),
            f"{self.seconds:.3f}",
            str(self.sent_bytes),
            str(self.read_bytes),
            f"{self.cpu_s * 1e3:.1f}",
        ]


def measure(engine_name: str, members: int, silent: int = 0, out: Path | None = None) -> Measured:
    """Mix ``members`` notes, of which the first ``silent`` members never post; keep the log in ``out``.

    Raises ``ValueError`` for sizes that cannot be mixed.
    """
    if not MIN_PEERS <= members <= MAX_PEERS or members - silent < MIN_PEERS:
        raise ValueError(
            f"give sessions of {MIN_PEERS} to {MAX_PEERS} members, at least {MIN_PEERS} of them not silent"
        )
    engine, rules, keys = engine_named(engine_name), Rules(minimum=MIN_PEERS), RandomKeys()
    key_of = {key.address: key for key in (keys.fresh() for _ in range(members))}
    notes = [IssuedNote(epa(owner, _POWER_W, 0, 0), _ORIGIN, index) for index, owner in enumerate(key_of)]
    session = MixSession(_DOMAIN, 0, tuple(sorted(notes, key=lambda note: note.id)), _ORIGIN)
    followers = [
        Follower(engine, session, rules, 0, Seat(key_of[owner], lambda: keys.fresh().address))
        for owner in session.owners[silent:]
    ]
    started_s, cpu_s = time.perf_counter(), time.process_time()
    mixing = play(MemoryBoard(), followers)
    seconds, cpu_s = time.perf_counter() - started_s, time.process_time() - cpu_s
    if out is not None:
        out.write_bytes(encode(MixLogFile(engine.name, session, rules, 0, mixing.log, mixing.ended_s)))
    return Measured(
        members,
        len(mixing.attempts),
        mixing.rounds,
        seconds,
        max(mixing.sent_bytes),
        sum(len(entry.data) for entry in mixing.log),
        cpu_s / len(followers),
    )
