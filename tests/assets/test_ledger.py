"""Every rule of the ledger, accepted at its limit and refused one step beyond it."""

import copy

import pytest

from assets import errors
from assets.keys import ZERO_ADDRESS, SigningKey
from assets.ledger import MAX_INDEX, SpecLedger
from assets.notes import MAX_NOTES, MAX_POWER_W, MAX_QUANTITY, MAX_SPAN, IssuedNote, Kind, Note, eca, epa, fa
from assets.port import NoteStatus
from assets.transactions import FeederCapacity, PriceChange, Settlement, Signed, Transact, Withdraw, digest, sign


@pytest.fixture
def home(community) -> SigningKey:
    return community.homes[0]


@pytest.fixture
def neighbour(community) -> SigningKey:
    return community.homes[1]


@pytest.fixture(autouse=True)
def refusals_change_nothing(community, monkeypatch):
    """Around every submission of this module: a refused transaction leaves state and entries as they were."""
    submit = community.ledger.submit

    def checked(batch):
        receipts = []
        for signed in batch:
            before, count = copy.deepcopy(community.state), len(community.ledger.entries())
            receipts += submit([signed])
            if receipts[-1].accepted:
                assert len(community.ledger.entries()) == count + 1
            else:
                assert community.state == before
                assert len(community.ledger.entries()) == count
        return receipts

    monkeypatch.setattr(community.ledger, "submit", checked)


# --- Well-formed notes ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "refusal"),
    [
        (lambda o: Note(0, o, 1, 0, 0), errors.BadKind(0, 0)),
        (lambda o: Note(4, o, 1, 0, 0), errors.BadKind(0, 4)),
        (lambda o: fa(ZERO_ADDRESS, 1), errors.ZeroOwner(0)),
        (lambda o: fa(o, 0), errors.BadQuantity(0, 0)),
        (lambda o: fa(o, 2**63), errors.BadQuantity(0, 2**63)),
        (lambda o: epa(o, 0, 0, 0), errors.BadQuantity(0, 0)),
        (lambda o: eca(o, 1, 5, 5 + MAX_SPAN), errors.BadSpan(0, 5, 5 + MAX_SPAN)),
        (lambda o: eca(o, 1, MAX_INDEX, MAX_INDEX), errors.BadSpan(0, MAX_INDEX, MAX_INDEX)),
    ],
)
def test_a_malformed_note_is_refused(community, home, assert_refused, make, refusal):
    receipt, _ = community.withdraw(1, make(home.address))
    assert_refused(receipt, refusal)


def test_the_refusal_names_the_first_malformed_output(community, home, assert_refused):
    receipt, _ = community.withdraw(1, fa(home.address, 1), fa(home.address, 0), fa(ZERO_ADDRESS, 1))
    assert_refused(receipt, errors.BadQuantity(1, 0))


@pytest.mark.parametrize(("start", "end"), [(5, 4 + MAX_SPAN), (MAX_INDEX - 1, MAX_INDEX - 1)])
def test_the_longest_span_and_the_last_interval_are_accepted(community, home, start, end):
    community.issue(1, epa(home.address, 1, start, end))


def test_power_must_give_whole_watt_hours(community, home, assert_refused, monkeypatch):
    monkeypatch.setattr(community.state, "grid", type(community.ledger.grid)(0, 900))
    assert_refused(community.withdraw(1, epa(home.address, 502, 0, 0))[0], errors.FractionalPower(0, 502))
    community.issue(1, epa(home.address, 504, 0, 0), fa(home.address, 1))


def test_a_transaction_has_outputs_and_not_too_many(community, home, assert_refused):
    assert_refused(community.withdraw(1)[0], errors.EmptyTransaction())
    many = (fa(home.address, 1),) * (MAX_NOTES + 1)
    assert_refused(community.withdraw(1, *many)[0], errors.TooManyNotes(MAX_NOTES + 1, MAX_NOTES))
    community.issue(1, *many[1:])


# --- Smart-meter transactions --------------------------------------------------------------------------


