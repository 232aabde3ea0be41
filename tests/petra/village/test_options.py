"""A village's options: what is refused, and that they come back from JSON."""

import json
from pathlib import Path

import pytest

from petra.village.options import Options, parse_replace


def test_options_come_back_from_json() -> None:
    options = Options(homes=6, replicas=3, db="postgres", replace={"meter3": "python my_meter.py"})
    assert Options.from_json(json.loads(json.dumps(options.to_json()))) == options


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"homes": 1}, "--homes is 1; give 2 to"),
        ({"speed": 0}, "--speed is 0"),
        ({"intervals": True}, "--intervals is True"),
        ({"transport": "memory"}, "--transport is 'memory'; give http or tor"),
        ({"db": "mysql"}, "give sqlite or postgres"),
        ({"replicas": 2}, "add --db postgres"),
        ({"chain": "geth"}, "give anvil, or a node's URL"),
        ({"chain": "http://127.0.0.1:8545"}, "give --speed 1"),
        ({"interval_s": 59}, "--interval-s is 59"),
    ],
)
def test_what_is_no_village_is_refused_in_one_sentence(given, says) -> None:
    with pytest.raises(ValueError, match=says):
        Options(**given)


@pytest.mark.parametrize("values", [{}, [], {**Options().to_json(), "more": 1}])
def test_other_json_is_refused(values) -> None:
    with pytest.raises(ValueError, match="not a village's options"):
        Options.from_json(values)


def test_programs_are_replaced_by_name() -> None:
    assert parse_replace(["meter3=/bin/sh -c 'exit 1' --x=1"]) == {"meter3": "/bin/sh -c 'exit 1' --x=1"}


def test_relative_paths_of_a_replacement_are_those_of_whoever_types_them(tmp_path: Path, monkeypatch) -> None:
    program, script = tmp_path / "bin" / "mine", tmp_path / "a b.py"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o700)
    script.touch()
    monkeypatch.chdir(tmp_path)
    assert parse_replace(["meter3=bin/mine 'a b.py' -m petra"]) == {"meter3": f"{program} '{script}' -m petra"}


def test_a_replacement_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="no program 'bin/mine' here"):
        parse_replace(["meter3=bin/mine"])


@pytest.mark.parametrize("texts", [["meter3"], ["=python"], ["meter3="], ["a=ls", "a=ls"]])
def test_a_replacement_that_cannot_be_meant_is_refused(texts) -> None:
    with pytest.raises(ValueError, match="NAME=COMMAND"):
        parse_replace(texts)
