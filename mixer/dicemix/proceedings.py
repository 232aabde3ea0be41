"""What everybody can read from the log of one run: peers, and third parties that judge it afterwards, alike.

The log's messages and the times at which they came decide everything that is here. Whoever reads the same log
therefore reaches the same stage, the same outputs and the same verdict, without trusting anybody.
"""

from collections.abc import Callable
from functools import partial

from assets.errors import EncodingError
from assets.hashing import keccak
from assets.keys import ZERO_ADDRESS, Address, Digest, recover_address
from assets.transactions import Signed, Transact, digest
from mixer.dicemix.blame import Case, blame
from mixer.dicemix.faults import Fault, Reason
from mixer.dicemix.message import Message, decode
from mixer.dicemix.pads import combined, summed
from mixer.dicemix.payloads import Announcement, Revelation, read_announcement, read_revelation, read_slots
from mixer.dicemix.protocol import MAX_RUN, PHASE_TIMEOUT_S, Phase, payload_bytes
from mixer.dicemix.roots import NoDistinctRoots, numbers
from mixer.dicemix.signers import Signers
from mixer.dicemix.slots import fits
from mixer.dicemix.stages import PHASES_OF, TRANSITIONS, Stage, Trigger
from mixer.session import MixSession
from mixer.signatures import ForeignSignature
from mixer.step import Why

_VIEW_TAG = keccak(b"PETra DiceMix view v1")