def test_an_unknown_meter_withdraws_nothing(community, home, assert_refused):
    receipt, _ = community.withdraw(9, fa(home.address, 1), key=home)
    assert_refused(receipt, errors.UnknownMeter(9))


def test_a_foreign_signature_withdraws_nothing(community, home, assert_refused):
    receipt, notes = community.withdraw(1, fa(home.address, 1), key=home)
    assert_refused(receipt, errors.BadSignature(community.meters[1].address, home.address))
    assert community.ledger.status(notes[0].id) is NoteStatus.UNKNOWN


def test_a_withdrawal_is_recorded_once(community, home, assert_refused):
    tx = Withdraw(1, 0, 0, (fa(home.address, 1),))
    signed = sign(community.ledger.domain, tx, community.meters[1])
    community.submit(signed).require()
    assert_refused(community.submit(signed), errors.BadNonce(1, 0))
    assert_refused(community.withdraw(1, fa(home.address, 1), nonce=2)[0], errors.BadNonce(1, 2))
    assert community.ledger.meter_nonce(1) == 1
    assert community.ledger.meter_nonce(9) == 0


@pytest.mark.parametrize("count", [0, 2])
def test_a_withdrawal_carries_exactly_one_signature(community, home, assert_refused, count):
    tx = Withdraw(1, 0, 0, (fa(home.address, 1),))
    signed = sign(community.ledger.domain, tx, *[community.meters[1]] * count)
    assert_refused(community.submit(signed), errors.SignatureCount(1, count))


@pytest.mark.parametrize(("make", "limit"), [(epa, 3000), (eca, 4000)])
def test_a_meter_limit_counts_all_withdrawals_ever(community, home, neighbour, assert_refused, make, limit):
    (note,) = community.issue(1, make(home.address, limit - 1000, 1, 3))
    community.transact((note,), (make(neighbour.address, limit - 1000, 1, 3),), home)
    community.issue(1, make(home.address, 1000, 3, 5))
    kind = int(make(home.address, 1, 0, 0).kind)
    receipt, _ = community.withdraw(1, make(home.address, 1, 0, 5))
    assert_refused(receipt, errors.MeterLimit(1, kind, 3, limit, limit + 1))
    community.issue(1, make(home.address, 1, 4, 5))


def test_a_meter_limit_counts_all_outputs_of_one_withdrawal(community, home, assert_refused):
    receipt, _ = community.withdraw(1, epa(home.address, 2000, 1, 1), epa(home.address, 1001, 1, 1))
    assert_refused(receipt, errors.MeterLimit(1, int(Kind.EPA), 1, 3000, 3001))


def test_production_does_not_count_as_consumption(community, home):
    community.issue(1, epa(home.address, 3000, 1, 1), eca(home.address, 4000, 1, 1))


def test_a_lowered_limit_counts_what_was_issued_before(community, home, assert_refused):
    community.issue(1, epa(home.address, 2000, 1, 1))
    community.regulate(authorise=(community.grant(1, max_epa_w=1000),)).require()
    receipt, _ = community.withdraw(1, epa(home.address, 1, 1, 1))
    assert_refused(receipt, errors.MeterLimit(1, int(Kind.EPA), 1, 1000, 2001))


@pytest.mark.parametrize(("make", "cap", "first"), [(epa, 5000, 3000), (eca, 6000, 4000)])
def test_a_feeder_cap_holds_over_its_meters(community, home, assert_refused, make, cap, first):
    kind = int(make(home.address, 1, 0, 0).kind)
    community.issue(1, make(home.address, first, 1, 1))
    receipt, _ = community.withdraw(2, make(home.address, 2001, 1, 1))
    assert_refused(receipt, errors.FeederLimit(7, kind, 1, cap, cap + 1))
    community.issue(2, make(home.address, 2000, 1, 1))
    community.issue(3, make(home.address, 2000, 1, 1))
    assert_refused(community.withdraw(3, make(home.address, 1, 1, 1))[0], errors.FeederLimit(8, kind, 1, 2000, 2001))


