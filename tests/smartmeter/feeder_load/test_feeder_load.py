"""The DSO learns the sum of those present and nothing else, whoever is silent, late, or colludes with it."""

import pickle
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.commitments.feeder import (
    MODULUS,
    Answer,
    Fault,
    FeederGroup,
    FeederRefusal,
    Step,
    group_digest,
    sign_answer,
    to_signed,
)
from assets.hashing import keccak
from assets.keys import Address, Digest, ThrowAwayKeys
from assets.transactions import Domain
from dso.feeder_load import FeederSum
from smartmeter.feeder_load import masks as masks_module
from smartmeter.feeder_load.masks import MaskSecret
from smartmeter.feeder_load.member import FeederMember

DOMAIN = Domain(1, Address(bytes(20)))
T = 100
KEYS = {meter: ThrowAwayKeys(meter, "feeder").fresh() for meter in range(1, 41)}
SECRETS = {meter: MaskSecret(keccak(bytes([meter]))) for meter in KEYS}
readings = st.integers(-(2**40) + 1, 2**40 - 1)


def member(meter, first=T):
    return FeederMember(meter, KEYS[meter], SECRETS[meter], DOMAIN, first)


def group_of(meters, first=T, feeder=1):
    return FeederGroup(feeder, first, tuple(member(m).announce() for m in sorted(meters)))


class Feeder:
    """A group's meters and its DSO."""

    def __init__(self, size=12):
        self.group = group_of(range(1, size + 1))
        self.dso = FeederSum(DOMAIN, self.group)
        self.meters = {m: member(m) for m in self.group.meters}
        for meter in self.meters.values():
            assert meter.join(self.group) == self.dso.digest

    def mask(self, values, t=T):
        return {m: self.meters[m].mask(t, value) for m, value in values.items()}

    def close(self, t=T):
        return self.dso.close(t)

    def finish(self, t=T):
        """Agree and unmask; the sum."""
        for m in self.close(t):
            self.dso.receive(self.meters[m].agree(t, self.close(t)))
        for m in self.close(t):
            self.dso.receive(self.meters[m].unmask(t, self.dso.agreements(t)))
        return self.dso.load_wh(t)

    def run(self, values, t=T):
        for answer in self.mask(values, t).values():
            self.dso.receive(answer)
        return self.finish(t)


@pytest.fixture
def feeder():
    return Feeder()


def refuses(fault, action, *arguments, meter=None):
    with pytest.raises(FeederRefusal) as refusal:
        action(*arguments)
    assert refusal.value.fault is fault
    assert meter is None or refusal.value.meter == meter
    assert fault.value in str(refusal.value)


@settings(max_examples=12)
@given(st.lists(readings, min_size=12, max_size=12), st.sets(st.integers(1, 12), max_size=2))
def test_the_sum_of_those_present_comes_out_whoever_is_silent(values, silent):
    feeder = Feeder()
    present = {m: v for m, v in enumerate(values, 1) if m not in silent}
    assert feeder.run(present) == sum(present.values())
    assert feeder.dso.silent(T) == ()
    everybody = dict(enumerate(values, 1))
    assert feeder.run(everybody, T + 1) == sum(values)


def without(feeder, vanished, silent=()):
    """All but ``silent`` send a reading, all but ``vanished`` agree and unmask."""
    values = {m: 5 * m for m in range(1, 13) if m not in silent}
    for answer in feeder.mask(values).values():
        feeder.dso.receive(answer)
    present = feeder.close()
    alive = [m for m in present if m not in vanished]
    for m in alive:
        feeder.dso.receive(feeder.meters[m].agree(T, present))
    for m in alive:
        feeder.dso.receive(feeder.meters[m].unmask(T, feeder.dso.agreements(T)))
    return values, alive


@pytest.mark.parametrize("vanished", [1, 6, 12])
def test_the_others_stand_in_for_a_meter_that_vanished_half_way(feeder, vanished):
    values, alive = without(feeder, {vanished})
    assert feeder.dso.silent(T) == (vanished,)
    assert feeder.dso.stranded(T) == vanished
    refuses(Fault.NOT_READY, feeder.dso.load_wh, T, meter=alive[0])
    for m in alive:
        feeder.dso.receive(feeder.meters[m].stand_in(T, vanished))
    assert feeder.dso.load_wh(T) == sum(values.values())


def test_a_meter_that_was_only_slow_unmasks_after_others_stood_in(feeder):
    values, alive = without(feeder, {12})
    for m in alive[:4]:
        feeder.dso.receive(feeder.meters[m].stand_in(T, 12))
    feeder.meters[12].agree(T, feeder.close())
    feeder.dso.receive(feeder.meters[12].unmask(T, feeder.dso.agreements(T)))
    assert feeder.dso.load_wh(T) == sum(values.values())
    refuses(Fault.NOT_READY, feeder.dso.receive, feeder.meters[5].stand_in(T, 12))


