"""The audit of a village: nothing where all went well, and the culprit where not."""

import json
import shutil
from dataclasses import replace
from functools import partial

import pytest

from assets.keys import Address, SigningKey
from assets.notes import Kind, issued
from assets.transactions import Settle, Transact, sign
from petra.village.audit import Check, NotAudited, audit_village
from smartmeter.flags import Quality
from smartmeter.identity import DepositSeed
from smartmeter.journal import Reading
from smartmeter.tally import Tally
from tests.petra.village.bad_meter import DoubleCountingJournal
from tests.petra.village.small_village import DOMAIN, GATE_S, GRID, NOBODY, SmallVillage


def audited(path) -> dict[Check, object]:
    """All parts but the run's public files, which a small village does not have."""
    return {part.check: part for part in audit_village(path) if part.check is not Check.RUN}


def culprits(parts) -> dict[Check, list[str]]:
    return {check: [f.culprit for f in part.findings] for check, part in parts.items() if part.findings}


@pytest.fixture
def village(tmp_path) -> SmallVillage:
    return SmallVillage(tmp_path)


def test_where_all_went_well_nothing_is_found(village) -> None:
    village.play(5).state()
    parts = audited(village.write())
    assert culprits(parts) == {}
    assert parts[Check.NOTES].figures.startswith("EPA 1800 issued, 1200 deposited, 600 held; ")  # windows 5 and 6
    assert parts[Check.BILLS].figures.startswith("12 bills of 3 meters, 180 readings")
    assert parts[Check.BILLS].figures.endswith("all billed up to interval 3")
    # Two windows: 100 Wh at 150 000 in place of 90 000 and 240 000 nano, twice 15 000 000 between them.
    assert parts[Check.TARIFF].figures == "3 homes, 0.0300 USD saved"
    assert parts[Check.STATEMENTS].figures.startswith("3 statements, ")


@pytest.mark.parametrize("restart_at_h", [1, 2])
def test_a_meter_that_counts_twice_after_a_restart_is_named(village, restart_at_h) -> None:
    village.play(restart_at_h)
    village.step()
    village.step()
    bad = village.homes[1]
    bad.stop()
    bad.start(village.ledger, DoubleCountingJournal)
    village.play(6)
    found = culprits(audited(village.write()))
    assert set(found[Check.BILLS]) == {"meter2"}


def test_a_restart_without_that_bug_changes_nothing(village) -> None:
    village.play(2)
    village.homes[1].stop()
    village.homes[1].start(village.ledger)
    village.play(5)
    assert culprits(audited(village.write())) == {}


def test_a_meter_whose_readings_are_not_what_the_device_showed_is_named(village) -> None:
    village.play(2)
    home, t_ms = village.homes[2], (village.now_s + 10) * 1000
    wh = home.truth.counted(t_ms)[0] + 40
    home.journal.append([Reading("grid/import_energy", t_ms, wh.to_bytes(4, "big"), wh)])
    home.journal.use()
    village.play(5)
    parts = audited(village.write())
    assert set(culprits(parts)) == {Check.BILLS}
    assert parts[Check.BILLS].findings[0].culprit == "meter3"
    assert "not what the device showed" in parts[Check.BILLS].findings[0].text


def test_a_bill_that_counts_a_deposit_which_is_not_on_the_ledger_is_named(village) -> None:
    village.play(5)
    home = village.homes[0]
    bill = home.book.bills()[1]
    forged = replace(bill, eca_deposited_wh=bill.eca_deposited_wh + 100)
    from smartmeter.billing import bill_interval, to_json

    inputs = {k: getattr(forged, k) for k in forged.__slots__ if k not in ("matched_wh", "residual_wh", "bill_nano")}
    home.book._db.execute("UPDATE bill SET record = ? WHERE t = 1", (to_json(bill_interval(**inputs)),))
    parts = audited(village.write())
    assert set(culprits(parts)[Check.BILLS]) == {"meter1"}
    assert "eca_deposited_wh is" in parts[Check.BILLS].findings[0].text


def test_a_wallet_that_sends_a_note_to_nobody_is_named_twice(village) -> None:
    right = village.deposit_to

    def lose(home, window, index) -> Address:
        return NOBODY if (home.number, window, index) == (3, 2, 2) else right(home, window, index)

    village.deposit_to = lose
    village.play(5)
    assert culprits(audited(village.write())) == {Check.NOTES: ["wallet3"], Check.TARIFF: ["wallet3"]}


def test_a_buyer_that_names_a_wrong_address_in_its_order_is_named(village, monkeypatch) -> None:
    trade = village.trade
    monkeypatch.setattr(village, "trade", lambda window: trade(window, NOBODY if window == 1 else None))
    village.play(5)
    found = culprits(audited(village.write()))
    assert found[Check.NOTES] == ["wallet2"]


