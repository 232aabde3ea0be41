"""Rulings that take effect later, and the DSO's next key; on the specification and on the contract alike."""

import pytest

from assets import errors
from assets.errors import EncodingError
from assets.keys import ThrowAwayKeys
from assets.transactions import Authorisation, FeederCapacity, Regulate, sign


def until(world, seconds):
    return world.ledger.now_s + seconds


def grant(world, meter, epa_w, key=None):
    return Authorisation(meter, (key or world.meters[meter]).address, world.FEEDER, epa_w, 6000, 10**9)


def test_a_limit_takes_effect_at_its_time(either):
    later = until(either, 1000)
    either.submit(either.regulate(authorise=(grant(either, either.METER, 100),), time_s=later)).require()
    either.submit(either.withdraw(either.epa(101))).require()
    either.ledger.advance_to(later)
    assert either.submit(either.withdraw(either.epa(1, 1, 1))).accepted
    assert either.submit(either.withdraw(either.epa(100, 1, 1))).refusal == errors.MeterLimit(
        either.METER, 1, 1, 100, 101
    )


def test_a_ban_takes_effect_at_its_time(either):
    later = until(either, 1000)
    either.submit(either.regulate(ban=(either.METER,), time_s=later)).require()
    either.submit(either.withdraw(either.epa(1))).require()
    either.ledger.advance_to(later)
    assert either.submit(either.withdraw(either.epa(1))).refusal == errors.MeterBanned(either.METER)


def test_a_later_record_overrides_one_that_is_yet_to_take_effect(either):
    later = until(either, 1000)
    either.submit(either.regulate(ban=(either.METER,), time_s=later)).require()
    either.submit(either.regulate(authorise=(grant(either, either.METER, 200),))).require()
    either.ledger.advance_to(later)
    assert either.submit(either.withdraw(either.epa(200))).accepted
    assert either.submit(either.withdraw(either.epa(1))).refusal == errors.MeterLimit(either.METER, 1, 0, 200, 201)


def test_a_new_meter_is_unknown_until_its_time(either):
    later = until(either, 1000)
    new = grant(either, 9, 100, key=either.alice)
    either.submit(either.regulate(authorise=(new,), time_s=later)).require()
    withdraw = either.withdraw(either.epa(100), meter=9)
    assert either.submit(withdraw).refusal == errors.UnknownMeter(9)
    elsewhere = Authorisation(9, either.alice.address, 5, 1, 1, 1)
    receipt = either.submit(either.regulate(feeders=(FeederCapacity(5, 1, 1),), authorise=(elsewhere,)))
    assert receipt.refusal == errors.FeederFixed(9, either.FEEDER)
    either.ledger.advance_to(later)
    assert either.submit(withdraw).accepted


@pytest.mark.parametrize("at_once", [True, False])
def test_a_ban_of_a_meter_whose_grant_is_yet_to_come_keeps_that_grant(either, at_once):
    later = until(either, 1000)
    either.submit(
        either.regulate(authorise=(grant(either, either.METER, 100, key=either.bob),), time_s=later)
    ).require()
    either.submit(either.regulate(ban=(either.METER,), time_s=0 if at_once else later + 1000)).require()
    withdraw = either.withdraw(either.epa(1))
    if not at_once:
        assert either.submit(withdraw).accepted
        either.ledger.advance_to(later + 500)
        assert either.submit(either.withdraw(either.epa(1))).accepted
        either.ledger.advance_to(later + 1000)
    assert either.submit(either.withdraw(either.epa(1))).refusal == errors.MeterBanned(either.METER)
    either.submit(either.regulate(authorise=(grant(either, either.METER, 4000),))).require()
    assert either.submit(either.withdraw(either.epa(1))).accepted


def test_a_feeder_is_widened_at_its_time(either):
    later = until(either, 1000)
    either.submit(either.regulate(feeders=(FeederCapacity(either.FEEDER, 100, 0),))).require()
    either.submit(either.regulate(feeders=(FeederCapacity(either.FEEDER, 300, 0),), time_s=later)).require()
    over = either.withdraw(either.epa(101))
    assert either.submit(over).refusal == errors.FeederLimit(either.FEEDER, 1, 0, 100, 101)
    either.ledger.advance_to(later)
    assert either.submit(over).accepted
    either.submit(either.regulate(feeders=(FeederCapacity(either.FEEDER, 300, 7),), time_s=later + 1000)).require()
    assert either.submit(either.withdraw(either.epa(200))).refusal == errors.FeederLimit(either.FEEDER, 1, 0, 300, 301)


def test_a_feeder_whose_capacities_are_yet_to_come_lets_nothing_through(either):
    later = until(either, 1000)
    new = Authorisation(9, either.alice.address, 5, 100, 100, 0)
    both = either.regulate(feeders=(FeederCapacity(5, 100, 0),), authorise=(new,), time_s=later)
    either.submit(both).require()
    either.submit(either.regulate(authorise=(new,))).require()
    withdraw = either.withdraw(either.epa(100), meter=9)
    assert either.submit(withdraw).refusal == errors.FeederLimit(5, 1, 0, 0, 100)
    either.ledger.advance_to(later)
    assert either.submit(withdraw).accepted


def test_no_ruling_changes_the_past(either):
    receipt = either.submit(either.regulate(ban=(either.METER,), time_s=1))
    assert receipt.refusal == errors.TimeInPast(receipt.time_s, 1)
    with pytest.raises(EncodingError):
        either.submit(either.regulate(ban=(either.METER,), time_s=2**40))


def test_the_dso_hands_over_to_its_next_key(either):
    successor = ThrowAwayKeys(5, "successor").fresh()
    tx = Regulate(1, successor=successor.address)
    alone = sign(either.domain, tx, either.dso)
    assert either.submit(alone).refusal == errors.SignatureCount(2, 1)
    claimed = sign(either.domain, tx, either.dso, either.alice)
    assert either.submit(claimed).refusal == errors.BadSignature(successor.address, either.alice.address)
    either.submit(sign(either.domain, tx, either.dso, successor)).require()
    assert either.ledger.dso == successor.address
    old = either.submit(sign(either.domain, Regulate(2), either.dso))
    assert old.refusal == errors.BadSignature(successor.address, either.dso.address)
    either.submit(sign(either.domain, Regulate(2), successor)).require()
