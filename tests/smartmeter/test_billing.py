"""The equations of the bill, and what no behaviour of the prosumers can do to the DSO."""

import json
from dataclasses import fields, replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from assets.errors import EncodingError
from smartmeter.billing import (
    BillingRecord,
    BillMismatch,
    bill_interval,
    from_json,
    paper_residual_wh,
    recompute,
    to_json,
)

CONSUMPTION, PRODUCTION = 240_000, 90_000
PRICES = {"consumption_nano_per_wh": CONSUMPTION, "production_nano_per_wh": PRODUCTION}

wh = st.integers(0, 10_000)
signed_wh = st.integers(-10_000, 10_000)
nano = st.integers(0, 10**12)


@st.composite
def price_pairs(draw: st.DrawFn) -> dict[str, int]:
    production = draw(st.integers(0, 10**6))
    return {
        "consumption_nano_per_wh": production + draw(st.integers(0, 10**6)),
        "production_nano_per_wh": production,
    }


@st.composite
def records(draw: st.DrawFn) -> BillingRecord:
    counted = {name: draw(wh) for name in ENERGY} | {name: draw(nano) for name in FINANCIAL}
    return bill_interval(
        meter=draw(st.integers(0, 99)),
        t=draw(st.integers(0, 99)),
        measured_wh=draw(signed_wh),
        **counted,
        **draw(price_pairs()),
    )


ENERGY = ("epa_withdrawn_wh", "epa_deposited_wh", "eca_withdrawn_wh", "eca_deposited_wh")
FINANCIAL = ("fa_withdrawn_nano", "fa_deposited_nano")


@st.composite
def communities(draw: st.DrawFn) -> list[BillingRecord]:
    """Homes that withdraw and deposit at will; all that the ledger enforces is that nobody deposits what is not there.

    Deposits are what arbitrary trades, gifts and losses leave: per kind, any share of what was withdrawn, at any home.
    """
    count = draw(st.integers(1, 6))
    homes: list[dict[str, int]] = [{"measured_wh": draw(signed_wh)} for _ in range(count)]
    for withdrawn, deposited, most in (
        ("epa_withdrawn_wh", "epa_deposited_wh", 10_000),
        ("eca_withdrawn_wh", "eca_deposited_wh", 10_000),
        ("fa_withdrawn_nano", "fa_deposited_nano", 10**12),
    ):
        for home in homes:
            home[withdrawn] = draw(st.integers(0, most))
        left = sum(home[withdrawn] for home in homes)
        for home in draw(st.permutations(homes)):
            home[deposited] = draw(st.one_of(st.just(left), st.integers(0, left)))
            left -= home[deposited]
    prices = draw(price_pairs())
    return [bill_interval(meter=i, t=0, **home, **prices) for i, home in enumerate(homes)]


# --- The sign ---------------------------------------------------------------------------------------------


@given(st.integers(1, 10_000), price_pairs())
def test_an_exporter_is_paid(exported_wh: int, prices: dict[str, int]) -> None:
    record = bill_interval(meter=1, t=0, measured_wh=-exported_wh, **prices)
    assert record.bill_nano == -exported_wh * prices["production_nano_per_wh"]
    assert record.bill_nano < 0 or prices["production_nano_per_wh"] == 0


@given(st.integers(0, 10_000), price_pairs())
def test_an_importer_pays(imported_wh: int, prices: dict[str, int]) -> None:
    record = bill_interval(meter=1, t=0, measured_wh=imported_wh, **prices)
    assert record.bill_nano == imported_wh * prices["consumption_nano_per_wh"] >= 0


def test_the_sign_that_the_paper_prints_would_charge_an_exporter() -> None:
    record = bill_interval(meter=1, t=0, measured_wh=-1000, **PRICES)
    as_printed = -record.residual_wh * PRODUCTION
    assert record.bill_nano == -90_000_000
    assert as_printed == +90_000_000


# --- EPA withdrawn or ECA deposited ------------------------------------------------------------------------


@given(signed_wh, wh, wh, wh)
def test_adding_eca_deposited_agrees_exactly_when_it_equals_epa_withdrawn(
    measured_wh: int, epa_withdrawn_wh: int, epa_deposited_wh: int, eca_deposited_wh: int
) -> None:
    paper = paper_residual_wh(
        measured_wh=measured_wh, epa_withdrawn_wh=epa_withdrawn_wh, epa_deposited_wh=epa_deposited_wh
    )
    variant = measured_wh - epa_deposited_wh + eca_deposited_wh
    assert (paper == variant) == (eca_deposited_wh == epa_withdrawn_wh)


@given(signed_wh, st.integers(1, 10_000), st.data())
def test_when_unsold_epa_comes_back_only_epa_withdrawn_is_right(
    measured_wh: int, epa_withdrawn_wh: int, data: st.DataObject
) -> None:
    sold_wh = data.draw(st.integers(0, epa_withdrawn_wh - 1))
    unsold_wh = epa_withdrawn_wh - sold_wh
    record = bill_interval(
        meter=1,
        t=0,
        measured_wh=measured_wh,
        epa_withdrawn_wh=epa_withdrawn_wh,
        epa_deposited_wh=unsold_wh,
        eca_deposited_wh=sold_wh,
        **PRICES,
    )
    variant = measured_wh - unsold_wh + sold_wh
    assert record.residual_wh == measured_wh + sold_wh
    assert variant == record.residual_wh - unsold_wh


