"""Attackers that post anything at any time: no reader of the log ever raises, and nobody honest is ever accused."""

import os
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixer.dicemix.engine import DiceMix
from mixer.dicemix.message import decode, seal
from mixer.dicemix.proceedings import Proceedings
from mixer.dicemix.protocol import Phase, payload_bytes
from mixer.engine import Aborted, Mixed, Rules, first_run
from mixer.follower import LogEntry
from mixer.judge import judge

EXAMPLES = 300 if os.environ.get("PETRA_FUZZ") == "1" else 40

MEDDLING = ["honest", "drop", "flip", "truncate", "extend", "twice", "phase", "view", "run", "echo", "noise"]
"""What an attacker does to one of its messages."""


def meddled(saboteur, message, rng):
    payload = message.payload
    at = rng.randrange(max(len(payload), 1))
    match rng.choice(MEDDLING):
        case "honest":
            return [message.encoded]
        case "drop":
            return []
        case "flip":
            flipped = bytes(b ^ rng.randrange(1, 256) for b in payload[at : at + 1])
            return [saboteur.resealed(message, payload=payload[:at] + flipped + payload[at + 1 :])]
        case "truncate":
            return [saboteur.resealed(message, payload=payload[:at])]
        case "extend":
            return [saboteur.resealed(message, payload=payload + b"\x00")]
        case "twice":
            return [message.encoded, message.encoded, saboteur.resealed(message, payload=payload[:at])]
        case "phase":
            return [saboteur.resealed(message, phase=rng.choice(list(Phase)))]
        case "view":
            return [saboteur.resealed(message, previous=rng.randbytes(32))]
        case "run":
            return [saboteur.resealed(message, run=rng.randrange(4))]
        case "echo":
            return [entry.data for entry in reversed(saboteur.log[-4:])]
        case _:
            return [rng.randbytes(rng.randrange(300)), message.encoded]


@settings(max_examples=EXAMPLES)
@given(st.integers(3, 6), st.data(), st.integers(0))
def test_nobody_honest_is_accused_and_the_honest_mix_in_the_end(community, mix_in_the_end, size, data, seed):
    attackers = data.draw(st.sets(st.integers(0, size - 1), max_size=size - 2))
    rng = random.Random(seed)  # drawn at once: how a run goes on depends on its secrets as well

    def rewrite(saboteur, message):
        return meddled(saboteur, message, rng)

    rooms = mix_in_the_end(community(size), dict.fromkeys(attackers, rewrite))
    for room in rooms:
        assert {fault.participant for fault in room.faults} <= attackers
        assert len({repr(peer.outcome) for peer in room.honest}) == 1
        assert repr(room.witnessed().outcome) == repr(room.outcome)
        assert not isinstance(room.outcome, Aborted)
    assert isinstance(rooms[-1].outcome, Mixed)
    assert len(rooms) <= 1 + len(attackers)


@settings(max_examples=EXAMPLES * 3)
@given(st.lists(st.binary(max_size=250) | st.binary(max_size=200).map(lambda data: b"\xd2\x02\x00\x01" + data)))
def test_bytes_that_nobody_signed_change_nothing(community, posts):
    run = first_run(community(3).session, Rules(minimum=2))
    watcher = Proceedings(run)
    for post in posts:
        watcher.receive(post)
    assert (watcher.outcome, watcher.faults, watcher.messages, watcher.deadline_s) == (None, (), (), run.timeout_s)


@settings(max_examples=EXAMPLES * 3)
@given(st.data())
def test_signed_messages_of_any_content_accuse_nobody_but_their_sender(community, data):
    com = community(3)
    run = first_run(com.session, Rules(minimum=2))
    watcher = Proceedings(run)
    view = watcher.view
    for _ in range(data.draw(st.integers(1, 5))):
        phase = data.draw(st.sampled_from(Phase))
        payload = data.draw(st.binary(max_size=100) | st.binary(min_size=97, max_size=97))
        previous = view if data.draw(st.booleans()) else bytes(32)
        watcher.receive(seal(run.log, 0, phase, 1, previous, payload, com.keys[1]).encoded)
    watcher.tick(run.timeout_s)
    assert {fault.participant for fault in watcher.faults} == {0, 1, 2}
    assert {fault.participant for fault in watcher.faults if fault.proven} <= {1}


