"""What everybody can read from the log of one run: peers, and third parties that judge it afterwards, alike.

The log's messages and the times at which they came decide everything that is here. Whoever reads the same log
therefore reaches the same stage, the same outputs and the same verdict, without trusting anybody.
"""

from collections.abc import Callable, Mapping
from functools import partial

from assets.errors import EncodingError
from assets.hashing import keccak
from assets.keys import ZERO_ADDRESS, Address, Digest
from assets.transactions import Signed, Transact, digest
from mixer.dicemix.blame import Case, blame
from mixer.dicemix.faults import Fault, Reason
from mixer.dicemix.message import Message, decode
from mixer.dicemix.pads import combined, summed
from mixer.dicemix.payloads import Announcement, Revelation, read_announcement, read_revelation, read_slots
from mixer.dicemix.protocol import MAX_PEERS, MAX_RUN, MIN_PEERS, Phase, payload_bytes
from mixer.dicemix.roots import NoDistinctRoots, numbers
from mixer.dicemix.signers import Signers
from mixer.dicemix.slots import fits
from mixer.dicemix.stages import PHASES_OF, TRANSITIONS, Stage, Trigger, turn
from mixer.engine import Aborted, Blamed, Mixed, Outcome, Run
from mixer.exhibits import NotAnExhibit, OwnMix, could_be_a_mix, read_exhibit
from mixer.signatures import ForeignSignature, signer_of
from mixer.step import Why

_VIEW_TAG = keccak(b"PETra DiceMix view v1")


