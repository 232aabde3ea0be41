"""Every way to deviate, at several places and sizes: exactly the guilty are excluded, and the rest mix."""

import secrets
from collections.abc import Callable, Iterable

import pytest

from assets.keys import ThrowAwayKeys
from mixer.dicemix.engine import DiceMix
from mixer.dicemix.field import P, decode_elements, encode_elements
from mixer.dicemix.message import decode
from mixer.dicemix.protocol import (
    ADDRESS_BYTES,
    BOX_KEY_BYTES,
    PUBLIC_KEY_BYTES,
    SALT_BYTES,
    Phase,
    payload_bytes,
)
from mixer.dicemix.stages import Stage
from mixer.engine import Blamed, Mixed, Rules
from mixer.judge import judge

RULES = Rules(minimum=2, timeout_s=30)
PLAIN = [Phase.KEYS, Phase.SLOTS, Phase.PAYLOADS, Phase.SIGNING]
REVEALED_KEYS = slice(0, BOX_KEY_BYTES)


def at(phase, deviate):
    """A rewrite that deviates in one phase and is honest otherwise."""

    def rewrite(saboteur, message) -> Iterable[bytes]:
        return deviate(saboteur, message) if message.phase is phase else [message.encoded]

    return rewrite


def silent(saboteur, message):
    return []


def late(saboteur, message):
    saboteur.late.append(message.encoded)
    return []


def unreadable(saboteur, message):
    return [message.encoded[:-1], b"", b"\xd2" * 300]


def badly_signed(saboteur, message):
    return [message.encoded[:-64] + bytes(63) + b"\x01"]


def signed_by_another_key(saboteur, message):
    saboteur.key = ThrowAwayKeys(1, "somebody else").fresh()
    return [saboteur.resealed(message)]


def for_another_run(saboteur, message):
    return [saboteur.resealed(message, run=message.run + 1)]


def for_another_session(saboteur, message):
    return [saboteur.resealed(message, log=bytes(32))]


def replayed(saboteur, message):
    return [entry.data for entry in (*saboteur.before, *saboteur.log)]


def twice_different(saboteur, message):
    changed = bytes([message.payload[-1] ^ 1]) if message.payload else b"\x00"
    return [message.encoded, saboteur.resealed(message, payload=message.payload[:-1] + changed)]


def another_view(saboteur, message):
    return [saboteur.resealed(message, previous=b"\x99" * 32)]


def too_short(saboteur, message):
    return [saboteur.resealed(message, payload=message.payload[:-1])]


def too_long(saboteur, message):
    return [saboteur.resealed(message, payload=message.payload + b"\x00")]


def another_phase(saboteur, message):
    other = Phase.SIGNING if message.phase < Phase.SIGNING else Phase.SLOTS
    return [saboteur.resealed(message, phase=other, payload=bytes(65))]


def premature_revelation(saboteur, message):
    return [saboteur.resealed(message, phase=Phase.REVELATION, payload=bytes(payload_bytes(Phase.REVELATION, 2)))]


def groundless_exhibit(saboteur, message):
    return [saboteur.resealed(message, phase=Phase.EXHIBIT, payload=b"{}")]


GENERAL = {
    silent: "SILENT",
    late: "SILENT",
    unreadable: "SILENT",
    badly_signed: "SILENT",
    signed_by_another_key: "SILENT",
    for_another_run: "SILENT",
    for_another_session: "SILENT",
    replayed: "SILENT",
    twice_different: "EQUIVOCATION",
    another_view: "VIEWS_DIFFER",
    too_short: "WRONG_LENGTH",
    too_long: "WRONG_LENGTH",
    another_phase: "OUT_OF_PHASE",
    premature_revelation: "OUT_OF_PHASE",
    groundless_exhibit: "MALFORMED",
}


# --- What only one phase allows -----------------------------------------------------------------------------


def payload_changed(at_byte, size, value):
    def deviate(saboteur, message):
        p = message.payload
        return [saboteur.resealed(message, payload=p[:at_byte] + value + p[at_byte + size :])]

    return deviate


small_order_key = payload_changed(PUBLIC_KEY_BYTES, BOX_KEY_BYTES, bytes(BOX_KEY_BYTES))
foreign_public_key = payload_changed(0, PUBLIC_KEY_BYTES, b"\x02" + bytes(31) + b"\x01")