def test_the_meter_limit_is_checked_before_the_feeder_cap(community, home, assert_refused):
    community.regulate(feeders=(FeederCapacity(7, 10, 10),)).require()
    receipt, _ = community.withdraw(1, epa(home.address, 3001, 1, 1))
    assert_refused(receipt, errors.MeterLimit(1, int(Kind.EPA), 1, 3000, 3001))


def test_a_raised_feeder_cap_keeps_count_of_what_was_issued(community, home, assert_refused):
    community.issue(3, epa(home.address, 2000, 1, 1))
    community.regulate(feeders=(FeederCapacity(8, 2500, 2000),)).require()
    receipt, _ = community.withdraw(3, epa(home.address, 501, 1, 1))
    assert_refused(receipt, errors.FeederLimit(8, int(Kind.EPA), 1, 2500, 2501))
    community.issue(3, epa(home.address, 500, 1, 1))


def test_credit_is_what_was_withdrawn_and_not_yet_settled(community, home, neighbour, assert_refused):
    (note,) = community.issue(1, fa(home.address, 1000))
    community.transact((note,), (fa(neighbour.address, 1000),), home)
    assert_refused(community.withdraw(1, fa(home.address, 1))[0], errors.CreditLimit(1, 1000, 1001))
    community.regulate(settle=(Settlement(1, 400),)).require()
    assert_refused(community.withdraw(1, fa(home.address, 401))[0], errors.CreditLimit(1, 1000, 1001))
    community.issue(1, fa(home.address, 200), fa(home.address, 200))


def test_settling_nothing_or_more_than_is_outstanding_is_refused(community, home, assert_refused):
    community.issue(1, fa(home.address, 10))
    for amount in (0, 11):
        assert_refused(community.regulate(settle=(Settlement(1, amount),)), errors.BadSettlement(1, 10, amount))
    twice = (Settlement(1, 6), Settlement(1, 6))
    assert_refused(community.regulate(settle=twice), errors.BadSettlement(1, 4, 6))
    assert_refused(community.regulate(settle=(Settlement(9, 1),)), errors.UnknownMeter(9))
    community.regulate(settle=(Settlement(1, 6), Settlement(1, 4))).require()


def test_a_banned_meter_withdraws_nothing_until_it_is_authorised_again(community, home, assert_refused):
    (note,) = community.issue(1, fa(home.address, 1))
    community.regulate(ban=(1,)).require()
    assert_refused(community.withdraw(1, fa(home.address, 1))[0], errors.MeterBanned(1))
    community.transact((note,), (fa(home.address, 1),), home)[0].require()
    community.regulate(authorise=(community.grant(1),)).require()
    assert_refused(community.withdraw(1, fa(home.address, 1), nonce=0)[0], errors.BadNonce(1, 0))
    community.issue(1, fa(home.address, 999))
    assert_refused(community.withdraw(1, fa(home.address, 1))[0], errors.CreditLimit(1, 1000, 1001))


def test_a_ban_beats_an_authorisation_in_the_same_transaction(community, home, assert_refused):
    community.regulate(authorise=(community.grant(1),), ban=(1,)).require()
    assert_refused(community.withdraw(1, fa(home.address, 1))[0], errors.MeterBanned(1))


def test_a_replaced_key_signs_and_the_old_one_no_longer_does(community, home, assert_refused):
    community.regulate(authorise=(community.grant(1, key=home.address),)).require()
    receipt, _ = community.withdraw(1, fa(home.address, 1))
    assert_refused(receipt, errors.BadSignature(home.address, community.meters[1].address))
    community.withdraw(1, fa(home.address, 1), key=home)[0].require()


# --- Energy and financial transactions -----------------------------------------------------------------


