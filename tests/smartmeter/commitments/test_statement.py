"""A statement that is right verifies; one that was touched anywhere is refused by the name of the field."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.commitments.errors import BadStatement
from assets.commitments.group import NEUTRAL
from assets.commitments.groups import GROUPS
from assets.commitments.sheet import PAIR_BYTES, Sheet, SignedSheet, sheet_digest
from assets.commitments.statement import Total, sign_private, totals_of
from assets.commitments.tariff import Level, Run
from assets.commitments.verification import verify_opening, verify_sheet, verify_statement
from assets.keys import Address, Digest
from assets.transactions import Domain

RESIDUALS_WH = [300, -120, 0, 77, -5, 1000, 1, -2000]
residuals = st.lists(st.integers(-(2**40) + 1, 2**40 - 1), min_size=1, max_size=12)
amounts = st.integers(0, 2**63)


@pytest.fixture
def publication(home):
    return home.publish(RESIDUALS_WH)


def sheets_of(publication):
    return [signed.sheet for signed in publication.sheets]


def refused(home, publication, sheets=None, *, statement=None, field, match=".", **expected):
    signed = publication.statement if statement is None else replace(publication.statement, statement=statement)
    known = home.expected(publication, **expected)
    with pytest.raises(BadStatement, match=match) as refusal:
        verify_statement(signed, sheets_of(publication) if sheets is None else sheets, known)
    assert refusal.value.field == field
    assert refusal.value.meter == signed.statement.meter


def test_an_honest_statement_verifies_and_bills_what_the_intervals_add_up_to(home, publication):
    verify_statement(publication.statement, sheets_of(publication), home.expected(publication))
    assert publication.statement.statement.bill_nano == sum(b.bill_nano for b in home.bills(RESIDUALS_WH))
    for signed in publication.sheets:
        verify_sheet(signed, home.domain, home.group, home.key.address)


@pytest.mark.parametrize("group", sorted(GROUPS))
@given(residuals_wh=residuals, withdrawn=amounts, deposited=amounts, first=st.integers(0, 2**31))
def test_whatever_was_measured_and_deposited_the_statement_verifies(
    kit, group, residuals_wh, withdrawn, deposited, first
):
    home = kit.Home(group)
    publication = home.publish(residuals_wh, first, fa=(withdrawn, deposited))
    verify_statement(publication.statement, sheets_of(publication), home.expected(publication))
    home.book.close()


@pytest.mark.parametrize("change", [1, -1, 2**64], ids=["more", "less", "much"])
def test_another_bill_is_refused(home, publication, change):
    s = publication.statement.statement
    field = "bill_nano, blinding or fa_deposited"
    refused(home, publication, statement=replace(s, bill_nano=s.bill_nano + change), field=field)
    refused(home, publication, statement=replace(s, bill_nano=-s.bill_nano), field=field)
    refused(home, publication, statement=replace(s, blinding=(s.blinding + change) % home.group.order), field=field)
    fa = home.group.weighted_sum([(1, s.fa_deposited), (1, home.group.commit(1, 0))])
    refused(home, publication, statement=replace(s, fa_deposited=fa), field=field)


def test_a_second_spelling_of_the_blinding_is_refused(home, publication):
    s = publication.statement.statement
    if s.blinding + home.group.order < 2**256:
        refused(home, publication, statement=replace(s, blinding=s.blinding + home.group.order), field="blinding")


def test_other_prices_are_refused(home, publication):
    s = publication.statement.statement
    cheaper = (Run(s.first, s.last, Level(1, 1)),)
    refused(home, publication, statement=replace(s, prices=cheaper), field="prices")
    refused(home, publication, statement=replace(s, prices=s.prices[:-1]), field="prices")
    level = Level(s.totals[0].level.consumption_nano_per_wh - 1, 0)
    totals = (Total(level, s.totals[0].imported, s.totals[0].exported), *s.totals[1:])
    refused(home, publication, statement=replace(s, totals=totals), field="totals")


def test_intervals_without_a_price_are_not_free(home, publication):
    s = publication.statement.statement
    cheat = resigned(
        home,
        publication,
        prices=(),
        totals=(),
        bill_nano=s.fa_withdrawn_nano - 4800,
        fa_deposited=home.group.commit(4800, 1),
        blinding=home.group.order - 1,
    )
    verify_opening(cheat.statement.statement, home.group)
    for prices in ((), s.prices[1:], s.prices[:-1], (s.prices[0], *s.prices[2:])):
        refused(home, cheat, field="prices", match="not a price for every interval", prices=prices)


def test_other_numbers_of_the_ledger_are_refused(home, publication):
    s = publication.statement.statement
    refused(home, publication, statement=replace(s, fa_withdrawn_nano=0), field="fa_withdrawn_nano", match="8000")


def test_a_changed_commitment_is_refused(home, publication):
    sheets = sheets_of(publication)
    for at in range(0, len(sheets[1].points), PAIR_BYTES // 2):
        points = bytearray(sheets[1].points)
        points[at : at + 64] = home.group.commit(0, 1)
        changed = [sheets[0], replace(sheets[1], points=bytes(points)), *sheets[2:]]
        refused(home, publication, changed, field="sheets", match=r"3\.\.5")


def test_import_and_export_swapped_are_refused(home, publication):
    first, *others = sheets_of(publication)
    swapped = first.points[64:128] + first.points[:64] + first.points[128:]
    refused(home, publication, [replace(first, points=swapped), *others], field="sheets")


def test_intervals_swapped_are_refused(home, publication):
    first, *others = sheets_of(publication)
    swapped = first.points[128:256] + first.points[:128] + first.points[256:]
    refused(home, publication, [replace(first, points=swapped), *others], field="sheets")
    refused(home, publication, [others[0], first, *others[1:]], field="sheets", match="interval 0 is missing")


def test_a_missing_a_doubled_and_a_surplus_interval_are_refused(home, publication):
    first, second, third = sheets_of(publication)
    refused(home, publication, [first, third], field="sheets", match="interval 3 is missing")
    refused(home, publication, [first, second], field="sheets", match="interval 6 is missing")
    refused(home, publication, [first, first, second, third], field="sheets", match="interval 0 is committed twice")
    longer = replace(third, points=third.points + first.points[:128])
    refused(home, publication, [first, second, longer], field="sheets", match="interval 8 lies after the period")
    parts = [Sheet(7, 0, first.points[:128]), Sheet(7, 1, first.points[128:]), second, third]
    refused(home, publication, parts, field="sheets", match="names 3 sheets, 4 are there")


def test_another_homes_sheets_or_statement_are_refused(kit, home, publication):
    neighbour = kit.Home(home.group.name, meter=8)
    theirs = neighbour.publish(RESIDUALS_WH)
    refused(home, publication, sheets_of(theirs), field="sheets", match="meter 8's")
    renamed = [replace(sheet, meter=7) for sheet in sheets_of(theirs)]
    refused(home, publication, renamed, field="sheets")
    with pytest.raises(BadStatement, match="expected a statement of meter 7"):
        verify_statement(theirs.statement, sheets_of(theirs), home.expected(publication))
    posed = replace(theirs.statement, statement=replace(theirs.statement.statement, meter=7))
    with pytest.raises(BadStatement, match="sheets"):
        verify_statement(posed, renamed, home.expected(publication))
    neighbour.book.close()


def test_a_replay_of_another_period_is_refused(home, publication):
    later = home.publish([5, 6, 7], first=8)
    refused(home, publication, field="nonce", match="replayed", nonce=1, first=8)
    s = replace(publication.statement.statement, nonce=1)
    refused(home, publication, statement=s, field="first", nonce=1, first=8)
    moved = replace(s, first=8, last=15, prices=tuple(Run(r.first + 8, r.last + 8, r.level) for r in s.prices))
    sheets = [replace(sheet, first=sheet.first + 8) for sheet in sheets_of(publication)]
    refused(home, publication, sheets, statement=moved, field="sheets", nonce=1, first=8, prices=moved.prices)
    verify_statement(later.statement, sheets_of(later), home.expected(later))


def test_a_statement_for_another_ledger_or_group_is_refused(home, publication):
    refused(home, publication, field="sheets", domain=Domain(2, Address(bytes(20))))
    other = next(g for g in GROUPS.values() if g is not home.group)
    refused(home, publication, field="sheets", group=other)


@pytest.mark.parametrize("at", [0, 40, 64])
def test_a_changed_signature_is_refused(home, publication, at):
    signature = bytearray(publication.statement.signature)
    signature[at] ^= 1
    forged = replace(publication, statement=replace(publication.statement, signature=bytes(signature)))
    refused(home, forged, field="signature")
    sheet = publication.sheets[0]
    changed = SignedSheet(replace(sheet.sheet, first=sheet.sheet.first + 1), sheet.signature)
    with pytest.raises(BadStatement, match="signature"):
        verify_sheet(changed, home.domain, home.group, home.key.address)


def resigned(home, publication, **changes):
    """What a meter could sign that cheats: its key is in the statement's favour."""
    s = replace(publication.statement.statement, **changes)
    return replace(publication, statement=sign_private(home.domain, home.group, s, home.key))


