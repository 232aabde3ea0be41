"""One peer of a mix session: takes messages and clock ticks, returns messages and events. Does no I/O.

A peer reads the whole board in order, its own messages included, and acts only on what it read there. So all that is
not secret about its state follows from the board's log, and everybody who reads the same log judges the same.
"""

import random
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from coincurve import PublicKey

from assets.errors import EncodingError
from assets.keys import ZERO_ADDRESS, Address, Digest, SigningKey, recover_address
from assets.transactions import Signed, Transact, digest
from mixer.envelope import Envelope, decode, seal
from mixer.faults import PeerFault, Reason
from mixer.onion import BoxKey, UnreadableOnion, wrap
from mixer.payloads import BadPayload, agreement, read_box_key, read_complaint, read_items, read_outputs
from mixer.phases import PHASE_OF, TRANSITIONS, State, Trigger
from mixer.protocol import ADDRESS_BYTES, MAX_RUN, STEP_TIMEOUT_S, Phase, onion_bytes, payload_bytes
from mixer.session import MixSession
from mixer.signatures import ForeignSignature, Signers
from mixer.step import NOTHING, Aborted, Completed, Entered, Event, Ignored, Step, Why
from mixer.transcript import Transcript


class Peer:
    """Takes part in one run of ``session`` with the note that ``key`` owns, to move it to ``output``.

    ``output`` must be a fresh address: used for nothing else, and never again after a run that was aborted. ``rng``
    shuffles; only tests replace it. Raises ``ValueError`` if the arguments do not fit together.
    """

    def __init__(
        self,
        session: MixSession,
        key: SigningKey,
        output: Address,
        *,
        run: int = 0,
        timeout_s: int = STEP_TIMEOUT_S,
        rng: random.Random | None = None,
    ) -> None:
        if len(output) != ADDRESS_BYTES or output == ZERO_ADDRESS:
            raise ValueError(f"the output is an address of {ADDRESS_BYTES} bytes other than zero")
        if output in session.owners:
            raise ValueError("the output owns an input of this session; give a fresh address")
        if not 0 <= run <= MAX_RUN:
            raise ValueError(f"run is {run}; give 0 to {MAX_RUN}")
        if timeout_s < 1:
            raise ValueError(f"timeout_s is {timeout_s}; give at least 1 second")
        self.session = session
        self.run = run
        self.index = session.index_of(key.address)
        """Which peer this is."""
        self._key = key
        self._public_key = key.public_key
        self._output = output
        self._timeout_s = timeout_s
        self._rng = rng or random.SystemRandom()
        self._box = BoxKey()
        self._state = State.CREATED
        self._now_s = 0
        self._deadline_s: int | None = None
        self._transcript = Transcript(session.id, run)
        self._posted: dict[Digest, bytes] = {}  # own messages and their signatures
        self._signers = Signers(session.owners)
        self._read = 0  # messages of the current phase read so far
        self._box_keys: dict[int, bytes] = {}
        self._hops = 0  # shuffle messages read so far: whose turn it is
        self._onions: list[bytes] = []  # those of the latest hop
        self._outputs: tuple[Address, ...] = ()
        self._agreement = b""
        self._mix: Transact | None = None
        self._mix_digest = Digest(b"")
        self._signatures: dict[int, bytes] = {}
        self._signed: Signed[Transact] | None = None
        self._faults: tuple[PeerFault, ...] = ()

    def __repr__(self) -> str:
        return f"Peer({self.index} of {self.session.size}, run {self.run}, {self._state.value})"

    @property
    def state(self) -> State:
        """What the peer is doing."""
        return self._state

    @property
    def closed(self) -> bool:
        """Whether the run is over for this peer: done or aborted."""
        return self._state in (State.DONE, State.ABORTED)

    @property
    def deadline_s(self) -> int | None:
        """When the peer stops waiting for what is due now; ``None`` while it waits for nothing."""
        return self._deadline_s

    @property
    def transcript(self) -> tuple[Envelope, ...]:
        """The signed messages that this peer accepted, in the order of the board."""
        return self._transcript.envelopes

    @property
    def signed(self) -> Signed[Transact] | None:
        """The complete mix transaction, once the run is done."""
        return self._signed

    @property
    def faults(self) -> tuple[PeerFault, ...]:
        """Why the run was aborted; empty unless it was."""
        return self._faults

    # --- What the owner calls ----------------------------------------------------------------------------

    def start(self, now_s: int = 0) -> Step:
        """Begin the run at ``now_s`` (seconds of any clock that never goes back). Raises ``ValueError`` if it runs."""
        if self._state is not State.CREATED:
            raise ValueError("the peer has been started already")
        self._now_s = now_s
        entered = self._move(Trigger.STARTED)
        own_keys = self._public_key.format() + self._box.public
        return Step((self._seal(Phase.ANNOUNCEMENT, own_keys),), (entered,))

    def receive(self, message: bytes | Envelope) -> Step:
        """Read the next message of the board, one's own included. Raises ``ValueError`` before :meth:`start`.

        What nobody of the session signed for this run is ignored and leaves no trace. What somebody did sign, and
        breaks the protocol, ends the run. A message that only this peer can see to be wrong makes it complain.
        """
        if self._state is State.CREATED:
            raise ValueError("start the peer, then give it the board's messages from the first on")
        try:
            envelope = self._expected(message)
            proof = self._authenticate(envelope)
        except _NoEffect as refused:
            return Step((), (Ignored(refused.why),))
        try:
            take = self._judge(envelope, proof)
            self._transcript.record(envelope)
            return take()
        except PeerFault as fault:
            return self._abort(fault)
        except _CannotGoOn as stop:
            complaint = self._seal(Phase.COMPLAINT, bytes([stop.reason]))
            return self._abort(PeerFault(None, envelope.phase, stop.reason, (envelope,)), messages=(complaint,))

    def tick(self, now_s: int) -> Step:
        """Tell the time. At the deadline the run ends, and whoever owes a message is named.

        Raises ``ValueError`` before :meth:`start`, and if time goes back.
        """
        if self._state is State.CREATED:
            raise ValueError("start the peer before telling it the time")
        if now_s < self._now_s:
            raise ValueError(f"time went back from {self._now_s} to {now_s}")
        self._now_s = now_s
        if self._deadline_s is None or now_s < self._deadline_s:
            return NOTHING
        phase = PHASE_OF[self._state]
        return self._abort(*(PeerFault(peer, phase, Reason.SILENT) for peer in self._awaited(phase)))

    # --- Judging a message: nothing here changes the state -----------------------------------------------

    def _expected(self, message: bytes | Envelope) -> Envelope:
        """The envelope of a new message that says it is from a peer of this session and run."""
        if self.closed:
            raise _NoEffect(Why.CLOSED)
        try:
            envelope = message if isinstance(message, Envelope) else decode(message)
        except EncodingError:
            raise _NoEffect(Why.UNREADABLE) from None
        if envelope.session != self.session.id:
            raise _NoEffect(Why.OTHER_SESSION)
        if envelope.run != self.run:
            raise _NoEffect(Why.OTHER_RUN)
        if envelope.sender >= self.session.size:
            raise _NoEffect(Why.NOT_A_PEER)
        known = self._transcript.get(envelope.phase, envelope.sender)
        if known is not None and known.digest == envelope.digest:
            raise _NoEffect(Why.REPEATED)
        return envelope

    def _authenticate(self, envelope: Envelope) -> "_Proof":
        """How the envelope is known to come from its sender: it is this peer's own, or is signed.

        A valid mix signature covers the view, and with it session and run: the envelope's own would add nothing.
        """
        if self._posted.get(envelope.digest) == envelope.signature:
            return _Proof(self._public_key, mix_signed=envelope.phase is Phase.SIGNING)
        if self._carries_mix_signature(envelope):
            return _Proof(mix_signed=True)
        try:
            return _Proof(key=self._signers.check(envelope))
        except ForeignSignature:
            raise _NoEffect(Why.NOT_SIGNED) from None

    def _carries_mix_signature(self, envelope: Envelope) -> bool:
        if self._mix is None or envelope.phase is not Phase.SIGNING or envelope.previous != self._transcript.view:
            return False
        return recover_address(self._mix_digest, envelope.payload) == self.session.owners[envelope.sender]

    def _judge(self, envelope: Envelope, proof: "_Proof") -> Callable[[], Step]:
        """How to go on with a signed envelope; raises the :class:`PeerFault` that it proves instead."""
        phase, sender = envelope.phase, envelope.sender
        current = PHASE_OF[self._state]
        known = self._transcript.get(phase, sender)
        if known is not None:
            raise PeerFault(sender, phase, Reason.EQUIVOCATION, (known, envelope))
        if not (self._may_complain(sender) if phase is Phase.COMPLAINT else self._is_due(phase, sender)):
            raise PeerFault(sender, current, Reason.OUT_OF_PHASE, (envelope,))
        if envelope.previous != self._transcript.view and phase is not Phase.COMPLAINT:
            # The first view is known to everybody; a later one may differ because somebody else told two stories.
            liar = sender if phase is Phase.ANNOUNCEMENT else None
            raise PeerFault(liar, phase, Reason.VIEWS_DIFFER, (envelope,))
        if len(envelope.payload) != payload_bytes(phase, self.session.size, sender):
            raise PeerFault(sender, current, Reason.WRONG_LENGTH, (envelope,))
        try:
            return self._interpret(envelope, proof)
        except BadPayload as bad:
            raise PeerFault(sender, current, bad.reason, (envelope,)) from None

    def _interpret(self, envelope: Envelope, proof: "_Proof") -> Callable[[], Step]:
        sender, payload = envelope.sender, envelope.payload
        match envelope.phase:
            case Phase.ANNOUNCEMENT:
                if proof.key is None:
                    raise BadPayload(Reason.MALFORMED)
                return partial(self._take_announcement, sender, proof.key, read_box_key(payload))
            case Phase.SHUFFLE:
                return partial(self._take_onions, read_items(payload, onion_bytes(self.session.size, sender)))
            case Phase.BROADCAST:
                return partial(self._take_outputs, read_outputs(payload))
            case Phase.EQUIVOCATION_CHECK:
                if payload != self._agreement:
                    raise BadPayload(Reason.WRONG_HASH)
                return self._take_agreement
            case Phase.SIGNING:
                if not proof.mix_signed:
                    raise BadPayload(Reason.WRONG_SIGNATURE)
                return partial(self._take_signature, sender, payload)
            case Phase.COMPLAINT:
                read_complaint(payload)
                raise PeerFault(None, PHASE_OF[self._state], Reason.COMPLAINT, (envelope,))

    def _is_due(self, phase: Phase, sender: int) -> bool:
        """Whether ``sender`` owes a message of ``phase`` now, or did before it was read."""
        if phase is not PHASE_OF[self._state]:
            return False
        if phase is Phase.SHUFFLE:
            return sender == self._hops
        return phase is not Phase.BROADCAST or sender == self.session.size - 1

    def _may_complain(self, sender: int) -> bool:
        """A complaint takes the place of the message that its sender owes, between the first onion and signing."""
        return self._state in (State.SHUFFLE, State.BROADCAST, State.EQUIVOCATION_CHECK) and sender in self._awaited(
            PHASE_OF[self._state]
        )

    def _awaited(self, phase: Phase) -> list[int]:
        """Who owes a message of ``phase``, the current one."""
        return [
            peer
            for peer in range(self.session.size)
            if self._is_due(phase, peer) and self._transcript.get(phase, peer) is None
        ]

    # --- Taking a message that was judged good -----------------------------------------------------------

    def _take_announcement(self, sender: int, key: PublicKey, box_key: bytes) -> Step:
        self._signers.learn(sender, key)
        self._box_keys[sender] = box_key
        if not self._all_read(Phase.ANNOUNCEMENT):
            return NOTHING
        entered = self._move(Trigger.ALL_ANNOUNCED)
        return Step(self._play_turn(), (entered,))

    def _take_onions(self, onions: list[bytes]) -> Step:
        self._transcript.fold(Phase.SHUFFLE, (self._hops,))
        self._onions = onions
        self._hops += 1
        events: tuple[Event, ...] = ()
        if self._hops == self.session.size - 1:
            events = (self._move(Trigger.ALL_SHUFFLED),)
        else:
            self._deadline_s = self._now_s + self._timeout_s
        return Step(self._play_turn(), events)

    def _play_turn(self) -> tuple[bytes, ...]:
        """If it is this peer's turn: open every onion, add the own output, shuffle, post."""
        if self.index != self._hops:
            return ()
        try:
            items = [self._box.peel(onion) for onion in self._onions]
        except UnreadableOnion:
            raise _CannotGoOn(Reason.UNREADABLE_ONION) from None
        later_keys = [self._box_keys[peer] for peer in range(self.index + 1, self.session.size)]
        items.append(wrap(self._output, later_keys))
        if len(set(items)) < len(items):
            raise _CannotGoOn(Reason.DUPLICATE_INSIDE)
        if not later_keys and ZERO_ADDRESS in items:
            raise _CannotGoOn(Reason.BAD_OUTPUT_INSIDE)
        self._rng.shuffle(items)
        return (self._seal(Phase.SHUFFLE if later_keys else Phase.BROADCAST, b"".join(items)),)

    def _take_outputs(self, outputs: tuple[Address, ...]) -> Step:
        if self._output not in outputs:
            raise _CannotGoOn(Reason.OUTPUT_MISSING)
        size = self.session.size
        self._transcript.fold(Phase.BROADCAST, (size - 1,))
        self._outputs = outputs
        self._agreement = agreement(self.session.id, self.run, [self._box_keys[i] for i in range(size)], outputs)
        entered = self._move(Trigger.OUTPUTS_READ)
        return Step((self._seal(Phase.EQUIVOCATION_CHECK, self._agreement),), (entered,))

    def _take_agreement(self) -> Step:
        if not self._all_read(Phase.EQUIVOCATION_CHECK):
            return NOTHING
        self._box.destroy()
        self._mix = self.session.transact(self._outputs, memo=self._transcript.view)
        self._mix_digest = digest(self.session.domain, self._mix)
        entered = self._move(Trigger.VIEWS_EQUAL)
        return Step((self._seal(Phase.SIGNING, self._key.sign(self._mix_digest)),), (entered,))

    def _take_signature(self, sender: int, signature: bytes) -> Step:
        self._signatures[sender] = signature
        if len(self._signatures) < self.session.size or self._mix is None:
            return NOTHING
        self._signed = Signed(self._mix, tuple(self._signatures[peer] for peer in range(self.session.size)))
        return Step((), (self._move(Trigger.ALL_SIGNED), Completed(self._signed)))

    # --- Helpers -----------------------------------------------------------------------------------------

    def _all_read(self, phase: Phase) -> bool:
        """Count a message of a phase in which every peer speaks; after the last one, take them into the view."""
        self._read += 1
        if self._read < self.session.size:
            return False
        self._transcript.fold(phase, range(self.session.size))
        return True

    def _move(self, trigger: Trigger) -> Entered:
        self._state = TRANSITIONS[self._state, trigger]
        self._deadline_s = self._now_s + self._timeout_s if self._state in PHASE_OF else None
        self._read = 0
        return Entered(self._state)

    def _abort(self, *faults: PeerFault, messages: tuple[bytes, ...] = ()) -> Step:
        self._box.destroy()
        self._faults = tuple(fault.with_traceback(None) for fault in faults)
        return Step(messages, (self._move(Trigger.FAULT), Aborted(self._faults)))

    def _seal(self, phase: Phase, payload: bytes) -> bytes:
        view = self._transcript.view
        envelope = seal(self.session.id, self.run, phase, self.index, view, payload, self._key)
        self._posted[envelope.digest] = envelope.signature
        return envelope.encoded


class _Proof(NamedTuple):
    """How an envelope is known to come from its sender."""

    key: PublicKey | None = None
    """The sender's public key; ``None`` if it is unknown, or was not needed."""
    mix_signed: bool = False
    """The payload is the sender's signature of this very mix transaction."""


class _NoEffect(Exception):
    """A message that is ignored."""

    def __init__(self, why: Why) -> None:
        self.why = why


class _CannotGoOn(Exception):
    """Something that only this peer can see forbids it to go on."""

    def __init__(self, reason: Reason) -> None:
        self.reason = reason