def copied_key(saboteur, message):
    """Somebody else's X25519 key, which the saboteur cannot reveal."""
    other = saboteur.heard(Phase.KEYS)[0].payload[PUBLIC_KEY_BYTES : PUBLIC_KEY_BYTES + BOX_KEY_BYTES]
    return payload_changed(PUBLIC_KEY_BYTES, BOX_KEY_BYTES, other)(saboteur, message)


def number_not_reduced(saboteur, message):
    return payload_changed(0, 16, P.to_bytes(16, "big"))(saboteur, message)


def random_numbers(saboteur, message):
    count = len(message.payload) // 16
    return [saboteur.resealed(message, payload=encode_elements([secrets.randbelow(P) for _ in range(count)]))]


def without_own_number(saboteur, message):
    """All power sums of the honest peers, none of its own: the last coefficient says that zero is a root."""
    from mixer.dicemix.powersums import powers
    from mixer.dicemix.slots import slot_number

    sums = decode_elements(message.payload)
    peer = saboteur.peer
    own = powers(slot_number(peer._proceedings.context, peer._output), len(sums))
    return [saboteur.resealed(message, payload=encode_elements([(s - o) % P for s, o in zip(sums, own, strict=True)]))]


def own_number_and_then_some(saboteur, message):
    sums = list(decode_elements(message.payload))
    sums[-1] = (sums[-1] + 1) % P
    return [saboteur.resealed(message, payload=encode_elements(sums))]


def pushing_an_honest_number_out(saboteur, message):
    """The last to post knows everybody's numbers, and puts one of its own in the place of somebody else's."""
    from mixer.dicemix.pads import summed
    from mixer.dicemix.powersums import powers
    from mixer.dicemix.roots import numbers

    others = [decode_elements(m.payload) for m in saboteur.heard(Phase.SLOTS)]
    own = decode_elements(message.payload)
    if len(others) + 1 < len(own):
        return [message.encoded]
    victim = numbers(summed([*others, own]))[0]
    wrong = powers(12345, len(own))
    right = powers(victim, len(own))
    changed = [(o - r + w) % P for o, r, w in zip(own, right, wrong, strict=True)]
    return [saboteur.resealed(message, payload=encode_elements(changed))]


def random_payload(saboteur, message):
    return [saboteur.resealed(message, payload=secrets.token_bytes(len(message.payload)))]


def bit_in_the_first_slot(saboteur, message):
    return payload_changed(0, 1, bytes([message.payload[0] ^ 1]))(saboteur, message)


def bit_in_the_last_slot(saboteur, message):
    return [saboteur.resealed(message, payload=message.payload[:-1] + bytes([message.payload[-1] ^ 1]))]


def false_complaint(saboteur, message):
    return [saboteur.resealed(message, phase=Phase.COMPLAINT, payload=b"")]


def complaint_and_payload(saboteur, message):
    return [saboteur.resealed(message, phase=Phase.COMPLAINT, payload=b""), message.encoded]


def another_digest(saboteur, message):
    return [saboteur.resealed(message, payload=saboteur.key.sign(b"\x07" * 32))]


SPECIAL = {
    (Phase.KEYS, small_order_key): "MALFORMED",
    (Phase.KEYS, foreign_public_key): "MALFORMED",
    (Phase.KEYS, copied_key): "WRONG_KEY",
    (Phase.SLOTS, number_not_reduced): "MALFORMED",
    (Phase.SLOTS, random_numbers): "WRONG_SLOTS",
    (Phase.SLOTS, without_own_number): "WRONG_SLOTS",
    (Phase.SLOTS, own_number_and_then_some): "WRONG_SLOTS",
    (Phase.SLOTS, pushing_an_honest_number_out): "WRONG_SLOTS",
    (Phase.PAYLOADS, random_payload): "WRONG_PAYLOAD",
    (Phase.PAYLOADS, bit_in_the_first_slot): "WRONG_PAYLOAD",
    (Phase.PAYLOADS, bit_in_the_last_slot): "WRONG_PAYLOAD",
    (Phase.PAYLOADS, false_complaint): "FALSE_COMPLAINT",
    (Phase.PAYLOADS, complaint_and_payload): "EQUIVOCATION",
    (Phase.SIGNING, another_digest): "WRONG_SIGNATURE",
}

