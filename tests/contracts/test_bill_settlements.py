"""A bill is settled on the chain if it opens, once, in order, together with its credit, or not at all."""

from dataclasses import replace

import pytest

from assets.commitments.groups import BN128
from assets.commitments.sheet import Sheet, sheet_digest
from assets.commitments.statement import (
    PrivateStatement,
    SignedPrivateStatement,
    private_digest,
    sign_private,
    totals_of,
)
from assets.commitments.tariff import Level, Run
from assets.intervals import IntervalGrid
from assets.keys import Address, ThrowAwayKeys
from assets.notes import fa
from assets.transactions import (
    Authorisation,
    FeederCapacity,
    PriceChange,
    Regulate,
    Settlement,
    Signed,
    Withdraw,
    sign,
)
from contracts.bill_settlements import Account, BillSettlements, NotSettled
from contracts.errors import RelayError
from contracts.ledger import EvmLedger
from contracts.statements import StatementVerifier

_KEYS = ThrowAwayKeys(4, "settlements")
DSO, METERS = _KEYS.fresh(), [_KEYS.fresh(), _KEYS.fresh()]
LEVEL = Level(240_000, 90_000)
CREDIT_NANO, WITHDRAWN_NANO = 1000, 700


class World:
    """A ledger on which two meters have used most of their credit, and what settles their bills."""

    def __init__(self, chain) -> None:
        now_s = int(chain.eth.get_block("latest")["timestamp"])
        self.ledger = EvmLedger.deploy(chain, DSO.address, IntervalGrid(now_s // 3600 * 3600 + 7200, 3600))
        self.verifier = StatementVerifier.deploy(chain, self.ledger.domain)
        self.settlements = BillSettlements.deploy(chain, self.ledger.domain.contract, self.verifier.address)
        grants = tuple(Authorisation(m, k.address, 1, 10**6, 10**6, CREDIT_NANO) for m, k in enumerate(METERS))
        prices = (PriceChange(self.ledger.grid.genesis_s, 240_000, 90_000),)
        first = self.regulation(feeders=(FeederCapacity(1, 10**7, 10**7),), authorise=grants, prices=prices)
        self.ledger.submit([first])[0].require()
        for meter in range(len(METERS)):
            assert self.withdraw(meter)

    def regulation(self, **fields) -> Signed[Regulate]:
        return sign(self.ledger.domain, Regulate(self.ledger.regulation_nonce(), **fields), DSO)

    def withdraw(self, meter: int, window: int = 0) -> bool:
        owner = Address(bytes([meter + 1]) * 20)
        tx = Withdraw(meter, self.ledger.meter_nonce(meter), window, (fa(owner, WITHDRAWN_NANO),))
        return self.ledger.submit([sign(self.ledger.domain, tx, METERS[meter])])[0].accepted

    def bill(self, meter: int, nonce: int = 0, first: int = 0, withdrawn: int = WITHDRAWN_NANO) -> PrivateStatement:
        """A bill of two intervals: 300 Wh bought, then 120 Wh sold."""
        points = BN128.commit(300, 11) + BN128.commit(0, 12) + BN128.commit(0, 13) + BN128.commit(120, 14)
        sheet, prices = Sheet(meter, first, points), (Run(first, first + 1, LEVEL),)
        return PrivateStatement(
            meter=meter,
            nonce=nonce,
            first=first,
            last=first + 1,
            sheets=(sheet_digest(self.ledger.domain, BN128, sheet),),
            prices=prices,
            totals=totals_of(BN128, (sheet,), prices),
            fa_deposited=BN128.commit(0, 99),
            fa_withdrawn_nano=withdrawn,
            bill_nano=withdrawn + 300 * 240_000 - 120 * 90_000,
            blinding=((11 + 13) * 240_000 - (12 + 14) * 90_000 - 99) % BN128.order,
        )

    def signed(self, statement: PrivateStatement, meter: int | None = None) -> SignedPrivateStatement:
        key = METERS[statement.meter if meter is None else meter]
        return sign_private(self.ledger.domain, BN128, statement, key)

    def frees(self, *meters: int, amount_nano: int = WITHDRAWN_NANO) -> Signed[Regulate]:
        return self.regulation(settle=tuple(Settlement(m, amount_nano) for m in meters))


@pytest.fixture
def world(chain) -> World:
    return World(chain)


def test_a_bill_that_opens_is_marked_and_its_credit_is_free_for_new_notes(world: World) -> None:
    assert not world.withdraw(0, 1), "the credit is used up"
    bill = world.bill(0)
    world.settlements.settle([world.signed(bill)], world.frees(0))
    assert world.settlements.account(0) == Account(1, 2)
    assert world.settlements.settled_bill(0, 0) == private_digest(world.ledger.domain, BN128, bill)
    assert world.settlements.settled_bill(0, 1) is None
    assert world.withdraw(0, 1)
    assert isinstance(world.ledger.entries()[3].signed.tx, Regulate), "the log is read as if the DSO had sent it"


def test_many_bills_are_settled_at_once_and_the_next_follow_the_last(world: World) -> None:
    world.settlements.settle([world.signed(world.bill(m)) for m in (0, 1)], world.frees(0, 1))
    assert world.withdraw(1, 2)
    following = [world.bill(0, 1, 2, 0), world.bill(1, 1, 2)]
    world.settlements.settle([world.signed(b) for b in following], world.frees(1))
    assert [world.settlements.account(m) for m in (0, 1)] == [Account(2, 4)] * 2


def test_whatever_is_wrong_marks_nothing_and_frees_nothing(world: World) -> None:
    def refused(reason: str, bills: list[SignedPrivateStatement], regulation: Signed[Regulate]) -> None:
        before = world.settlements.account(0), len(world.ledger.entries())
        with pytest.raises(NotSettled, match=reason):
            world.settlements.settle(bills, regulation)
        assert (world.settlements.account(0), len(world.ledger.entries())) == before

    bill, regulation = world.bill(0), world.frees(0)
    refused("OpeningFails", [world.signed(replace(bill, bill_nano=bill.bill_nano - 1))], regulation)
    refused("NotTheMeter", [world.signed(bill, 1)], regulation)
    refused("OutOfOrder", [world.signed(bill)] * 2, world.frees(0, 0))
    refused("OutOfOrder", [world.signed(world.bill(0, 1))], regulation)
    refused("NotTheBill", [world.signed(bill)], world.frees(0, amount_nano=WITHDRAWN_NANO + 1))
    refused("NotTheBill", [world.signed(bill)], world.frees(1))
    refused("NotTheBill", [world.signed(bill)], world.regulation())
    refused("NotTheBill", [world.signed(bill)], world.frees(0, 1))
    refused("BadSignature", [world.signed(bill)], sign(world.ledger.domain, regulation.tx, METERS[0]))
    world.settlements.settle([world.signed(bill)], regulation)
    assert world.withdraw(0, 5)
    refused("BadNonce", [world.signed(world.bill(0, 1, 2))], regulation)
    refused("OutOfOrder", [world.signed(bill)], world.frees(0))
    refused("PeriodGap", [world.signed(world.bill(0, 1, 7))], world.frees(0))


def test_a_verifier_of_another_ledger_is_refused(chain, world: World) -> None:
    other = EvmLedger.deploy(chain, DSO.address, world.ledger.grid)
    with pytest.raises(RelayError, match="same ledger"):
        BillSettlements.deploy(chain, other.domain.contract, world.verifier.address)