def test_a_trade_swaps_energy_and_money_atomically(community, home, neighbour):
    (sun,) = community.issue(1, epa(home.address, 500, 1, 1))
    need, money = community.issue(2, eca(neighbour.address, 500, 1, 1), fa(neighbour.address, 90))
    outputs = (epa(neighbour.address, 500, 1, 1), eca(home.address, 500, 1, 1), fa(home.address, 90))
    receipt, created = community.transact((sun, need, money), outputs, home, neighbour)
    receipt.require()
    assert {community.ledger.status(n.id) for n in (sun, need, money)} == {NoteStatus.SPENT}
    assert {community.ledger.status(n.id) for n in created} == {NoteStatus.UNSPENT}


def test_a_transfer_has_inputs_and_not_too_many(community, home, assert_refused):
    assert_refused(community.transact((), (fa(home.address, 1),))[0], errors.EmptyTransaction())
    notes = tuple(n for _ in range(2) for n in community.issue(1, *[fa(home.address, 1)] * 200))[: MAX_NOTES + 1]
    receipt, _ = community.transact(notes, (fa(home.address, MAX_NOTES + 1),), home)
    assert_refused(receipt, errors.TooManyNotes(MAX_NOTES + 1, MAX_NOTES))
    assert_refused(community.transact(notes[:1], (), home)[0], errors.EmptyTransaction())
    community.transact(notes[1:], (fa(home.address, MAX_NOTES),), home)[0].require()


def test_a_note_is_spent_once(community, home, neighbour, assert_refused):
    (note,) = community.issue(1, fa(home.address, 5))
    spent = community.transact((note,), (fa(neighbour.address, 5),), home)
    spent[0].require()
    receipt, _ = community.transact((note,), (fa(home.address, 5),), home)
    assert_refused(receipt, errors.NoteSpent(note.id))
    replay = community.ledger.entries()[-1].signed
    assert_refused(community.submit(replay), errors.NoteSpent(note.id))


def test_a_note_is_named_once_in_a_transaction(community, home, assert_refused):
    (note,) = community.issue(1, fa(home.address, 5))
    receipt, _ = community.transact((note, note), (fa(home.address, 10),), home)
    assert_refused(receipt, errors.NoteSpent(note.id))


def test_two_transfers_of_one_note_in_a_batch_settle_the_first_only(community, home, neighbour):
    (note,) = community.issue(1, fa(home.address, 5))
    batch = [
        sign(community.ledger.domain, Transact((note,), (fa(owner, 5),)), home)
        for owner in (neighbour.address, home.address)
    ]
    first, second = community.ledger.submit(batch)
    assert first.accepted
    assert second.refusal == errors.NoteSpent(note.id)


@pytest.mark.parametrize("change", [{"quantity": 6}, {"owner": b"\x01" * 20}, {"kind": Kind.ECA}, {"end": 3}])
def test_a_note_named_with_other_fields_is_unknown(community, home, assert_refused, change):
    (note,) = community.issue(1, epa(home.address, 5, 1, 2))
    fields = {name: getattr(note.note, name) for name in ("kind", "owner", "quantity", "start", "end")}
    forged = IssuedNote(Note(**{**fields, **change}), note.origin, note.index)
    receipt, _ = community.transact((forged,), (forged.note,), home)
    assert_refused(receipt, errors.UnknownNote(forged.id))
    moved = IssuedNote(note.note, note.origin, 1)
    assert_refused(community.transact((moved,), (note.note,), home)[0], errors.UnknownNote(moved.id))


def test_a_foreign_signature_spends_nothing(community, home, neighbour, assert_refused):
    (note,) = community.issue(1, fa(home.address, 5))
    receipt, _ = community.transact((note,), (fa(neighbour.address, 5),), neighbour)
    assert_refused(receipt, errors.BadSignature(home.address, neighbour.address))
    assert community.ledger.status(note.id) is NoteStatus.UNSPENT


def test_a_signature_of_another_transaction_spends_nothing(community, home, neighbour):
    (note,) = community.issue(1, fa(home.address, 5))
    honest = sign(community.ledger.domain, Transact((note,), (fa(home.address, 5),)), home)
    stolen = Signed(Transact((note,), (fa(neighbour.address, 5),)), honest.signatures)
    refusal = community.submit(stolen).refusal
    assert isinstance(refusal, errors.BadSignature)
    assert refusal.args[0] == home.address