wrong_secret = payload_changed(0, BOX_KEY_BYTES, b"\x40" * BOX_KEY_BYTES)
wrong_salt = payload_changed(BOX_KEY_BYTES, SALT_BYTES, b"\x01" * SALT_BYTES)
wrong_address = payload_changed(BOX_KEY_BYTES + SALT_BYTES, ADDRESS_BYTES, b"\x01" * ADDRESS_BYTES)

REVELATIONS = {
    silent: "NOT_REVEALED",
    late: "NOT_REVEALED",
    unreadable: "NOT_REVEALED",
    replayed: "NOT_REVEALED",
    another_view: "VIEWS_DIFFER",
    too_short: "WRONG_LENGTH",
    too_long: "WRONG_LENGTH",
    another_phase: "EQUIVOCATION",
    wrong_secret: "WRONG_KEY",
    wrong_salt: "WRONG_KEY",
    wrong_address: "WRONG_KEY",
}


def named(deviation: Callable[..., object]) -> str:
    return getattr(deviation, "__name__", "deviate")


HAVE_SIGNED = [twice_different, badly_signed, signed_by_another_key]
"""In the signing stage these post the signature of the mix nevertheless, which is all that matters."""

CASES = [
    (phase, deviate, reason)
    for phase in PLAIN
    for deviate, reason in GENERAL.items()
    if phase is not Phase.SIGNING or deviate not in HAVE_SIGNED
]
CASES[CASES.index((Phase.SIGNING, another_phase, "OUT_OF_PHASE"))] = (Phase.SIGNING, another_phase, "EQUIVOCATION")
CASES += [(phase, deviate, reason) for (phase, deviate), reason in SPECIAL.items()]
IDS = [f"{phase.title}-{named(deviate)}-{reason}" for phase, deviate, reason in CASES]


def check(rooms, guilty):
    """Exactly ``guilty`` are out, every witness says so too, nobody revealed after signing, and the rest mix."""
    for room in rooms:
        outcomes = {repr(peer.outcome) for peer in room.honest}
        assert len(outcomes) == 1, "honest peers disagree"
        assert repr(room.witnessed().outcome) in outcomes, "a third party finds something else"
        signing = {m.sender for m in room.messages if m.phase is Phase.SIGNING}
        revealing = {m.sender for m in room.messages if m.phase is Phase.REVELATION}
        assert not {p.member for p in room.honest} & signing & revealing
    assert {f.participant for room in rooms for f in room.faults} == guilty
    verdict = judge(
        DiceMix(), rooms[0].run.session, RULES, [e for room in rooms for e in room.log], until_s=rooms[-1].now_s
    )
    assert [attempt.outcome for attempt in verdict.attempts] == [room.outcome for room in rooms]
    assert [attempt.run for attempt in verdict.attempts] == [room.run for room in rooms]
    last = rooms[-1]
    assert isinstance(last.outcome, Mixed) or last.run.size - len(last.faults) < 2
    if isinstance(last.outcome, Mixed):
        wanted = {peer._output for peer in last.honest}
        assert wanted <= {note.owner for note in last.outcome.signed.tx.outputs}


@pytest.mark.parametrize(("phase", "deviate", "reason"), CASES, ids=IDS)
@pytest.mark.parametrize("size", [3, 5])
@pytest.mark.parametrize("place", ["first", "last"])
def test_one_deviating_peer_is_out_and_the_others_mix(community, mix_in_the_end, phase, deviate, reason, size, place):
    member = 0 if place == "first" else size - 1
    rooms = mix_in_the_end(community(size), {member: at(phase, deviate)})
    assert rooms[0].reasons == {member: reason}
    assert len(rooms) == 2
    check(rooms, {member})