class Proceedings:
    """One run of ``session`` as its log tells it, from :attr:`Stage.KEYS` on, which opens at ``now_s``.

    Raises ``ValueError`` if the arguments are out of range.
    """

    def __init__(self, session: MixSession, *, run: int = 0, timeout_s: int = PHASE_TIMEOUT_S, now_s: int = 0) -> None:
        if not 0 <= run <= MAX_RUN:
            raise ValueError(f"run is {run}; give 0 to {MAX_RUN}")
        if timeout_s < 1:
            raise ValueError(f"timeout_s is {timeout_s}; give at least 1 second")
        self.session = session
        self.run = run
        self._timeout_s = timeout_s
        self._now_s = now_s
        self._stage = Stage.KEYS
        self._deadline_s: int | None = now_s + timeout_s
        self._view = Digest(keccak(_VIEW_TAG + session.id + run.to_bytes(4, "big")))
        self._signers = Signers(session.owners)
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
        self._mix_digest = Digest(b"")
        self._signatures: dict[int, bytes] = {}
        self._signed: Signed[Transact] | None = None

    def __repr__(self) -> str:
        return f"Proceedings({self.session.size} peers, run {self.run}, {self._stage.value})"

    # --- What the log says --------------------------------------------------------------------------------

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
    def public_keys(self) -> tuple[bytes, ...]:
        """Every peer's X25519 key, after the keys stage."""
        return tuple(self._announcements[peer].public for peer in range(self.session.size))

    @property
    def numbers(self) -> tuple[int, ...]:
        """The slot numbers in ascending order, after the slots stage."""
        return self._numbers or ()

    @property
    def mix(self) -> Transact | None:
        """What is to be signed, from the signing stage on."""
        return self._mix

    @property
    def mix_digest(self) -> Digest:
        """Digest of :attr:`mix`."""
        return self._mix_digest

    @property
    def signed(self) -> Signed[Transact] | None:
        """The complete mix transaction, once the run is done."""
        return self._signed

    @property
    def faults(self) -> tuple[Fault, ...]:
        """One for each guilty peer, once the run failed. Empty after a failure: by chance, nobody is guilty."""
        return tuple(self._faults[peer] for peer in sorted(self._faults)) if self._stage is Stage.FAILED else ()

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
        for peer in self._awaited():
            self._faults[peer] = Fault(peer, self._stage, reason)
        self._finish()

    def read(self, data: bytes | Message) -> Why | None:
        """Read the next message of the log. Says why it has no effect, if it has none.

        What nobody of the session signed for this run changes nothing. What somebody did sign, and breaks the
        protocol, is its sender's fault; the run then fails when its stage ends.
        """
        if self.closed:
            return Why.CLOSED
        try:
            message = data if isinstance(data, Message) else decode(data)
        except EncodingError:
            return Why.UNREADABLE
        why = self._foreign(message)
        if why is not None:
            return why
        try:
            take = self._judged(message)
        except _Offence as offence:
            evidence = (*offence.known, message)
            self._faults.setdefault(message.sender, Fault(message.sender, self._stage, offence.reason, evidence))
        else:
            self._heard[message.sender] = self._accepted[message.phase, message.sender] = message
            take()
        if not self._awaited():
            self._finish()
        return None

    def _foreign(self, message: Message) -> Why | None:
        """Why the message says nothing about anybody's conduct in this run."""
        if message.session != self.session.id:
            return Why.OTHER_SESSION
        if message.run != self.run:
            return Why.OTHER_RUN
        if message.sender >= self.session.size:
            return Why.NOT_A_PEER
        known = self._accepted.get((message.phase, message.sender))
        if known is not None and known.digest == message.digest:
            return Why.REPEATED
        try:
            self._signers.check(message)
        except ForeignSignature:
            return Why.NOT_SIGNED
        return None

    def _judged(self, message: Message) -> Callable[[], object]:
        """How to take up a signed message; raises the offence that it is instead."""
        phase, sender = message.phase, message.sender
        due = phase in PHASES_OF[self._stage]
        known = self._accepted.get((phase, sender)) or (self._heard.get(sender) if due else None)
        if known is not None:
            raise _Offence(Reason.EQUIVOCATION, known)
        if not due:
            raise _Offence(Reason.OUT_OF_PHASE)
        if message.previous != self._view:
            raise _Offence(Reason.VIEWS_DIFFER)
        if len(message.payload) != payload_bytes(phase, self.session.size):
            raise _Offence(Reason.WRONG_LENGTH)
        try:
            return self._interpreted(message)
        except EncodingError:
            raise _Offence(Reason.MALFORMED) from None

    def _interpreted(self, message: Message) -> Callable[[], object]:
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
                if recover_address(self._mix_digest, payload) != self.session.owners[sender]:
                    raise _Offence(Reason.WRONG_SIGNATURE)
                return partial(self._signatures.__setitem__, sender, payload)
            case Phase.REVELATION:
                return partial(self._revelations.__setitem__, sender, read_revelation(payload))

    def _awaited(self) -> list[int]:
        """Who still owes a message of the current stage."""
        return [peer for peer in range(self.session.size) if peer not in self._heard and peer not in self._faults]

    # --- The end of a stage -------------------------------------------------------------------------------

    def _finish(self) -> None:
        """Go to the next stage: everybody was heard, or is at fault."""
        if self._stage is Stage.REVELATION:
            self._judge()
            self._move(Trigger.JUDGED)
        elif self._faults:
            self._move(Trigger.FAULT)
        else:
            heard = b"".join(self._heard[peer].digest for peer in range(self.session.size))
            self._view = Digest(keccak(self._view + heard))
            self._move(self._result())

    def _result(self) -> Trigger:
        """What follows from the complete messages of a stage."""
        peers = range(self.session.size)
        match self._stage:
            case Stage.KEYS:
                self._context = self._view
                return Trigger.KEYS_READ
            case Stage.SLOTS:
                try:
                    self._numbers = numbers(summed([self._sums[peer] for peer in peers]))
                except NoDistinctRoots:
                    return Trigger.SLOTS_DISRUPTED
                return Trigger.SLOTS_READ
            case Stage.PAYLOADS:
                payloads = [payload for payload in self._payloads.values() if payload is not None]
                if len(payloads) < self.session.size:
                    return Trigger.PAYLOADS_DISRUPTED
                return self._agree_on(combined(payloads))
            case _:
                assert self._mix is not None
                self._signed = Signed(self._mix, tuple(self._signatures[peer] for peer in peers))
                return Trigger.ALL_SIGNED

    def _agree_on(self, outputs: tuple[Address, ...]) -> Trigger:
        if ZERO_ADDRESS in outputs or not fits(self._context, self.numbers, outputs):
            return Trigger.PAYLOADS_DISRUPTED
        self._mix = self.session.transact(outputs, memo=self._view)
        self._mix_digest = digest(self.session.domain, self._mix)
        return Trigger.PAYLOADS_READ

    def _judge(self) -> None:
        peers = range(self.session.size)
        case = Case(
            session=self.session.id,
            run=self.run,
            context=self._context,
            announcements=[self._announcements[peer] for peer in peers],
            sums=[self._sums[peer] for peer in peers],
            numbers=self._numbers,
            payloads=self._payloads,
        )
        for peer, reason in blame(case, self._revelations).items():
            own = tuple(message for (_, sender), message in self._accepted.items() if sender == peer)
            self._faults.setdefault(peer, Fault(peer, self._stage, reason, own))

    def _move(self, trigger: Trigger) -> None:
        self._stage = TRANSITIONS[self._stage, trigger]
        self._heard = {}
        self._deadline_s = None if self.closed else self._now_s + self._timeout_s


class _Offence(Exception):
    """A signed message that breaks the protocol, and the message that it contradicts."""

    def __init__(self, reason: Reason, *known: Message) -> None:
        self.reason = reason
        self.known = known
