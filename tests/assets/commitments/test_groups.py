"""Both groups: homomorphic, strict, hashed generators; alt_bn128 against py-ecc."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from py_ecc import bn128 as oracle

from assets.commitments import bn128, secp256k1
from assets.commitments.group import NEUTRAL, NoPoint, group_id, hash_to_point, point_bytes, value_label
from assets.commitments.groups import BN128, GROUPS, SECP256K1

both = pytest.mark.parametrize("group", [SECP256K1, BN128], ids=lambda g: g.name)
scalars = st.integers(-(2**80), 2**256)


@both
@given(st.lists(st.tuples(st.integers(-(2**64), 2**64), st.integers(0, 2**40), st.integers(1, 2**256)), max_size=6))
def test_a_weighted_sum_of_commitments_commits_to_the_weighted_sums(group, terms):
    points = [group.commit(value, blinding) for _, value, blinding in terms]
    value = sum(w * v for w, v, _ in terms)
    blinding = sum(w * r for w, _, r in terms)
    summed = group.weighted_sum((w, point) for (w, _, _), point in zip(terms, points, strict=True))
    assert summed == group.commit(value, blinding)


@settings(max_examples=40)
@given(scalars, scalars)
def test_alt_bn128_agrees_with_py_ecc(value, blinding):
    v = tuple(oracle.FQ(c) for c in bn128.value_generator())
    expected = oracle.add(oracle.multiply(v, value % BN128.order), oracle.multiply(oracle.G1, blinding % BN128.order))
    raw = NEUTRAL if expected is None else point_bytes(*(int(c) for c in expected))
    assert BN128.commit(value, blinding) == raw


@both
def test_equal_points_are_doubled_and_opposite_points_cancel(group):
    point = group.commit(3, 4)
    assert group.weighted_sum([(1, point), (1, point)]) == group.commit(6, 8)
    assert group.weighted_sum([(1, point), (-1, point)]) == NEUTRAL
    assert group.weighted_sum([(1, point), (1, group.commit(-3, -4))]) == NEUTRAL
    assert group.weighted_sum([(group.order, point), (0, point)]) == NEUTRAL
    assert group.weighted_sum([]) == group.commit(0, 0) == group.commit(group.order, group.order) == NEUTRAL


@both
@pytest.mark.parametrize(
    "bad", [NEUTRAL, b"\xff" * 64, bytes(63) + b"\x01", b"", bytes(65)], ids=["neutral", "large", "off", "none", "long"]
)
def test_what_is_no_point_is_refused(group, bad):
    with pytest.raises(NoPoint):
        group.weighted_sum([(1, bad)])


def test_a_coordinate_has_one_spelling_only():
    x, y = bn128.value_generator()
    with pytest.raises(NoPoint):
        BN128.weighted_sum([(1, point_bytes(x + bn128.FIELD, y))])


@pytest.mark.parametrize(("module", "b"), [(secp256k1, 7), (bn128, 3)], ids=["secp256k1", "alt_bn128"])
def test_the_generator_of_values_is_hashed_from_its_label(module, b):
    """The first counter that gives a point, the even y: recomputed here without the function under test."""
    from assets.hashing import keccak

    p, label = module.FIELD, value_label(module.NAME)
    assert label == f"PETra commitments v1/{module.NAME}/generator of values/".encode()
    candidates = (int.from_bytes(keccak(label + bytes([n])), "big") for n in range(256))
    x = next(x for x in candidates if x < p and pow(x**3 + b, (p - 1) // 2, p) == 1)
    group = GROUPS[module.NAME]
    raw = group.commit(1, 0)
    y = int.from_bytes(raw[32:], "big")
    assert (int.from_bytes(raw[:32], "big"), y % 2) == (x, 0)
    assert (y * y - x**3 - b) % p == 0
    assert hash_to_point(label, p, b) == (x, y)


def test_the_groups_have_different_names_ids_and_generators():
    assert len({group_id(g) for g in GROUPS.values()}) == len({g.commit(1, 0) for g in GROUPS.values()}) == 2


@pytest.mark.parametrize(("group", "g"), [(SECP256K1, 0x79BE667EF9DCBBAC55A06295CE870B07), (BN128, 0)])
def test_blindings_go_with_the_standard_generator(group, g):
    assert int.from_bytes(group.commit(0, 1)[:16], "big") == g
