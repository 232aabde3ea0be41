"""Every rule, accepted and refused, on the specification and on the contract alike."""

from dataclasses import replace
from pathlib import Path

import pytest

from assets import errors
from assets.errors import REFUSALS
from assets.intervals import IntervalGrid
from assets.keys import ORDER, ZERO_ADDRESS, Address, recover_address
from assets.ledger import SpecLedger
from assets.notes import MAX_SPAN, Kind, issued
from assets.port import NoteStatus
from assets.transactions import (
    Authorisation,
    FeederCapacity,
    PriceChange,
    Regulate,
    Settlement,
    Signed,
    Transact,
    digest,
    sign,
)
from contracts.ledger import EvmLedger

HUGE = 2**63
"""One more than the largest amount, credit and price."""
MOST_W = 2**32 - 1


def refused(world, signed, expected):
    """Submits, expects this refusal and no other effect."""
    before = (world.ledger.entries(), world.ledger.regulation_nonce(), world.ledger.meter_nonce(world.METER))
    assert world.submit(signed).refusal == expected
    assert (world.ledger.entries(), world.ledger.regulation_nonce(), world.ledger.meter_nonce(world.METER)) == before


def test_a_note_is_issued_moved_split_and_merged(either):
    (note,) = either.issue(either.epa(2000, 0, 3))
    parts = [either.epa(500, 0, 3), either.epa(1500, 0, 1), either.epa(1500, 2, 3, owner=either.bob)]
    split = either.transact([note], parts, either.alice)
    either.submit(split).require()
    assert either.ledger.status(note.id) is NoteStatus.SPENT
    assert either.ledger.entries()[-1].signed == split
    inputs = issued(tuple(parts), digest(either.domain, split.tx))
    either.submit(either.transact(inputs, [either.epa(2000, 0, 3)], either.alice, either.bob)).require()
    assert [either.ledger.status(i.id) for i in inputs] == [NoteStatus.SPENT] * 3


def test_energy_is_traded_for_money_atomically(either):
    (energy,) = either.issue(either.epa(1000))
    demand, money = either.issue(
        either.eca(1000, owner=either.bob), either.fa(5000, owner=either.bob), meter=either.OTHER_METER
    )
    outputs = [either.epa(1000, owner=either.bob), either.eca(1000), either.fa(4000), either.fa(1000, owner=either.bob)]
    either.submit(either.transact([energy, demand, money], outputs, either.alice, either.bob)).require()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"kind": 0}, errors.BadKind(1, 0)),
        ({"kind": 4}, errors.BadKind(1, 4)),
        ({"kind": 255}, errors.BadKind(1, 255)),
        ({"owner": ZERO_ADDRESS}, errors.ZeroOwner(1)),
        ({"quantity": 0}, errors.BadQuantity(1, 0)),
        ({"kind": Kind.FA, "quantity": 0}, errors.BadQuantity(1, 0)),
        ({"kind": Kind.FA, "quantity": HUGE}, errors.BadQuantity(1, HUGE)),
        ({"start": 5, "end": 5 + MAX_SPAN}, errors.BadSpan(1, 5, 5 + MAX_SPAN)),
        ({"start": 2**32 - 1, "end": 2**32 - 1}, errors.BadSpan(1, 2**32 - 1, 2**32 - 1)),
    ],
)
def test_a_malformed_output_is_refused(either, change, expected):
    refused(either, either.withdraw(either.epa(), replace(either.epa(), **change)), expected)


@pytest.mark.parametrize(
    "change",
    [
        {"start": 3, "end": 2},
        {"start": 2**32 - 1, "end": 2**32},
        {"end": 2**16},
        {"quantity": MOST_W + 1},
        {"kind": Kind.FA, "start": 1, "end": 1},
        {"kind": Kind.FA, "end": 1},
        {"kind": Kind.FA, "quantity": 2**64},
        {"kind": 256},
    ],
)
def test_a_note_that_has_no_word_is_no_note(either, change):
    with pytest.raises(errors.EncodingError):
        either.submit(either.withdraw(either.epa(), replace(either.epa(), **change)))


def test_the_longest_span_and_the_last_interval_are_well_formed(either):
    longest = either.withdraw(either.epa(1, 0, MAX_SPAN - 1), either.eca(1, 2**32 - 2, 2**32 - 2))
    either.submit(longest).require()


