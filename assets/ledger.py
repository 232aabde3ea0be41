"""The executable specification of the ledger: the validity rules as functions over plain state.

Read it beside the paper (PETra, arXiv 1709.09614, sections "Transactions" and "Safety"). The Solidity contract obeys
the same rules in the same order and is tested against this module. ``check_*`` raises the first
:class:`~assets.errors.Refusal` and never changes the state; ``apply_*`` assumes that the check has passed.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from assets import errors
from assets.intervals import IntervalGrid
from assets.keys import ZERO_ADDRESS, Address, Digest, recover_address
from assets.notes import (
    ENERGY_KINDS,
    MAX_NOTES,
    MAX_QUANTITY,
    MAX_SPAN,
    Kind,
    Note,
    NoteId,
    issued,
)
from assets.port import Entry, NoteStatus, Receipt
from assets.transactions import (
    Authorisation,
    Domain,
    FeederCapacity,
    PriceChange,
    Regulate,
    Settlement,
    Signed,
    Transact,
    Transaction,
    Withdraw,
    digest,
    price_in_force,
)
from assets.units import SECONDS_PER_HOUR

MAX_INDEX = 2**32 - 1
"""Largest meter number and feeder number; the last interval of a note is smaller, so that it ends before 2³²−1."""

PowerByInterval = defaultdict[tuple[int, int], int]
"""Power issued in watts, by (kind, interval)."""


def _no_power() -> PowerByInterval:
    return defaultdict(int)


@dataclass
class MeterAccount:
    """What the ledger knows of one meter."""

    authorisation: Authorisation
    banned: bool = False
    nonce: int = 0
    issued_w: PowerByInterval = field(default_factory=_no_power)
    """EPA and ECA power issued so far, over all withdrawals ever."""
    fa_withdrawn_nano: int = 0
    fa_settled_nano: int = 0

    @property
    def fa_outstanding_nano(self) -> int:
        """FA withdrawn and not yet settled."""
        return self.fa_withdrawn_nano - self.fa_settled_nano


@dataclass
class FeederAccount:
    """What the ledger knows of one feeder."""

    capacity: FeederCapacity
    issued_w: PowerByInterval = field(default_factory=_no_power)
    """EPA and ECA power that the feeder's meters issued so far."""


@dataclass
class LedgerState:
    """The whole state of a ledger."""

    domain: Domain
    grid: IntervalGrid
    dso: Address
    time_s: int
    notes: dict[NoteId, NoteStatus] = field(default_factory=dict)
    meters: dict[int, MeterAccount] = field(default_factory=dict)
    feeders: dict[int, FeederAccount] = field(default_factory=dict)
    prices: list[PriceChange] = field(default_factory=list)
    regulation_nonce: int = 0

    def __post_init__(self) -> None:
        if self.dso == ZERO_ADDRESS:
            # It is what a malformed signature recovers to, so anybody could regulate such a ledger.
            raise ValueError("the zero address signs nothing; give the address of the DSO's key")


# --- Notes -----------------------------------------------------------------------------------------------


def check_outputs(state: LedgerState, outputs: Sequence[Note]) -> None:
    """Every output is a well-formed note, and there is at least one and not too many."""
    if not outputs:
        raise errors.EmptyTransaction
    if len(outputs) > MAX_NOTES:
        raise errors.TooManyNotes(len(outputs), MAX_NOTES)
    for index, note in enumerate(outputs):
        _check_note(state, index, note)


def _check_note(state: LedgerState, index: int, note: Note) -> None:
    if note.kind not in (Kind.EPA, Kind.ECA, Kind.FA):
        raise errors.BadKind(index, int(note.kind))
    if note.owner == ZERO_ADDRESS:
        raise errors.ZeroOwner(index)
    if not 1 <= note.quantity <= MAX_QUANTITY:
        raise errors.BadQuantity(index, note.quantity)
    if note.kind == Kind.FA:
        if (note.start, note.end) != (0, 0):
            raise errors.BadSpan(index, note.start, note.end)
    elif not 0 <= note.start <= note.end < min(note.start + MAX_SPAN, MAX_INDEX):
        raise errors.BadSpan(index, note.start, note.end)
    elif note.quantity * state.grid.interval_s % SECONDS_PER_HOUR:
        raise errors.FractionalPower(index, note.quantity)


