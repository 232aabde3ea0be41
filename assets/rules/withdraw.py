"""Smart-meter transaction: a meter issues notes within its limits and its feeder's. Paper, section "Safety"."""

from collections.abc import Iterable

from assets import errors
from assets.keys import Digest
from assets.notes import Kind, Note
from assets.rules.notes import check_outputs, check_signatures, create
from assets.rules.state import LedgerState, MeterAccount, PowerByInterval, no_power
from assets.transactions import Authorisation, FeederCapacity, Signed, Withdraw


def check_withdraw(state: LedgerState, signed: Signed[Withdraw], message: Digest) -> None:
    """The meter is authorised, not banned, it signed ``message``, and stays within its limits and its feeder's."""
    tx = signed.tx
    check_outputs(state, tx.outputs)
    account = state.meters.get(tx.meter)
    standing = account.ruling.at(state.time_s) if account else None
    if account is None or standing is None:
        raise errors.UnknownMeter(tx.meter)
    if standing.banned:
        raise errors.MeterBanned(tx.meter)
    if tx.nonce != account.nonce:
        raise errors.BadNonce(account.nonce, tx.nonce)
    check_signatures(state.domain, message, (standing.authorisation.key,), signed.signatures)
    _check_limits(state, account, standing.authorisation, tx.outputs)


def _check_limits(state: LedgerState, account: MeterAccount, grant: Authorisation, outputs: Iterable[Note]) -> None:
    feeder = state.feeders[account.feeder]
    capacity = feeder.ruling.at(state.time_s) or FeederCapacity(account.feeder, 0, 0)
    meter_limit = {Kind.EPA: grant.max_epa_w, Kind.ECA: grant.max_eca_w}
    feeder_cap = {Kind.EPA: capacity.export_w, Kind.ECA: capacity.import_w}
    added_w: PowerByInterval = no_power()
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
                raise errors.FeederLimit(account.feeder, int(kind), t, feeder_cap[kind], by_feeder_w)


def apply_withdraw(state: LedgerState, tx: Withdraw, message: Digest) -> None:
    """Issue the notes of a withdrawal that passed :func:`check_withdraw`."""
    account = state.meters[tx.meter]
    feeder = state.feeders[account.feeder]
    account.nonce += 1
    for note in tx.outputs:
        if note.kind == Kind.FA:
            account.fa_outstanding_nano += note.quantity
            continue
        for t in range(note.start, note.end + 1):
            account.issued_w[int(note.kind), t] += note.quantity
            feeder.issued_w[int(note.kind), t] += note.quantity
    create(state, tx.outputs, message)
