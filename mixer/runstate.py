"""The public state of a run, and how each message that was judged good changes it.

Only :data:`~mixer.phases.TRANSITIONS` decides on states. :mod:`mixer.watch` judges the messages.
"""

from collections.abc import Iterable

from coincurve import PublicKey

from assets.keys import Address, Digest
from assets.transactions import Signed, Transact, digest
from mixer.engine import Blamed, Mixed, Outcome, Run
from mixer.faults import PeerFault, Reason, one_each
from mixer.inquiry import Inquiry
from mixer.onion import BoxKey
from mixer.payloads import agreement
from mixer.phases import PHASE_OF, TRANSITIONS, State, Trigger
from mixer.protocol import Phase
from mixer.signatures import Signers
from mixer.step import Aborted, Completed, Entered, Event
from mixer.transcript import Transcript

Events = tuple[Event, ...]

MAY_COMPLAIN = (State.SHUFFLE, State.BROADCAST, State.EQUIVOCATION_CHECK)
"""A complaint takes the place of a message that is due, between the first onion and signing."""


class RunState:
    """What follows from the messages of one run that were accepted so far."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self.state = State.CREATED
        self.transcript = Transcript(run.log, run.number, run.members)
        """Every accepted message."""
        self.faults: tuple[PeerFault, ...] = ()
        """Why the run was aborted: one for each guilty peer, ascending."""
        self.signed: Signed[Transact] | None = None
        """The complete mix transaction, once the run is done."""
        self.box_keys: dict[int, bytes] = {}
        """Encryption key of each peer that announced one."""
        self.onions: list[bytes] = []
        """Those of the latest hop."""
        self.outputs: tuple[Address, ...] = ()
        """As broadcast."""
        self.agreement = b""
        """What everybody has to post in the equivocation check."""
        self.mix_digest: Digest | None = None
        """What everybody has to sign, once signing has begun."""
        self._mix: Transact | None = None
        self._signatures: dict[int, bytes] = {}
        self._signers = Signers(run.session.owners)
        self._hops = 0  # shuffle messages read so far: whose turn it is
        self._spoken = 0  # messages of the current phase read so far
        self._inquiry: Inquiry | None = None
        self._now_s = run.start_s
        self._deadline_s: int | None = None

    @property
    def run(self) -> Run:
        """Which run."""
        return self._run

    @property
    def deadline_s(self) -> int | None:
        """When what is due now will be late; ``None`` while nothing is due."""
        return self._deadline_s

    @property
    def closed(self) -> bool:
        """Whether the run is over: done or aborted."""
        return self.state in (State.DONE, State.ABORTED)

    @property
    def outcome(self) -> Outcome | None:
        """How the run ended; ``None`` while it goes on."""
        if self.state is State.ABORTED:
            return Blamed(tuple(fault.guilt() for fault in self.faults), self.mix_digest)
        return Mixed(self.signed) if self.signed is not None else None

    @property
    def mixes(self) -> tuple[Digest, ...]:
        """Digests of the session's own mix transactions, this run's included once signing has begun."""
        return self._run.mixes if self.mix_digest is None else (*self._run.mixes, self.mix_digest)

    def awaited(self) -> list[int]:
        """Who owes a message now."""
        if self._inquiry is not None and not self.closed:
            return self._inquiry.awaited
        return [member for member in self._run.members if self.awaits(member)]

    def awaits(self, member: int) -> bool:
        """Whether ``member`` owes a message now."""
        phase = PHASE_OF.get(self.state)
        if phase is None or self.transcript.get(phase, member) is not None:
            return False
        return self._is_due(phase, member) and not (self._inquiry and self._inquiry.has_convicted(member))

    def _is_due(self, phase: Phase, sender: int) -> bool:
        """Whether ``sender`` owes a message of ``phase`` now, or did before it was read."""
        if self._inquiry is not None:
            on_its_way = phase in (Phase.COMPLAINT, Phase.EQUIVOCATION_CHECK) and self._inquiry.owes(sender)
            return phase is Phase.REVEAL or (on_its_way and (phase is Phase.COMPLAINT or bool(self.agreement)))
        if phase is Phase.COMPLAINT:
            return self.state in MAY_COMPLAIN and self.awaits(sender)
        if phase is not PHASE_OF[self.state]:
            return False
        if phase is Phase.SHUFFLE:
            return sender == self._run.members[self._hops]
        return phase is not Phase.BROADCAST or sender == self._run.members[-1]

    # --- Taking a message that was judged good -----------------------------------------------------------

    def _take_announcement(self, sender: int, key: PublicKey, box_key: bytes) -> Events:
        self._signers.learn(sender, key)
        self.box_keys[sender] = box_key
        return (self._move(Trigger.ALL_ANNOUNCED),) if self._all_spoke(Phase.ANNOUNCEMENT) else ()

    def _take_onions(self, onions: list[bytes]) -> Events:
        self.transcript.fold(Phase.SHUFFLE, (self._run.members[self._hops],))
        self.onions = onions
        self._hops += 1
        if self._hops == self._run.size - 1:
            return (self._move(Trigger.ALL_SHUFFLED),)
        self._deadline_s = self._now_s + self._run.timeout_s
        return ()

    def _take_outputs(self, outputs: tuple[Address, ...]) -> Events:
        run = self._run
        self.transcript.fold(Phase.BROADCAST, run.members[-1:])
        self.outputs = outputs
        self.agreement = agreement(run.log, run.number, [self.box_keys[m] for m in run.members], outputs)
        return (self._move(Trigger.OUTPUTS_READ),)

    def _take_agreement(self, sender: int) -> Events:
        if self._inquiry is not None:
            self._inquiry.heard(sender)
            return ()
        if not self._all_spoke(Phase.EQUIVOCATION_CHECK):
            return ()
        self._mix = self._run.session.transact(self.outputs, self.transcript.view, self._run.members)
        self.mix_digest = digest(self._run.session.domain, self._mix)
        return (self._move(Trigger.VIEWS_EQUAL),)

    def _take_signature(self, sender: int, signature: bytes) -> Events:
        self._signatures[sender] = signature
        if len(self._signatures) < self._run.size or self._mix is None:
            return ()
        self.signed = Signed(self._mix, tuple(self._signatures[m] for m in self._run.members))
        return (self._move(Trigger.ALL_SIGNED), Completed(self.signed))

    def _take_complaint(self, sender: int, reason: Reason) -> Events:
        if self._inquiry is not None:
            self._inquiry.complain(sender, reason)
            return ()
        instead_of = PHASE_OF[self.state]
        self._inquiry = Inquiry(self._run, self.transcript, self.box_keys, instead_of, self.awaited())
        self._inquiry.complain(sender, reason)
        self.transcript.fold(Phase.COMPLAINT, (sender,))
        return (self._move(Trigger.COMPLAINED),)

    def _take_key(self, inquiry: Inquiry, sender: int, key: BoxKey) -> Events:
        inquiry.reveal(sender, key)
        return self._end_of_inquiry(inquiry)

    # --- How a run ends ----------------------------------------------------------------------------------

    def _convict(self, faults: Iterable[PeerFault]) -> Events:
        """End the run for what ``faults`` say; in blame, hear the others first."""
        if self._inquiry is None:
            return self._abort(Trigger.BETRAYED if self.state is State.DONE else Trigger.FAULT, faults)
        for fault in faults:
            self._inquiry.convict(fault)
        return self._end_of_inquiry(self._inquiry)

    def _end_of_inquiry(self, inquiry: Inquiry) -> Events:
        return () if inquiry.awaited else self._abort(Trigger.JUDGED, inquiry.verdict())

    def _abort(self, trigger: Trigger, faults: Iterable[PeerFault]) -> Events:
        self.faults = one_each(fault.with_traceback(None) for fault in faults)
        return (self._move(trigger), Aborted(self.faults))

    def _all_spoke(self, phase: Phase) -> bool:
        """Count a message of a phase in which every peer speaks; after the last one, take them into the view."""
        self._spoken += 1
        if self._spoken < self._run.size:
            return False
        self.transcript.fold(phase, self._run.members)
        return True

    def _move(self, trigger: Trigger) -> Entered:
        self.state = TRANSITIONS[self.state, trigger]
        self._deadline_s = self._now_s + self._run.timeout_s if self.state in PHASE_OF else None
        self._spoken = 0
        return Entered(self.state)
