"""``petra mix bench`` and ``petra mix judge``, as a user calls them."""

import re

import pytest
from typer.testing import CliRunner

from petra.cli import app


def run(*args: str):
    return CliRunner().invoke(app, ["mix", *args])


def test_a_bench_keeps_a_log_whose_judge_names_the_silent_members(tmp_path):
    log = tmp_path / "mix.jsonl"
    result = run("bench", "--peers", "3,5", "--silent", "1", "--out", str(log))
    assert result.exit_code == 0, result.output
    assert "NOT ANONYMOUS" in result.output
    judged = run("judge", str(log))
    assert judged.exit_code == 1
    assert "member 0" in judged.output
    assert "silent, announcement phase" in judged.output
    assert "4 notes mixed; 1 members excluded" in judged.output


def test_a_clean_mix_is_judged_so(tmp_path):
    log = tmp_path / "mix.jsonl"
    assert run("bench", "--peers", "4", "--out", str(log)).exit_code == 0
    judged = run("judge", str(log))
    assert judged.exit_code == 0, judged.output
    assert "4 notes mixed; 0 members excluded" in judged.output


def test_a_log_that_ends_too_early_has_no_verdict_yet(tmp_path):
    log = tmp_path / "mix.jsonl"
    run("bench", "--peers", "4", "--out", str(log))
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join([*lines[:5], lines[-1]]))
    judged = run("judge", str(log))
    assert judged.exit_code == 1
    assert "none yet" in judged.output


def test_mistakes_end_in_one_sentence(tmp_path):
    log = tmp_path / "mix.jsonl"
    log.write_bytes(b"{}\n")
    for args, says in (
        (("bench", "--peers", "1"), "members"),
        (("bench", "--peers", "x"), "no number"),
        (("bench", "--engine", "magic"), "no engine"),
        (("bench", "--transport", "memory,pigeon"), "memory"),
        (("judge", str(log)), "mix log"),
        (("judge", str(tmp_path / "none")), "is not there; check the path"),
    ):
        result = run(*args)
        assert result.exit_code == 2, (args, result.output)
        assert says in result.output
        assert "Traceback" not in result.output


@pytest.mark.parametrize("engine", ["coinshuffle", "dicemix"])
@pytest.mark.parametrize(
    ("cheat", "named"),
    [
        ("equivocate", "equivocation"),
        ("wrong-length", "wrong length"),
        ("garble", "changed shuffle|unreadable onion|wrong slots"),
        ("refuse-to-sign", "silent"),
        ("wrong-signature", "wrong signature"),
    ],
)
def test_a_bench_with_a_cheat_names_it_and_the_others_mix(engine, cheat, named):
    result = run("bench", "--engine", engine, "--peers", "4", "--cheat", cheat)
    assert result.exit_code == 0, result.output
    assert re.search(rf"member 2 \(0x[0-9a-f]{{40}}\): ({named}), ", result.output)
    assert "verdict: 3 notes mixed; 1 members excluded" in result.output


def test_a_cheat_that_nobody_knows_is_named():
    result = run("bench", "--cheat", "nonsense")
    assert result.exit_code == 2
    assert "there are equivocate, wrong-length" in result.output