def test_a_cheating_meter_cannot_make_totals_of_its_own(home, publication):
    s = publication.statement.statement
    total = replace(s.totals[0], imported=home.group.weighted_sum([(1, s.totals[0].imported), (1, s.fa_deposited)]))
    cheat = resigned(home, publication, totals=(total, *s.totals[1:]))
    refused(home, cheat, field="totals", match="do not add up")
    refused(home, resigned(home, publication, totals=s.totals[::-1]), field="totals")
    refused(home, resigned(home, publication, totals=s.totals[:1]), field="totals")


def test_a_cheating_meter_cannot_open_its_commitments_to_another_bill(home, publication):
    s = publication.statement.statement
    cheat = resigned(home, publication, bill_nano=s.bill_nano - 1)
    refused(home, cheat, field="bill_nano, blinding or fa_deposited")


@pytest.mark.parametrize("bad", [NEUTRAL, b"\x01" * 64], ids=["neutral", "off the curve"])
def test_a_cheating_meter_cannot_commit_to_what_is_no_point(home, publication, bad):
    first, *others = sheets_of(publication)
    sheet = replace(first, points=bad + first.points[64:])
    digests = (sheet_digest(home.domain, home.group, sheet), *publication.statement.statement.sheets[1:])
    refused(home, resigned(home, publication, sheets=digests), [sheet, *others], field="sheets", match="no point")
    cheat = resigned(home, publication, fa_deposited=bad)
    refused(home, cheat, field="fa_deposited or totals", match="no point")


