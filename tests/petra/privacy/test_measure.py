import json
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from assets.transactions import Regulate
from petra import stages
from petra.cli import app
from petra.privacy.adversaries import Intersection, OutputOrder, SpentTogether, Timing, Uniform
from petra.privacy.bounds import lower_bound, upper_bound
from petra.privacy.leaks import LEAKS, no_cover, reused_address, sorted_outputs
from petra.privacy.learned import LearnedLinker
from petra.privacy.measure import chance_of_naming, effective_set, measure
from petra.privacy.report import failures, planted
from petra.privacy.view import read_record
from petra.rundir import write_run
from petra.simulation import simulate
from petra.summary import who_learnt_what


@pytest.fixture(scope="module")
def record(small_run_dir):
    return read_record(small_run_dir)


def total(rows, name):
    (row,) = [row for row in rows if row.adversary == name and row.window is None]
    return row


def test_guessing_is_what_a_clean_run_leaves_to_everybody(record):
    rows = measure(record)
    assert {row.adversary for row in rows} >= {"uniform", "timing", "learned linker", "insider"}
    assert not [row for row in rows if row.links]
    uniform = total(rows, "uniform")
    assert uniform.rate == pytest.approx(1 / 6)
    assert uniform.guessing == pytest.approx(1 / 6)
    assert uniform.effective_set == pytest.approx(6)
    assert {row.window for row in rows if row.adversary == "uniform"} == {None, 0, 1, 2, 3}


def test_what_the_dso_rules_about_meters_afterwards_changes_no_measurement(record):
    first = record.entries[0]
    assert isinstance(first.signed.tx, Regulate)
    meters = tuple(a.meter for a in first.signed.tx.authorise)
    banned = replace(first, signed=replace(first.signed, tx=replace(first.signed.tx, ban=meters)))
    assert measure(replace(record, entries=[banned, *record.entries[1:]])) == measure(record)


def test_corrupted_homes_shrink_the_set_and_are_not_counted(record):
    uniform = total(measure(record, corrupted=3, seed=5), "uniform")
    assert uniform.guessing == pytest.approx(1 / 3)
    assert uniform.set_size == 3
    assert uniform.outputs == total(measure(record), "uniform").outputs // 2
    with pytest.raises(ValueError, match="corrupt 0 to 4"):
        record.view(5)


@pytest.mark.parametrize("leak", LEAKS, ids=lambda leak: leak.name)
def test_every_planted_leak_is_caught_by_the_adversary_that_must_notice_it(record, leak):
    caught = {c.leak: c for c in planted(record)}[leak.name]
    assert caught.row.adversary == leak.caught_by
    assert caught.caught


def test_a_leak_that_is_missed_fails_the_measurement(record):
    rows, leaks = measure(record), planted(record)
    assert failures(rows, leaks, gate=100) == []
    blind = [replace(c, row=total(rows, "uniform")) for c in leaks]
    assert len(failures(rows, blind, gate=100)) == len(LEAKS)
    assert any("gate" in sentence for sentence in failures(rows, leaks, gate=1))


def test_what_is_learnt_on_one_leaky_run_finds_the_leak(record):
    leaky = sorted_outputs(record)
    view = leaky.view()
    linker = LearnedLinker.train(view, leaky.truth, frozenset({0, 1}))
    assert total(measure(leaky, adversaries=[linker]), "learned linker").rate > 0.9
    assert total(measure(record, adversaries=[linker]), "learned linker").rate < 0.5


def test_addresses_used_twice_link_all_that_was_spent_with_them(record):
    row = total(measure(reused_address(record), adversaries=[SpentTogether()]), "spent together")
    assert row.claims_right == 1
    assert row.claims > row.outputs / 2
    assert total(measure(reused_address(record), adversaries=[Intersection()]), "intersection").links


def test_without_cover_whoever_mixes_is_known_to_trade(record):
    leaky = no_cover(record)
    row = total(measure(leaky, adversaries=[Uniform()]), "uniform")
    assert row.set_size < 6
    assert row.rate > row.guessing


def test_adversaries_do_not_see_the_truth(record):
    lies = replace(record, truth={a: 1 + home % 6 for a, home in record.truth.items()})
    for adversary in (Uniform(), OutputOrder(), Timing(), SpentTogether(), Intersection()):
        assert adversary.guess(record.view()) == adversary.guess(lies.view())


