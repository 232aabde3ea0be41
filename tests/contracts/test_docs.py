"""docs/ledger.md names every refusal, event and signed type, and what it names exists."""

import re
from pathlib import Path

import pytest

from assets.errors import REFUSALS
from assets.groups import Groups
from assets.keys import Address, Digest
from assets.notes import IssuedNote, eca, epa, fa
from assets.orders import Fill, Order, Side, SignedOrder
from assets.transactions import Settle, Signed, Transact, Withdraw
from contracts import artifact, encoding

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


ALICE, ORIGIN, SIGNATURE = Address(b"\1" * 20), Digest(b"\2" * 32), bytes(65)


def length_on_page(title, **counts):
    """Where the table after ``title`` ends, with these numbers for its letters; its rows must leave no gap."""
    table = PAGE.split(title)[1].split("| --- | --- | --- |\n")[1].split("\n\n")[0]
    at = 0
    for row in table.splitlines():
        first, size = (
            eval(re.sub(r"(\d) ([a-z(])", r"\1 * \2", cell.replace(" each", " s")), {}, counts) if cell else None
            for cell in (cell.strip() for cell in row.split("|")[1:3])
        )
        assert first == at, row
        at += size or 0
    return at


def body_of(tx, *signatures):
    """The packed body of a call: the first byte string of its calldata."""
    call = encoding.encode(Signed(tx, signatures), Groups())
    at = encoding.SELECTOR + int.from_bytes(call[4:36], "big")
    length = int.from_bytes(call[at : at + 32], "big")
    return call[at + 32 : at + 32 + length]


def test_the_bytes_of_a_withdrawal_are_those_on_the_page():
    body = body_of(Withdraw(1, 2, 3, (epa(ALICE, 4, 5, 6), fa(ALICE, 7), fa(ALICE, 8))), SIGNATURE)
    assert len(body) == length_on_page("**Withdraw body**", n=3)


def test_the_bytes_of_a_transact_are_those_on_the_page():
    inputs = tuple(IssuedNote(fa(ALICE, amount), ORIGIN, amount) for amount in range(5))
    body = body_of(Transact(inputs, (fa(ALICE, 10), fa(ALICE, 11))), SIGNATURE, SIGNATURE)
    assert len(body) == length_on_page("**Transact body**", m=5, n=2, s=2)


@pytest.mark.parametrize("money", [1, 16])
def test_the_bytes_of_a_settlement_are_those_on_the_page(money):
    terms = (1, ALICE, ALICE, 2, 3)
    notes = tuple(IssuedNote(fa(ALICE, 9), ORIGIN, index) for index in range(money))
    sell = Order(Side.SELL, IssuedNote(epa(ALICE, 4, 5, 6), ORIGIN, 0), (), *terms)
    buy = Order(Side.BUY, IssuedNote(eca(ALICE, 4, 5, 6), ORIGIN, 1), notes, *terms)
    fill = Fill(SignedOrder(sell, (SIGNATURE,)), SignedOrder(buy, (SIGNATURE, SIGNATURE)), 4, 1)
    orders = length_on_page("An order:", k=0, s=1) + length_on_page("An order:", k=money, s=2)
    assert len(body_of(Settle((fill, fill)))) == 2 * (length_on_page("**Settle body**") + orders)
