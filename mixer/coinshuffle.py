"""CoinShuffle as an engine: :mod:`mixer.engine` says what that is."""

from assets.keys import Address, SigningKey
from assets.transactions import Signed, Transaction
from mixer.engine import Outcome, Run
from mixer.peer import Peer
from mixer.watch import Watch


class CoinShuffle:
    """Onions handed from member to member. N + 3 rounds; a cheat costs one round more, and the run."""

    name = "coinshuffle"

    def play(self, run: Run, key: SigningKey, output: Address) -> "CoinShufflePlayer":
        """The member of ``run`` whose note ``key`` owns. Raises ``ValueError`` if the arguments do not fit together."""
        peer = Peer(
            run.session,
            key,
            output,
            run=run.number,
            members=run.members,
            timeout_s=run.timeout_s,
            mixes=run.mixes,
            opening=run.opening,
        )
        return CoinShufflePlayer(run, peer)

    def watch(self, run: Run) -> Watch:
        """A reader of ``run`` without secrets."""
        watch = Watch(run)
        watch.start(run.start_s)
        return watch


class CoinShufflePlayer:
    """A :class:`~mixer.peer.Peer` of one run."""

    def __init__(self, run: Run, peer: Peer) -> None:
        self._run = run
        self.peer = peer

    @property
    def run(self) -> Run:
        """Which run."""
        return self._run

    @property
    def member(self) -> int:
        """Place of its note among the session's inputs."""
        return self.peer.index

    @property
    def deadline_s(self) -> int | None:
        """Board time at which what is due now will be late; ``None`` if the run is over."""
        return self.peer.deadline_s

    @property
    def outcome(self) -> Outcome | None:
        """How the run ended; ``None`` while it goes on."""
        return self.peer.outcome

    def begin(self) -> tuple[bytes, ...]:
        """Start, at the run's ``start_s``."""
        return self.peer.start(self._run.start_s).messages

    def receive(self, data: bytes) -> tuple[bytes, ...]:
        """Read the next message of the board."""
        return self.peer.receive(data).messages

    def tick(self, now_s: int) -> tuple[bytes, ...]:
        """Tell the board's time."""
        return self.peer.tick(now_s).messages

    def expose(self, spend: Signed[Transaction]) -> tuple[bytes, ...]:
        """The message that shows a transaction in which a member spends its note elsewhere."""
        return self.peer.expose(spend).messages