def disrupting(saboteur, message):
    """Wrong numbers in the slots, so that everybody has to reveal."""
    if message.phase is not Phase.SLOTS:
        return [message.encoded]
    return [saboteur.resealed(message, payload=bytes(len(message.payload)))]


@pytest.fixture(scope="module")
def played(community, make_room):
    """``played(disrupted)``: one run of four, always the same, since draws must not depend on a run's secrets."""
    rooms = {disrupted: make_room(community(4), {2: disrupting} if disrupted else {}).play() for disrupted in (0, 1)}
    return rooms.__getitem__


def damaged(data, log):
    """``log`` with entries changed, repeated, moved or dropped."""
    log = list(log)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(log) - 1))
        match data.draw(st.integers(0, 3)):
            case 0:
                raw = bytearray(log[at])
                raw[data.draw(st.integers(0, max(len(raw) - 1, 0)))] ^= data.draw(st.integers(1, 255))
                log[at] = bytes(raw)
            case 1:
                log.insert(data.draw(st.integers(0, len(log))), log[at])
            case 2:
                log.insert(data.draw(st.integers(0, len(log) - 1)), log.pop(at))
            case _ if len(log) > 1:
                del log[at]
    return log


@settings(max_examples=EXAMPLES * 3)
@given(st.booleans(), st.data())
def test_a_board_that_damages_a_log_proves_nobody_honest_guilty(played, disrupted, data):
    room = played(disrupted)
    log = damaged(data, [entry.data for entry in room.log])
    entries = [LogEntry(number // 3, message) for number, message in enumerate(log)]
    verdict = judge(DiceMix(), room.run.session, Rules(minimum=2), entries, until_s=10**5)
    assert {guilt.member for guilt in verdict.guilty if guilt.proven} <= ({2} if disrupted else set())


@settings(max_examples=EXAMPLES * 3)
@given(st.booleans(), st.data())
def test_signed_nonsense_at_any_moment_convicts_only_who_signed_it(community, played, disrupted, data):
    com = community(4)
    room = played(disrupted)
    watcher = Proceedings(room.run)
    for entry in room.log[: data.draw(st.integers(0, len(room.log)))]:
        watcher.receive(entry.data)
    for _ in range(data.draw(st.integers(1, 5))):
        phase = data.draw(st.sampled_from(Phase))
        length = payload_bytes(phase, 4)
        payload = data.draw(st.binary(max_size=100) | st.binary(min_size=length or 0, max_size=length or 9))
        previous = data.draw(st.sampled_from([watcher.view, watcher.context or bytes(32), bytes(32)]))
        watcher.receive(seal(room.run.log, 0, phase, 2, previous, payload, com.keys[2]).encoded)
    watcher.tick(10**6)
    assert {fault.participant for fault in watcher.faults if fault.proven} <= {2}


@pytest.mark.soak
def test_a_million_messages_without_a_crash(played):
    """Damaged and random messages, from any moment of a run on."""
    rng = random.Random(1)
    room = played(True)
    log = [entry.data for entry in room.log]
    watcher = Proceedings(room.run)
    for number in range(1_000_000):
        raw = bytearray(rng.choice(log) if rng.random() < 0.9 else rng.randbytes(rng.randint(1, 300)))
        for _ in range(rng.randint(1, 3)):
            raw[rng.randrange(min(len(raw), 80) if rng.random() < 0.7 else len(raw))] = rng.randrange(256)
        watcher.receive(bytes(raw))
        if number % 1000 == 0:
            watcher = Proceedings(room.run)
            for message in log[: rng.randint(0, len(log))]:
                watcher.receive(message)


def test_a_refused_message_leaves_no_trace(community, make_room):
    """What is ignored changes neither the outcome nor the view."""
    room = make_room(community(3)).play()
    plain = room.witnessed()
    stranger = seal(room.run.log, 0, Phase.KEYS, 1, plain.view, b"", community(4).keys[0]).encoded
    watcher = Proceedings(room.run)
    for entry in room.log:
        for extra in (stranger, entry.data, b"noise"):
            watcher.receive(extra)
        watcher.receive(entry.data)
    assert repr(watcher.outcome) == repr(plain.outcome)
    assert watcher.view == plain.view
    assert [m.digest for m in watcher.messages] == [decode(entry.data).digest for entry in room.log]