def test_no_outputs_no_inputs_and_too_many_are_refused(either):
    (note,) = either.issue(either.epa())
    refused(either, either.withdraw(), errors.EmptyTransaction())
    refused(either, either.withdraw(*[either.epa()] * 257), errors.TooManyNotes(257, 256))
    refused(either, either.transact([], [either.epa()]), errors.EmptyTransaction())
    refused(either, either.transact([note], [], either.alice), errors.EmptyTransaction())
    refused(either, either.transact([note] * 257, [either.epa()], either.alice), errors.TooManyNotes(257, 256))


def test_an_unknown_or_spent_input_is_refused(either):
    note, twin = either.issue(either.epa(), either.epa())
    for forged in (
        replace(note, index=2),
        replace(note, origin=bytes(32)),
        replace(note, note=replace(note.note, quantity=2000)),
        replace(note, note=replace(note.note, owner=either.bob.address)),
        replace(note, note=replace(note.note, owner=ZERO_ADDRESS)),
    ):
        refused(either, either.transact([forged], [either.epa()], either.alice), errors.UnknownNote(forged.id))
    twice = either.transact([note, twin, note], [either.epa(3000)], either.alice)
    refused(either, twice, errors.NoteSpent(note.id))
    either.submit(either.transact([note], [either.epa()], either.alice)).require()
    refused(either, either.transact([note], [either.epa()], either.alice), errors.NoteSpent(note.id))


def test_one_signature_for_each_run_of_one_owner(either):
    mine, yours, mine_too = either.issue(either.epa(), either.epa(owner=either.bob), either.epa())
    outputs = [either.epa(3000)]
    apart = either.transact([mine, yours, mine_too], outputs, either.alice, either.bob)
    refused(either, apart, errors.SignatureCount(3, 2))
    together = [mine, mine_too, yours]
    refused(either, either.transact(together, outputs), errors.SignatureCount(2, 0))
    wrong_order = either.transact(together, outputs, either.bob, either.alice)
    refused(either, wrong_order, errors.BadSignature(either.alice.address, either.bob.address))
    either.submit(either.transact(together, outputs, either.alice, either.bob)).require()


def test_no_second_form_of_a_signature_is_accepted(either):
    (note,) = either.issue(either.epa())
    good = either.transact([note], [either.epa()], either.alice)
    (signature,) = good.signatures
    s = int.from_bytes(signature[32:64], "big")
    for bad in (
        signature[:32] + (ORDER - s).to_bytes(32, "big") + bytes([55 - signature[64]]),
        signature[:64] + bytes([signature[64] - 27]),
        bytes(65),
    ):
        refused(either, Signed(good.tx, (bad,)), errors.BadSignature(either.alice.address, ZERO_ADDRESS))
    for no_signature in (signature[:64], signature + b"\0", b""):
        with pytest.raises(errors.EncodingError):
            either.submit(Signed(good.tx, (no_signature,)))
    flipped = signature[:64] + bytes([55 - signature[64]])
    recovered = recover_address(digest(either.domain, good.tx), flipped)
    refused(either, Signed(good.tx, (flipped,)), errors.BadSignature(either.alice.address, recovered))
    either.submit(good).require()


def test_a_signature_for_another_ledger_is_refused(either):
    (note,) = either.issue(either.epa())
    elsewhere = replace(either.domain, chain_id=either.domain.chain_id + 1)
    foreign = sign(elsewhere, Transact((note,), (either.epa(),)), either.alice)
    recovered = recover_address(digest(either.domain, foreign.tx), foreign.signatures[0])
    refused(either, foreign, errors.BadSignature(either.alice.address, recovered))


def test_inputs_and_outputs_must_balance_in_every_interval(either):
    energy, demand, money = either.issue(either.epa(1000, 2, 5), either.eca(1000, 2, 5), either.fa(700))
    everything = [energy, demand, money]

    def moved(epa, eca, amount):
        return either.transact(everything, [*epa, *eca, either.fa(amount)], either.alice)

    all_epa, all_eca = [either.epa(1000, 2, 5)], [either.eca(1000, 2, 5)]
    refused(either, moved([either.epa(1000, 2, 4)], all_eca, 700), errors.Unbalanced(Kind.EPA, 5))
    refused(either, moved([either.epa(1000, 1, 5)], all_eca, 700), errors.Unbalanced(Kind.EPA, 1))
    refused(either, moved(all_epa, [either.eca(1001, 2, 5)], 700), errors.Unbalanced(Kind.ECA, 2))
    gap = [either.eca(1000, 2, 2), either.eca(1000, 4, 5)]
    refused(either, moved(all_epa, gap, 700), errors.Unbalanced(Kind.ECA, 3))
    refused(either, moved(all_epa, all_eca, 701), errors.Unbalanced(Kind.FA, 0))
    refused(either, moved([either.epa(1, 2, 5)], [either.eca(1, 2, 5)], 1), errors.Unbalanced(Kind.EPA, 2))
    either.submit(moved(all_epa, all_eca, 700)).require()


