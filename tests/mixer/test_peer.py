"""A peer's own rules: who may make one, what leaves no trace, what it never shows."""

import traceback

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.keys import ZERO_ADDRESS, Address, SigningKey
from mixer.envelope import decode
from mixer.faults import Reason
from mixer.peer import Peer
from mixer.phases import State
from mixer.protocol import ENVELOPE_SIGNATURE_BYTES, STEP_TIMEOUT_S, Phase
from mixer.step import Ignored, Why


def test_arguments_that_do_not_fit_are_the_callers_mistake(community):
    c = community(3)
    key, output = c.keys[0], c.outputs[0]
    for message, build in {
        "owns no note": lambda: Peer(c.session, SigningKey(b"\x01" * 32), output),
        "20 bytes": lambda: Peer(c.session, key, Address(b"short")),
        "other than zero": lambda: Peer(c.session, key, ZERO_ADDRESS),
        "fresh address": lambda: Peer(c.session, key, c.session.owners[2]),
        "run is -1": lambda: Peer(c.session, key, output, run=-1),
        "timeout_s is 0": lambda: Peer(c.session, key, output, timeout_s=0),
    }.items():
        with pytest.raises(ValueError, match=message):
            build()


def test_a_peer_is_started_once_and_before_anything_else(community):
    peer = community(3).peer(0)
    with pytest.raises(ValueError, match="start"):
        peer.receive(b"")
    with pytest.raises(ValueError, match="start"):
        peer.tick(0)
    peer.start(100)
    with pytest.raises(ValueError, match="already"):
        peer.start(100)
    with pytest.raises(ValueError, match="went back"):
        peer.tick(99)


def test_each_step_has_its_own_deadline(community):
    c = community(3)
    peers = c.peers(timeout_s=10)
    log = [m for p in peers for m in p.start(50).messages]
    assert [p.deadline_s for p in peers] == [60, 60, 60]
    assert not peers[0].tick(59).events
    for data in log:
        log.extend(peers[0].receive(data).messages)
        if decode(data).sender == 2:
            break
    assert (peers[0].state, peers[0].deadline_s) == (State.SHUFFLE, 69)
    peers[0].tick(65)
    peers[0].receive(log[-1])
    assert peers[0].deadline_s == 75, "every hop of the shuffle starts the clock anew"
    peers[0].tick(75)
    assert [(f.participant, f.phase, f.reason) for f in peers[0].faults] == [(1, Phase.SHUFFLE, Reason.SILENT)]
    assert peers[0].deadline_s is None
    assert c.peer(0).watch.run.timeout_s == STEP_TIMEOUT_S


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_a_message_that_is_ignored_leaves_no_trace(community, remembered, data):
    c = community(3)
    peers = c.peers()
    log = [m for p in peers for m in p.start().messages]
    count = data.draw(st.integers(0, 11), label="messages read before")
    for data_read in _first(log, count, peers):
        assert data_read
    peer = peers[0]
    source = data.draw(st.sampled_from(log), label="message")
    kind = data.draw(st.sampled_from(["flip", "random", "run", "session", "repeat"]))
    envelope = decode(source)
    if kind == "flip":
        raw = bytearray(source)
        # The envelope's signature is superfluous around a valid mix signature, so damage there would not be refused.
        end = len(raw) - (ENVELOPE_SIGNATURE_BYTES if envelope.phase is Phase.SIGNING else 0)
        raw[data.draw(st.integers(0, end - 1))] ^= data.draw(st.integers(1, 255))
        message = bytes(raw)
    elif kind == "random":
        message = data.draw(st.binary(max_size=400))
    elif kind == "run":
        message = c.reseal(envelope, run=7)
    elif kind == "session":
        message = c.reseal(envelope, log=b"\x31" * 32)
    else:
        message = log[data.draw(st.integers(0, count - 1))] if count else b""
    before = remembered(peer)
    step = peer.receive(message)
    assert step.messages == ()
    assert [type(event) for event in step.events] == [Ignored]
    assert remembered(peer) == before


def _first(log: list[bytes], count: int, peers: list[Peer]):
    """Let everybody read the first ``count`` messages of a growing log."""
    for position, data in enumerate(log):
        if position == count:
            return
        for peer in peers:
            log += peer.receive(data).messages
        yield data


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_message_damaged_on_its_way_silences_its_sender_and_accuses_nobody_else(community, data):
    c = community(3)
    victim = data.draw(st.integers(0, 2))
    at, change = data.draw(st.integers(0, 139)), data.draw(st.integers(1, 255))
    phase = data.draw(st.sampled_from([Phase.ANNOUNCEMENT, Phase.EQUIVOCATION_CHECK, Phase.SIGNING]))

    def damage(envelope):
        raw = bytearray(envelope.encoded)
        if envelope.phase is phase:
            raw[at if at < 76 else at - 140] ^= change
        return [bytes(raw)]

    outcome = c.run_with({victim: damage})
    if outcome.signed is None:
        assert {(f.participant, f.reason) for p in outcome.honest for f in p.faults} == {(victim, Reason.SILENT)}
    else:
        assert phase is Phase.SIGNING
        assert at >= 76, "only the envelope's own signature, which a mix signature makes superfluous"


@pytest.mark.parametrize(
    ("why", "change"),
    [
        (Why.OTHER_LOG, {"log": b"\x31" * 32}),
        (Why.OTHER_RUN, {"run": 7}),
    ],
)
def test_an_ignored_message_says_why(community, why, change):
    c = community(3)
    peer = c.peer(0)
    (own,) = peer.start().messages
    assert peer.receive(c.reseal(decode(own), **change)).events == (Ignored(why),)
    assert peer.receive(b"?").events == (Ignored(Why.UNREADABLE),)
    assert peer.receive(own[:-1] + bytes([own[-1] ^ 1])).events == (Ignored(Why.NOT_SIGNED),)
    assert peer.receive(own).events == ()
    assert peer.receive(own).events == (Ignored(Why.REPEATED),)
    assert peer.receive(own[:2] + b"\x00\x03" + own[4:]).events == (Ignored(Why.NOT_A_PEER),)
    peer.tick(10**6)
    assert peer.receive(own).events == (Ignored(Why.CLOSED),)


def test_nothing_secret_is_ever_shown(community):
    c = community(3)
    peers = c.peers()
    shown = [repr(p) for p in peers]
    secrets = [k._key.secret for k in c.keys] + [p._box._secret for p in peers] + list(c.outputs)
    log = [m for p in peers for m in p.start().messages]
    for data in log:
        for peer in peers:
            step = peer.receive(data)
            log += step.messages
            shown += [repr(peer), repr(peer._box), *(repr(e) for e in step.events if not peer.signed)]
        shown.append(repr(decode(data)))
    for mistake in (peers[0].start, lambda: Peer(c.session, c.keys[0], c.session.owners[0])):
        try:
            mistake()
        except ValueError:
            shown.append(traceback.format_exc())
    text = "\n".join(shown)
    for secret in secrets:
        assert secret.hex() not in text
        assert repr(secret) not in text


def test_the_encryption_key_is_gone_once_signing_begins(community):
    c = community(3)
    peers = c.peers()
    log = [m for p in peers for m in p.start().messages]
    seen = set()
    for data in log:
        for peer in peers:
            log += peer.receive(data).messages
            seen.add((peer.state, peer._box.destroyed))
    assert {state for state, destroyed in seen if destroyed} == {State.SIGNING, State.DONE}
    assert {state for state, destroyed in seen if not destroyed}.isdisjoint({State.SIGNING, State.DONE})