@pytest.mark.parametrize("signature", [bytes(65), b"\xff" * 65])
def test_a_malformed_signature_spends_nothing(community, home, assert_refused, signature):
    (note,) = community.issue(1, fa(home.address, 5))
    signed = Signed(Transact((note,), (fa(home.address, 5),)), (signature,))
    assert_refused(community.submit(signed), errors.BadSignature(home.address, ZERO_ADDRESS))


@pytest.mark.parametrize("signature", [b"", bytes(64), bytes(66)])
def test_a_signature_of_another_length_is_none(community, home, signature):
    (note,) = community.issue(1, fa(home.address, 5))
    with pytest.raises(errors.EncodingError, match="65 bytes"):
        community.submit(Signed(Transact((note,), (fa(home.address, 5),)), (signature,)))


def test_every_owner_signs_once_for_a_run_of_inputs(community, home, neighbour, assert_refused):
    one, two = community.issue(1, fa(home.address, 5), fa(home.address, 6))
    (other,) = community.issue(2, fa(neighbour.address, 7))
    out = (fa(home.address, 18),)
    for inputs, keys, expected in [
        ((one, two, other), (home,), 2),
        ((one, two, other), (home, home, neighbour), 2),
        ((one, other, two), (home, neighbour), 3),
    ]:
        receipt, _ = community.transact(inputs, out, *keys)
        assert_refused(receipt, errors.SignatureCount(expected, len(keys)))
    receipt, _ = community.transact((one, two, other), out, neighbour, home)
    assert_refused(receipt, errors.BadSignature(home.address, neighbour.address))
    community.transact((one, two, other), out, home, neighbour)[0].require()


@pytest.mark.parametrize(
    ("outputs", "refusal"),
    [
        ([(epa, 500, 1, 4)], errors.Unbalanced(1, 1)),
        ([(epa, 1000, 1, 3)], errors.Unbalanced(1, 4)),
        ([(epa, 1000, 1, 5)], errors.Unbalanced(1, 5)),
        ([(epa, 1000, 0, 4)], errors.Unbalanced(1, 0)),
        ([(epa, 1000, 2, 5)], errors.Unbalanced(1, 1)),
        ([(epa, 1000, 1, 2), (epa, 1000, 4, 4)], errors.Unbalanced(1, 3)),
        ([(eca, 1000, 1, 4)], errors.Unbalanced(1, 1)),
        ([(epa, 1000, 1, 4), (eca, 1, 7, 8)], errors.Unbalanced(2, 7)),
    ],
)
def test_energy_is_conserved_in_every_interval(community, home, assert_refused, outputs, refusal):
    (note,) = community.issue(1, epa(home.address, 1000, 1, 4))
    made = tuple(make(home.address, *rest) for make, *rest in outputs)
    assert_refused(community.transact((note,), made, home)[0], refusal)


@pytest.mark.parametrize("amount", [1, 4, 6, MAX_QUANTITY])
def test_money_is_conserved(community, home, assert_refused, amount):
    (note,) = community.issue(1, fa(home.address, 5))
    receipt, _ = community.transact((note,), (fa(home.address, amount),), home)
    assert_refused(receipt, errors.Unbalanced(int(Kind.FA), 0))


def test_many_huge_outputs_do_not_wrap_around_to_a_balance(community, home, assert_refused):
    community.regulate(authorise=(community.grant(1, credit_nano=MAX_QUANTITY),)).require()
    (note,) = community.issue(1, fa(home.address, 2))
    outputs = (fa(home.address, MAX_QUANTITY), fa(home.address, MAX_QUANTITY), fa(home.address, 4))
    assert sum(o.quantity for o in outputs) % 2**64 == 2
    assert_refused(community.transact((note,), outputs, home)[0], errors.Unbalanced(int(Kind.FA), 0))


