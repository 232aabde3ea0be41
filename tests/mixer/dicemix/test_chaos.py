"""Attackers that post anything at any time: no reader of the log ever raises, and nobody honest is ever accused."""

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixer.dicemix.message import decode, seal
from mixer.dicemix.proceedings import Proceedings
from mixer.dicemix.protocol import Phase
from mixer.engine import Aborted, Mixed, Rules, first_run

EXAMPLES = 300 if os.environ.get("PETRA_FUZZ") == "1" else 40

MEDDLING = st.sampled_from(
    ["honest", "drop", "flip", "truncate", "extend", "twice", "phase", "view", "run", "echo", "noise"]
)
"""What an attacker does to one of its messages."""


def meddled(saboteur, message, how, data):
    payload = message.payload
    at = data.draw(st.integers(0, max(len(payload) - 1, 0)))
    match how:
        case "honest":
            return [message.encoded]
        case "drop":
            return []
        case "flip":
            flipped = payload[:at] + bytes(b ^ data.draw(st.integers(1, 255)) for b in payload[at : at + 1])
            return [saboteur.resealed(message, payload=flipped + payload[at + 1 :])]
        case "truncate":
            return [saboteur.resealed(message, payload=payload[:at])]
        case "extend":
            return [saboteur.resealed(message, payload=payload + b"\x00")]
        case "twice":
            return [message.encoded, message.encoded, saboteur.resealed(message, payload=payload[:at])]
        case "phase":
            return [saboteur.resealed(message, phase=data.draw(st.sampled_from(Phase)))]
        case "view":
            return [saboteur.resealed(message, previous=data.draw(st.binary(min_size=32, max_size=32)))]
        case "run":
            return [saboteur.resealed(message, run=data.draw(st.integers(0, 3)))]
        case "echo":
            return [entry.data for entry in data.draw(st.permutations(saboteur.log[-4:]))]
        case _:
            return [data.draw(st.binary(max_size=300)), message.encoded]


@settings(max_examples=EXAMPLES)
@given(st.integers(3, 6), st.data())
def test_nobody_honest_is_accused_and_the_honest_mix_in_the_end(community, mix_in_the_end, size, data):
    attackers = data.draw(st.sets(st.integers(0, size - 1), max_size=size - 2))

    def rewrite(saboteur, message):
        return meddled(saboteur, message, data.draw(MEDDLING), data)

    rooms = mix_in_the_end(community(size), dict.fromkeys(attackers, rewrite))
    for room in rooms:
        assert {fault.participant for fault in room.faults} <= attackers
        assert len({repr(peer.outcome) for peer in room.honest}) == 1
        assert repr(room.witnessed().outcome) == repr(room.outcome)
        assert not isinstance(room.outcome, Aborted)
    assert isinstance(rooms[-1].outcome, Mixed)
    assert len(rooms) <= 1 + len(attackers)


@settings(max_examples=EXAMPLES * 5)
@given(st.lists(st.binary(max_size=250) | st.binary(max_size=200).map(lambda data: b"\xd1\x02\x00\x01" + data)))
def test_bytes_that_nobody_signed_change_nothing(community, posts):
    run = first_run(community(3).session, Rules(minimum=2))
    watcher = Proceedings(run)
    for post in posts:
        watcher.receive(post)
    assert (watcher.outcome, watcher.faults, watcher.messages, watcher.deadline_s) == (None, (), (), run.timeout_s)


@settings(max_examples=EXAMPLES * 5)
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
        watcher.receive(seal(com.session.id, 0, phase, 1, previous, payload, com.keys[1]).encoded)
    watcher.tick(run.timeout_s)
    assert {fault.participant for fault in watcher.faults} == {0, 1, 2}
    assert {fault.participant for fault in watcher.faults if fault.proven} <= {1}


@pytest.mark.parametrize("phase", Phase)
def test_a_refused_message_leaves_no_trace(community, make_room, phase):
    """What is ignored changes neither the outcome nor the view."""
    room = make_room(community(3)).play()
    plain = room.witnessed()
    stranger = seal(room.run.session.id, 0, phase, 1, plain.view, b"", community(4).keys[0]).encoded
    watcher = Proceedings(room.run)
    for entry in room.log:
        for extra in (stranger, entry.data, b"noise"):
            watcher.receive(extra)
        watcher.receive(entry.data)
    assert repr(watcher.outcome) == repr(plain.outcome)
    assert watcher.view == plain.view
    assert [m.digest for m in watcher.messages] == [decode(entry.data).digest for entry in room.log]