def test_an_epa_note_does_not_pay_for_an_eca_note(either):
    (energy,) = either.issue(either.epa())
    refused(either, either.transact([energy], [either.eca()], either.alice), errors.Unbalanced(Kind.EPA, 0))


def test_only_authorised_meters_that_are_not_banned_withdraw_in_order(either):
    refused(either, either.withdraw(either.epa(), meter=9), errors.UnknownMeter(9))
    refused(either, either.withdraw(either.epa(), meter=either.BANNED_METER), errors.MeterBanned(either.BANNED_METER))
    refused(either, either.withdraw(either.epa(), nonce=1), errors.BadNonce(0, 1))
    once = either.withdraw(either.epa())
    either.submit(once).require()
    refused(either, once, errors.BadNonce(1, 0))
    foreign = Signed(either.withdraw(either.epa()).tx, (bytes(65),))
    refused(either, foreign, errors.BadSignature(either.meters[either.METER].address, ZERO_ADDRESS))
    refused(either, Signed(foreign.tx, ()), errors.SignatureCount(1, 0))


def test_limits_hold_over_all_withdrawals(either):
    either.issue(either.epa(3000, 0, 3))
    refused(either, either.withdraw(either.epa(2001, 3, 4)), errors.MeterLimit(either.METER, 1, 3, 5000, 5001))
    refused(either, either.withdraw(either.epa(1001), either.epa(1000)), errors.MeterLimit(1, 1, 0, 5000, 5001))
    refused(either, either.withdraw(either.eca(6001)), errors.MeterLimit(either.METER, 2, 0, 6000, 6001))
    refused(either, either.withdraw(either.eca(MOST_W)), errors.MeterLimit(either.METER, 2, 0, 6000, MOST_W))
    either.issue(either.epa(2000, 3, 4), either.eca(6000))
    full = either.withdraw(either.epa(2001, 3, 3), meter=either.OTHER_METER)
    refused(either, full, errors.FeederLimit(either.FEEDER, 1, 3, 7000, 7001))
    full = either.withdraw(either.eca(3001), meter=either.OTHER_METER)
    refused(either, full, errors.FeederLimit(either.FEEDER, 2, 0, 9000, 9001))
    either.issue(either.epa(2000, 3, 3), either.eca(3000), meter=either.OTHER_METER)


def test_the_credit_limit_counts_what_is_not_settled(either):
    either.issue(either.fa(6 * 10**8))
    refused(either, either.withdraw(either.fa(4 * 10**8 + 1)), errors.CreditLimit(1, 10**9, 10**9 + 1))
    for amount, outstanding in ((0, 6 * 10**8), (6 * 10**8 + 1, 6 * 10**8)):
        over = either.regulate(settle=(Settlement(either.METER, amount),))
        refused(either, over, errors.BadSettlement(either.METER, outstanding, amount))
    twice = either.regulate(settle=(Settlement(either.METER, 5 * 10**8), Settlement(either.METER, 2 * 10**8)))
    refused(either, twice, errors.BadSettlement(either.METER, 10**8, 2 * 10**8))
    refused(either, either.regulate(settle=(Settlement(9, 1),)), errors.UnknownMeter(9))
    either.submit(either.regulate(settle=(Settlement(either.METER, 5 * 10**8),))).require()
    either.issue(either.fa(9 * 10**8))


def test_only_the_dso_regulates_in_order(either):
    good = either.regulate()
    refused(either, either.signed_by_dso(Regulate(7)), errors.BadNonce(1, 7))
    foreign = sign(either.domain, good.tx, either.alice)
    refused(either, foreign, errors.BadSignature(either.dso.address, either.alice.address))
    refused(either, Signed(good.tx, good.signatures * 2), errors.SignatureCount(1, 2))
    either.submit(good).require()
    refused(either, good, errors.BadNonce(2, 1))