def test_a_wallet_that_deposits_a_note_twice_is_named(village, monkeypatch) -> None:
    """Were there keys to a meter's addresses, each arrival there would be credited."""

    def key(home, index) -> SigningKey:
        return SigningKey(bytes([200 + home.number]) * 31 + bytes([1 + index]))

    keys = {home.seed: partial(key, home) for home in village.homes}
    right = DepositSeed.address

    def address(seed, window, index):
        return keys[seed._seed](index).address if window == 2 and seed._seed in keys else right(seed, window, index)

    monkeypatch.setattr(DepositSeed, "address", address)
    village.play(3)
    home = village.homes[0]
    moved = [e for e in village.ledger.entries() if isinstance(e.signed.tx, Transact)]
    deposited = next(
        note
        for entry in moved
        for note in issued(entry.signed.tx.outputs, entry.digest)
        if (note.note.owner, note.note.kind) == (home.deposits.address(2, 2), Kind.FA)
    )
    again = replace(deposited.note, owner=home.deposits.address(2, 20))
    village.ledger.submit([sign(DOMAIN, Transact((deposited,), (again,)), key(home, 2))])[0].require()
    village.play(5)
    found = culprits(audited(village.write()))
    assert found == {Check.NOTES: ["wallet1"]}


def test_a_tally_that_counts_deposits_wrong_is_found_by_counting_them_in_another_way(village, monkeypatch) -> None:
    """The same wrong code in the meter and in the auditor's recount would agree with itself."""
    right = Tally._count_deposits

    def twice(tally, entry, outputs) -> None:
        outputs = list(outputs)
        right(tally, entry, outputs)
        if tally._meter == 2:
            right(tally, entry, outputs)

    monkeypatch.setattr(Tally, "_count_deposits", twice)
    village.play(5)
    assert set(culprits(audited(village.write()))[Check.BILLS]) == {"meter2"}


def test_a_meter_that_left_no_folder_is_named(village) -> None:
    village.play(5)
    path = village.write()
    shutil.rmtree(path / "meter3")
    parts = audited(path)
    assert [f.text for f in parts[Check.BILLS].findings if f.culprit == "meter3"] == ["left no folder to audit"]


@pytest.mark.parametrize("delivered", [True, False])
def test_a_meter_that_did_not_bill_all_that_was_delivered_is_named(village, delivered) -> None:
    village.play(4)
    village.homes[1].step = lambda now_s: None
    village.play(5)
    village.delivered = delivered
    parts = audited(village.write())
    assert culprits(parts).get(Check.BILLS, []) == (["meter2"] if delivered else [])
    assert parts[Check.BILLS].figures.endswith("all billed up to interval 2")


def test_bills_of_intervals_that_the_report_did_not_cover_wait_for_the_next_one(village) -> None:
    village.play(5)
    village.delivered = False
    path = village.write()
    lines = (path / "run" / "ledger.jsonl").read_bytes().splitlines(keepends=True)
    _, of_window_2 = (e.seq for e in village.ledger.entries() if isinstance(e.signed.tx, Settle))
    (path / "run" / "ledger.jsonl").write_bytes(b"".join(lines[: of_window_2 + 1]))  # the first line is the genesis
    (path / "run" / "summary.json").write_text(json.dumps({"gate_s": GATE_S, "intervals": 2}))
    assert culprits(audited(path)) == {}
    state = json.loads((path / "village.json").read_text())
    (path / "village.json").write_text(json.dumps({**state, "facts": {"delivered": True}}))
    with pytest.raises(NotAudited, match="older than the last bills; write it again"):
        audit_village(path)


def test_a_relay_that_drops_a_homes_deposits_shows_in_that_homes_outcome(village) -> None:
    right = village.deposit_to
    village.deposit_to = lambda home, window, index: (
        None if (home.number, window) == (2, 2) else right(home, window, index)
    )
    village.play(5)
    parts = audited(village.write())
    assert culprits(parts) == {Check.TARIFF: ["wallet2"]}
    assert "forgotten in wallet2 (1)" in parts[Check.NOTES].figures


def test_a_cheating_wallet_may_lose(village) -> None:
    right = village.deposit_to
    village.deposit_to = lambda home, window, index: None if home.number == 3 else right(home, window, index)
    village.replaced = ["wallet3=python cheat.py"]
    village.play(5)
    parts = audited(village.write())
    assert culprits(parts) == {}
    assert "cheats not counted: wallet3" in parts[Check.TARIFF].figures