def test_totals_are_what_the_public_sheets_add_up_to(home, publication):
    s = publication.statement.statement
    assert s.totals == totals_of(home.group, tuple(sheets_of(publication)), s.prices)
    verify_opening(s, home.group)


def test_numbers_without_an_encoding_are_no_statement(publication):
    s = publication.statement.statement
    for wrong in (
        {"meter": -1},
        {"nonce": 2**64},
        {"blinding": 2**256},
        {"bill_nano": 2**200},
        {"first": 9},
        {"last": 2**20},
        {"fa_deposited": b""},
    ):
        with pytest.raises(ValueError, match=r"statement|bytes"):
            replace(s, **wrong)
    for wrong in ({"points": b""}, {"points": bytes(127)}, {"first": 2**32 - 1, "points": bytes(256)}, {"meter": -1}):
        with pytest.raises(ValueError, match="sheet"):
            replace(Sheet(1, 0, bytes(128)), **wrong)


def test_a_digest_that_is_no_digest_is_refused(home, publication):
    s = publication.statement.statement
    refused(home, publication, statement=replace(s, sheets=(Digest(bytes(32)), *s.sheets[1:])), field="sheets")


@pytest.mark.parametrize("group", sorted(GROUPS))
def test_the_worked_example_of_the_docs(kit, group):
    """docs/statements.md, number by number."""
    curve = GROUPS[group]
    residuals_wh, consumption, production = [300, -120, 0, 77], 240_000, 90_000
    bill_nano = 4_000 - 2_400 + 377 * consumption - 120 * production
    assert bill_nano == 79_681_600
    blinding = consumption * (1 + 2 + 3 + 4) - production * (5 + 6 + 7 + 8) - 9
    assert blinding == 59_991
    terms = [(-1, curve.commit(2_400, 9))]
    for at, residual_wh in enumerate(residuals_wh):
        terms.append((consumption, curve.commit(max(0, residual_wh), 1 + at)))
        terms.append((-production, curve.commit(max(0, -residual_wh), 5 + at)))
    assert curve.weighted_sum(terms) == curve.commit(79_677_600, 59_991)
    home = kit.Home(group)
    publication = home.publish(residuals_wh, level=(consumption, production), fa=(1_000, 600))
    assert publication.statement.statement.bill_nano == bill_nano
    home.book.close()