# --- Smart-meter transaction -----------------------------------------------------------------------------


def check_withdraw(state: LedgerState, signed: Signed[Withdraw]) -> None:
    """The meter is authorised, not banned, it signed, and stays within its limits and its feeder's."""
    tx = signed.tx
    check_outputs(state, tx.outputs)
    account = state.meters.get(tx.meter)
    if account is None:
        raise errors.UnknownMeter(tx.meter)
    if account.banned:
        raise errors.MeterBanned(tx.meter)
    if tx.nonce != account.nonce:
        raise errors.BadNonce(account.nonce, tx.nonce)
    _check_signatures(digest(state.domain, tx), (account.authorisation.key,), signed.signatures)
    _check_limits(state, account, tx.outputs)


def _check_limits(state: LedgerState, account: MeterAccount, outputs: Iterable[Note]) -> None:
    grant = account.authorisation
    feeder = state.feeders[grant.feeder]
    meter_limit = {Kind.EPA: grant.max_epa_w, Kind.ECA: grant.max_eca_w}
    feeder_cap = {Kind.EPA: feeder.capacity.export_w, Kind.ECA: feeder.capacity.import_w}
    added_w: PowerByInterval = _no_power()
    fa_outstanding_nano = account.fa_outstanding_nano
    for note in outputs:
        kind = Kind(note.kind)
        if kind == Kind.FA:
            fa_outstanding_nano += note.quantity
            if fa_outstanding_nano > grant.credit_nano:
                raise errors.CreditLimit(grant.meter, grant.credit_nano, fa_outstanding_nano)
            continue
        for t in range(note.start, note.end + 1):
            added_w[kind, t] += note.quantity
            by_meter_w = account.issued_w.get((kind, t), 0) + added_w[kind, t]
            if by_meter_w > meter_limit[kind]:
                raise errors.MeterLimit(grant.meter, int(kind), t, meter_limit[kind], by_meter_w)
            by_feeder_w = feeder.issued_w.get((kind, t), 0) + added_w[kind, t]
            if by_feeder_w > feeder_cap[kind]:
                raise errors.FeederLimit(grant.feeder, int(kind), t, feeder_cap[kind], by_feeder_w)


def apply_withdraw(state: LedgerState, tx: Withdraw) -> None:
    """Issue the notes of a withdrawal that passed :func:`check_withdraw`."""
    account = state.meters[tx.meter]
    feeder = state.feeders[account.authorisation.feeder]
    account.nonce += 1
    for note in tx.outputs:
        if note.kind == Kind.FA:
            account.fa_withdrawn_nano += note.quantity
            continue
        for t in range(note.start, note.end + 1):
            account.issued_w[int(note.kind), t] += note.quantity
            feeder.issued_w[int(note.kind), t] += note.quantity
    _create(state, tx.outputs, digest(state.domain, tx))


# --- Energy and financial transaction --------------------------------------------------------------------


def check_transact(state: LedgerState, signed: Signed[Transact]) -> None:
    """Every input exists unspent, every owner signed, and outputs equal inputs in every interval."""
    tx = signed.tx
    if not tx.inputs:
        raise errors.EmptyTransaction
    if len(tx.inputs) > MAX_NOTES:
        raise errors.TooManyNotes(len(tx.inputs), MAX_NOTES)
    check_outputs(state, tx.outputs)
    named: set[NoteId] = set()
    for issued_note in tx.inputs:
        note_id = issued_note.id
        status = state.notes.get(note_id, NoteStatus.UNKNOWN)
        if status is NoteStatus.UNKNOWN:
            raise errors.UnknownNote(note_id)
        if status is NoteStatus.SPENT or note_id in named:
            raise errors.NoteSpent(note_id)
        named.add(note_id)
    _check_signatures(digest(state.domain, tx), tx.owners, signed.signatures)
    check_balance([i.note for i in tx.inputs], tx.outputs)


