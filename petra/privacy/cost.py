"""What privacy costs: mix sessions over each transport, and gas by privacy setting."""

from collections.abc import Sequence
from dataclasses import dataclass

from assets.intervals import IntervalGrid
from assets.keys import Address, ThrowAwayKeys
from assets.ledger import SpecLedger
from assets.notes import epa
from assets.transactions import Authorisation, Domain, FeederCapacity, Regulate, Withdraw, sign
from mixer.choice import engine_for
from mixer.engine import Rules
from mixer.follower import Seat
from petra.membership import MAX_PEERS, MIN_PEERS, mix_sessions
from petra.transports import Table, Transport, TransportFailed

WATTS = 200
_DOMAIN = Domain(1337, Address(bytes(19) + b"\x02"))


@dataclass(frozen=True, slots=True)
class SessionCost:
    """One mix of ``peers`` homes; a median of several."""

    transport: str
    engine: str
    peers: int
    seconds: float
    posts: float
    """Messages that a peer posts."""
    sent_bytes: float
    """By a peer: its messages."""
    board_bytes: int
    """All messages, which every peer reads."""
    rounds: int
    """Posts that wait for one another: N + 3 with CoinShuffle, four with DiceMix."""
    round_s: float
    """Measured time of one round on this transport."""


def fresh_table(peers: int, seed: int, engine: str | None = None, timeout_s: int = 30) -> tuple[SpecLedger, Table]:
    """A ledger on which ``peers`` homes withdrew one equal note each, and their session with all its members.

    The engine is that of the session's size unless it is named.
    """
    keys = ThrowAwayKeys(seed, f"privacy cost {peers}")
    dso = keys.fresh()
    meters = [keys.fresh() for _ in range(peers)]
    ledger = SpecLedger(_DOMAIN, IntervalGrid(0, 3600), dso.address)
    grants = tuple(Authorisation(i, m.address, 0, WATTS, 0, 0) for i, m in enumerate(meters))
    ledger.submit([sign(_DOMAIN, Regulate(0, (FeederCapacity(0, WATTS * peers, 0),), grants), dso)])[0].require()
    owners = {key.address: key for key in (keys.fresh() for _ in meters)}
    for number, (meter, owner) in enumerate(zip(meters, owners, strict=True)):
        ledger.submit([sign(_DOMAIN, Withdraw(number, 0, 7, (epa(owner, WATTS, 7, 7),)), meter)])[0].require()
    sessions = mix_sessions(_DOMAIN, ledger.entries(), 7)
    if len(sessions) != 1:
        raise ValueError(f"--peers: a mix has {MIN_PEERS} to {MAX_PEERS} members, not {peers}")
    (session,) = sessions
    seats = tuple(Seat(owners[owner], lambda: keys.fresh().address) for owner in session.owners)
    rules = Rules(minimum=MIN_PEERS, timeout_s=timeout_s)
    return ledger, Table(session, engine_for(peers, name=engine), rules, seats)


def session_cost(transport: Transport, peers: int, runs: int = 3) -> SessionCost:
    """Play ``runs`` sessions of ``peers`` one after the other; every mix must be one that the ledger accepts."""
    seconds, posts, size, rounds = [], 0, 0, 0
    for run in range(runs):
        ledger, table = fresh_table(peers, run, timeout_s=transport.step_s)
        (played,) = transport.mix([table])
        if played.mixed is None:
            raise TransportFailed(f"a mix of {peers} failed over {transport.name}; the machine may be too busy")
        ledger.submit([played.mixed])[0].require()
        seconds.append(played.seconds)
        posts, size, rounds = len(played.log), sum(len(entry.data) for entry in played.log), played.rounds
    return SessionCost(
        transport.name,
        table.engine.name,
        peers,
        sorted(seconds)[len(seconds) // 2],
        posts / peers,
        size / peers,
        size,
        rounds,
        transport.round_s(peers, 3),
    )


def session_line(cost: SessionCost) -> Sequence[str]:
    """The cells of a table."""
    return (
        cost.transport,
        cost.engine,
        str(cost.peers),
        f"{cost.seconds:.3f}",
        str(cost.rounds),
        f"{cost.round_s:.3f}",
        f"{cost.posts:.1f}",
        f"{cost.sent_bytes / 1024:.1f}",
        f"{cost.board_bytes / 1024:.0f}",
    )