@pytest.mark.parametrize(("deviate", "reason"), REVELATIONS.items(), ids=lambda value: getattr(value, "__name__", ""))
@pytest.mark.parametrize("both", [False, True], ids=["another disrupts", "disrupts itself"])
def test_who_does_not_help_to_find_the_guilty_is_guilty(community, mix_in_the_end, deviate, reason, both):
    size, member, disruptor = 5, 1, 1 if both else 3

    def rewrite(saboteur, message):
        if both and message.phase is Phase.SLOTS:
            return random_numbers(saboteur, message)
        return deviate(saboteur, message) if message.phase is Phase.REVELATION else [message.encoded]

    saboteurs = {member: rewrite} | ({} if both else {disruptor: at(Phase.SLOTS, random_numbers)})
    rooms = mix_in_the_end(community(size), saboteurs)
    assert rooms[0].reasons == {member: reason} | ({} if both else {disruptor: "WRONG_SLOTS"})
    assert len(rooms) == 2
    check(rooms, set(saboteurs))


@pytest.mark.parametrize("size", [4, 8, 12])
@pytest.mark.parametrize("spread", ["all but two", "half", "a different one each"])
def test_any_number_of_deviating_peers_up_to_all_but_two(community, mix_in_the_end, size, spread):
    count = size // 2 if spread == "half" else size - 2
    step = 1 if spread == "all but two" else 5
    saboteurs = {m: at(*CASES[(7 * m * step + size) % len(CASES)][:2]) for m in range(count)}
    rooms = mix_in_the_end(community(size), saboteurs)
    check(rooms, set(saboteurs))
    assert isinstance(rooms[-1].outcome, Mixed)
    assert len(rooms) <= count + 1


def test_faults_of_one_stage_cost_one_run(community, mix_in_the_end):
    deviations = [silent, twice_different, too_short, another_view, number_not_reduced]
    saboteurs = {member: at(Phase.SLOTS, deviate) for member, deviate in enumerate(deviations)}
    rooms = mix_in_the_end(community(8), saboteurs)
    assert len(rooms) == 2
    check(rooms, set(saboteurs))


@pytest.mark.parametrize("deviate", HAVE_SIGNED)
def test_whatever_is_said_beside_it_a_complete_set_of_signatures_is_a_mix(community, make_room, deviate):
    room = make_room(community(4), {2: at(Phase.SIGNING, deviate)}).play()
    assert isinstance(room.outcome, Mixed)


def test_two_who_want_the_same_address_are_both_out(community, make_room):
    outputs = list(community(5).outputs)
    outputs[3] = outputs[1]
    room = make_room(community(5), outputs=outputs).play()
    assert room.reasons == {1: "DUPLICATE_OUTPUT", 3: "DUPLICATE_OUTPUT"}


def test_the_zero_address_is_found_out(community, make_room):
    room = make_room(community(4))
    room.peers[2]._output = bytes(20)
    assert room.play().reasons == {2: "BAD_OUTPUT"}


def test_equal_numbers_by_chance_accuse_nobody(community, make_room, monkeypatch):
    from mixer.dicemix import blame, peer, slots

    def colliding(context, address):
        return 7 if address in community(5).outputs[:2] else slots.slot_number(context, address)

    for module in (peer, blame):
        monkeypatch.setattr(module, "slot_number", colliding)
    room = make_room(community(5)).play()
    assert room.outcome.__class__.__name__ == "Aborted"
    assert room.faults == ()
    assert room.honest[0].stage is Stage.FAILED


def test_a_run_with_a_late_message_is_judged_by_the_boards_time(community, make_room):
    room = make_room(community(3), {1: at(Phase.SLOTS, late)}).play()
    assert room.reasons == {1: "SILENT"}
    early = [entry for entry in room.log if (m := decode(entry.data)).phase is Phase.SLOTS and m.sender == 1]
    assert [entry.at_s for entry in early] == [30]


def test_guilt_by_absence_is_not_proven_and_guilt_by_signature_is(community, make_room):
    outcome = make_room(community(3), {1: at(Phase.SLOTS, silent)}).play().outcome
    assert isinstance(outcome, Blamed)
    assert [(g.member, g.proven, g.evidence) for g in outcome.guilty] == [(1, False, ())]
    outcome = make_room(community(3), {1: at(Phase.SLOTS, random_numbers)}).play().outcome
    assert isinstance(outcome, Blamed)
    assert [(g.member, g.proven) for g in outcome.guilty] == [(1, True)]
    assert {decode(data).sender for data in outcome.guilty[0].evidence} == {1}
