"""Regulatory transaction: what the DSO authorises, bans, settles and charges. Paper, section "Transactions"."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from assets import errors
from assets.keys import ZERO_ADDRESS, Digest
from assets.notes import MAX_POWER_W, MAX_QUANTITY
from assets.rules.notes import check_signatures
from assets.rules.state import FeederAccount, LedgerState, MeterAccount, Standing
from assets.transactions import Authorisation, PriceChange, Regulate, Settlement, Signed


def check_regulate(state: LedgerState, signed: Signed[Regulate], message: Digest) -> None:
    """The DSO signed ``message``, in order, and what it says is consistent; nothing changes the past."""
    tx = signed.tx
    if tx.nonce != state.regulation_nonce:
        raise errors.BadNonce(state.regulation_nonce, tx.nonce)
    signers = (state.dso,) if tx.successor == ZERO_ADDRESS else (state.dso, tx.successor)
    check_signatures(state.domain, message, signers, signed.signatures)
    if tx.time_s and tx.time_s < state.time_s:
        raise errors.TimeInPast(state.time_s, tx.time_s)
    for capacity in tx.feeders:
        if max(capacity.export_w, capacity.import_w) > MAX_POWER_W:
            raise errors.BadCapacity(capacity.feeder)
    feeders = set(state.feeders) | {c.feeder for c in tx.feeders}
    feeder_of = {meter: account.feeder for meter, account in state.meters.items()}
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
    if (
        grant.key == ZERO_ADDRESS
        or max(grant.max_epa_w, grant.max_eca_w) > MAX_POWER_W
        or grant.credit_nano > MAX_QUANTITY
    ):
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
        feeder = state.feeders.setdefault(capacity.feeder, FeederAccount())
        feeder.ruling.record(capacity, tx.time_s, state.time_s)
    for grant in tx.authorise:
        account = state.meters.setdefault(grant.meter, MeterAccount(grant.feeder))
        account.ruling.record(Standing(grant), tx.time_s, state.time_s)
    for meter in tx.ban:
        ruling = state.meters[meter].ruling
        if ruling.latest is not None:
            ruling.record(replace(ruling.latest, banned=True), tx.time_s, state.time_s)
    for settlement in tx.settle:
        state.meters[settlement.meter].fa_outstanding_nano -= settlement.amount_nano
    state.prices.extend(tx.prices)
    if tx.successor != ZERO_ADDRESS:
        state.dso = tx.successor
