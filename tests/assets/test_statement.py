"""The signed statement of a period, and the deadline that decides on which bill something stands."""

from dataclasses import fields, replace

import pytest
from eth_abi.abi import encode
from eth_account import Account
from eth_account.messages import encode_typed_data
from hypothesis import given
from hypothesis import strategies as st

from assets.intervals import IntervalGrid
from assets.keys import ZERO_ADDRESS, Address, ThrowAwayKeys
from assets.statement import (
    Statement,
    billed_window,
    deposit_deadline_s,
    first_open_interval,
    sign_statement,
    signed_word,
    statement_digest,
)
from assets.transactions import Domain

DOMAIN = Domain(7, Address(bytes(19) + b"\x01"))
KEY = ThrowAwayKeys(1, "meter").fresh()
u32, u64, u128 = (st.integers(0, 2**bits - 1) for bits in (32, 64, 128))
statements = st.tuples(u32, u64, u32, u32, u128, u128, u128, u128, st.integers(-(2**255), 2**255 - 1)).map(
    lambda v: Statement(v[0], v[1], min(v[2], v[3]), max(v[2], v[3]), *v[4:])
)
GRID = IntervalGrid(1_000_000, 900)

TYPES = (
    ("meter", "uint32"), ("nonce", "uint64"), ("first", "uint32"), ("last", "uint32"), ("importWh", "uint128"),
    ("exportWh", "uint128"), ("faWithdrawnNano", "uint128"), ("faDepositedNano", "uint128"), ("billNano", "int256"),
)  # fmt: skip


def eip712(domain: Domain, s: Statement) -> dict[str, object]:
    values = [getattr(s, f.name) for f in fields(s)]
    return {
        "types": {
            "EIP712Domain": [
                {"name": "name", "type": "string"},
                {"name": "version", "type": "string"},
                {"name": "chainId", "type": "uint256"},
                {"name": "verifyingContract", "type": "address"},
            ],
            "Statement": [{"name": name, "type": kind} for name, kind in TYPES],
        },
        "primaryType": "Statement",
        "domain": {
            "name": "PETra",
            "version": "1",
            "chainId": domain.chain_id,
            "verifyingContract": "0x" + domain.contract.hex(),
        },
        "message": dict(zip((name for name, _ in TYPES), values, strict=True)),
    }


@given(statements)
def test_a_wallet_that_knows_eip712_signs_the_same(statement: Statement) -> None:
    secret = bytes(31) + b"\x05"
    signed = Account.sign_message(encode_typed_data(full_message=eip712(DOMAIN, statement)), secret)
    assert signed.message_hash == statement_digest(DOMAIN, statement)


@given(st.integers(-(2**255), 2**255 - 1))
def test_signed_words_are_those_of_the_abi(value: int) -> None:
    assert signed_word(value) == encode(["int256"], [value])


@given(statements, st.sampled_from([f.name for f in fields(Statement)]))
def test_no_field_can_be_changed_without_breaking_the_signature(statement: Statement, name: str) -> None:
    signed = sign_statement(DOMAIN, statement, KEY)
    assert signed.signer(DOMAIN) == KEY.address
    value = getattr(statement, name)
    try:
        other = replace(statement, **{name: value - 1 if value > 0 else value + 1})
    except ValueError:
        return
    assert replace(signed, statement=other).signer(DOMAIN) != KEY.address


def test_a_signature_is_good_for_one_ledger_only() -> None:
    signed = sign_statement(DOMAIN, Statement(1, 0, 0, 0, 0, 0, 0, 0, 0), KEY)
    assert signed.signer(replace(DOMAIN, chain_id=8)) != KEY.address
    assert replace(signed, signature=b"").signer(DOMAIN) == ZERO_ADDRESS


@pytest.mark.parametrize(
    "change",
    [
        {"meter": -1}, {"meter": 2**32}, {"nonce": 2**64}, {"first": 2}, {"last": 2**32}, {"import_wh": -1},
        {"export_wh": 2**128}, {"fa_withdrawn_nano": -1}, {"fa_deposited_nano": 2**128}, {"bill_nano": 2**255},
        {"bill_nano": -(2**255) - 1},
    ],
)  # fmt: skip
def test_values_that_the_encoding_cannot_hold_are_refused(change: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"statement"):
        replace(Statement(1, 0, 0, 1, 0, 0, 0, 0, 0), **change)


@given(statements)
def test_a_bill_is_its_energy_and_its_fa(s: Statement) -> None:
    assert s.bill_nano == s.energy_nano + s.fa_withdrawn_nano - s.fa_deposited_nano
    assert s.residual_wh == s.import_wh - s.export_wh


@given(st.integers(0, 2_000_000), st.integers(0, 5000), st.integers(0, 1500))
def test_the_first_open_interval_is_the_first_whose_deadline_lies_ahead(time_s: int, gate_s: int, window: int) -> None:
    t = first_open_interval(GRID, time_s, gate_s)
    assert time_s < deposit_deadline_s(GRID, t, gate_s)
    assert t == 0 or time_s >= deposit_deadline_s(GRID, t - 1, gate_s)
    assert billed_window(GRID, window, time_s, gate_s) == max(window, t)
