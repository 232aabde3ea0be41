"""One peer of a DiceMix run: takes messages and clock ticks, returns messages and events. Does no I/O.

Everything public about the run is read from the log by :class:`~mixer.dicemix.proceedings.Proceedings`; the peer adds
what only it knows: its keys, its address, and what it posts next.
"""

import secrets

from assets.keys import ZERO_ADDRESS, Address, SigningKey
from assets.transactions import Signed, Transact
from mixer.dicemix.events import NOTHING, Completed, Entered, Event, Failed, Step
from mixer.dicemix.faults import Fault
from mixer.dicemix.field import encode_elements
from mixer.dicemix.keys import RunKey
from mixer.dicemix.message import Message, seal
from mixer.dicemix.pads import masked_payload, masked_powers, pair_key
from mixer.dicemix.payloads import Revelation
from mixer.dicemix.proceedings import Proceedings
from mixer.dicemix.protocol import ADDRESS_BYTES, PHASE_TIMEOUT_S, SALT_BYTES, Phase
from mixer.dicemix.slots import commitment, slot_number
from mixer.dicemix.stages import Stage
from mixer.session import MixSession
from mixer.step import Ignored


class Peer:
    """Takes part in one run of ``session`` with the note that ``key`` owns, to move it to ``output``.

    ``output`` must be a fresh address: used for nothing else, and never again after a run that failed. Raises
    ``ValueError`` if the arguments do not fit together.
    """

    def __init__(
        self,
        session: MixSession,
        key: SigningKey,
        output: Address,
        *,
        run: int = 0,
        timeout_s: int = PHASE_TIMEOUT_S,
    ) -> None:
        if len(output) != ADDRESS_BYTES or output == ZERO_ADDRESS:
            raise ValueError(f"the output is an address of {ADDRESS_BYTES} bytes other than zero")
        if output in session.owners:
            raise ValueError("the output owns an input of this session; give a fresh address")
        self.session = session
        self.run = run
        self.index = session.index_of(key.address)
        """Which peer this is."""
        self._proceedings = Proceedings(session, run=run, timeout_s=timeout_s)
        self._timeout_s = timeout_s
        self._started = False
        self._key = key
        self._output = output
        self._run_key = RunKey()
        self._salt = secrets.token_bytes(SALT_BYTES)
        self._pair_keys: dict[int, bytes] = {}

    def __repr__(self) -> str:
        return f"Peer({self.index} of {self.session.size}, run {self.run}, {self.stage.value})"

    @property
    def stage(self) -> Stage:
        """Where the run is."""
        return self._proceedings.stage

    @property
    def closed(self) -> bool:
        """Whether the run is over: done or failed."""
        return self._proceedings.closed

    @property
    def deadline_s(self) -> int | None:
        """When the peer stops waiting for what is due now; ``None`` while it waits for nothing."""
        return self._proceedings.deadline_s if self._started else None

    @property
    def transcript(self) -> tuple[Message, ...]:
        """The signed messages that this peer accepted, in the order of the log."""
        return self._proceedings.messages

    @property
    def signed(self) -> Signed[Transact] | None:
        """The complete mix transaction, once the run is done."""
        return self._proceedings.signed

    @property
    def faults(self) -> tuple[Fault, ...]:
        """Who is to be excluded, once the run failed."""
        return self._proceedings.faults

    @property
    def secrets_dropped(self) -> bool:
        """Whether this peer could still reveal its key of the run."""
        return self._run_key.destroyed

    def start(self, now_s: int = 0) -> Step:
        """Begin the run at ``now_s`` (seconds of any clock that never goes back). Raises ``ValueError`` if it runs."""
        if self._started:
            raise ValueError("the peer has been started already")
        self._started = True
        self._proceedings = Proceedings(self.session, run=self.run, timeout_s=self._timeout_s, now_s=now_s)
        bound = commitment(self.session.id, self.run, self.index, self._run_key.public, self._salt, self._output)
        payload = self._key.public_key.format() + self._run_key.public + bound
        return Step((self._seal(Phase.KEYS, payload),), (Entered(Stage.KEYS),))

    def receive(self, message: bytes | Message) -> Step:
        """Read the next message of the board, one's own included. Raises ``ValueError`` before :meth:`start`."""
        self._check_started()
        before = self.stage
        why = self._proceedings.read(message)
        if why is not None:
            return Step((), (Ignored(why),))
        return self._go_on(before)

    def tick(self, now_s: int) -> Step:
        """Tell the time. At the deadline of a stage the run ends, and whoever owes a message is named.

        Raises ``ValueError`` before :meth:`start`, and if time goes back.
        """
        self._check_started()
        before = self.stage
        self._proceedings.tick(now_s)
        return self._go_on(before)

    def _check_started(self) -> None:
        if not self._started:
            raise ValueError("start the peer, then give it time and messages of the board from the first on")

    def _go_on(self, before: Stage) -> Step:
        """What the peer has to say in a new stage."""
        if self.stage is before:
            return NOTHING
        events: tuple[Event, ...] = (Entered(self.stage),)
        match self.stage:
            case Stage.SLOTS:
                return Step((self._reserve(),), events)
            case Stage.PAYLOADS:
                return Step((self._fill(),), events)
            case Stage.SIGNING:
                return Step(self._sign(), events)
            case Stage.REVELATION:
                revelation = Revelation(self._run_key.reveal(), self._salt, self._output)
                return Step((self._seal(Phase.REVELATION, revelation.encode()),), events)
            case _:
                self._forget()
                signed = self._proceedings.signed
                return Step((), (*events, Failed(self.faults) if signed is None else Completed(signed)))

    def _reserve(self) -> bytes:
        context = self._proceedings.context
        self._pair_keys = {
            peer: pair_key(self._run_key.shared(public), context)
            for peer, public in enumerate(self._proceedings.public_keys)
            if peer != self.index
        }
        number = slot_number(context, self._output)
        message = masked_powers(number, self.index, self._pair_keys, self.session.size)
        return self._seal(Phase.SLOTS, encode_elements(message))

    def _fill(self) -> bytes:
        number, numbers = slot_number(self._proceedings.context, self._output), self._proceedings.numbers
        if number not in numbers:
            return self._seal(Phase.COMPLAINT, b"")
        slot = numbers.index(number)
        return self._seal(Phase.PAYLOADS, masked_payload(self._output, slot, self._pair_keys, self.session.size))

    def _sign(self) -> tuple[bytes, ...]:
        self._forget()
        mix = self._proceedings.mix
        if mix is None or self._output not in {note.owner for note in mix.outputs}:
            return ()  # somebody found another address with the same number of 127 bits: sign nothing
        return (self._seal(Phase.SIGNING, self._key.sign(self._proceedings.mix_digest)),)

    def _forget(self) -> None:
        """Drop what could link this peer to its address: from here on the run is never revealed."""
        self._run_key.destroy()
        self._salt = b""
        self._pair_keys = {}

    def _seal(self, phase: Phase, payload: bytes) -> bytes:
        view = self._proceedings.view
        return seal(self.session.id, self.run, phase, self.index, view, payload, self._key).encoded
