"""Every interval is committed to once and opened in one sum only; the prosumer can check and dispute."""

import itertools
import pickle
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.commitments.dispute import DepositOpening, IntervalOpening, judge_deposits, judge_interval
from assets.commitments.errors import BadStatement
from assets.commitments.sheet import Sheet, sheet_digest, sign_sheet
from assets.commitments.statement import sign_private, totals_of
from assets.commitments.tariff import Level, Run
from assets.commitments.verification import verify_statement
from smartmeter.billing import BillMismatch
from smartmeter.commitments.blinding import BlindingSecret
from smartmeter.commitments.book import BookMismatch, CommitmentBook
from smartmeter.commitments.price_guard import PriceGuard, PricesIsolate


def test_asking_again_gives_the_same_and_nothing_else(home):
    records = home.bills([1, -2, 3])
    sheet = home.committer.commit(records)
    assert home.committer.commit(records) == sheet
    publication = home.committer.state(0, 2)
    assert home.committer.state(0, 2) == publication
    with pytest.raises(ValueError, match="once only"):
        home.committer.state(0, 1)
    with pytest.raises(ValueError, match="once only"):
        home.committer.state(1, 2)


def test_an_interval_is_never_committed_to_in_two_ways(kit, home):
    home.committer.commit(home.bills([1, -2, 3]))
    for other in ([1, -2, 4], [1, -2]):
        with pytest.raises(ValueError, match="never committed to again"):
            home.committer.commit(home.bills(other))
    with pytest.raises(ValueError, match="starts at interval 3"):
        home.committer.commit(home.bills([9], first=4))
    dearer = home.bills([1, -2, 3], level=(999_999, 1))
    with pytest.raises(ValueError, match="never committed to again"):
        home.committer.commit(dearer)


def test_periods_follow_one_another_and_are_made_of_whole_sheets(home):
    for first in (0, 3, 6):
        home.committer.commit(home.bills([1, 2, 3], first))
    with pytest.raises(ValueError, match="whole sheets"):
        home.committer.state(0, 4)
    with pytest.raises(ValueError, match="not committed to in full"):
        home.committer.state(0, 11)
    assert home.committer.state(0, 2).statement.statement.nonce == 0
    with pytest.raises(ValueError, match="next period starts at interval 3"):
        home.committer.state(6, 8)
    assert home.committer.state(3, 8).statement.statement.nonce == 1


def test_bills_that_cannot_be_committed_to_are_refused_and_leave_nothing_behind(kit, home):
    good = home.bills([1, 2])
    for wrong, error in (
        ([], "at least one"),
        ([good[0], replace(good[1], meter=8)], "is of meter 8"),
        ([good[0], kit.bill(2, 2)], "interval 1 is missing"),
        ([kit.bill(0, 2**40)], "not below"),
    ):
        with pytest.raises(ValueError, match=error):
            home.committer.commit(wrong)
    with pytest.raises(BillMismatch):
        home.committer.commit([replace(good[0], bill_nano=5)])
    assert home.book.next_interval is None


def test_a_longer_period_adds_to_what_was_committed_to(home):
    bills = home.bills([1, 2, 3, 4, 5])
    assert [len(s.sheet) for s in home.committer.commit_all(bills[:2], 96)] == [2]
    assert [len(s.sheet) for s in home.committer.commit_all(bills, 2)] == [2, 1]
    assert home.committer.commit_all(bills, 2) == []
    with pytest.raises(ValueError, match="never changes"):
        home.committer.commit_all(home.bills([1, 9, 3, 4, 5]), 2)
    assert len(home.committer.state(0, 4).sheets) == 3


def test_a_meter_that_is_killed_and_restored_says_what_it_said_before(kit, tmp_path):
    home = kit.Home(path=tmp_path / "book.sqlite")
    records = home.bills([5, -6, 7, 8])
    sheet = home.committer.commit(records[:2])
    home.book.close()
    home.open()
    assert home.committer.commit(records[:2]) == sheet
    home.committer.commit(records[2:])
    publication = home.committer.state(0, 3)
    home.book.close()
    home.open()
    assert home.committer.state(0, 3) == publication
    home.book.close()
    with pytest.raises(BookMismatch, match="of meter 7"):
        CommitmentBook(tmp_path / "book.sqlite", 8, home.domain.separator, "secp256k1")


