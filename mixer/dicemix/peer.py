"""One peer of a DiceMix run: takes messages and clock ticks, returns messages. Does no I/O.

Everything public about the run is read from the log by :class:`~mixer.dicemix.proceedings.Proceedings`; the peer adds
what only it knows: its keys, its address, and what it posts next.
"""

import secrets

from assets.keys import ZERO_ADDRESS, Address, SigningKey
from assets.transactions import Signed, Transaction
from mixer.dicemix.faults import Fault
from mixer.dicemix.field import encode_elements
from mixer.dicemix.keys import RunKey
from mixer.dicemix.message import Message, seal
from mixer.dicemix.pads import masked_payload, masked_powers, pair_key
from mixer.dicemix.payloads import Revelation
from mixer.dicemix.proceedings import Proceedings
from mixer.dicemix.protocol import ADDRESS_BYTES, SALT_BYTES, Phase
from mixer.dicemix.slots import commitment, slot_number
from mixer.dicemix.stages import Stage
from mixer.engine import Outcome, Run
from mixer.exhibits import NotAnExhibit, OwnMix, encode_exhibit, read_exhibit


class Peer:
    """The member of ``run`` whose note ``key`` owns, to move it to ``output``: a :class:`~mixer.engine.Player`.

    ``output`` must be a fresh address: used for nothing else, and never again after a run that failed. Raises
    ``ValueError`` if the arguments do not fit together.
    """

    def __init__(self, run: Run, key: SigningKey, output: Address) -> None:
        if len(output) != ADDRESS_BYTES or output == ZERO_ADDRESS:
            raise ValueError(f"the output is an address of {ADDRESS_BYTES} bytes other than zero")
        if output in run.session.owners:
            raise ValueError("the output owns an input of this session; give a fresh address")
        self.member = run.session.index_of(key.address)
        """Place of the note among the session's inputs."""
        if self.member not in run.members:
            raise ValueError("the key's note takes no part in this run")
        self._proceedings = Proceedings(run)
        self._begun = False
        self._key = key
        self._output = output
        self._run_key = RunKey()
        self._salt = secrets.token_bytes(SALT_BYTES)
        self._pair_keys: dict[int, bytes] = {}

    def __repr__(self) -> str:
        return f"Peer({self.member} of {self.run.session.size}, run {self.run.number}, {self.stage.value})"

    @property
    def run(self) -> Run:
        """Which run."""
        return self._proceedings.run

    @property
    def stage(self) -> Stage:
        """Where the run is."""
        return self._proceedings.stage

    @property
    def deadline_s(self) -> int | None:
        """When the peer stops waiting for what is due now; ``None`` while it waits for nothing."""
        return self._proceedings.deadline_s if self._begun else None

    @property
    def outcome(self) -> Outcome | None:
        """How the run ended; ``None`` while it goes on."""
        return self._proceedings.outcome

    @property
    def faults(self) -> tuple[Fault, ...]:
        """Who is to be excluded, once the run failed."""
        return self._proceedings.faults

    @property
    def secrets_dropped(self) -> bool:
        """Whether this peer could not reveal its key of the run any more, even if it wanted to."""
        return self._run_key.destroyed

    def begin(self) -> tuple[bytes, ...]:
        """Start, at the run's ``start_s``. Raises ``ValueError`` the second time."""
        if self._begun:
            raise ValueError("the peer has begun already")
        self._begun = True
        run, public = self.run, self._run_key.public
        bound = commitment(run.log, run.number, self.member, public, self._salt, self._output)
        return (self._seal(Phase.KEYS, self._key.public_key.format() + public + bound),)

    def receive(self, data: bytes | Message) -> tuple[bytes, ...]:
        """Read the next message of the board, one's own included. Raises ``ValueError`` before :meth:`begin`."""
        self._check_begun()
        before = self.stage
        self._proceedings.receive(data)
        return self._go_on(before)

    def tick(self, now_s: int) -> tuple[bytes, ...]:
        """Tell the board's time. At the deadline of a stage the run ends, and whoever owes a message is named.

        Raises ``ValueError`` before :meth:`begin`, and if time goes back.
        """
        self._check_begun()
        before = self.stage
        self._proceedings.tick(now_s)
        return self._go_on(before)

    def expose(self, spend: Signed[Transaction]) -> tuple[bytes, ...]:
        """The message that shows a transaction from the ledger in which a member spends its note elsewhere.

        Raises ``ValueError`` if it convicts no member of this run: showing it would convict this one.
        """
        self._check_begun()
        payload = encode_exhibit(spend)
        try:
            read_exhibit(self.run.session, self.run.members, payload, self._proceedings.mixes)
        except (NotAnExhibit, OwnMix):
            raise ValueError("the transaction is no betrayal by a member of this run; do not show it") from None
        return (self._seal(Phase.EXHIBIT, payload),)

    def _check_begun(self) -> None:
        if not self._begun:
            raise ValueError("begin, then give the peer time and messages of the board from the first on")

    def _go_on(self, before: Stage) -> tuple[bytes, ...]:
        """What the peer has to say in a new stage."""
        if self.stage is before:
            return ()
        match self.stage:
            case Stage.SLOTS:
                return (self._reserve(),)
            case Stage.PAYLOADS:
                return (self._fill(),)
            case Stage.SIGNING:
                return self._sign()
            case Stage.REVELATION:
                revelation = Revelation(self._run_key.reveal(), self._salt, self._output)
                return (self._seal(Phase.REVELATION, revelation.encode()),)
            case _:
                self._forget()
                return ()

    def _reserve(self) -> bytes:
        context = self._proceedings.context
        self._pair_keys = {
            peer: pair_key(self._run_key.shared(public), context)
            for peer, public in self._proceedings.public_keys.items()
            if peer != self.member
        }
        number = slot_number(context, self._output)
        message = masked_powers(number, self.member, self._pair_keys, self.run.size)
        return self._seal(Phase.SLOTS, encode_elements(message))

    def _fill(self) -> bytes:
        number, numbers = slot_number(self._proceedings.context, self._output), self._proceedings.numbers
        if number not in numbers:
            return self._seal(Phase.COMPLAINT, b"")
        slot = numbers.index(number)
        return self._seal(Phase.PAYLOADS, masked_payload(self._output, slot, self._pair_keys, self.run.size))

    def _sign(self) -> tuple[bytes, ...]:
        self._forget()
        mix, mix_digest = self._proceedings.mix, self._proceedings.mix_digest
        if mix is None or mix_digest is None or self._output not in {note.owner for note in mix.outputs}:
            return ()  # somebody found another address with the same number of 127 bits: sign nothing
        return (self._seal(Phase.SIGNING, self._key.sign(mix_digest)),)

    def _forget(self) -> None:
        """Drop what could link this peer to its address: from here on the run is never revealed."""
        self._run_key.destroy()
        self._salt = b""
        self._pair_keys = {}

    def _seal(self, phase: Phase, payload: bytes) -> bytes:
        run, view = self.run, self._proceedings.view
        return seal(run.log, run.number, phase, self.member, view, payload, self._key).encoded
