"""One peer of a mix session: takes messages and clock ticks, returns messages and events. Does no I/O.

A peer reads the whole board in order, its own messages included, and acts only on what it read there. So all that is
not secret about its state follows from the board's log (:mod:`mixer.watch`), and everybody who reads the same log
judges the same. Here is what only the peer has: keys, its output address, and when to use them.
"""

import random
from collections.abc import Sequence

from assets.errors import EncodingError
from assets.keys import ZERO_ADDRESS, Address, Digest, SigningKey
from assets.transactions import Signed, Transact, Transaction
from mixer.engine import Outcome, Run
from mixer.envelope import Envelope, decode, seal
from mixer.exhibits import NotAnExhibit, OwnMix, encode_exhibit, read_exhibit
from mixer.faults import PeerFault, Reason
from mixer.onion import BoxKey, UnreadableOnion, wrap
from mixer.opening import UNOPENED
from mixer.phases import PHASE_OF, State
from mixer.protocol import ADDRESS_BYTES, MAX_RUN, STEP_TIMEOUT_S, Phase
from mixer.runstate import Events
from mixer.session import MixSession
from mixer.step import Step
from mixer.watch import Watch


class Peer:
    """Takes part in one run of ``session`` with the note that ``key`` owns, to move it to ``output``.

    ``output`` must be a fresh address: used for nothing else, and never again after a run that was aborted. ``members``
    are the places of the peers' notes among the inputs; without it, everybody takes part. ``rng`` shuffles; only tests
    replace it. Raises ``ValueError`` if the arguments do not fit together.
    """

    def __init__(
        self,
        session: MixSession,
        key: SigningKey,
        output: Address,
        *,
        run: int = 0,
        members: Sequence[int] | None = None,
        timeout_s: int = STEP_TIMEOUT_S,
        rng: random.Random | None = None,
        mixes: tuple[Digest, ...] = (),
        opening: Digest = UNOPENED,
    ) -> None:
        if len(output) != ADDRESS_BYTES or output == ZERO_ADDRESS:
            raise ValueError(f"the output is an address of {ADDRESS_BYTES} bytes other than zero")
        if output in session.owners:
            raise ValueError("the output owns an input of this session; give a fresh address")
        if not 0 <= run <= MAX_RUN:
            raise ValueError(f"run is {run}; give 0 to {MAX_RUN}")
        members = tuple(range(session.size) if members is None else members)
        self.index = session.index_of(key.address)
        """Which peer this is: the place of its note among the session's inputs."""
        if self.index not in members:
            raise ValueError("the key's note does not take part in this run")
        self.watch = Watch(Run(session, run, members, 0, timeout_s, mixes, opening))
        """What follows from the board alone."""
        self._key = key
        self._public_key = key.public_key
        self._output = output
        self._rng = rng or random.SystemRandom()
        self._box = BoxKey()
        self._posted: dict[Digest, bytes] = {}  # own messages and their signatures
        self._said: set[Phase] = set()  # the phases in which this peer has spoken, or complained instead

    def __repr__(self) -> str:
        return f"Peer({self.index} of {self.session.size}, run {self.run}, {self.state.value})"

    @property
    def session(self) -> MixSession:
        """The session."""
        return self.watch.run.session

    @property
    def run(self) -> int:
        """Number of the run."""
        return self.watch.run.number

    @property
    def state(self) -> State:
        """What the peer is doing."""
        return self.watch.state

    @property
    def closed(self) -> bool:
        """Whether the run is over for this peer: done or aborted."""
        return self.watch.closed

    @property
    def deadline_s(self) -> int | None:
        """When the peer stops waiting for what is due now; ``None`` while it waits for nothing."""
        return self.watch.deadline_s

    @property
    def transcript(self) -> tuple[Envelope, ...]:
        """The signed messages that this peer accepted, in the order of the board."""
        return self.watch.transcript.envelopes

    @property
    def signed(self) -> Signed[Transact] | None:
        """The complete mix transaction, once the run is done."""
        return self.watch.signed

    @property
    def faults(self) -> tuple[PeerFault, ...]:
        """Why the run was aborted; empty unless it was."""
        return self.watch.faults

    @property
    def outcome(self) -> Outcome | None:
        """How the run ended; ``None`` while it goes on."""
        return self.watch.outcome

    # --- What the owner calls ----------------------------------------------------------------------------

    def start(self, now_s: int = 0) -> Step:
        """Begin the run at ``now_s`` (seconds of any clock that never goes back). Raises ``ValueError`` if it runs."""
        return self._act(self.watch.start(now_s))

    def receive(self, message: bytes | Envelope) -> Step:
        """Read the next message of the board, one's own included. Raises ``ValueError`` before :meth:`start`."""
        try:
            envelope = message if isinstance(message, Envelope) else decode(message)
        except EncodingError:
            return self._act(self.watch.receive(message))
        return self._act(self.watch.receive(envelope, own=self._posted.get(envelope.digest)))

    def tick(self, now_s: int) -> Step:
        """Tell the time. At the deadline the run ends, and whoever owes a message is named.

        Raises ``ValueError`` before :meth:`start`, and if time goes back.
        """
        return self._act(self.watch.tick(now_s))

    def expose(self, spend: Signed[Transaction]) -> Step:
        """Show a transaction from the ledger in which a peer spends its note elsewhere.

        Raises ``ValueError`` if it convicts no peer of this run: showing it would convict this one.
        """
        payload, run = encode_exhibit(spend), self.watch.run
        try:
            read_exhibit(run.session, run.members, payload, self.watch.mixes)
        except (NotAnExhibit, OwnMix):
            raise ValueError("the transaction is no betrayal by a member of this run; do not show it") from None
        return Step((self._seal(Phase.EXHIBIT, payload),))

    # --- What only this peer can do ----------------------------------------------------------------------

    def _act(self, events: Events) -> Step:
        """Post what this peer owes, once."""
        state = self.watch.state
        if state in (State.SIGNING, State.DONE, State.ABORTED):
            self._box.destroy()
        phase = PHASE_OF.get(state)
        if phase is None or phase in self._said or not self.watch.awaits(self.index):
            return Step((), events)
        self._said.add(phase)
        try:
            return Step((self._seal(phase, self._payload(phase)),), events)
        except _CannotGoOn as stop:
            return Step((self._seal(Phase.COMPLAINT, bytes([stop.reason])),), events)

    def _payload(self, phase: Phase) -> bytes:
        match phase:
            case Phase.ANNOUNCEMENT:
                return self._public_key.format() + self._box.public
            case Phase.SHUFFLE | Phase.BROADCAST:
                return b"".join(self._shuffled())
            case Phase.EQUIVOCATION_CHECK:
                if self._output not in self.watch.outputs:
                    raise _CannotGoOn(Reason.OUTPUT_MISSING)
                return self.watch.agreement
            case Phase.SIGNING if self.watch.mix_digest is not None:
                return self._key.sign(self.watch.mix_digest)
            case Phase.REVEAL:
                return self._box.reveal()
        raise AssertionError(phase)

    def _shuffled(self) -> list[bytes]:
        """Every onion opened, the own output among them, in random order."""
        try:
            items = [self._box.peel(onion) for onion in self.watch.onions]
        except UnreadableOnion:
            raise _CannotGoOn(Reason.UNREADABLE_ONION) from None
        members = self.watch.run.members
        later_keys = [self.watch.box_keys[m] for m in members if m > self.index]
        if len(set(items)) < len(items):
            raise _CannotGoOn(Reason.DUPLICATE_INSIDE)
        if not later_keys and ZERO_ADDRESS in items:
            raise _CannotGoOn(Reason.BAD_OUTPUT_INSIDE)
        items.append(wrap(self._output, later_keys))
        self._rng.shuffle(items)
        return items

    def _seal(self, phase: Phase, payload: bytes) -> bytes:
        view = self.watch.transcript.view
        envelope = seal(self.watch.run.log, self.run, phase, self.index, view, payload, self._key)
        self._posted[envelope.digest] = envelope.signature
        return envelope.encoded


class _CannotGoOn(Exception):
    """Something that only this peer can see forbids it to go on."""

    def __init__(self, reason: Reason) -> None:
        self.reason = reason
