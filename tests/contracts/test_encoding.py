"""Calldata: packed calls decode to what was encoded and to nothing else; ABI calls equal a general encoder's."""

import pytest
from eth_abi import decode as abi_decode
from eth_abi import encode as abi_encode
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.errors import EncodingError
from assets.groups import SIZE, Groups, climb
from assets.keys import Digest
from assets.notes import IssuedNote, Kind, Note, issued
from assets.orders import Fill, Order, Side, SignedOrder
from assets.transactions import (
    Authorisation,
    Cancel,
    FeederCapacity,
    PriceChange,
    Regulate,
    Settle,
    Settlement,
    Signed,
    Transact,
    Withdraw,
)
from contracts import artifact, encoding

u8, u16, u32, u40, u64 = (st.integers(0, 2**bits - 1) for bits in (8, 16, 32, 40, 64))
address, word = st.binary(min_size=20, max_size=20), st.binary(min_size=32, max_size=32)
signatures = st.lists(st.binary(min_size=65, max_size=65), max_size=3).map(tuple)


def tuples(item, size=4):
    return st.lists(item, max_size=size).map(tuple)


energy = st.builds(
    lambda kind, owner, power_w, start, further: Note(kind, owner, power_w, start, min(start + further, 2**32 - 1)),
    st.sampled_from([Kind.EPA, Kind.ECA, 0, 4, 255]),
    address,
    u32,
    u32,
    u16,
)
notes = st.one_of(energy, st.builds(lambda owner, amount: Note(Kind.FA, owner, amount, 0, 0), address, u64))
inputs = st.builds(IssuedNote, notes, word, u16)


def signed_orders(side):
    money = st.just(()) if side is Side.SELL else tuples(inputs, 3)
    order = st.builds(Order, st.just(side), inputs, money, u64, address, address, u64, u32, address, u8)
    return st.builds(SignedOrder, order, signatures)


fills = st.builds(Fill, signed_orders(Side.SELL), signed_orders(Side.BUY), u32, u64)
withdrawals = st.builds(Signed, st.builds(Withdraw, u32, u64, u32, tuples(notes)), signatures)
transfers = st.builds(Signed, st.builds(Transact, tuples(inputs), tuples(notes), word), signatures)
settlements = st.builds(Signed, st.builds(Settle, tuples(fills)), st.just(()))
rulings = st.builds(
    Regulate,
    u64,
    tuples(st.builds(FeederCapacity, u32, u64, u64)),
    tuples(st.builds(Authorisation, u32, address, u32, u64, u64, u64)),
    tuples(u32),
    tuples(st.builds(Settlement, u32, u64)),
    tuples(st.builds(PriceChange, u64, u64, u64)),
    u40,
    address,
)
by_abi = st.builds(Signed, st.one_of(st.builds(Cancel, address, st.integers(0, 2**256 - 1)), rulings), signatures)


def body_of(call):
    return abi_decode(["bytes"], call[4:])[0]


@settings(max_examples=60, deadline=None)
@given(signed=withdrawals)
def test_a_withdrawal_is_read_back(signed):
    call = encoding.encode(signed, Groups())
    assert call == encoding.WITHDRAW + abi_encode(["bytes"], [body_of(call)])
    assert encoding.decode_withdraw(body_of(call)) == signed


@settings(max_examples=60, deadline=None)
@given(signed=transfers)
def test_a_transfer_is_read_back(signed):
    call = encoding.encode(signed, Groups())
    body, proofs = abi_decode(["bytes", "bytes"], call[4:])
    assert call == encoding.TRANSACT + abi_encode(["bytes", "bytes"], [body, proofs])
    assert encoding.decode_transact(body) == signed
    assert proofs == bytes(len(signed.tx.inputs))


@settings(max_examples=40, deadline=None)
@given(signed=settlements, data=st.data())
def test_those_fills_are_read_back_that_settled(signed, data):
    body = body_of(encoding.encode(signed, Groups()))
    count = len(signed.tx.fills)
    settled = data.draw(st.integers(0, 2**count - 1))
    chosen = tuple(fill for i, fill in enumerate(signed.tx.fills) if settled >> i & 1)
    assert encoding.decode_settle(body, settled) == Signed(Settle(chosen), ())
    with pytest.raises(EncodingError):
        encoding.decode_settle(body, 1 << count)


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
    tx = plain(signed.tx)
    values = (*tx, signed.signatures) if isinstance(signed.tx, Cancel) else (tx, signed.signatures)
    return artifact.selectors("function")[name] + abi_encode([types], [values])[32:]