@pytest.mark.parametrize(("vanished", "silent"), [({11, 12}, ()), ({12}, (11,))])
def test_two_silent_meters_spoil_one_interval_and_not_the_next(feeder, vanished, silent):
    without(feeder, vanished, silent)
    assert feeder.dso.stranded(T) is None
    refuses(Fault.NOT_READY, feeder.dso.load_wh, T)
    refuses(Fault.NOT_READY, feeder.dso.receive, feeder.meters[1].stand_in(T, 12))
    assert feeder.run(dict.fromkeys(range(1, 11), 5), T + 1) == 50


def test_nobody_stands_in_before_a_quorum_agreed_or_for_a_meter_that_is_not_present(feeder):
    for answer in feeder.mask(dict.fromkeys(range(1, 12), 5)).values():
        feeder.dso.receive(answer)
    present = feeder.close()
    refuses(Fault.NOT_READY, feeder.meters[1].stand_in, T, 2)
    for m in present:
        feeder.dso.receive(feeder.meters[m].agree(T, present))
    refuses(Fault.NOT_READY, feeder.meters[1].stand_in, T, 2)
    feeder.meters[1].unmask(T, feeder.dso.agreements(T))
    refuses(Fault.NOT_A_MEMBER, feeder.meters[1].stand_in, T, 12, meter=12)
    refuses(Fault.NOT_A_MEMBER, feeder.meters[1].stand_in, T, 1, meter=1)


def test_too_few_present_are_no_sum(feeder):
    for answer in feeder.mask(dict.fromkeys(range(1, 10), 5)).values():
        feeder.dso.receive(answer)
    refuses(Fault.NO_QUORUM, feeder.close, meter=10)
    refuses(Fault.TOO_SMALL, feeder.meters[1].agree, T, range(1, 10))
    feeder.dso.receive(feeder.meters[10].mask(T, 5))
    assert feeder.finish() == 50


def test_what_is_masked_alike_looks_different(feeder):
    values = {answer.value for t in (T, T + 1) for answer in feeder.mask(dict.fromkeys(range(1, 13), 0), t).values()}
    assert len(values) == 24


# --- What the DSO and its accomplices see ----------------------------------------------------------------


def view(values, silent, late, shift):
    """All messages of a run; ``shift`` changes masks, by (key, t), as only honest meters know them."""
    drawn = {}

    def draw(key, t):
        drawn[key, t] = (true_draw(key, t) + shift.get((key, t), 0)) % MODULUS
        return drawn[key, t]

    true_draw = masks_module._draw
    masks_module._draw = draw
    try:
        feeder = Feeder()
        present = {m: v for m, v in values.items() if m not in silent}
        load_wh = feeder.run(present)
        messages = dict(feeder.dso._intervals[T].answers)
        for m in late:
            messages[m, Step.MASKED] = feeder.meters[m].mask(T, values[m])
        return load_wh, {at: (a.value, a.present) for at, a in messages.items()}
    finally:
        masks_module._draw = true_draw


def keys_of(meter, other):
    """The key of the mask that two meters share, and the meter's own."""
    group = group_of(range(1, 13))
    held = SECRETS[meter].masks_for(group_digest(DOMAIN, group), group, meter)
    return held._shared[other], held._own[other]


