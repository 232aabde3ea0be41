"""Drives the peers of one run to its end in memory: every message goes over the board, and time is simulated."""

from collections.abc import Sequence
from typing import Protocol

from assets.errors import EncodingError
from assets.transactions import Signed, Transact
from mixer.board import Board, check_chain
from mixer.envelope import Envelope, decode
from mixer.faults import PeerFault
from mixer.session import MixSession
from mixer.step import Step


class Participant(Protocol):
    """What can be driven: a :class:`~mixer.peer.Peer`, or in tests something that behaves worse."""

    @property
    def index(self) -> int:
        """Which peer of the session this is."""

    @property
    def closed(self) -> bool:
        """Whether the run is over for this peer."""

    @property
    def deadline_s(self) -> int | None:
        """When the peer stops waiting."""

    @property
    def signed(self) -> Signed[Transact] | None:
        """The complete mix transaction."""

    @property
    def faults(self) -> tuple[PeerFault, ...]:
        """Why the run was aborted."""

    def start(self, now_s: int = 0) -> Step:
        """Begin the run."""

    def receive(self, message: bytes | Envelope) -> Step:
        """Read the next message of the board."""

    def tick(self, now_s: int) -> Step:
        """Tell the time."""


def run_in_memory(
    session: MixSession, peers: Sequence[Participant], board: Board, *, now_s: int = 0
) -> Signed[Transact]:
    """The mix transaction of ``session``, signed by everybody. Deterministic but for the peers' own randomness.

    ``peers`` are all of the session's, in any order, not yet started; ``board`` is theirs alone. Raises the
    :class:`~mixer.faults.PeerFault` that ended the run, one that is proven if there is one,
    :class:`~mixer.board.BrokenChain` if the board changes what it showed before, and ``ValueError`` if the peers are
    not those of the session.
    """
    peers = sorted(peers, key=lambda peer: peer.index)
    if [peer.index for peer in peers] != list(range(session.size)):
        raise ValueError(f"the session has {session.size} peers; give each of them once")
    posts = board.read_from(0)
    read, head = len(posts), check_chain(posts)
    for peer in peers:
        _post(board, peer.start(now_s))
    while True:
        while posts := board.read_from(read):
            head = check_chain(posts, read, head)
            read += len(posts)
            for post in posts:
                message = _decoded(post.data)
                for peer in peers:
                    _post(board, peer.receive(message))
        deadlines = [peer.deadline_s for peer in peers if peer.deadline_s is not None]
        if not deadlines:
            return _outcome(peers)
        now_s = min(deadlines)
        for peer in peers:
            if not peer.closed:
                _post(board, peer.tick(now_s))


def _post(board: Board, step: Step) -> None:
    for message in step.messages:
        board.append(message)


def _decoded(data: bytes) -> bytes | Envelope:
    """Decoded once for all peers of this process, which check the result each for itself."""
    try:
        return decode(data)
    except EncodingError:
        return data


def _outcome(peers: Sequence[Participant]) -> Signed[Transact]:
    for peer in peers:
        if peer.signed is not None:
            return peer.signed
    faults = [fault for peer in peers for fault in peer.faults]
    raise next((fault for fault in faults if fault.proven), faults[0])
