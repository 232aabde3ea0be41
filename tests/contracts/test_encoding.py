"""Calldata: ours equals a general ABI encoder's, and decoding gives back what was encoded."""

import pytest
from eth_abi import encode as abi_encode
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.errors import EncodingError
from assets.notes import IssuedNote, Note
from assets.transactions import (
    Authorisation,
    FeederCapacity,
    PriceChange,
    Regulate,
    Settlement,
    Signed,
    Transact,
    Withdraw,
)
from contracts import artifact, encoding

u8, u32, u64 = (st.integers(0, 2**bits - 1) for bits in (8, 32, 64))
address, word = st.binary(min_size=20, max_size=20), st.binary(min_size=32, max_size=32)


def tuples(item, size=4):
    return st.lists(item, max_size=size).map(tuple)


notes = st.builds(Note, u8, address, u64, u32, u32)
transactions = st.one_of(
    st.builds(Withdraw, u32, u64, u32, tuples(notes)),
    st.builds(Transact, tuples(st.builds(IssuedNote, notes, word, u32)), tuples(notes), word),
    st.builds(
        Regulate,
        u64,
        tuples(st.builds(FeederCapacity, u32, u64, u64)),
        tuples(st.builds(Authorisation, u32, address, u32, u64, u64, u64)),
        tuples(u32),
        tuples(st.builds(Settlement, u32, u64)),
        tuples(st.builds(PriceChange, u64, u64, u64)),
    ),
)
signed_transactions = st.builds(Signed, transactions, tuples(st.binary(max_size=70)))


def plain(value):
    """Dataclasses as the tuples that eth-abi takes."""
    if isinstance(value, tuple):
        return tuple(plain(v) for v in value)
    fields = getattr(value, "__slots__", None)
    return tuple(plain(getattr(value, f)) for f in fields) if fields else value


def by_eth_abi(signed):
    name = type(signed.tx).__name__.lower()
    (entry,) = [e for e in artifact.load()["abi"] if e.get("name") == name]
    types = artifact.signature(entry).removeprefix(name)
    return artifact.selectors("function")[name] + abi_encode([types], [(plain(signed.tx), signed.signatures)])[32:]


@settings(max_examples=60, deadline=None)
@given(signed=signed_transactions)
def test_calls_are_encoded_as_the_abi_says_and_decoded_again(signed):
    call = encoding.encode(signed)
    assert call == by_eth_abi(signed)
    assert encoding.decode(call) == signed


@settings(max_examples=30, deadline=None)
@given(calls=st.lists(st.binary(max_size=100), max_size=5))
def test_a_relay_is_encoded_as_the_abi_says(calls):
    assert encoding.encode_relay(calls) == encoding.RELAY + abi_encode(["bytes[]"], [calls])


@settings(max_examples=100, deadline=None)
@given(signed=signed_transactions, data=st.data())
def test_decoding_a_damaged_call_gives_a_transaction_or_an_encoding_error(signed, data):
    call = bytearray(encoding.encode(signed))
    place = data.draw(st.integers(0, len(call) - 1))
    call[place] ^= data.draw(st.integers(1, 255))
    cut = data.draw(st.integers(0, len(call)))
    for damaged in (bytes(call), bytes(call[:cut])):
        try:
            decoded = encoding.decode(damaged)
        except EncodingError:
            continue
        assert isinstance(decoded, Signed)


@pytest.mark.parametrize(
    "tx",
    [
        Withdraw(2**32, 0, 0, ()),
        Withdraw(0, -1, 0, ()),
        Withdraw(0, 0, 0, (Note(256, bytes(20), 1, 0, 0),)),
        Withdraw(0, 0, 0, (Note(1, bytes(19), 1, 0, 0),)),
        Transact((), (), b"short"),
        Regulate(0, prices=(PriceChange(2**64, 1, 1),)),
    ],
)
def test_a_value_that_its_type_cannot_hold_is_an_encoding_error(tx):
    with pytest.raises(EncodingError):
        encoding.encode(Signed(tx, ()))
