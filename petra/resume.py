"""Going on with a run that was cut off: what the ledger has recorded already is taken from it, not done again.

A simulation follows from its seed, but for the mixes, whose keys and permutations are drawn anew each time. So the run
starts over with the same seed, and whatever it submits is held against the ledger's next entry: the same transaction
stands; a mix of the same notes onto the same addresses stands as it was recorded. Where the records end, submitting
begins.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from assets.errors import Refusal
from assets.intervals import IntervalGrid
from assets.keys import Address
from assets.ledger import LedgerState, apply, check, price_at
from assets.notes import NoteId
from assets.port import Entry, NoteStatus, Receipt
from assets.transactions import NO_MEMO, Domain, PriceChange, Settle, Signed, Transact, Transaction, digest
from petra.ledgers import AheadOfTime


class OtherRun(ValueError):
    """The ledger has recorded something that this run does not do."""


class ResumedLedger:
    """A node's ledger, seen as it was when the run first came here, until the run has caught up with it."""

    def __init__(self, ledger: AheadOfTime) -> None:
        self.live = ledger
        """The ledger itself, as it stands now."""
        self._recorded = ledger.entries()
        self._past: list[Entry] = []
        self._state = LedgerState(ledger.domain, ledger.grid, ledger.founder, ledger.grid.genesis_s)
        self._now_s = min(ledger.now_s, ledger.grid.genesis_s - ledger.grid.interval_s)

    @property
    def replayed(self) -> int:
        """How many entries were there before, and stand."""
        return len(self._recorded)

    @property
    def _caught_up(self) -> bool:
        return len(self._past) == len(self._recorded)

    @property
    def domain(self) -> Domain:
        """For which ledger signatures are made."""
        return self.live.domain

    @property
    def grid(self) -> IntervalGrid:
        """The time grid of delivery intervals."""
        return self.live.grid

    @property
    def founder(self) -> Address:
        """Whose signature the first regulatory transaction carries."""
        return self.live.founder

    @property
    def dso(self) -> Address:
        """Whose signature regulatory transactions carry."""
        return self.live.dso

    @property
    def now_s(self) -> int:
        """Simulated time of where the run is. Unix seconds."""
        return self.live.now_s if self._caught_up else self._now_s

    def advance_to(self, unix_s: int) -> None:
        """Move simulated time forwards to ``unix_s``."""
        self._now_s = max(self._now_s, unix_s)
        if self._caught_up:
            self.live.advance_to(unix_s)

    def submit(self, batch: Sequence[Signed[Transaction]]) -> list[Receipt]:
        """What is recorded already stands; the rest is submitted. Raises :class:`OtherRun` for what does not fit."""
        receipts: list[Receipt] = []
        while not self._caught_up and len(receipts) < len(batch):
            receipts.append(self._stands(batch[len(receipts)]))
        if self._caught_up:
            self.live.advance_to(self._now_s)
        rest = batch[len(receipts) :]
        return receipts + (self.live.submit(rest) if rest else [])

    def _stands(self, signed: Signed[Transaction]) -> Receipt:
        entry = self._recorded[len(self._past)]
        if digest(self.domain, signed.tx) != entry.digest and not _same_mix(signed.tx, entry.signed.tx):
            if (refusal := self._refusal(signed)) is not None:
                return Receipt(digest(self.domain, signed.tx), refusal, self._now_s)
            raise OtherRun(
                f"entry {entry.seq} of the ledger is none of this run: give the options of the run that was cut off, "
                "or leave --resume out to start a new one"
            )
        entry = replace(entry, time_s=max(entry.time_s, self._now_s))
        self._now_s = entry.time_s
        self.live.note_submission(entry.digest, entry.time_s)
        self._past.append(entry)
        self._state.time_s = entry.time_s
        apply(self._state, entry.signed.tx, entry.digest)
        fills = (None,) * len(signed.tx.fills) if isinstance(signed.tx, Settle) else ()
        return Receipt(entry.digest, None, entry.time_s, fills)

    def _refusal(self, signed: Signed[Transaction]) -> Refusal | None:
        """Why the ledger refused a transaction, and so has no entry of it, where the run stood then."""
        if isinstance(signed.tx, Settle):
            return None
        try:
            check(self._state, signed, digest(self.domain, signed.tx))
        except Refusal as refusal:
            return refusal
        return None

    def entries(self, start: int = 0) -> list[Entry]:
        """Accepted transactions from sequence number ``start`` on, up to where the run is."""
        return self.live.entries(start) if self._caught_up else self._past[start:]

    def status(self, note_id: NoteId) -> NoteStatus:
        """Whether a note exists unspent."""
        return self.live.status(note_id) if self._caught_up else self._state.notes.get(note_id, NoteStatus.UNKNOWN)

    def meter_nonce(self, meter: int) -> int:
        """The nonce of the meter's next withdrawal; 0 for an unknown meter."""
        if self._caught_up:
            return self.live.meter_nonce(meter)
        account = self._state.meters.get(meter)
        return account.nonce if account else 0

    def regulation_nonce(self) -> int:
        """The nonce of the DSO's next regulatory transaction."""
        return self.live.regulation_nonce() if self._caught_up else self._state.regulation_nonce

    def price_at(self, t: int) -> PriceChange | None:
        """The prices of interval ``t`` as recorded so far; ``None`` before the first."""
        return self.live.price_at(t) if self._caught_up else price_at(self._state, t)


def _same_mix(ours: Transaction, recorded: Transaction) -> bool:
    """Whether both are mixes of the same notes onto the same addresses, in whatever order those came out."""
    if not (isinstance(ours, Transact) and isinstance(recorded, Transact)) or NO_MEMO in (ours.memo, recorded.memo):
        return False
    return ours.inputs == recorded.inputs and Counter(ours.outputs) == Counter(recorded.outputs)
