"""What the operator mistyped is refused in one sentence, before any node is asked."""

import json

import pytest
from typer.testing import CliRunner

from dso.desk.folder import DeskFolder, approvals
from petra.cli import app

METERS = "meter,key,feeder,max_epa_w,max_eca_w,credit_nano\n1,0x" + "11" * 20 + ",3,1,1,1\n"


def refused(*args):
    result = CliRunner().invoke(app, ["dso", *args], env={"PETRA_DSO_PASSPHRASE": "correct horse"})
    assert (result.exit_code, isinstance(result.exception, SystemExit)) == (2, True), result.exception
    (line,) = result.output.splitlines()
    return line


@pytest.mark.parametrize(
    "args",
    [
        ("limits", "3:1:1", "5:1:1", "3:2:2"),
        ("reconcile", "--first", "0", "--last", "1", "3:100", "3:200"),
        ("guard", "meters.csv", "--network", "any.json", "--at", "3=A", "--at", "3=B"),
    ],
)
def test_a_feeder_named_twice_is_refused(tmp_path, monkeypatch, args):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "meters.csv").write_text(METERS)
    assert refused(*args) == "petra: feeder 3 is there twice; name it once"


def test_a_meter_banned_twice_in_one_breath_is_refused():
    assert refused("ban", "2", "2") == "petra: meter 2 is there twice; name it once"


def test_what_the_csv_reader_cannot_read_is_one_sentence(tmp_path):
    path = tmp_path / "meters.csv"
    path.write_text("x" * 200_000 + "\n")
    assert "no CSV that can be read" in refused("authorise", str(path))


@pytest.mark.parametrize(
    "change", [{"node": 5}, {"gate_s": "x"}, {"contract": 5}, {"contract": "0x12"}, {"approvers": 7}, {"required": "1"}]
)
def test_a_damaged_desk_is_named(tmp_path, change):
    good = {"node": "http://127.0.0.1:1", "contract": "0x" + "11" * 20, "gate_s": 1, "required": 0, "approvers": []}
    (tmp_path / "desk.json").write_text(json.dumps(good))
    assert DeskFolder.open(tmp_path).gate_s == 1
    (tmp_path / "desk.json").write_text(json.dumps(good | change))
    assert "desk.json is damaged; restore it" in refused("audit", "--desk", str(tmp_path))


def test_damaged_approvals_are_named(tmp_path):
    (tmp_path / "p.approvals").write_text("12zz\n")
    with pytest.raises(ValueError, match=r"p\.approvals is damaged"):
        approvals(tmp_path / "p.json")