def test_a_meter_that_lost_its_book_resumes_after_what_it_last_stated(kit):
    home, other = kit.Home(), kit.Home(meter=8)
    home.publish([1, 2, 3])
    last = home.publish([4, 5, 6], first=3).statement
    home.book.close()
    home.open()
    foreign = other.publish([1, 2, 3]).statement
    forged = replace(last, statement=replace(last.statement, last=4))
    for wrong in (foreign, forged):
        with pytest.raises(ValueError, match="did not sign"):
            home.committer.resume(wrong)
    home.committer.resume(last)
    with pytest.raises(ValueError, match="not empty"):
        home.committer.resume(last)
    for first in (0, 3, 5, 7):
        with pytest.raises(ValueError, match="starts at interval 6"):
            home.committer.commit(home.bills([9], first))
    with pytest.raises(ValueError, match="starts at interval 6"):
        home.committer.state(4, 6)
    publication = home.publish([7, 8], first=6)
    assert publication.statement.statement.nonce == 2
    verify_statement(publication.statement, [s.sheet for s in publication.sheets], home.expected(publication))
    home.book.close()
    other.book.close()


def test_prices_that_single_out_an_interval_are_not_opened(kit):
    home = kit.Home(guard=3)
    bills = [kit.bill(t, 5, level=(1, 0) if t == 2 else (10**6, 0)) for t in range(6)]
    home.committer.commit(bills)
    with pytest.raises(PricesIsolate, match="in force in 1 intervals"):
        home.committer.state(0, 5)
    assert home.book.periods() == {}
    home.book.close()


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=30), st.integers(1, 8))
def test_behind_the_guard_every_price_stands_for_many_intervals(levels, least):
    prices = [Run(t, t, Level(*level)) for t, level in enumerate(levels)]
    enough = all(
        sum(other[side] == price for other in levels) >= least
        for side in (0, 1)
        for price in {level[side] for level in levels}
        if price
    )
    try:
        PriceGuard(least).check(prices)
        assert enough
    except PricesIsolate:
        assert not enough


# --- Dispute ---------------------------------------------------------------------------------------------


def test_the_prosumer_opens_one_interval_to_a_judge(home):
    residuals_wh = [300, -120, 0, 77]
    publication = home.publish(residuals_wh)
    statement = publication.statement.statement
    for signed in publication.sheets:
        for t in range(signed.sheet.first, signed.sheet.last + 1):
            opening = home.committer.open_interval(t)
            assert opening.residual_wh == residuals_wh[t]
            judge_interval(home.domain, home.group, statement, signed.sheet, opening)
    deposits = home.committer.open_deposits(0, 3)
    assert deposits.amount_nano == 2400
    judge_deposits(home.group, statement, deposits)
    with pytest.raises(ValueError, match="not committed"):
        home.committer.open_interval(4)
    with pytest.raises(ValueError, match="no period"):
        home.committer.open_deposits(0, 2)


def test_a_judge_accepts_no_other_opening(home):
    publication = home.publish([300, -120, 0, 77])
    statement, sheet = publication.statement.statement, publication.sheets[0].sheet
    opening = home.committer.open_interval(0)
    order = home.group.order
    for wrong, field in (
        (replace(opening, import_wh=299), "import_wh"),
        (replace(opening, import_blinding=1), "import_wh"),
        (replace(opening, import_wh=300 + order), "import_wh"),
        (replace(opening, import_wh=-1), "import_wh"),
        (replace(opening, export_wh=1), "export_wh"),
        (replace(opening, export_blinding=1), "export_wh"),
        (replace(opening, t=1), "import_wh"),
        (replace(opening, t=99), "sheets"),
    ):
        with pytest.raises(BadStatement) as refusal:
            judge_interval(home.domain, home.group, statement, sheet, wrong)
        assert refusal.value.field == field
    with pytest.raises(BadStatement, match="sheets"):
        judge_interval(home.domain, home.group, statement, Sheet(7, 0, sheet.points[:128]), opening)
    deposits = home.committer.open_deposits(0, 3)
    for amount in (2399, -1, 2400 + order):
        with pytest.raises(BadStatement, match="fa_deposited"):
            judge_deposits(home.group, statement, DepositOpening(amount, deposits.blinding))


