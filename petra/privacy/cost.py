"""What privacy costs: mix sessions over each transport, and gas by privacy setting."""

from collections.abc import Sequence
from dataclasses import dataclass

from assets.intervals import IntervalGrid
from assets.keys import Address, ThrowAwayKeys
from assets.ledger import SpecLedger
from assets.notes import epa
from assets.transactions import Authorisation, Domain, FeederCapacity, Regulate, Withdraw, sign
from mixer.peer import Peer
from petra.membership import mix_sessions
from petra.transports import Seat, Table, Transport

WATTS = 200
_DOMAIN = Domain(1337, Address(bytes(19) + b"\x02"))


@dataclass(frozen=True, slots=True)
class SessionCost:
    """One mix of ``peers`` homes; a median of several."""

    transport: str
    peers: int
    seconds: float
    posts: float
    """Messages that a peer posts."""
    sent_bytes: float
    """By a peer: its messages."""
    board_bytes: int
    """All messages, which every peer reads."""
    rounds: int
    """Posts that wait for one another: N hops and three broadcasts."""
    round_s: float
    """Measured time of one round on this transport."""

    @property
    def bound_s(self) -> float:
        """Rounds times the time of a round; a hop is a round of one poster, so the true bound is lower."""
        return self.rounds * self.round_s


def fresh_table(peers: int, seed: int) -> tuple[SpecLedger, Table]:
    """A ledger on which ``peers`` homes withdrew one equal note each, and their session with all its members."""
    keys = ThrowAwayKeys(seed, f"privacy cost {peers}")
    dso = keys.fresh()
    meters = [keys.fresh() for _ in range(peers)]
    ledger = SpecLedger(_DOMAIN, IntervalGrid(0, 3600), dso.address)
    grants = tuple(Authorisation(i, m.address, 0, WATTS, 0, 0) for i, m in enumerate(meters))
    ledger.submit([sign(_DOMAIN, Regulate(0, (FeederCapacity(0, WATTS * peers, 0),), grants), dso)])[0].require()
    owners = {key.address: key for key in (keys.fresh() for _ in meters)}
    for number, (meter, owner) in enumerate(zip(meters, owners, strict=True)):
        ledger.submit([sign(_DOMAIN, Withdraw(number, 0, 7, (epa(owner, WATTS, 7, 7),)), meter)])[0].require()
    (session,) = mix_sessions(_DOMAIN, ledger.entries(), 7)
    seats = tuple(Seat(Peer(session, owners[o], keys.fresh().address), owners[o]) for o in session.owners)
    return ledger, Table(session, seats)


def session_cost(transport: Transport, peers: int, runs: int = 3) -> SessionCost:
    """Play ``runs`` sessions of ``peers`` one after the other; every mix must be one that the ledger accepts."""
    seconds, posts, size = [], 0, 0
    for run in range(runs):
        ledger, table = fresh_table(peers, run)
        (played,) = transport.mix([table])
        ledger.submit([played.signed])[0].require()
        seconds.append(played.seconds)
        posts, size = len(played.board.received), sum(map(len, played.board.received))
    return SessionCost(
        transport.name,
        peers,
        sorted(seconds)[len(seconds) // 2],
        posts / peers,
        size / peers,
        size,
        peers + 3,
        transport.round_s(peers, 3),
    )


def session_line(cost: SessionCost) -> Sequence[str]:
    """The cells of a table."""
    return (
        cost.transport,
        str(cost.peers),
        f"{cost.seconds:.3f}",
        str(cost.rounds),
        f"{cost.round_s:.3f}",
        f"{cost.posts:.1f}",
        f"{cost.sent_bytes / 1024:.1f}",
        f"{cost.board_bytes / 1024:.0f}",
    )