def test_money_does_not_turn_into_energy(community, home, assert_refused):
    (note,) = community.issue(1, fa(home.address, 5))
    receipt, _ = community.transact((note,), (epa(home.address, 5, 0, 0),), home)
    assert_refused(receipt, errors.Unbalanced(int(Kind.EPA), 0))


# --- Regulatory transactions ---------------------------------------------------------------------------


def test_only_the_dso_regulates(community, home, assert_refused):
    assert_refused(community.regulate(key=home), errors.BadSignature(community.dso.address, home.address))


def test_a_regulation_is_recorded_once(community, assert_refused):
    community.regulate(ban=(1,)).require()
    replay = community.ledger.entries()[-1].signed
    assert_refused(community.submit(replay), errors.BadNonce(2, 1))
    assert_refused(community.regulate(nonce=3), errors.BadNonce(2, 3))


def test_a_regulation_that_contradicts_itself_is_refused(community, home, assert_refused):
    grant = community.grant
    assert_refused(community.regulate(feeders=(FeederCapacity(9, MAX_POWER_W + 1, 0),)), errors.BadCapacity(9))
    assert_refused(community.regulate(feeders=(FeederCapacity(9, 0, MAX_POWER_W + 1),)), errors.BadCapacity(9))
    assert_refused(community.regulate(authorise=(grant(1, feeder=9),)), errors.UnknownFeeder(9))
    assert_refused(community.regulate(authorise=(grant(1, key=ZERO_ADDRESS),)), errors.BadGrant(1))
    for limit in ("max_epa_w", "max_eca_w", "credit_nano"):
        most = MAX_QUANTITY if limit == "credit_nano" else MAX_POWER_W
        assert_refused(community.regulate(authorise=(grant(1, **{limit: most + 1}),)), errors.BadGrant(1))
    assert_refused(community.regulate(ban=(9,)), errors.UnknownMeter(9))
    capacity = FeederCapacity(9, MAX_POWER_W, MAX_POWER_W)
    community.regulate(
        feeders=(capacity,), authorise=(grant(8, feeder=9, max_epa_w=MAX_POWER_W, key=home.address),)
    ).require()


def test_a_meter_cannot_take_its_issued_power_to_another_feeder(community, home, assert_refused):
    grant, feeder = community.grant, community.grant(1).feeder
    community.regulate(feeders=(FeederCapacity(9, 100, 100),)).require()
    assert_refused(community.regulate(authorise=(grant(1, feeder=9),)), errors.FeederFixed(1, feeder))
    both = tuple(grant(8, feeder=f, key=home.address) for f in (9, feeder))
    assert_refused(community.regulate(authorise=both), errors.FeederFixed(8, 9))
    community.regulate(authorise=(grant(1),)).require()


def test_a_ledger_without_a_dso_cannot_be_opened(community):
    ledger = community.ledger
    with pytest.raises(ValueError, match="zero address"):
        SpecLedger(ledger.domain, ledger.grid, ZERO_ADDRESS)


@pytest.mark.parametrize(
    ("consumption", "production", "refusal"),
    [
        (89_999, 90_000, errors.PriceInversion(89_999, 90_000)),
        (2**63, 1, errors.BadPrice(2**63)),
        (1, 2**63, errors.BadPrice(2**63)),
    ],
)
def test_prices_that_make_no_sense_are_refused(community, assert_refused, consumption, production, refusal):
    price = PriceChange(community.ledger.now_s, consumption, production)
    assert_refused(community.regulate(prices=(price,)), refusal)


def test_equal_prices_and_free_energy_are_accepted(community):
    now = community.ledger.now_s
    community.regulate(prices=(PriceChange(now, 5, 5), PriceChange(now, 0, 0))).require()


def test_a_price_never_changes_the_past(community, assert_refused):
    now = community.ledger.now_s + 1000
    community.ledger.advance_to(now)
    receipt = community.regulate(prices=(PriceChange(now - 1, 5, 5),))
    assert_refused(receipt, errors.TimeInPast(now, now - 1))
    community.regulate(prices=(PriceChange(now, 5, 5),)).require()


