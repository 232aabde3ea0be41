"""Regulatory transactions through the executable specification of the ledger."""

import pytest

from assets.errors import BadNonce, BadPrice, MeterBanned, PriceInversion, TimeInPast
from assets.intervals import IntervalGrid
from assets.keys import Address, ThrowAwayKeys
from assets.ledger import SpecLedger
from assets.notes import fa
from assets.transactions import (
    Authorisation,
    Domain,
    FeederCapacity,
    PriceChange,
    Settlement,
    Signed,
    Withdraw,
    sign,
)
from dso.operator import Dso

DOMAIN = Domain(1, Address(bytes(19) + b"\x01"))
GRID = IntervalGrid(1_000_000, 3600)
KEYS = ThrowAwayKeys(1, "operator")
DSO_KEY, METER_KEY = KEYS.fresh(), KEYS.fresh()
FEEDER = FeederCapacity(1, 1000, 1000)
GRANT = Authorisation(3, METER_KEY.address, 1, 1000, 1000, 500)


@pytest.fixture
def ledger() -> SpecLedger:
    return SpecLedger(DOMAIN, GRID, DSO_KEY.address)


@pytest.fixture
def dso(ledger: SpecLedger) -> Dso:
    return Dso(DSO_KEY, ledger)


def withdrawal(ledger: SpecLedger, amount_nano: int) -> Signed[Withdraw]:
    tx = Withdraw(3, ledger.meter_nonce(3), 0, (fa(KEYS.fresh().address, amount_nano),))
    return sign(DOMAIN, tx, METER_KEY)


def test_enrol_ban_and_authorise_again_reach_the_ledger(ledger: SpecLedger, dso: Dso) -> None:
    ledger.submit([dso.enrol([FEEDER], [GRANT])])[0].require()
    ledger.submit([withdrawal(ledger, 100)])[0].require()
    ledger.submit([dso.ban([3])])[0].require()
    assert ledger.submit([withdrawal(ledger, 100)])[0].refusal == MeterBanned(3)
    ledger.submit([dso.enrol(authorisations=[GRANT])])[0].require()
    ledger.submit([withdrawal(ledger, 100)])[0].require()


def test_settling_frees_credit(ledger: SpecLedger, dso: Dso) -> None:
    ledger.submit([dso.enrol([FEEDER], [GRANT])])[0].require()
    ledger.submit([withdrawal(ledger, 500)])[0].require()
    assert not ledger.submit([withdrawal(ledger, 1)])[0].accepted
    ledger.submit([dso.settle([Settlement(3, 500)])])[0].require()
    ledger.submit([withdrawal(ledger, 500)])[0].require()


def test_announced_prices_hold_from_their_time_on(ledger: SpecLedger, dso: Dso) -> None:
    first, second = PriceChange(1_000_000, 240_000, 90_000), PriceChange(1_003_600, 300_000, 90_000)
    ledger.submit([dso.announce([first, second])])[0].require()
    assert ledger.price_at(0) == first
    assert ledger.price_at(1) == ledger.price_at(9) == second


@pytest.mark.parametrize(
    ("price", "refusal"),
    [
        (PriceChange(1_000_000, 1, 2), PriceInversion(1, 2)),
        (PriceChange(999_999, 2, 1), TimeInPast(1_000_000, 999_999)),
        (PriceChange(1_000_000, 2**63, 1), BadPrice(2**63)),
        (PriceChange(1_000_000, 1, -1), BadPrice(-1)),
    ],
)
def test_a_price_that_the_ledger_would_refuse_is_never_signed(
    ledger: SpecLedger, dso: Dso, price: PriceChange, refusal: Exception
) -> None:
    with pytest.raises(type(refusal)) as caught:
        dso.announce([PriceChange(1_000_000, 2, 1), price])
    assert caught.value == refusal
    assert ledger.entries() == []


def test_two_transactions_prepared_at_once_do_not_both_pass(ledger: SpecLedger, dso: Dso) -> None:
    one, other = dso.enrol([FEEDER]), dso.enrol([FEEDER], [GRANT])
    accepted, refused = ledger.submit([one, other])
    assert accepted.accepted
    assert refused.refusal == BadNonce(1, 0)


def test_negative_numbers_are_refused_before_signing(dso: Dso) -> None:
    for build in (
        lambda: dso.enrol([FeederCapacity(1, -1, 0)]),
        lambda: dso.enrol([], [Authorisation(1, METER_KEY.address, 1, 0, 0, -1)]),
        lambda: dso.ban([-1]),
        lambda: dso.settle([Settlement(1, -1)]),
    ):
        with pytest.raises(ValueError, match="between 0"):
            build()


def test_somebody_elses_key_is_refused_and_no_key_is_shown(ledger: SpecLedger, dso: Dso) -> None:
    with pytest.raises(ValueError, match="not the DSO's"):
        Dso(METER_KEY, ledger)
    assert repr(dso) == "Dso()"
