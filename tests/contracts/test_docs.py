"""docs/ledger.md names every refusal, event and signed type, and what it names exists."""

import re
from pathlib import Path

import pytest

from assets.errors import REFUSALS
from contracts import artifact

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "contracts" / "src"
PAGE = (ROOT / "docs" / "ledger.md").read_text(encoding="utf-8")
TYPES_ON_PAGE = set(re.findall(r"^\w+\([^)]*\)$", re.sub(r",\n +", ",", PAGE), re.MULTILINE))


def of_abi(kind):
    return [e for e in artifact.load()["abi"] if e["type"] == kind]


def shown(entry):
    """As the page writes it: names of the arguments, no types."""
    return f"`{entry['name']}({', '.join(p['name'] for p in entry['inputs'])})`"


def signed_types():
    """Every EIP-712 type in the ledger's sources, with the types it is encoded with."""
    text = "".join((SOURCES / name).read_text(encoding="utf-8") for name in ("Digests.sol", "Orders.sol"))
    literals = re.findall(r'keccak256\(\s*((?:"[^"]*"\s*)+)\)', text)
    return ["".join(re.findall(r'"([^"]*)"', literal)) for literal in literals]


@pytest.mark.parametrize("entry", of_abi("error"), ids=lambda e: e["name"])
def test_every_error_is_in_a_table_with_its_arguments(entry):
    assert f"| {shown(entry)} |" in PAGE


@pytest.mark.parametrize("entry", of_abi("event"), ids=lambda e: e["name"])
def test_every_event_is_in_a_table_with_its_arguments(entry):
    assert f"| {shown(entry)} |" in PAGE


def test_the_table_of_refusals_is_that_of_the_specification():
    refusals = PAGE.split("## Refusals")[1].split("Errors of the carrier")[0]
    assert set(re.findall(r"^\| `(\w+)\(", refusals, re.MULTILINE)) == set(REFUSALS)


@pytest.mark.parametrize("encoded", signed_types(), ids=lambda t: t.split("(")[0])
def test_every_signed_type_is_written_out(encoded):
    primary, *named = re.findall(r"\w+\([^)]*\)", encoded)
    assert {primary, *named} <= TYPES_ON_PAGE
    assert named == sorted(named)


def test_the_page_has_no_signed_type_too_many():
    assert {t for encoded in signed_types() for t in re.findall(r"\w+\([^)]*\)", encoded)} == TYPES_ON_PAGE


@pytest.mark.parametrize(("file", "function"), sorted(set(re.findall(r"`(\w+\.sol):(\w+)`", PAGE))))
def test_what_the_page_names_in_solidity_exists(file, function):
    assert f"function {function}(" in (SOURCES / file).read_text(encoding="utf-8")


@pytest.mark.parametrize(("folder", "file", "function"), sorted(set(re.findall(r"(assets )?`(\w+\.py):(\w+)`", PAGE))))
def test_what_the_page_names_in_python_exists(folder, file, function):
    path = ROOT / "assets" / ("" if folder else "rules") / file
    assert f"def {function}(" in path.read_text(encoding="utf-8")


def test_every_rule_of_the_specification_is_on_the_page():
    named = set(re.findall(r"`\w+\.py:(\w+)`", PAGE))
    for path in (ROOT / "assets" / "rules").glob("*.py"):
        checks = set(re.findall(r"^def (_?check_\w+)\(", path.read_text(encoding="utf-8"), re.MULTILINE))
        assert checks - named <= {"_check_kind"}, path.name