def test_one_bad_price_refuses_the_whole_transaction(community, assert_refused):
    now = community.ledger.now_s
    receipt = community.regulate(ban=(1,), prices=(PriceChange(now, 5, 5), PriceChange(now, 4, 5)))
    assert_refused(receipt, errors.PriceInversion(4, 5))
    assert community.ledger.price_at(0) is None


def test_the_price_is_the_last_recorded_one_in_force_at_the_start_of_the_interval(community):
    start_s = community.ledger.grid.start_s
    early, late = PriceChange(start_s(2), 20, 10), PriceChange(start_s(5) + 1, 30, 10)
    community.regulate(prices=(early, late)).require()
    at = community.ledger.price_at
    assert [at(t) for t in (0, 1, 2, 3, 5, 6, 100)] == [None, None, early, early, early, late, late]
    override = PriceChange(start_s(3), 25, 10)
    community.regulate(prices=(override,)).require()
    assert [at(t) for t in (2, 3, 5, 6, 100)] == [early, override, override, override, override]
    first, last = PriceChange(start_s(4), 1, 1), PriceChange(start_s(4), 2, 2)
    community.regulate(prices=(first, last)).require()
    assert [at(t) for t in (3, 4)] == [override, last]


def test_a_price_recorded_now_leaves_every_started_interval_as_it_was(community):
    grid = community.ledger.grid
    community.regulate(prices=(PriceChange(grid.start_s(0), 20, 10),)).require()
    before = community.ledger.price_at(3)
    community.ledger.advance_to(grid.start_s(3) + 1)
    new = PriceChange(community.ledger.now_s, 30, 10)
    community.regulate(prices=(new,)).require()
    assert community.ledger.price_at(3) == before
    assert community.ledger.price_at(4) == new


# --- The ledger as a whole -----------------------------------------------------------------------------


def test_time_never_runs_backwards(community):
    now = community.ledger.now_s
    community.ledger.advance_to(now - 10)
    assert community.ledger.now_s == now
    community.ledger.advance_to(now + 10)
    assert community.ledger.now_s == now + 10


def test_entries_are_the_accepted_transactions_in_order(community, home):
    community.issue(1, fa(home.address, 5))
    community.withdraw(9, fa(home.address, 5), key=home)
    community.ledger.advance_to(community.ledger.now_s + 7)
    receipt, _ = community.withdraw(2, fa(home.address, 5))
    entries = community.ledger.entries()
    assert [entry.seq for entry in entries] == [0, 1, 2]
    assert entries[2].time_s == receipt.time_s == entries[0].time_s + 7
    assert all(entry.digest == digest(community.ledger.domain, entry.signed.tx) for entry in entries)
    assert community.ledger.entries(1) == entries[1:]
    assert community.ledger.entries(3) == []


def test_a_receipt_raises_its_refusal_when_acceptance_is_required(community, home):
    receipt, _ = community.withdraw(9, fa(home.address, 5), key=home)
    with pytest.raises(errors.UnknownMeter, match=r"UnknownMeter\(9\): ask the DSO to authorise the meter"):
        receipt.require()


def test_every_refusal_says_what_to_do():
    assert len(errors.REFUSALS) > 20
    for name, cls in errors.REFUSALS.items():
        assert str(cls(1, b"\xab")).startswith(f"{name}(1, 0xab): ")
        assert len(cls.advice) > 10


def test_a_refusal_equals_another_with_the_same_reason_and_values():
    assert errors.BadNonce(1, 2) == errors.BadNonce(1, 2)
    assert errors.BadNonce(1, 2) != errors.BadNonce(2, 1)
    assert errors.ZeroOwner(1) != errors.BadGrant(1)
    assert errors.ZeroOwner(1) != 1
    assert len({errors.BadNonce(1, 2), errors.BadNonce(1, 2)}) == 1