def test_a_meter_that_commits_to_negative_imports_passes_the_sum_but_never_a_judge(home):
    """What remains: no range proof. A dispute is what finds it."""
    order, r, s, u = home.group.order, 11, 12, 13
    points = home.group.commit(-500, r) + home.group.commit(0, s)
    sheet = Sheet(home.meter, 0, points)
    honest = home.publish([1])
    prices = honest.statement.statement.prices
    consumption, production = prices[0].level.consumption_nano_per_wh, prices[0].level.production_nano_per_wh
    cheat = replace(
        honest.statement.statement,
        sheets=(sheet_digest(home.domain, home.group, sheet),),
        totals=totals_of(home.group, (sheet,), prices),
        fa_deposited=home.group.commit(0, u),
        bill_nano=1000 - 500 * consumption,
        blinding=(consumption * r - production * s - u) % order,
    )
    signed = sign_private(home.domain, home.group, cheat, home.key)
    verify_statement(signed, [sheet], home.expected(honest))
    for value in (-500, order - 500):
        with pytest.raises(BadStatement, match="no energy"):
            judge_interval(home.domain, home.group, cheat, sheet, IntervalOpening(0, value, 0, r, s))


# --- Hiding ----------------------------------------------------------------------------------------------


@given(st.lists(st.integers(-500, 500), min_size=2, max_size=8), st.data())
def test_a_statement_says_nothing_that_another_day_with_the_same_bill_would_not(kit, residuals_wh, data):
    """For every other course of the period with the same bill there are blindings that give the same publication.

    They are computed here as nobody could in earnest: with the discrete logarithm of V, in a toy world where V = 5 G.
    """
    order = 2**61 - 1
    log_v = 5
    level = (3, 2)
    n = len(residuals_wh)
    other_wh = data.draw(st.permutations(residuals_wh))

    def parts(e):
        return max(0, e), max(0, -e)

    blindings = data.draw(
        st.lists(st.tuples(st.integers(0, order - 1), st.integers(0, order - 1)), min_size=n, max_size=n)
    )
    points = [
        tuple((v * log_v + r) % order for v, r in zip(parts(e), b, strict=True))
        for e, b in zip(residuals_wh, blindings, strict=True)
    ]
    rho = sum(level[0] * r - level[1] * s for r, s in blindings) % order
    others = [
        tuple((c - v * log_v) % order for v, c in zip(parts(e), p, strict=True))
        for e, p in zip(other_wh, points, strict=True)
    ]
    assert sum(level[0] * r - level[1] * s for r, s in others) % order == rho


def test_blindings_are_bound_to_everything_and_hide_themselves(kit, home):
    secret = home.secret
    other_domain = replace(kit.DOMAIN, chain_id=2)
    seen = {
        secret.of_import(1, 5),
        secret.of_import(2, 5),
        secret.of_import(1, 6),
        secret.of_export(1, 5),
        secret.of_deposits(1, 1, 5),
        secret.of_deposits(1, 2, 5),
        BlindingSecret(bytes([7]) * 32, home.domain, home.group, 8).of_import(1, 5),
        BlindingSecret(bytes([8]) * 32, home.domain, home.group, 7).of_import(1, 5),
        BlindingSecret(bytes([7]) * 32, other_domain, home.group, 7).of_import(1, 5),
    }
    assert len(seen) == 9
    assert all(0 <= blinding < home.group.order for blinding in seen)
    assert secret.of_import(1, 5) == BlindingSecret(bytes([7]) * 32, home.domain, home.group, 7).of_import(1, 5)
    assert repr(secret) == "BlindingSecret()"
    assert str(home.committer._secret) == "BlindingSecret()"
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(secret)
    with pytest.raises(ValueError, match="32 bytes"):
        BlindingSecret(b"", home.domain, home.group, 7)
    assert len({BlindingSecret.generate() for _ in range(3)}) == 3


def test_openings_do_not_show_their_blindings(home):
    home.publish([1])
    for opening in (home.committer.open_interval(0), home.committer.open_deposits(0, 0)):
        assert "blinding" not in repr(opening)


def test_equal_readings_give_different_commitments(home):
    publication = home.publish([0] * 6)
    sheets = [signed.sheet for signed in publication.sheets]
    points = [side(t) for s in sheets for t in range(s.first, s.last + 1) for side in (s.imported, s.exported)]
    assert all(a != b for a, b in itertools.combinations(points, 2))


def test_a_sheet_is_signed_for_one_group_only(home):
    sheet = Sheet(home.meter, 0, home.group.commit(1, 2) * 2)
    signed = sign_sheet(home.domain, home.group, sheet, home.key)
    assert signed.signer(home.domain, home.group) == home.key.address