def test_grants_need_a_key_a_feeder_and_limits_in_range(either):
    key = either.bob.address

    def granted(key=key, feeder=either.FEEDER, epa_w=0, eca_w=0, credit_nano=0):
        return either.regulate(authorise=(Authorisation(4, Address(key), feeder, epa_w, eca_w, credit_nano),))

    refused(either, granted(key=ZERO_ADDRESS), errors.BadGrant(4))
    for field, most in (("epa_w", MOST_W), ("eca_w", MOST_W), ("credit_nano", HUGE - 1)):
        refused(either, granted(**{field: most + 1}), errors.BadGrant(4))
    refused(either, granted(feeder=8), errors.UnknownFeeder(8))
    refused(either, either.regulate(feeders=(FeederCapacity(8, MOST_W + 1, 0),)), errors.BadCapacity(8))
    refused(either, either.regulate(feeders=(FeederCapacity(8, 0, MOST_W + 1),)), errors.BadCapacity(8))
    refused(either, either.regulate(ban=(4,)), errors.UnknownMeter(4))
    either.submit(either.regulate(feeders=(FeederCapacity(8, 0, MOST_W),))).require()
    either.submit(granted(feeder=8, epa_w=MOST_W)).require()
    refused(either, granted(), errors.FeederFixed(4, 8))
    twice = tuple(Authorisation(5, Address(key), feeder, 0, 0, 0) for feeder in (8, either.FEEDER))
    refused(either, either.regulate(authorise=twice), errors.FeederFixed(5, 8))


def test_a_later_authorisation_lifts_a_ban_and_replaces_limits(either):
    banned = either.BANNED_METER
    grant = Authorisation(banned, either.bob.address, either.FEEDER, 10, 0, 0)
    either.submit(either.regulate(authorise=(grant,))).require()
    old_key = either.withdraw(either.epa(10), meter=banned)
    refused(either, old_key, errors.BadSignature(either.bob.address, either.meters[banned].address))
    refused(
        either, sign(either.domain, either.withdraw(either.epa(11), meter=banned).tx, either.bob),
        errors.MeterLimit(banned, 1, 0, 10, 11),
    )  # fmt: skip
    either.submit(sign(either.domain, old_key.tx, either.bob)).require()
    both = either.regulate(authorise=(grant,), ban=(banned,))
    either.submit(both).require()
    refused(either, either.withdraw(either.epa(1), meter=banned), errors.MeterBanned(banned))


def test_prices_are_in_range_never_a_money_pump_and_never_for_the_past(either):
    start = either.GENESIS_S

    def priced(time_s, consumption, production):
        return either.regulate(prices=(PriceChange(time_s, consumption, production),))

    refused(either, priced(start, 90, 91), errors.PriceInversion(90, 91))
    refused(either, priced(start, HUGE, 1), errors.BadPrice(HUGE))
    refused(either, priced(start, 1, HUGE), errors.BadPrice(HUGE))
    receipt = either.submit(priced(start - 2_000_000, 2, 1))
    assert receipt.refusal == errors.TimeInPast(receipt.time_s, start - 2_000_000)
    now = PriceChange(receipt.time_s + 100, 7, 7)
    either.submit(either.regulate(prices=(now, PriceChange(start + 3600, 9, 8)))).require()
    assert either.ledger.price_at(0) == now
    assert either.ledger.price_at(1) == either.ledger.price_at(2) == PriceChange(start + 3600, 9, 8)


def test_power_that_gives_fractional_energy_is_refused(chain, either):
    world_class = type(either)
    grid = IntervalGrid(world_class.GENESIS_S, 900)
    evm = EvmLedger.deploy(chain, world_class.dso.address, grid)
    spec = SpecLedger(evm.domain, grid, world_class.dso.address, time_s=evm.now_s)
    for world in (world_class(spec), world_class(evm)):
        refused(world, world.withdraw(world.epa(1001)), errors.FractionalPower(0, 1001))
        refused(world, world.withdraw(world.fa(1001), world.eca(1002)), errors.FractionalPower(1, 1002))
        world.submit(world.withdraw(world.epa(1004), world.fa(1001))).require()


def test_every_rule_has_a_test_here():
    source = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_rules*.py"))
    assert [name for name in REFUSALS if f"errors.{name}(" not in source] == []