class Proceedings:
    """``run`` as its log tells it. What a message contains never makes it raise."""

    def __init__(self, run: Run) -> None:
        if not MIN_PEERS <= run.size <= MAX_PEERS or run.number > MAX_RUN:
            raise ValueError(f"a run has {MIN_PEERS} to {MAX_PEERS} members and a number up to {MAX_RUN}")
        self._run = run
        self._now_s = run.start_s
        self._stage = Stage.KEYS
        self._deadline_s: int | None = run.start_s + run.timeout_s
        self._view = Digest(keccak(_VIEW_TAG + run.log + _number_and_members(run)))
        self._signers = Signers(run.session.owners)
        self._accepted: dict[tuple[Phase, int], Message] = {}
        self._heard: dict[int, Message] = {}  # of the current stage
        self._faults: dict[int, Fault] = {}
        self._context = Digest(b"")
        self._announcements: dict[int, Announcement] = {}
        self._sums: dict[int, tuple[int, ...]] = {}
        self._numbers: tuple[int, ...] | None = None
        self._payloads: dict[int, bytes | None] = {}
        self._revelations: dict[int, Revelation] = {}
        self._mix: Transact | None = None
        self._mix_digest: Digest | None = None
        self._signatures: dict[int, bytes] = {}

    def __repr__(self) -> str:
        return f"Proceedings({self._run.size} peers, run {self._run.number}, {self._stage.value})"

    # --- What the log says --------------------------------------------------------------------------------

    @property
    def run(self) -> Run:
        """Which run."""
        return self._run

    @property
    def stage(self) -> Stage:
        """Where the run is."""
        return self._stage

    @property
    def closed(self) -> bool:
        """Whether the run is over: done or failed."""
        return self._stage not in PHASES_OF

    @property
    def deadline_s(self) -> int | None:
        """When the current stage ends without what is still missing; ``None`` once the run is over."""
        return self._deadline_s

    @property
    def view(self) -> Digest:
        """Hash of session, run and the messages of all complete stages: what the next message refers to."""
        return self._view

    @property
    def context(self) -> Digest:
        """The view after the keys, from which pads and slot numbers are derived."""
        return self._context

    @property
    def public_keys(self) -> Mapping[int, bytes]:
        """Every member's X25519 key, after the keys stage."""
        return {member: announcement.public for member, announcement in self._announcements.items()}

    @property
    def numbers(self) -> tuple[int, ...]:
        """The slot numbers in ascending order, after the slots stage."""
        return self._numbers or ()

    @property
    def mix(self) -> Transact | None:
        """What is to be signed, from the signing stage on."""
        return self._mix

    @property
    def mix_digest(self) -> Digest | None:
        """Digest of :attr:`mix`."""
        return self._mix_digest

    @property
    def mixes(self) -> tuple[Digest, ...]:
        """Digests of the session's own mix transactions, this run's included once signing has begun."""
        return self._run.mixes if self._mix_digest is None else (*self._run.mixes, self._mix_digest)

    @property
    def faults(self) -> tuple[Fault, ...]:
        """One for each guilty member, once the run failed. Empty after a failure: by chance, nobody is guilty."""
        return tuple(self._faults[member] for member in sorted(self._faults)) if self._stage is Stage.FAILED else ()

    @property
    def outcome(self) -> Outcome | None:
        """How the run ended; ``None`` while it goes on."""
        if self._stage is Stage.DONE and self._mix is not None:
            return Mixed(Signed(self._mix, tuple(self._signatures[member] for member in self._run.members)))
        if self._stage is not Stage.FAILED:
            return None
        if self._faults:
            return Blamed(tuple(fault.guilt() for fault in self.faults), self._mix_digest)
        return Aborted("two slot numbers were equal by chance")  # before anything was signed

    @property
    def messages(self) -> tuple[Message, ...]:
        """The messages that were accepted, in the order of the log."""
        return tuple(self._accepted.values())

    # --- Reading it ---------------------------------------------------------------------------------------

    def tick(self, now_s: int) -> None:
        """Tell the time of what is read next; a stage ends at its deadline. ``ValueError`` if time goes back."""
        if now_s < self._now_s:
            raise ValueError(f"time went back from {self._now_s} to {now_s}")
        self._now_s = now_s
        if self._deadline_s is None or now_s < self._deadline_s:
            return
        reason = Reason.NOT_REVEALED if self._stage is Stage.REVELATION else Reason.SILENT
        for member in self._awaited():
            self._faults[member] = Fault(member, self._stage, reason, proven=False)
        self._finish()

    def receive(self, data: bytes | Message) -> Why | None:
        """Read the next message of the log. Says why it has no effect, if it has none.

        What no member signed for this run changes nothing. What a member did sign, and breaks the protocol, is its
        fault; the run then fails when its stage ends, so that all faults of a stage cost one run.
        """
        if self._stage is Stage.FAILED:
            return Why.CLOSED
        try:
            message = data if isinstance(data, Message) else decode(data)
        except EncodingError:
            return Why.UNREADABLE
        signs_mix = self._signs_mix(message)
        why = self._foreign(message, signs_mix)
        if why is not None:
            return why
        if message.phase is Phase.EXHIBIT:
            self._exhibit(message)
        elif self.closed:
            return Why.CLOSED
        else:
            self._take(message, signs_mix)
        if self._stage in PHASES_OF and len(self._heard) + len(self._faults) >= self._run.size and not self._awaited():
            self._finish()
        return None

    def _signs_mix(self, message: Message) -> bool:
        """Whether it has the signature of this very mix, which covers the view: the message's own would add nothing."""
        if self._mix_digest is None or message.phase is not Phase.SIGNING or message.previous != self._view:
            return False
        if message.log != self._run.log or message.sender not in self._run.members:
            return False
        return signer_of(self._mix_digest, message.payload) == self._run.session.owners[message.sender]

    def _foreign(self, message: Message, signs_mix: bool) -> Why | None:
        """Why the message says nothing about anybody's conduct in this run."""
        if message.log != self._run.log:
            return Why.OTHER_LOG
        if message.run != self._run.number:
            return Why.OTHER_RUN
        if message.sender not in self._run.members:
            return Why.NOT_A_PEER
        known = self._accepted.get((turn(message.phase), message.sender))
        if known is not None and known.digest == message.digest:
            return Why.REPEATED
        try:
            if not signs_mix:
                self._signers.check(message)
        except ForeignSignature:
            return Why.NOT_SIGNED
        return None

    def _take(self, message: Message, signs_mix: bool) -> None:
        try:
            take = self._judged(message, signs_mix)
        except _Offence as offence:
            evidence = (*offence.known, message)
            fault = Fault(message.sender, self._stage, offence.reason, evidence, proven=offence.proven)
            self._faults.setdefault(message.sender, fault)
        else:
            self._heard[message.sender] = self._accepted[turn(message.phase), message.sender] = message
            take()

    def _judged(self, message: Message, signs_mix: bool) -> Callable[[], object]:
        """How to take up a signed message; raises the offence that it is instead."""
        phase, sender = message.phase, message.sender
        known = self._accepted.get((turn(phase), sender))
        if known is not None:
            raise _Offence(Reason.EQUIVOCATION, known)
        if phase not in PHASES_OF[self._stage]:
            # Under another view the board may have put the message before those that it follows.
            raise _Offence(Reason.OUT_OF_PHASE, proven=message.previous == self._view)
        if message.previous != self._view:
            raise _Offence(Reason.VIEWS_DIFFER, proven=False)
        if len(message.payload) != payload_bytes(phase, self._run.size):
            raise _Offence(Reason.WRONG_LENGTH)
        try:
            return self._interpreted(message, signs_mix)
        except EncodingError:
            raise _Offence(Reason.MALFORMED) from None

    def _interpreted(self, message: Message, signs_mix: bool) -> Callable[[], object]:
        sender, payload = message.sender, message.payload
        match message.phase:
            case Phase.KEYS:
                if not self._signers.knows(sender):
                    raise _Offence(Reason.MALFORMED)
                return partial(self._announcements.__setitem__, sender, read_announcement(payload))
            case Phase.SLOTS:
                return partial(self._sums.__setitem__, sender, read_slots(payload))
            case Phase.PAYLOADS:
                return partial(self._payloads.__setitem__, sender, payload)
            case Phase.COMPLAINT:
                return partial(self._payloads.__setitem__, sender, None)
            case Phase.SIGNING:
                if not signs_mix:
                    raise _Offence(Reason.WRONG_SIGNATURE)
                return partial(self._signatures.__setitem__, sender, payload)
            case Phase.REVELATION:
                return partial(self._revelations.__setitem__, sender, read_revelation(payload))
            case Phase.EXHIBIT:
                raise AssertionError("an exhibit is due in no stage")

    def _exhibit(self, message: Message) -> None:
        """A note that is spent elsewhere makes the run useless: it fails at once."""
        session, sender = self._run.session, message.sender
        try:
            guilty = read_exhibit(session, self._run.members, message.payload, self.mixes)
        except (OwnMix, NotAnExhibit) as nothing:
            if self._stage is not Stage.DONE:
                own = isinstance(nothing, OwnMix)
                reason = Reason.FALSE_ACCUSATION if own else Reason.MALFORMED
                proven = not own and message.previous == self._view
                self._faults.setdefault(sender, Fault(sender, self._stage, reason, (message,), proven=proven))
            return
        proven = not could_be_a_mix(session, message.payload)
        for member in guilty:
            self._faults[member] = Fault(member, self._stage, Reason.SPENT_ELSEWHERE, (message,), proven=proven)
        self._move(Trigger.BETRAYED)

    def _awaited(self) -> list[int]:
        """Who still owes a message of the current stage."""
        return [member for member in self._run.members if member not in self._heard and member not in self._faults]

    # --- The end of a stage -------------------------------------------------------------------------------

    def _finish(self) -> None:
        """Go to the next stage: everybody was heard, or is at fault."""
        if self._stage is Stage.REVELATION:
            self._judge()
            self._move(Trigger.JUDGED)
        elif self._faults and len(self._signatures) < self._run.size:  # a complete mix is complete whatever was said
            self._move(Trigger.FAULT)
        else:
            heard = b"".join(self._heard[member].digest for member in self._run.members)
            self._view = Digest(keccak(self._view + heard))
            self._move(self._result())

    def _result(self) -> Trigger:
        """What follows from the complete messages of a stage."""
        match self._stage:
            case Stage.KEYS:
                self._context = self._view
                return Trigger.KEYS_READ
            case Stage.SLOTS:
                try:
                    self._numbers = numbers(summed(list(self._sums.values())))
                except NoDistinctRoots:
                    return Trigger.SLOTS_DISRUPTED
                return Trigger.SLOTS_READ
            case Stage.PAYLOADS:
                payloads = [payload for payload in self._payloads.values() if payload is not None]
                if len(payloads) < self._run.size:
                    return Trigger.PAYLOADS_DISRUPTED
                return self._agree_on(combined(payloads))
            case _:
                return Trigger.ALL_SIGNED

    def _agree_on(self, outputs: tuple[Address, ...]) -> Trigger:
        if ZERO_ADDRESS in outputs or not fits(self._context, self.numbers, outputs):
            return Trigger.PAYLOADS_DISRUPTED
        self._mix = self._run.session.transact(outputs, self._view, self._run.members)
        self._mix_digest = digest(self._run.session.domain, self._mix)
        return Trigger.PAYLOADS_READ

    def _judge(self) -> None:
        case = Case(
            log=self._run.log,
            run=self._run.number,
            context=self._context,
            announcements=self._announcements,
            sums=self._sums,
            numbers=self._numbers,
            payloads=self._payloads,
        )
        for member, reason in blame(case, self._revelations).items():
            own = tuple(message for (_, sender), message in self._accepted.items() if sender == member)
            self._faults.setdefault(member, Fault(member, self._stage, reason, own))

    def _move(self, trigger: Trigger) -> None:
        self._stage = TRANSITIONS[self._stage, trigger]
        self._heard = {}
        self._deadline_s = None if self.closed else self._now_s + self._run.timeout_s


class _Offence(Exception):
    """A signed message that breaks the protocol, and the message that it contradicts."""

    def __init__(self, reason: Reason, *known: Message, proven: bool = True) -> None:
        self.reason = reason
        self.known = known
        self.proven = proven


def _number_and_members(run: Run) -> bytes:
    return run.number.to_bytes(4, "big") + b"".join(member.to_bytes(2, "big") for member in run.members)
