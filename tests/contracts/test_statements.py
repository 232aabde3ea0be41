"""The contract checks an opening as the Python twin does: same digest, same verdicts."""

from dataclasses import replace

import pytest

from assets.commitments.bn128 import FIELD
from assets.commitments.errors import BadStatement
from assets.commitments.group import NEUTRAL
from assets.commitments.groups import BN128
from assets.commitments.sheet import Sheet, sheet_digest
from assets.commitments.statement import PrivateStatement, private_digest, sign_private, totals_of
from assets.commitments.tariff import Level, Run
from assets.commitments.verification import verify_opening
from assets.keys import Address, ThrowAwayKeys
from assets.transactions import Domain
from contracts.errors import NodeError
from contracts.statements import StatementVerifier

KEY = ThrowAwayKeys(3, "verifier").fresh()
RESIDUALS_WH = [300, -120, 0, 77]
LEVELS = [Level(150_000, 60_000), Level(240_000, 90_000)]
PRICES = (Run(8, 9, LEVELS[0]), Run(10, 11, LEVELS[1]))
WITHDRAWN_NANO, DEPOSITED_NANO = 1000, 1600


@pytest.fixture(scope="module")
def domain(chain):
    return Domain(chain.eth.chain_id, Address(b"\x11" * 20))


@pytest.fixture(scope="module")
def verifier(chain, domain):
    return StatementVerifier.deploy(chain, domain)