@settings(max_examples=15)
@given(
    st.lists(readings, min_size=12, max_size=12),
    st.permutations(range(1, 13)),
    st.integers(0, 2),
    st.integers(-(2**63), 2**63),
)
def test_to_the_dso_and_ten_accomplices_all_readings_of_one_sum_look_alike(values, order, absent, delta):
    """Two honest meters and everybody else corrupt: another split of their sum gives the same messages.

    The other world differs in the one mask that only the two know. So no message tells how their sum is split.
    """
    one, two = sorted(order[:2])
    silent = set(order[2 : 2 + absent])
    values = dict(enumerate(values, 1))
    half = delta % 2**39
    other = {**values, one: values[one] // 2 + half, two: values[two] // 2 - half}
    shared, _ = keys_of(one, two)
    load_wh, seen = view({**values, one: values[one] // 2, two: values[two] // 2}, silent, (), {})
    other_load_wh, other_seen = view(other, silent, (), {(shared, T): -half})
    assert (load_wh, seen) == (other_load_wh, other_seen)


def test_a_reading_that_comes_late_stays_hidden_although_the_others_revealed_their_masks(monkeypatch):
    """The attack of the secure-aggregation paper: hold a reading back, have its masks revealed, then open it."""
    values = {m: 100 + m for m in range(1, 13)}
    _, own = keys_of(12, 1)
    _, seen = view(values, {12}, {12}, {})
    _, other = view({**values, 12: 9}, {12}, {12}, {(own, T): 112 - 9})
    assert seen == other

    revealed = recovered(seen)
    assert revealed != 112
    true_draw = masks_module._draw
    owns = {keys_of(m, other)[1] for m in values for other in values if m != other}
    monkeypatch.setattr(masks_module, "_draw", lambda key, t: 0 if key in owns else true_draw(key, t))
    _, unprotected = view(values, {12}, {12}, {})
    assert recovered(unprotected) == 112


def recovered(messages):
    """What the others unmasked is, without own masks, exactly what hides the late reading: subtract it."""
    shared = sum(value for (m, step), (value, _) in messages.items() if step is Step.UNMASKED)
    return to_signed(messages[12, Step.MASKED][0] + shared)


def test_a_meter_called_silent_by_some_and_present_by_others_unmasks_nothing(feeder):
    """The DSO has 12's reading, tells 12 that all are present and the others that 12 is not."""
    for answer in feeder.mask(dict.fromkeys(range(1, 13), 5)).values():
        feeder.dso.receive(answer)
    everybody, others = tuple(range(1, 13)), tuple(range(1, 12))
    victim = feeder.meters[12].agree(T, everybody)
    agreements = [feeder.meters[m].agree(T, others) for m in others]
    for m in others:
        refuses(Fault.OTHER_PRESENCE, feeder.meters[m].agree, T, everybody, meter=m)
        feeder.meters[m].unmask(T, agreements)
    refuses(Fault.OTHER_PRESENCE, feeder.meters[12].unmask, T, agreements)
    refuses(Fault.NO_QUORUM, feeder.meters[12].unmask, T, [victim])
    refuses(Fault.NOT_A_MEMBER, feeder.meters[12].agree, T, others)


@given(st.integers(10, 500), st.data())
def test_two_quorums_share_more_than_a_third_so_an_honest_meter(size, data):
    members = tuple(replace(member(1).announce(), meter=m) for m in range(size))
    quorum = FeederGroup(1, 0, members).quorum
    corrupt = data.draw(st.integers(0, (size - 1) // 3))
    assert 10 <= quorum <= size
    assert 2 * quorum - size > corrupt


# --- What a meter refuses --------------------------------------------------------------------------------


def test_groups_that_are_too_small_or_badly_made_are_refused():
    meters = list(range(1, 13))
    good = group_of(meters)
    first, second, *rest = good.members
    for wrong, fault in (
        (group_of(meters[:9]), Fault.TOO_SMALL),
        (FeederGroup(1, T, ()), Fault.TOO_SMALL),
        (replace(good, members=(second, first, *rest)), Fault.BAD_GROUP),
        (replace(good, members=(first, first, *rest)), Fault.BAD_GROUP),
        (replace(good, members=(replace(first, mask_key=second.mask_key), second, *rest)), Fault.BAD_GROUP),
        (replace(good, members=(replace(first, mask_key=b"\x02" * 33), second, *rest)), Fault.BAD_GROUP),
        (replace(good, members=(replace(first, mask_key=bytes(33)), second, *rest)), Fault.BAD_GROUP),
        (replace(good, members=(replace(first, key=second.key), second, *rest)), Fault.BAD_GROUP),
        (replace(good, members=tuple(rest)), Fault.NOT_A_MEMBER),
    ):
        refuses(fault, member(1).join, wrong)
    refuses(Fault.TOO_SMALL, FeederSum, DOMAIN, group_of(meters[:9]))


def test_one_home_under_ten_numbers_is_no_group():
    """The DSO cannot fill a group with copies of a key of its own."""
    entries = [member(1).announce()] + [member(2).announce()] * 9
    numbered = tuple(replace(entry, meter=m) for m, entry in enumerate(entries, 1))
    refuses(Fault.BAD_GROUP, member(1).join, FeederGroup(1, T, numbered))


def test_overlapping_groups_whose_difference_is_one_home_are_refused(feeder):
    feeder.mask({1: 5})
    refuses(Fault.OVERLAP, feeder.meters[1].join, group_of(range(1, 12)))
    refuses(Fault.OVERLAP, feeder.meters[2].join, group_of(range(1, 12)))
    refuses(Fault.OVERLAP, feeder.meters[1].join, group_of(range(1, 14), first=T - 5))
    later = group_of(range(1, 12), first=T + 1)
    assert feeder.meters[1].join(later) != feeder.dso.digest
    assert feeder.meters[1].mask(T, 5).group == feeder.dso.digest
    assert feeder.meters[1].mask(T + 1, 5).group == group_digest(DOMAIN, later)
    refuses(Fault.OVERLAP, feeder.meters[1].join, group_of(range(1, 14), first=T + 1))


def test_a_meter_answers_for_no_interval_before_its_start_or_long_past(feeder):
    fresh = member(1, first=T + 1)
    fresh.join(feeder.group)
    refuses(Fault.NOT_READY, fresh.mask, T, 5)
    refuses(Fault.NOT_READY, fresh.agree, T, range(1, 13))
    refuses(Fault.NOT_READY, fresh.unmask, T, [])
    refuses(Fault.NOT_A_MEMBER, member(1).mask, T, 5)
    feeder.meters[1].mask(T, 5)
    feeder.meters[1].mask(T + 17, 5)
    refuses(Fault.NOT_READY, feeder.meters[1].agree, T, range(1, 13))
    refuses(Fault.NOT_READY, feeder.meters[1].mask, T, 5)


def test_a_reading_is_given_once(feeder):
    assert feeder.meters[1].mask(T, 5) == feeder.meters[1].mask(T, 5)
    with pytest.raises(ValueError, match="never changed"):
        feeder.meters[1].mask(T, 6)
    with pytest.raises(ValueError, match="between"):
        feeder.meters[1].mask(T + 1, 2**40)


def test_presence_is_sorted_and_of_members(feeder):
    feeder.mask({1: 5})
    for wrong in ([2, 1, *range(3, 13)], [1, *range(1, 13)], [*range(1, 12), 40]):
        refuses(Fault.BAD_GROUP, feeder.meters[1].agree, T, wrong)
    refuses(Fault.NOT_READY, feeder.meters[1].unmask, T, [])


def test_agreements_that_are_forged_foreign_or_doubled_do_not_count(feeder):
    feeder.mask(dict.fromkeys(range(1, 13), 5))
    present = tuple(range(1, 13))
    own = feeder.meters[1].agree(T, present)
    good = [feeder.meters[m].agree(T, present) for m in present]
    refuses(Fault.NO_QUORUM, feeder.meters[1].unmask, T, [own] * 12)
    refuses(Fault.BAD_SIGNATURE, feeder.meters[1].unmask, T, [replace(good[1], meter=3)], meter=3)
    stranger = sign_answer(DOMAIN, replace(good[1], meter=40), KEYS[40])
    refuses(Fault.NOT_A_MEMBER, feeder.meters[1].unmask, T, [stranger], meter=40)
    for changed in ({"t": T + 1}, {"present": Digest(bytes(32))}, {"step": Step.MASKED}, {"value": 1}):
        other = sign_answer(DOMAIN, replace(good[1], **changed), KEYS[2])
        refuses(Fault.OTHER_PRESENCE, feeder.meters[1].unmask, T, [other], meter=2)
    assert feeder.meters[1].unmask(T, good).step is Step.UNMASKED


# --- What the DSO refuses --------------------------------------------------------------------------------


def test_the_dso_keeps_no_forged_contradicting_or_late_message(feeder):
    answers = feeder.mask(dict.fromkeys(range(1, 13), 5))
    for m in range(1, 12):
        feeder.dso.receive(answers[m])
        feeder.dso.receive(answers[m])
    refuses(Fault.BAD_SIGNATURE, feeder.dso.receive, replace(answers[12], value=7))
    other = sign_answer(DOMAIN, replace(answers[1], value=7), KEYS[1])
    refuses(Fault.CONTRADICTION, feeder.dso.receive, other, meter=1)
    refuses(Fault.NOT_A_MEMBER, feeder.dso.receive, replace(answers[1], group=Digest(bytes(32))))
    refuses(Fault.NOT_READY, feeder.dso.receive, feeder.meters[1].agree(T, range(1, 13)))
    assert feeder.close() == tuple(range(1, 12))
    refuses(Fault.NOT_READY, feeder.dso.receive, answers[12], meter=12)
    refuses(Fault.NOT_READY, feeder.dso.load_wh, T)
    assert feeder.dso.silent(T) == tuple(range(1, 12))


def test_an_interval_without_messages_is_not_ready(feeder):
    refuses(Fault.NOT_READY, feeder.dso.load_wh, T)
    refuses(Fault.NO_QUORUM, feeder.dso.close, T)
    assert feeder.dso.agreements(T) == ()


def test_masks_do_not_show_themselves(feeder):
    assert repr(SECRETS[1]) == "MaskSecret()"
    assert "_own" not in repr(SECRETS[1].masks_for(feeder.dso.digest, feeder.group, 1))
    assert repr(feeder.meters[1]) == "FeederMember(meter=1, groups=1)"
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(SECRETS[1])
    with pytest.raises(ValueError, match="mask secret"):
        MaskSecret(bytes(32))


def test_sums_are_signed():
    assert [to_signed(v) for v in (0, 5, MODULUS - 5, -5, MODULUS // 2)] == [0, 5, -5, -5, -MODULUS // 2]
    assert isinstance(Answer(Digest(bytes(32)), 0, 0, Step.AGREED, 0, Digest(bytes(32))).step, Step)