# --- Energy bought without giving up the permit to consume it ----------------------------------------------


@given(signed_wh, wh, wh)
def test_bought_energy_is_credited_only_as_far_as_eca_was_given_up(
    measured_wh: int, bought_wh: int, given_up_wh: int
) -> None:
    record = bill_interval(
        meter=1, t=0, measured_wh=measured_wh, epa_deposited_wh=bought_wh, eca_withdrawn_wh=given_up_wh, **PRICES
    )
    assert record.matched_wh == min(bought_wh, given_up_wh)


@given(wh, wh, wh, signed_wh)
def test_whoever_follows_the_rules_gets_the_papers_residual(
    epa_withdrawn_wh: int, eca_withdrawn_wh: int, kept_eca_wh: int, measured_wh: int
) -> None:
    # A home sells part of its EPA for as much ECA, buys EPA for part of its ECA, and deposits everything it then holds.
    assume(kept_eca_wh <= eca_withdrawn_wh)
    bought_wh = eca_withdrawn_wh - kept_eca_wh
    for sold_wh in {0, epa_withdrawn_wh // 2, epa_withdrawn_wh}:
        counted = {
            "epa_withdrawn_wh": epa_withdrawn_wh,
            "epa_deposited_wh": epa_withdrawn_wh - sold_wh + bought_wh,
        }
        record = bill_interval(
            meter=1,
            t=0,
            measured_wh=measured_wh,
            **counted,
            eca_withdrawn_wh=eca_withdrawn_wh,
            eca_deposited_wh=kept_eca_wh + sold_wh,
            **PRICES,
        )
        assert record.residual_wh == paper_residual_wh(measured_wh=measured_wh, **counted)
        assert record.residual_wh == measured_wh + sold_wh - bought_wh


@given(records())
def test_our_residual_is_never_below_the_papers(record: BillingRecord) -> None:
    assert record.residual_wh >= paper_residual_wh(
        measured_wh=record.measured_wh,
        epa_withdrawn_wh=record.epa_withdrawn_wh,
        epa_deposited_wh=record.epa_deposited_wh,
    )


# --- What no behaviour can change --------------------------------------------------------------------------


@given(communities())
def test_residuals_never_add_up_to_less_than_was_measured(community: list[BillingRecord]) -> None:
    assert sum(r.residual_wh for r in community) >= sum(r.measured_wh for r in community)


@given(communities())
def test_bills_cover_the_residuals_and_so_the_cost_of_what_was_measured(community: list[BillingRecord]) -> None:
    paid_nano = sum(r.bill_nano for r in community)
    assert sum(r.fa_withdrawn_nano - r.fa_deposited_nano for r in community) >= 0
    assert paid_nano >= sum(r.energy_nano for r in community)
    first = community[0]
    as_one_home = bill_interval(
        meter=0,
        t=0,
        measured_wh=sum(r.measured_wh for r in community),
        consumption_nano_per_wh=first.consumption_nano_per_wh,
        production_nano_per_wh=first.production_nano_per_wh,
    )
    assert paid_nano >= as_one_home.bill_nano


# --- The auditor's record ----------------------------------------------------------------------------------


@given(records())
def test_a_record_survives_json_and_recomputes(record: BillingRecord) -> None:
    assert from_json(to_json(record)) == record
    recompute(record)


@given(records(), st.sampled_from(["measured_wh", "matched_wh", "residual_wh", "bill_nano"]), st.integers(1, 99))
def test_a_changed_record_does_not_recompute(record: BillingRecord, field: str, change: int) -> None:
    with pytest.raises(BillMismatch, match=f"meter {record.meter}, interval {record.t}: "):
        recompute(replace(record, **{field: getattr(record, field) + change}))


@given(records(), st.sampled_from([f.name for f in fields(BillingRecord)]), st.sampled_from([None, 1.0, True, "1"]))
def test_a_line_with_a_field_that_is_no_integer_is_refused(record: BillingRecord, field: str, value: object) -> None:
    with pytest.raises(EncodingError):
        from_json(json.dumps(json.loads(to_json(record)) | {field: value}, sort_keys=True, separators=(",", ":")))


def test_any_other_spelling_of_a_record_is_refused() -> None:
    line = to_json(bill_interval(meter=1, t=0, measured_wh=5, **PRICES))
    values = json.loads(line)
    for other in (
        line + "\n",
        line.replace(",", ", "),
        line.replace('"t":0', '"t":0,"t":0'),
        json.dumps(dict(reversed(values.items())), separators=(",", ":")),
        json.dumps(values | {"home": 1}),
        json.dumps({k: v for k, v in values.items() if k != "t"}),
        line.replace('"fa_deposited_nano":0', '"fa_deposited_nano":-1'),
        "[]",
        "{",
        "",
        "[" * 100_000,
        "\ud800",
        line.replace('"t":0', '"t":"0"'),
    ):
        with pytest.raises(EncodingError):
            from_json(other)