def test_notes_deposited_too_late_cost_their_home_and_it_is_named(village) -> None:
    right, village.deposit_to = village.deposit_to, lambda home, window, index: None
    village.play(4)
    village.deposit_to = right
    village.deposit(1)
    village.play(6)
    parts = audited(village.write())
    assert set(culprits(parts)[Check.TARIFF]) == {"wallet1", "wallet2", "wallet3"}
    assert "too late from wallet1" in parts[Check.NOTES].figures


def test_who_regrets_its_own_trades_is_no_victim_of_a_fault(tmp_path) -> None:
    # Home 1 sells 100 Wh that it does not have, for less than it pays to buy them back.
    village = SmallVillage(tmp_path, net=((50,) * 6, (120,) * 6, (70,) * 6)).play(5)
    parts = audited(village.write())
    assert culprits(parts) == {}
    assert "worse off by their own forecasts alone: wallet1" in parts[Check.TARIFF].figures


def test_a_statement_that_is_not_the_sum_of_its_bills_is_named(village) -> None:
    village.play(5).state()
    village.statements[1] = replace(village.statements[1], bill_nano=village.statements[1].bill_nano + 1)
    village.statements.append(replace(village.statements[2], nonce=1))
    parts = audited(village.write())
    assert set(culprits(parts)) == {Check.STATEMENTS}
    assert set(culprits(parts)[Check.STATEMENTS]) == {"meter2", "meter3"}


FAULT = {"fault": "kill", "victim": "meter2", "role": "meter", "at_s": 1.0, "healed_s": 2.0, "recovered_s": 3.5}
FAULT |= {"restarts": 1, "text": "meter2 is killed", "simulated_ms": [0, 0]}


def test_who_did_not_recover_is_named(village) -> None:
    village.play(3)
    parts = audited(village.write([FAULT, {**FAULT, "victim": "relay", "recovered_s": None}]))
    assert culprits(parts) == {Check.RECOVERY: ["relay"]}
    assert "recovered after 1.5 s (median), 1.5 s at most" in parts[Check.RECOVERY].figures


@pytest.mark.parametrize("skew_s", [-600, 600])
def test_a_skewed_clock_explains_readings_while_it_is_skewed_and_the_bills_still_add_up(village, skew_s) -> None:
    village.play(2)
    home, true_s = village.homes[1], village.now_s

    def skewed(now_s: int) -> None:
        for counter, wh in zip(("import", "export"), home.truth.counted(now_s * 1000), strict=True):
            at_ms = (now_s + skew_s) * 1000
            home.journal.append([Reading(f"grid/{counter}_energy", at_ms, wh.to_bytes(4, "big"), wh)])
        home.journal.use()
        home.books.step(now_s)

    right, home.step = home.step, skewed
    village.play(3)
    home.step = right
    village.play(6)
    fault = {**FAULT, "fault": "skew", "skew_ms": skew_s * 1000}
    fault["simulated_ms"] = [true_s * 1000, (true_s + 3600) * 1000]
    path = village.write([fault])
    assert culprits(audited(path)) == {}
    (path / "chaos.json").unlink()
    assert set(culprits(audited(path))[Check.BILLS]) == {"meter2"}, "without the fault there is no excuse"


def test_an_outage_is_billed_later_and_nothing_is_found(village) -> None:
    village.play(2)
    home = village.homes[1]
    right, home.step = home.step, lambda now_s: None
    village.play(4)
    home.step = right
    village.play(6)
    bills = home.book.bills()
    assert max(b.quality for b in bills[1:]) == Quality.ESTIMATED
    parts = audited(village.write())
    assert Check.BILLS not in culprits(parts)


def test_what_cannot_be_audited_is_said_in_one_sentence(village) -> None:
    with pytest.raises(NotAudited, match=r"village\.json is missing"):
        audit_village(village.path)
    (village.path / "village.json").write_text(json.dumps({"options": {}}))
    with pytest.raises(NotAudited, match="petra village report"):
        audit_village(village.path)
    village.play(2)
    path = village.write([{"fault": 1}])
    with pytest.raises(NotAudited, match="damaged"):
        audit_village(path)
    (path / "chaos.json").unlink()
    log = (path / "run" / "ledger.jsonl").read_bytes()
    (path / "run" / "ledger.jsonl").write_bytes(log.replace(b'"seq":0', b'"seq":7'))
    with pytest.raises(NotAudited, match="write it again"):
        audit_village(path)
    for number in (1, 2, 3):
        shutil.rmtree(path / f"meter{number}")
    (path / "run" / "ledger.jsonl").write_bytes(log)
    with pytest.raises(NotAudited, match="no meters"):
        audit_village(path)
    assert GRID.interval_s == 3600