def check_balance(inputs: Iterable[Note], outputs: Iterable[Note]) -> None:
    """For EPA and for ECA: equal power in every interval. For FA: equal sums.

    Raises :class:`~assets.errors.Unbalanced` with the first interval that differs. The sums can only change where a
    note starts or has ended, so it is enough to look there.
    """
    steps_w: PowerByInterval = _no_power()
    fa_nano = 0
    for sign, notes in ((1, inputs), (-1, outputs)):
        for note in notes:
            if note.kind == Kind.FA:
                fa_nano += sign * note.quantity
            else:
                steps_w[int(note.kind), note.start] += sign * note.quantity
                steps_w[int(note.kind), note.end + 1] -= sign * note.quantity
    for kind in ENERGY_KINDS:
        differing = [t for (k, t), step in steps_w.items() if k == kind and step]
        if differing:
            raise errors.Unbalanced(int(kind), min(differing))
    if fa_nano:
        raise errors.Unbalanced(int(Kind.FA), 0)


def apply_transact(state: LedgerState, tx: Transact) -> None:
    """Spend the inputs and create the outputs of a transaction that passed :func:`check_transact`."""
    for issued_note in tx.inputs:
        state.notes[issued_note.id] = NoteStatus.SPENT
    _create(state, tx.outputs, digest(state.domain, tx))


def _create(state: LedgerState, outputs: tuple[Note, ...], origin: Digest) -> None:
    for issued_note in issued(outputs, origin):
        state.notes[issued_note.id] = NoteStatus.UNSPENT


def _check_signatures(message: Digest, owners: Sequence[Address], signatures: Sequence[bytes]) -> None:
    if len(signatures) != len(owners):
        raise errors.SignatureCount(len(owners), len(signatures))
    for owner, signature in zip(owners, signatures, strict=True):
        recovered = recover_address(message, signature)
        if recovered != owner:
            raise errors.BadSignature(owner, recovered)


# --- Regulatory transaction ------------------------------------------------------------------------------


def check_regulate(state: LedgerState, signed: Signed[Regulate]) -> None:
    """The DSO signed, in order, and what it says is consistent; prices are never changed for the past."""
    tx = signed.tx
    if tx.nonce != state.regulation_nonce:
        raise errors.BadNonce(state.regulation_nonce, tx.nonce)
    _check_signatures(digest(state.domain, tx), (state.dso,), signed.signatures)
    for capacity in tx.feeders:
        if max(capacity.export_w, capacity.import_w) > MAX_QUANTITY:
            raise errors.BadCapacity(capacity.feeder)
    feeders = set(state.feeders) | {c.feeder for c in tx.feeders}
    feeder_of = {meter: account.authorisation.feeder for meter, account in state.meters.items()}
    for grant in tx.authorise:
        _check_authorisation(grant, feeders, feeder_of.setdefault(grant.meter, grant.feeder))
    meters = set(feeder_of)
    for meter in tx.ban:
        if meter not in meters:
            raise errors.UnknownMeter(meter)
    _check_settlements(state, tx.settle, meters)
    for price in tx.prices:
        _check_price(state, price)


def _check_authorisation(grant: Authorisation, feeders: set[int], feeder: int) -> None:
    """``feeder`` is the one on which the meter's issued power is counted."""
    if grant.key == ZERO_ADDRESS or max(grant.max_epa_w, grant.max_eca_w, grant.credit_nano) > MAX_QUANTITY:
        raise errors.BadGrant(grant.meter)
    if grant.feeder not in feeders:
        raise errors.UnknownFeeder(grant.feeder)
    if grant.feeder != feeder:
        raise errors.FeederFixed(grant.meter, feeder)


