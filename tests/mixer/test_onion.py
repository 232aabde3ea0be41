"""Onions open layer by layer, only for their keys, and a run's key is gone when it should be."""

import pickle

import pytest

from assets.keys import Address
from mixer.onion import BoxKey, UnreadableOnion, check_box_key, wrap
from mixer.protocol import ADDRESS_BYTES, LAYER_BYTES, onion_bytes

ADDRESS = Address(b"\xab" * ADDRESS_BYTES)
P = 2**255 - 19


def test_each_key_takes_off_one_layer():
    keys = [BoxKey() for _ in range(4)]
    onion = wrap(ADDRESS, [k.public for k in keys])
    for left, key in zip(range(4, 0, -1), keys, strict=True):
        assert len(onion) == ADDRESS_BYTES + LAYER_BYTES * left == onion_bytes(5, 4 - left)
        assert ADDRESS not in onion
        onion = key.peel(onion)
    assert onion == ADDRESS
    assert wrap(ADDRESS, []) == ADDRESS


def test_an_onion_for_another_key_changed_or_cut_cannot_be_opened():
    key = BoxKey()
    onion = wrap(ADDRESS, [key.public])
    changed = onion[:-1] + bytes([onion[-1] ^ 1])
    top_bit = onion[:31] + bytes([onion[31] ^ 0x80]) + onion[32:]
    for bad in (wrap(ADDRESS, [BoxKey().public]), changed, top_bit, onion[:-1], onion[:40], b""):
        with pytest.raises(UnreadableOnion):
            key.peel(bad)


def test_equal_addresses_give_different_onions():
    key = BoxKey().public
    assert wrap(ADDRESS, [key]) != wrap(ADDRESS, [key])


def test_a_destroyed_key_opens_nothing():
    key = BoxKey()
    onion = wrap(ADDRESS, [key.public])
    key.destroy()
    key.destroy()
    assert key.destroyed
    with pytest.raises(ValueError, match="destroyed"):
        key.peel(onion)


def test_a_key_does_not_show_or_pickle_its_secret():
    key = BoxKey()
    assert repr(key) == "BoxKey()"
    with pytest.raises(TypeError):
        pickle.dumps(key)
    key.destroy()
    assert repr(key) == "BoxKey(destroyed)"


@pytest.mark.parametrize("u", [0, 1, P - 1, P, P + 1, 2**255 - 1, 2**256 - 1, 2**255 + 9])
def test_keys_that_everybody_can_read_or_with_two_encodings_are_refused(u):
    with pytest.raises(ValueError, match="X25519"):
        check_box_key(u.to_bytes(32, "little"))


def test_nothing_can_be_encrypted_to_a_refused_point_and_everything_to_an_accepted_one():
    for u in (
        0,
        1,
        P - 1,
        325606250916557431795983626356110631294008115727848805560023387167927233504,
        39382357235489614581723060781553021112529911719440698176882885853963445705823,
    ):
        with pytest.raises(Exception, match="Unexpected library error"):
            wrap(ADDRESS, [u.to_bytes(32, "little")])
        with pytest.raises(ValueError, match="X25519"):
            check_box_key(u.to_bytes(32, "little"))
    for _ in range(20):
        check_box_key(BoxKey().public)
