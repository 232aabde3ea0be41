"""The executable specification of the ledger: :mod:`assets.rules` put together, and a ledger in memory that obeys them.

It is the fast ledger of large simulations, and the oracle that the Solidity contract is tested against.
"""

from collections.abc import Sequence

from assets import errors
from assets.domain import Domain
from assets.intervals import IntervalGrid
from assets.keys import Address, Digest
from assets.notes import NoteId
from assets.port import Entry, NoteStatus, Receipt
from assets.rules.regulate import apply_regulate, check_regulate
from assets.rules.settle import apply_cancel, apply_settle, check_batch, check_cancel, check_settle, judge_fills
from assets.rules.state import MAX_INDEX as MAX_INDEX
from assets.rules.state import FeederAccount as FeederAccount
from assets.rules.state import LedgerState as LedgerState
from assets.rules.state import MeterAccount as MeterAccount
from assets.rules.state import price_at as price_at
from assets.rules.transact import apply_transact, check_transact
from assets.rules.transact import check_balance as check_balance
from assets.rules.withdraw import apply_withdraw, check_withdraw
from assets.transactions import (
    Cancel,
    PriceChange,
    Regulate,
    Settle,
    Signed,
    Transact,
    Transaction,
    Withdraw,
    check_encodable,
    digest,
    settled_part,
)


def check(state: LedgerState, signed: Signed[Transaction], message: Digest) -> None:
    """Raise the first rule that ``signed``, whose digest is ``message``, breaks; the state is never changed."""
    match signed.tx:
        case Withdraw():
            check_withdraw(state, Signed(signed.tx, signed.signatures), message)
        case Transact():
            check_transact(state, Signed(signed.tx, signed.signatures), message)
        case Settle():
            check_settle(state, Signed(signed.tx, signed.signatures))
        case Cancel():
            check_cancel(state, Signed(signed.tx, signed.signatures), message)
        case Regulate():
            check_regulate(state, Signed(signed.tx, signed.signatures), message)


def apply(state: LedgerState, tx: Transaction, message: Digest) -> None:
    """Apply a transaction that passed :func:`check` and whose digest is ``message``."""
    match tx:
        case Withdraw():
            apply_withdraw(state, tx, message)
        case Transact():
            apply_transact(state, tx, message)
        case Settle():
            apply_settle(state, tx, message)
        case Cancel():
            apply_cancel(state, tx)
        case Regulate():
            apply_regulate(state, tx)


class SpecLedger:
    """The specification as a ledger in memory: fast, and with a clock that simulations set."""

    def __init__(self, domain: Domain, grid: IntervalGrid, dso: Address, time_s: int | None = None) -> None:
        self.state = LedgerState(domain, grid, dso, grid.genesis_s if time_s is None else time_s)
        self._founder = dso
        self._entries: list[Entry] = []

    @property
    def domain(self) -> Domain:
        """For which ledger signatures are made."""
        return self.state.domain

    @property
    def grid(self) -> IntervalGrid:
        """The time grid of delivery intervals."""
        return self.state.grid

    @property
    def founder(self) -> Address:
        """Whose signature the first regulatory transaction carries."""
        return self._founder

    @property
    def dso(self) -> Address:
        """Whose signature the next regulatory transaction carries."""
        return self.state.dso

    @property
    def now_s(self) -> int:
        """Ledger time, Unix seconds."""
        return self.state.time_s

    def advance_to(self, unix_s: int) -> None:
        """Move the clock forwards to ``unix_s``; a time in the past changes nothing."""
        self.state.time_s = max(self.state.time_s, unix_s)

    def submit(self, batch: Sequence[Signed[Transaction]]) -> list[Receipt]:
        """Offer transactions in order; each is accepted or refused on its own.

        A batch with a transaction that has no encoding is the caller's mistake: ``EncodingError``, nothing is judged.
        """
        for signed in batch:
            check_encodable(signed)
        messages = [digest(self.domain, signed.tx) for signed in batch]
        return [self._submit_one(signed, message) for signed, message in zip(batch, messages, strict=True)]

    def _submit_one(self, signed: Signed[Transaction], message: Digest) -> Receipt:
        if isinstance(signed.tx, Settle):
            return self._settle(Signed(signed.tx, signed.signatures), message)
        try:
            check(self.state, signed, message)
        except errors.Refusal as refusal:
            return Receipt(message, refusal, self.now_s)
        return self._accept(signed, message)

    def _settle(self, signed: Signed[Settle], message: Digest) -> Receipt:
        try:
            check_batch(signed)
        except errors.Refusal as refusal:
            return Receipt(message, refusal, self.now_s)
        verdicts = judge_fills(self.state, signed.tx.fills)
        settled = settled_part(signed.tx, verdicts)
        if not settled.fills:
            return Receipt(message, verdicts[0], self.now_s, tuple(verdicts))
        return self._accept(Signed(settled, ()), digest(self.domain, settled), tuple(verdicts))

    def _accept(
        self, signed: Signed[Transaction], message: Digest, fills: tuple[errors.Refusal | None, ...] = ()
    ) -> Receipt:
        apply(self.state, signed.tx, message)
        self._entries.append(Entry(len(self._entries), self.now_s, message, signed))
        return Receipt(message, None, self.now_s, fills)

    def entries(self, start: int = 0) -> list[Entry]:
        """Accepted transactions from sequence number ``start`` on."""
        return self._entries[start:]

    def status(self, note_id: NoteId) -> NoteStatus:
        """Whether a note exists unspent."""
        return self.state.notes.get(note_id, NoteStatus.UNKNOWN)

    def meter_nonce(self, meter: int) -> int:
        """The nonce of the meter's next withdrawal; 0 for an unknown meter."""
        account = self.state.meters.get(meter)
        return account.nonce if account else 0

    def regulation_nonce(self) -> int:
        """The nonce of the DSO's next regulatory transaction."""
        return self.state.regulation_nonce

    def price_at(self, t: int) -> PriceChange | None:
        """The prices of interval ``t`` as recorded so far."""
        return price_at(self.state, t)