def make(domain):
    """A statement made by hand, beside the meter's code."""
    points, bill_nano, blinding = b"", WITHDRAWN_NANO - DEPOSITED_NANO, -99
    for at, residual_wh in enumerate(RESIDUALS_WH):
        level = LEVELS[at // 2]
        bought, sold = max(0, residual_wh), max(0, -residual_wh)
        points += BN128.commit(bought, 1000 + at) + BN128.commit(sold, 2000 + at)
        bill_nano += bought * level.consumption_nano_per_wh - sold * level.production_nano_per_wh
        blinding += (1000 + at) * level.consumption_nano_per_wh - (2000 + at) * level.production_nano_per_wh
    sheet = Sheet(5, 8, points)
    statement = PrivateStatement(
        meter=5,
        nonce=2,
        first=8,
        last=11,
        sheets=(sheet_digest(domain, BN128, sheet),),
        prices=PRICES,
        totals=totals_of(BN128, (sheet,), PRICES),
        fa_deposited=BN128.commit(DEPOSITED_NANO, 99),
        fa_withdrawn_nano=WITHDRAWN_NANO,
        bill_nano=bill_nano,
        blinding=blinding % BN128.order,
    )
    return statement, sheet


@pytest.fixture(scope="module")
def statement(domain):
    return make(domain)[0]


def signed(domain, statement):
    return sign_private(domain, BN128, statement, KEY)


def refused(verifier, domain, statement, field):
    """Both refuse, whoever signs."""
    with pytest.raises(BadStatement):
        verify_opening(statement, BN128)
    with pytest.raises(BadStatement) as refusal:
        verifier.verify(signed(domain, statement))
    assert field in refusal.value.field
    assert refusal.value.meter == statement.meter


def test_an_opening_verifies_and_names_its_signer(verifier, domain, statement):
    verify_opening(statement, BN128)
    assert verifier.verify(signed(domain, statement)) == KEY.address


def test_a_credit_verifies_as_a_debt_does(verifier, domain, statement):
    assert statement.bill_nano > 0
    sheet = Sheet(5, 8, BN128.commit(0, 7) + BN128.commit(50, 8))
    prices = (Run(8, 8, LEVELS[0]),)
    credit = replace(
        statement,
        last=8,
        prices=prices,
        totals=totals_of(BN128, (sheet,), prices),
        fa_deposited=BN128.commit(0, 1),
        fa_withdrawn_nano=0,
        bill_nano=-50 * 60_000,
        blinding=(7 * 150_000 - 8 * 60_000 - 1) % BN128.order,
    )
    verify_opening(credit, BN128)
    assert verifier.verify(signed(domain, credit)) == KEY.address
    refused(verifier, domain, replace(credit, bill_nano=50 * 60_000), "bill_nano")


def test_a_bill_a_blinding_or_a_price_that_was_changed_is_refused(verifier, domain, statement):
    for change in (1, -1, 10**12):
        refused(verifier, domain, replace(statement, bill_nano=statement.bill_nano + change), "bill_nano")
        blinding = (statement.blinding + change) % BN128.order
        refused(verifier, domain, replace(statement, blinding=blinding), "blinding")
    refused(verifier, domain, replace(statement, fa_withdrawn_nano=0), "bill_nano")
    refused(verifier, domain, replace(statement, fa_deposited=BN128.commit(0, 99)), "fa_deposited")
    first, second = statement.totals
    dearer = replace(first, level=Level(first.level.consumption_nano_per_wh - 1, first.level.production_nano_per_wh))
    refused(verifier, domain, replace(statement, totals=(dearer, second)), "bill_nano")
    refused(verifier, domain, replace(statement, totals=(first,)), "bill_nano")
    refused(verifier, domain, replace(statement, totals=()), "bill_nano")
    swapped = replace(first, imported=first.exported, exported=first.imported)
    refused(verifier, domain, replace(statement, totals=(swapped, second)), "bill_nano")


@pytest.mark.parametrize("bad", [NEUTRAL, b"\x01" * 64, FIELD.to_bytes(32, "big") * 2], ids=["neutral", "off", "large"])
def test_what_is_no_point_is_refused_where_it_stands(verifier, domain, statement, bad):
    first, second = statement.totals
    refused(verifier, domain, replace(statement, totals=(first, replace(second, imported=bad))), "totals[1]")
    refused(verifier, domain, replace(statement, totals=(replace(first, exported=bad), second)), "totals[0]")
    refused(verifier, domain, replace(statement, fa_deposited=bad), "fa_deposited")


def test_a_second_spelling_of_the_blinding_is_refused(verifier, domain, statement):
    refused(verifier, domain, replace(statement, blinding=statement.blinding + BN128.order), "blinding")


@pytest.mark.parametrize(
    "change",
    [
        {"meter": 6},
        {"nonce": 3},
        {"first": 7},
        {"last": 12},
        {"sheets": ()},
        {"prices": ()},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_the_opening_does_not_cover_the_signature_does(verifier, domain, statement, change):
    other = replace(statement, **change)
    tampered = replace(signed(domain, statement), statement=other)
    assert verifier.verify(tampered) != KEY.address
    assert verifier.verify(tampered) == tampered.signer(domain, BN128)
    assert verifier.verify(signed(domain, other)) == KEY.address
    assert private_digest(domain, BN128, other) != private_digest(domain, BN128, statement)


def test_a_signature_that_is_nobodys_or_malleable_is_refused(verifier, domain, statement):
    good = signed(domain, statement)
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    high_s = (order - int.from_bytes(good.signature[32:64], "big")).to_bytes(32, "big")
    for signature in (
        bytes(65),
        good.signature[:64] + b"\x1d",
        good.signature[:32] + high_s + bytes([55 - good.signature[64]]),
    ):
        with pytest.raises(BadStatement, match="signature"):
            verifier.verify(replace(good, signature=signature))


def test_a_statement_for_another_ledger_has_another_signer(verifier, domain, statement):
    elsewhere = sign_private(Domain(domain.chain_id, Address(bytes(20))), BN128, statement, KEY)
    assert verifier.verify(elsewhere) != KEY.address


def test_the_contract_adds_commitments_up_as_python_does(verifier, domain):
    _, sheet = make(domain)
    imported = [sheet.imported(t) for t in range(8, 12)]
    exported = [sheet.exported(t) for t in range(8, 12)]
    sums = [BN128.weighted_sum((1, p) for p in points) for points in (imported, exported)]
    assert verifier.sums(sheet) == tuple(sums)
    for bad in (NEUTRAL, b"\x01" * 64):
        with pytest.raises(NodeError, match="no point"):
            verifier.sums(replace(sheet, points=sheet.points[:64] + bad + sheet.points[128:]))


def test_reference_figures_of_the_report(verifier, domain, statement):
    """Ceilings a few percent above what was measured; a rise is a decision, not an accident."""
    good = signed(domain, statement)
    one = replace(statement, totals=statement.totals[:1])
    with pytest.raises(BadStatement):
        verify_opening(one, BN128)
    assert verifier.gas_of_verify(good) < 95_000
    _, sheet = make(domain)
    four = verifier.gas_of_sums(sheet)
    hundred = verifier.gas_of_sums(Sheet(5, 0, sheet.points * 25))
    assert (hundred - four) / 96 < 3_400


def test_another_chains_ledger_and_an_empty_address_are_refused(chain):
    with pytest.raises(ValueError, match="the node on chain"):
        StatementVerifier.deploy(chain, Domain(5, Address(bytes(20))))
    with pytest.raises(NodeError, match="no contract"):
        StatementVerifier(chain, Address(b"\x55" * 20))
