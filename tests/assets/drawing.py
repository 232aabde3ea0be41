"""Values that have an encoding, for Hypothesis."""

from hypothesis import strategies as st

from assets.keys import Address, Digest
from assets.notes import ENERGY_KINDS, IssuedNote, Kind, Note
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

u8, u16, u32, u40, u64 = (st.integers(0, 2**bits - 1) for bits in (8, 16, 32, 40, 64))
addresses = st.binary(min_size=20, max_size=20).map(Address)
digests = st.binary(min_size=32, max_size=32).map(Digest)
energy_notes = st.builds(
    lambda kind, owner, power_w, start, further: Note(kind, owner, power_w, start, min(start + further, 2**32 - 1)),
    st.sampled_from(ENERGY_KINDS),
    addresses,
    u32,
    u32,
    u16,
)
money_notes = st.builds(lambda owner, amount_nano: Note(Kind.FA, owner, amount_nano, 0, 0), addresses, u64)
notes = st.one_of(energy_notes, money_notes)
issued_notes = st.builds(IssuedNote, notes, digests, u16)


def tuples(items):
    return st.lists(items, max_size=3).map(tuple)


signatures = tuples(st.binary(min_size=65, max_size=65))


def orders(side):
    money = st.just(()) if side is Side.SELL else tuples(issued_notes)
    return st.builds(Order, st.just(side), issued_notes, money, u64, addresses, addresses, u64, u32, addresses, u8)


fills = st.builds(
    Fill,
    st.builds(SignedOrder, orders(Side.SELL), signatures),
    st.builds(SignedOrder, orders(Side.BUY), signatures),
    u32,
    u64,
)
withdrawals = st.builds(Withdraw, u32, u64, u32, tuples(notes))
transfers = st.builds(Transact, tuples(issued_notes), tuples(notes), digests)
settlements = st.builds(Settle, tuples(fills))
cancellations = st.builds(Cancel, addresses, st.integers(0, 2**256 - 1))
regulations = st.builds(
    Regulate,
    u64,
    tuples(st.builds(FeederCapacity, u32, u64, u64)),
    tuples(st.builds(Authorisation, u32, addresses, u32, u64, u64, u64)),
    tuples(u32),
    tuples(st.builds(Settlement, u32, u64)),
    tuples(st.builds(PriceChange, u64, u64, u64)),
    u40,
    addresses,
)
transactions = st.one_of(withdrawals, transfers, settlements, cancellations, regulations)
signed_transactions = st.builds(Signed, transactions, signatures)
