"""Pads cancel out over all peers, and hide what a single one posts."""

from hypothesis import given
from hypothesis import strategies as st

from assets.keys import Address, Digest
from mixer.dicemix.field import P
from mixer.dicemix.keys import RunKey
from mixer.dicemix.pads import combined, masked_payload, masked_powers, pair_key, summed
from mixer.dicemix.powersums import powers

SIZES = st.integers(2, 9)
CONTEXT = Digest(b"\x11" * 32)


def pair_keys(size, context=CONTEXT):
    keys = [RunKey() for _ in range(size)]
    return [{j: pair_key(keys[i].shared(keys[j].public), context) for j in range(size) if j != i} for i in range(size)]


@given(SIZES, st.data())
def test_powers_add_up_to_power_sums(size, data):
    elements = data.draw(st.lists(st.integers(0, P - 1), min_size=size, max_size=size))
    keys = pair_keys(size)
    messages = [masked_powers(elements[i], i, keys[i], size) for i in range(size)]
    assert summed(messages) == summed([powers(element, size) for element in elements])
    assert all(0 <= value < P for message in messages for value in message)


@given(SIZES, st.data())
def test_payloads_combine_to_the_addresses_in_their_slots(size, data):
    addresses = data.draw(st.lists(st.binary(min_size=20, max_size=20), min_size=size, max_size=size))
    slots = data.draw(st.permutations(range(size)))
    keys = pair_keys(size)
    messages = [masked_payload(Address(addresses[i]), slots[i], keys[i], size) for i in range(size)]
    out = combined(messages)
    assert [out[slot] for slot in slots] == addresses


@given(SIZES)
def test_all_messages_but_one_show_nothing_of_it(size):
    """Without the last peer's message the rest is as random as a pad: different in each context."""
    runs = []
    for context in (CONTEXT, Digest(b"\x12" * 32)):
        keys = pair_keys(size, context)
        runs.append([masked_payload(Address(bytes(20)), 0, keys[i], size) for i in range(size)])
    assert all(a != b and a != bytes(20 * size) for a, b in zip(*runs, strict=True))
    assert combined(runs[0]) == combined(runs[1])


def test_a_pairs_key_is_one_for_both_and_another_in_another_context():
    a, b = RunKey(), RunKey()
    assert a.shared(b.public) == b.shared(a.public)
    shared = a.shared(b.public)
    assert pair_key(shared, CONTEXT) != pair_key(shared, Digest(bytes(32)))


def test_pads_of_slots_and_payloads_have_nothing_in_common():
    keys = pair_keys(2)
    pads = masked_powers(0, 0, keys[0], 2)
    payload = masked_payload(Address(bytes(20)), 0, keys[0], 2)
    assert pads[0].to_bytes(16, "little") not in payload