def _check_settlements(state: LedgerState, settlements: Iterable[Settlement], meters: set[int]) -> None:
    settled_nano: defaultdict[int, int] = defaultdict(int)
    for settlement in settlements:
        if settlement.meter not in meters:
            raise errors.UnknownMeter(settlement.meter)
        account = state.meters.get(settlement.meter)
        outstanding = (account.fa_outstanding_nano if account else 0) - settled_nano[settlement.meter]
        if not 1 <= settlement.amount_nano <= outstanding:
            raise errors.BadSettlement(settlement.meter, outstanding, settlement.amount_nano)
        settled_nano[settlement.meter] += settlement.amount_nano


def _check_price(state: LedgerState, price: PriceChange) -> None:
    highest = max(price.consumption_nano_per_wh, price.production_nano_per_wh)
    if highest > MAX_QUANTITY:
        raise errors.BadPrice(highest)
    if price.consumption_nano_per_wh < price.production_nano_per_wh:
        raise errors.PriceInversion(price.consumption_nano_per_wh, price.production_nano_per_wh)
    if price.time_s < state.time_s:
        raise errors.TimeInPast(state.time_s, price.time_s)


def apply_regulate(state: LedgerState, tx: Regulate) -> None:
    """Record a regulatory transaction that passed :func:`check_regulate`."""
    state.regulation_nonce += 1
    for capacity in tx.feeders:
        feeder = state.feeders.setdefault(capacity.feeder, FeederAccount(capacity))
        feeder.capacity = capacity
    for grant in tx.authorise:
        account = state.meters.setdefault(grant.meter, MeterAccount(grant))
        account.authorisation, account.banned = grant, False
    for meter in tx.ban:
        state.meters[meter].banned = True
    for settlement in tx.settle:
        state.meters[settlement.meter].fa_settled_nano += settlement.amount_nano
    state.prices.extend(tx.prices)


def price_at(state: LedgerState, t: int) -> PriceChange | None:
    """The last recorded prices with ``time_s`` at or before the start of interval ``t``; ``None`` if there are none."""
    return price_in_force(state.prices, state.grid.start_s(t))


# --- The ledger ------------------------------------------------------------------------------------------


def check(state: LedgerState, signed: Signed[Transaction]) -> None:
    """Raise the first rule that ``signed`` breaks; the state is never changed."""
    match signed.tx:
        case Withdraw():
            check_withdraw(state, Signed(signed.tx, signed.signatures))
        case Transact():
            check_transact(state, Signed(signed.tx, signed.signatures))
        case Regulate():
            check_regulate(state, Signed(signed.tx, signed.signatures))


def apply(state: LedgerState, tx: Transaction) -> None:
    """Apply a transaction that passed :func:`check`."""
    match tx:
        case Withdraw():
            apply_withdraw(state, tx)
        case Transact():
            apply_transact(state, tx)
        case Regulate():
            apply_regulate(state, tx)


class SpecLedger:
    """The specification as a ledger in memory: fast, and with a clock that simulations set."""

    def __init__(self, domain: Domain, grid: IntervalGrid, dso: Address, time_s: int | None = None) -> None:
        self.state = LedgerState(domain, grid, dso, grid.genesis_s if time_s is None else time_s)
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
    def dso(self) -> Address:
        """Whose signature regulatory transactions carry."""
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

        A batch with a transaction that has no digest is the caller's mistake: ``EncodingError``, nothing is judged.
        """
        messages = [digest(self.domain, signed.tx) for signed in batch]
        return [self._submit_one(signed, message) for signed, message in zip(batch, messages, strict=True)]

    def _submit_one(self, signed: Signed[Transaction], message: Digest) -> Receipt:
        try:
            check(self.state, signed)
        except errors.Refusal as refusal:
            return Receipt(message, refusal, self.now_s)
        apply(self.state, signed.tx)
        self._entries.append(Entry(len(self._entries), self.now_s, message, signed))
        return Receipt(message, None, self.now_s)

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