def decode(call):
    return encoding.decode_cancel(call) if call[:4] == encoding.CANCEL else encoding.decode_regulate(call)


@settings(max_examples=60, deadline=None)
@given(signed=by_abi)
def test_rulings_and_cancellations_are_encoded_as_the_abi_says_and_decoded_again(signed):
    call = encoding.encode(signed, Groups())
    assert call == by_eth_abi(signed)
    assert decode(call) == signed


@settings(max_examples=30, deadline=None)
@given(calls=st.lists(st.binary(max_size=100), max_size=5))
def test_a_relay_is_encoded_as_the_abi_says(calls):
    assert encoding.encode_relay(calls) == encoding.RELAY + abi_encode(["bytes[]"], [calls])


@settings(max_examples=100, deadline=None)
@given(signed=by_abi, data=st.data())
def test_decoding_a_damaged_call_gives_a_transaction_or_an_encoding_error(signed, data):
    call = bytearray(encoding.encode(signed, Groups()))
    place = data.draw(st.integers(4, len(call) - 1))
    call[place] ^= data.draw(st.integers(1, 255))
    cut = data.draw(st.integers(4, len(call)))
    for damaged in (bytes(call), bytes(call[:cut])):
        try:
            decoded = decode(damaged)
        except EncodingError:
            continue
        assert isinstance(decoded, Signed)


@settings(max_examples=100, deadline=None)
@given(signed=st.one_of(withdrawals, transfers, settlements), data=st.data())
def test_packed_bytes_have_one_reading_or_none(signed, data):
    decoders = {Withdraw: encoding.decode_withdraw, Transact: encoding.decode_transact}
    decoder = decoders.get(type(signed.tx), lambda b: encoding.decode_settle(b, 2 ** len(signed.tx.fills) - 1))
    body = bytearray(body_of(encoding.encode(signed, Groups())))
    if body:
        body[data.draw(st.integers(0, len(body) - 1))] ^= data.draw(st.integers(1, 255))
    cut = data.draw(st.integers(0, len(body)))
    for damaged in (bytes(body), bytes(body[:cut]), bytes(body) + b"\0"):
        try:
            decoded = decoder(damaged)
        except EncodingError:
            continue
        if not isinstance(decoded.tx, Settle) or len(decoded.tx.fills) == len(signed.tx.fills):
            assert body_of(encoding.encode(decoded, Groups())) == damaged


@settings(max_examples=40, deadline=None)
@given(outputs=st.lists(notes, min_size=1, max_size=40).map(tuple), data=st.data())
def test_every_path_leads_to_the_root_of_its_group(outputs, data):
    groups, origin = Groups(), Digest(bytes(32))
    groups.add(origin, outputs)
    known = issued(outputs, origin)
    roots = {}
    for note in known:
        place = note.index % SIZE
        roots.setdefault(note.index // SIZE, set()).add(climb(note.note, place, groups.path(note)))
    assert all(len(found) == 1 for found in roots.values())
    assert Groups(below=groups).path(known[-1]) == groups.path(known[-1])
    assert groups.path(IssuedNote(known[0].note, Digest(b"\1" * 32), 0)) == ()
    assert groups.path(IssuedNote(known[0].note, origin, len(outputs))) == ()


@pytest.mark.parametrize(
    "tx",
    [
        Withdraw(2**32, 0, 0, ()),
        Withdraw(0, -1, 0, ()),
        Withdraw(0, 0, 0, (Note(256, bytes(20), 1, 0, 0),)),
        Withdraw(0, 0, 0, (Note(1, bytes(19), 1, 0, 0),)),
        Transact((), (), b"short"),
        Cancel(bytes(20), 2**256),
        Regulate(0, prices=(PriceChange(2**64, 1, 1),)),
    ],
)
def test_a_value_that_its_type_cannot_hold_is_an_encoding_error(tx):
    with pytest.raises(EncodingError):
        encoding.encode(Signed(tx, ()), Groups())