@given(st.integers(0, 60), st.integers(1, 60))
def test_bounds_enclose_the_rate_and_tighten_with_confidence(hits, trials):
    hits = min(hits, trials)
    lower, upper = lower_bound(hits, trials), upper_bound(hits, trials)
    assert 0 <= lower <= hits / trials <= upper <= 1
    assert lower_bound(hits, trials, 0.999) <= lower
    assert upper_bound(hits, trials, 0.999) >= upper


def test_bounds_are_those_of_clopper_and_pearson():
    assert upper_bound(0, 100) == pytest.approx(1 - 0.01 ** (1 / 100))
    assert lower_bound(100, 100) == pytest.approx(0.01 ** (1 / 100))
    assert upper_bound(100, 100) == 1
    assert lower_bound(0, 100) == 0
    rng, p, missed = random.Random(1), 0.2, 0
    for _ in range(100):
        missed += upper_bound(sum(rng.random() < p for _ in range(50)), 50) < p
    assert missed <= 4  # 1 % of 100 is 1


def test_the_effective_set_of_a_guess_is_the_whole_set_and_of_knowledge_is_one():
    assert effective_set(1 / 8, 8) == pytest.approx(8)
    assert effective_set(1, 8) == 1
    assert effective_set(0.5, 1) == 1
    assert 1 < effective_set(0.9, 8) < 2
    assert chance_of_naming({1: 2.0, 2: 2.0, 3: 1.0}, 2) == 0.5
    assert chance_of_naming({1: 2.0, 2: 2.0, 3: 1.0}, 3) == 0


def test_the_command_writes_every_window_and_fails_when_the_gate_does(small_run_dir):
    done = CliRunner().invoke(app, ["privacy", "measure", str(small_run_dir), "--gate", "3"])
    assert done.exit_code == 0, done.output
    written = json.loads((small_run_dir / "privacy.json").read_text())
    assert written["passed"] is True
    assert all(leak["caught"] for leak in written["leaks"])
    done = CliRunner().invoke(app, ["privacy", "measure", str(small_run_dir), "--gate", "1"])
    assert done.exit_code == 1
    assert "PRIVACY FAILED" in done.stderr


def test_a_release_whose_deposits_come_home_by_home_fails_the_command(monkeypatch, tmp_path, make_scenario):
    honest = stages.deposits

    def home_by_home(grid, t):
        home_of = {address: home.number for home in grid.homes for address in home.wallet.uses}
        return sorted(honest(grid, t), key=lambda move: home_of[move.tx.inputs[0].note.owner])

    monkeypatch.setattr(stages, "deposits", home_by_home)
    run = simulate(make_scenario(), lambda done: None)
    write_run(run, who_learnt_what(run), tmp_path)
    done = CliRunner().invoke(app, ["privacy", "measure", str(tmp_path), "--gate", "3"])
    assert done.exit_code == 1, done.output
    assert "PRIVACY FAILED" in done.stderr
    assert "timing" in done.stderr


def test_a_run_without_trades_is_refused_in_one_sentence(tmp_path, make_scenario):
    run = simulate(make_scenario(intervals=1), lambda done: None)  # a strategy that knows no reading sits it out
    write_run(run, who_learnt_what(run), tmp_path)
    done = CliRunner().invoke(app, ["privacy", "measure", str(tmp_path)])
    assert done.exit_code == 2, done.output
    assert "nobody traded" in done.stderr


def test_a_folder_that_is_no_run_is_refused_in_one_sentence(tmp_path):
    done = CliRunner().invoke(app, ["privacy", "measure", str(tmp_path)])
    assert done.exit_code == 2
    assert "petra simulate --out" in done.stderr
    (tmp_path / "ledger.jsonl").write_bytes(b"")
    (tmp_path / "truth.jsonl").write_text("{}\n")
    assert CliRunner().invoke(app, ["privacy", "measure", str(tmp_path)]).exit_code == 2


@pytest.mark.parametrize("truth", [b"", b"[" * 100_000, b"\xff\n", b"1\n"])
def test_a_truth_that_is_not_the_runs_is_refused_in_one_sentence(tmp_path, small_run_dir, truth):
    (tmp_path / "ledger.jsonl").write_bytes((small_run_dir / "ledger.jsonl").read_bytes())
    (tmp_path / "truth.jsonl").write_bytes(truth)
    done = CliRunner().invoke(app, ["privacy", "measure", str(tmp_path)])
    assert done.exit_code == 2
    assert "truth.jsonl" in done.output
