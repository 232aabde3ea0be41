"""What everybody who reads the board knows about a run, and how it judges each message.

A :class:`Watch` is the judge of its run. A :class:`~mixer.peer.Peer` has one and adds its secrets; whoever has none
reads the same log and finds the same outcome.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from coincurve import PublicKey

from assets.errors import EncodingError
from mixer.envelope import Envelope, decode
from mixer.exhibits import NotAnExhibit, OwnMix, could_be_a_mix, read_exhibit
from mixer.faults import PeerFault, Reason
from mixer.payloads import BadPayload, read_box_key, read_complaint, read_items, read_outputs
from mixer.phases import PHASE_OF, State, Trigger
from mixer.protocol import PUBLIC_KEY_BYTES, Phase, onion_bytes, payload_bytes
from mixer.runstate import Events, RunState
from mixer.signatures import ForeignSignature, signer_of
from mixer.step import Ignored, Why


class Watch(RunState):
    """Reads one run from the first message of the board to the last. What a message contains never makes it raise."""

    def start(self, now_s: int) -> Events:
        """Begin at ``now_s``. Raises ``ValueError`` if it has begun."""
        if self.state is not State.CREATED:
            raise ValueError("the run has been started already")
        self._now_s = now_s
        return (self._move(Trigger.STARTED),)

    def tick(self, now_s: int) -> Events:
        """Tell the board's time. At the deadline the run ends, and whoever owes a message is named.

        Raises ``ValueError`` before :meth:`start`, and if time goes back.
        """
        if self.state is State.CREATED:
            raise ValueError("start the run before telling it the time")
        if now_s < self._now_s:
            raise ValueError(f"time went back from {self._now_s} to {now_s}")
        self._now_s = now_s
        if self._deadline_s is None or now_s < self._deadline_s:
            return ()
        phase = PHASE_OF[self.state]
        return self._convict([PeerFault(peer, phase, Reason.SILENT, proven=False) for peer in self.awaited()])

    def receive(self, message: bytes | Envelope, own: bytes | None = None) -> Events:
        """Read the next message of the board; ``own`` is its signature if the reader itself has made it.

        What nobody of the run signed for it is ignored and leaves no trace. What somebody did sign, and breaks the
        protocol, ends the run. Raises ``ValueError`` before :meth:`start`.
        """
        if self.state is State.CREATED:
            raise ValueError("start the run, then give it the board's messages from the first on")
        try:
            envelope = self._expected(message)
            take = self._judge(envelope, self._authenticate(envelope, own))
        except _NoEffect as refused:
            return (Ignored(refused.why),)
        except _Guilty as found:
            return self._convict(found.faults)
        self.transcript.record(envelope)
        return take()

    # --- Judging a message: nothing here changes the state -----------------------------------------------

    def _expected(self, message: bytes | Envelope) -> Envelope:
        """The envelope of a new message that says it is from a peer of this run."""
        if self.state is State.ABORTED:
            raise _NoEffect(Why.CLOSED)
        try:
            envelope = message if isinstance(message, Envelope) else decode(message)
        except EncodingError:
            raise _NoEffect(Why.UNREADABLE) from None
        if self.state is State.DONE and envelope.phase is not Phase.EXHIBIT:
            raise _NoEffect(Why.CLOSED)
        if envelope.log != self._run.log:
            raise _NoEffect(Why.OTHER_LOG)
        if envelope.run != self._run.number:
            raise _NoEffect(Why.OTHER_RUN)
        if envelope.sender not in self._run.members:
            raise _NoEffect(Why.NOT_A_PEER)
        known = self.transcript.get(envelope.phase, envelope.sender)
        if known is not None and known.digest == envelope.digest:
            raise _NoEffect(Why.REPEATED)
        return envelope

    def _authenticate(self, envelope: Envelope, own: bytes | None) -> "_Proof":
        """How the envelope is known to come from its sender: it is the reader's own, or is signed.

        A valid mix signature covers the view, and with it session and run: the envelope's own would add nothing.
        """
        if own is not None and own == envelope.signature:
            key = PublicKey(envelope.payload[:PUBLIC_KEY_BYTES]) if envelope.phase is Phase.ANNOUNCEMENT else None
            return _Proof(key, mix_signed=envelope.phase is Phase.SIGNING)
        if self._carries_mix_signature(envelope):
            return _Proof(mix_signed=True)
        try:
            return _Proof(key=self._signers.check(envelope))
        except ForeignSignature:
            raise _NoEffect(Why.NOT_SIGNED) from None

    def _carries_mix_signature(self, envelope: Envelope) -> bool:
        if self.mix_digest is None or envelope.phase is not Phase.SIGNING or envelope.previous != self.transcript.view:
            return False
        return signer_of(self.mix_digest, envelope.payload) == self._run.session.owners[envelope.sender]

    def _judge(self, envelope: Envelope, proof: "_Proof") -> Callable[[], Events]:
        """How to go on with a signed envelope; raises :class:`_Guilty` for what it proves instead."""
        phase, sender = envelope.phase, envelope.sender
        if self._inquiry is not None and self._inquiry.has_convicted(sender):
            raise _NoEffect(Why.CLOSED)
        if phase is Phase.EXHIBIT:
            raise self._judge_exhibit(envelope)
        current = PHASE_OF[self.state]
        known = self.transcript.get(phase, sender)
        if known is not None:
            raise _Guilty(PeerFault(sender, phase, Reason.EQUIVOCATION, (known, envelope)))
        due = self._is_due(phase, sender)
        view = self.transcript.view
        if self._inquiry is not None and phase is not Phase.REVEAL:
            view = self._inquiry.view_before
        if not due:
            # Under another view the board may have put the message before those that it follows.
            proven = envelope.previous == view
            raise _Guilty(PeerFault(sender, current, Reason.OUT_OF_PHASE, (envelope,), proven=proven))
        if envelope.previous != view:
            raise _Guilty(PeerFault(sender, phase, Reason.VIEWS_DIFFER, (envelope,), proven=False))
        if len(envelope.payload) != payload_bytes(phase, self._run.size, self._run.members.index(sender)):
            raise _Guilty(PeerFault(sender, current, Reason.WRONG_LENGTH, (envelope,)))
        try:
            return self._interpret(envelope, proof)
        except BadPayload as bad:
            announced = self.transcript.get(Phase.ANNOUNCEMENT, sender) if bad.reason is Reason.WRONG_KEY else None
            evidence = (envelope,) if announced is None else (announced, envelope)
            raise _Guilty(PeerFault(sender, current, bad.reason, evidence)) from None

    def _interpret(self, envelope: Envelope, proof: "_Proof") -> Callable[[], Events]:
        sender, payload, inquiry = envelope.sender, envelope.payload, self._inquiry
        match envelope.phase:
            case Phase.ANNOUNCEMENT:
                if proof.key is None:
                    raise BadPayload(Reason.MALFORMED)
                return partial(self._take_announcement, sender, proof.key, read_box_key(payload))
            case Phase.SHUFFLE:
                size = onion_bytes(self._run.size, self._run.members.index(sender))
                return partial(self._take_onions, read_items(payload, size))
            case Phase.BROADCAST:
                return partial(self._take_outputs, read_outputs(payload))
            case Phase.EQUIVOCATION_CHECK:
                if payload != self.agreement:
                    raise BadPayload(Reason.WRONG_HASH)
                return partial(self._take_agreement, sender)
            case Phase.SIGNING:
                if not proof.mix_signed:
                    raise BadPayload(Reason.WRONG_SIGNATURE)
                return partial(self._take_signature, sender, payload)
            case Phase.COMPLAINT:
                instead_of = PHASE_OF[self.state] if inquiry is None else inquiry.instead_of
                return partial(self._take_complaint, sender, read_complaint(payload, instead_of))
            case _ if inquiry is not None:
                return partial(self._take_key, inquiry, sender, inquiry.read_key(sender, payload))
        raise AssertionError("only what is due is interpreted")

    def _judge_exhibit(self, envelope: Envelope) -> Exception:
        sender, current = envelope.sender, PHASE_OF.get(self.state, Phase.SIGNING)
        try:
            guilty = read_exhibit(self._run.session, self._run.members, envelope.payload, self.mixes)
        except (OwnMix, NotAnExhibit) as nothing:
            if self.state is State.DONE:
                return _NoEffect(Why.CLOSED)  # the mix is complete: nonsense does not undo it
            reason = Reason.FALSE_ACCUSATION if isinstance(nothing, OwnMix) else Reason.MALFORMED
            return _Guilty(PeerFault(sender, current, reason, (envelope,), proven=reason is Reason.MALFORMED))
        proven = not could_be_a_mix(self._run.session, envelope.payload)  # another log may account for it
        faults = [PeerFault(m, current, Reason.SPENT_ELSEWHERE, (envelope,), proven=proven) for m in guilty]
        return _Guilty(*faults)


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


class _Guilty(Exception):
    """What a message proves of its sender or, if it is an exhibit, of others."""

    def __init__(self, *faults: PeerFault) -> None:
        self.faults = faults
