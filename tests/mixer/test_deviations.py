"""Whatever a peer does instead of following the protocol: everybody aborts, and no note moves.

Each deviation is a function from the message that the peer should have posted to what it posts. The tables say which
fault every honest peer must find, and whether it may name the culprit.
"""

import os
from collections.abc import Callable, Iterable

import pytest

from assets.keys import Digest
from assets.transactions import NO_MEMO, digest
from mixer.envelope import Envelope, decode
from mixer.faults import Reason
from mixer.onion import wrap
from mixer.phases import PHASE_OF, State
from mixer.protocol import ADDRESS_BYTES, ENVELOPE_SIGNATURE_BYTES, Phase, onion_bytes
from mixer.step import Aborted

SIZE = 4
LAST = SIZE - 1
SPOKEN = tuple(phase for phase in PHASE_OF.values() if phase is not Phase.REVEAL)
SENDERS = {Phase.SHUFFLE: range(LAST), Phase.BROADCAST: (LAST,)}
PLACES = [(phase, sender) for phase in SPOKEN for sender in SENDERS.get(phase, range(SIZE))]


def at(places: Iterable[tuple[Phase, int]]) -> pytest.MarkDecorator:
    """Parametrize over who deviates in which phase."""
    return pytest.mark.parametrize(
        ("phase", "culprit"), list(places), ids=lambda v: v.title if isinstance(v, Phase) else str(v)
    )


place = at(PLACES)


def in_phase(phase: Phase, act: Callable[[Envelope], Iterable[bytes]]) -> Callable[[Envelope], Iterable[bytes]]:
    return lambda envelope: act(envelope) if envelope.phase is phase else [envelope.encoded]


def assert_aborted(outcome, reason: Reason, culprit: int) -> None:
    """Every honest peer has aborted for that reason, names exactly that culprit, and has nothing more to say."""
    assert outcome.signed is None
    assert outcome.raised is not None
    assert outcome.community.notes_unspent()
    for peer in outcome.honest:
        assert peer.state is State.ABORTED, peer
        assert peer.signed is None
        assert peer._box.destroyed
        assert {f.participant for f in peer.faults} == {culprit}, peer.faults
        assert all(f.reason is reason for f in peer.faults), peer.faults
        assert all(not peer.receive(data).messages for data in outcome.board.received)
        assert not peer.tick(10**9).messages
    assert reason in [f.reason for peer in outcome.honest for f in peer.faults]


@place
def test_silence_is_noticed_at_the_deadline(community, phase, culprit):
    outcome = community(SIZE).run_with({culprit: in_phase(phase, lambda e: [])})
    assert_aborted(outcome, Reason.SILENT, culprit)


@place
def test_a_payload_of_another_length_is_refused(community, phase, culprit):
    c = community(SIZE)
    for change in (lambda p: p[:-1], lambda p: p + b"\0", lambda p: b""):
        outcome = c.run_with({culprit: in_phase(phase, lambda e, f=change: [c.reseal(e, payload=f(e.payload))])})
        assert_aborted(outcome, Reason.WRONG_LENGTH, culprit)


NONSENSE = {
    Phase.ANNOUNCEMENT: Reason.MALFORMED,
    Phase.SHUFFLE: Reason.CHANGED_SHUFFLE,
    Phase.BROADCAST: Reason.CHANGED_SHUFFLE,
    Phase.EQUIVOCATION_CHECK: Reason.WRONG_HASH,
    Phase.SIGNING: Reason.WRONG_SIGNATURE,
}


@place
def test_a_payload_of_nonsense_is_refused(community, phase, culprit):
    c = community(SIZE)
    nonsense = in_phase(phase, lambda e: [c.reseal(e, payload=os.urandom(len(e.payload)))])
    # The first peer has nothing to pass on, so its nonsense is an onion of its own that cannot be opened.
    reason = Reason.UNREADABLE_ONION if (phase, culprit) == (Phase.SHUFFLE, 0) else NONSENSE[phase]
    assert_aborted(c.run_with({culprit: nonsense}), reason, culprit)


@at(p for p in PLACES if p != (Phase.SIGNING, LAST))  # with the last signature the mix is complete
def test_two_messages_in_one_place_convict_their_sender(community, phase, culprit):
    c = community(SIZE)
    twice = in_phase(phase, lambda e: [e.encoded, c.reseal(e, payload=os.urandom(len(e.payload)))])
    outcome = c.run_with({culprit: twice})
    assert_aborted(outcome, Reason.EQUIVOCATION, culprit)
    for peer in outcome.honest:
        first, second = peer.faults[0].evidence
        assert first.digest != second.digest
        assert (first.phase, first.sender) == (second.phase, second.sender) == (phase, culprit)


@place
def test_a_message_of_another_phase_is_out_of_turn(community, phase, culprit):
    c = community(SIZE)
    never_said = Phase.SHUFFLE if culprit == LAST else Phase.BROADCAST
    other = Phase.SIGNING if phase is not Phase.SIGNING else never_said
    outcome = c.run_with({culprit: in_phase(phase, lambda e: [c.reseal(e, phase=other)])})
    assert_aborted(outcome, Reason.OUT_OF_PHASE, culprit)


@place
def test_a_message_about_another_past_shows_that_views_differ(community, other_digest, phase, culprit):
    c = community(SIZE)
    outcome = c.run_with({culprit: in_phase(phase, lambda e: [c.reseal(e, previous=other_digest)])})
    assert_aborted(outcome, Reason.VIEWS_DIFFER, culprit)


FORGERIES = {
    "another session": lambda c, e: c.reseal(e, log=Digest(b"\x77" * 32)),
    "another run": lambda c, e: c.reseal(e, run=e.run + 1),
    "no peer": lambda c, e: e.encoded[:2] + b"\x00\xc8" + e.encoded[4:],
    "foreign signature": lambda c, e: e.encoded[:-1] + bytes([e.encoded[-1] ^ 1]),
    "another's name": lambda c, e: e.encoded[:2] + bytes([0, (e.sender + 1) % SIZE]) + e.encoded[4:],
    "cut": lambda c, e: e.encoded[:-1],
    "nothing": lambda c, e: b"",
    "another version": lambda c, e: b"\x07" + e.encoded[1:],
}


@pytest.mark.parametrize("forgery", FORGERIES)
@place
def test_what_anybody_can_forge_accuses_nobody_but_does_not_count_either(community, phase, culprit, forgery):
    c = community(SIZE)
    if forgery == "foreign signature" and phase is Phase.SIGNING:
        forgery = "cut"  # a mix signature counts without the envelope's, see the next test
    outcome = c.run_with({culprit: in_phase(phase, lambda e: [FORGERIES[forgery](c, e)])})
    assert_aborted(outcome, Reason.SILENT, culprit)


def test_a_valid_mix_signature_counts_whatever_signs_the_envelope(community):
    c = community(SIZE)
    unsigned = in_phase(Phase.SIGNING, lambda e: [e.encoded[:-ENVELOPE_SIGNATURE_BYTES] + bytes(64)])
    assert c.run_with({1: unsigned}).signed is not None


@place
def test_garbage_between_honest_messages_stops_nobody(community, phase, culprit):
    c = community(SIZE)
    noise = in_phase(phase, lambda e: [*(f(c, e) for f in FORGERIES.values()), e.encoded, e.encoded])
    outcome = c.run_with({culprit: noise})
    assert outcome.signed is not None
    assert all(peer.signed == outcome.signed for peer in outcome.honest)


def test_messages_of_an_earlier_run_are_worth_nothing_in_the_next(fresh_community):
    c = fresh_community(3, 5)
    earlier = c.run_with({2: in_phase(Phase.EQUIVOCATION_CHECK, lambda e: [])})
    assert_aborted(earlier, Reason.SILENT, 2)
    peers = c.peers(run=1)
    for peer in peers:
        peer.start()
        before = peer.transcript
        assert all(not peer.receive(data).messages for data in earlier.board.received)
        assert peer.transcript == before == ()


# --- Shuffle and broadcast -------------------------------------------------------------------------------


@pytest.mark.parametrize("culprit", range(1, LAST))
def test_an_onion_posted_twice_convicts_its_sender(community, culprit):
    c = community(SIZE)
    size = onion_bytes(SIZE, culprit)
    twice = in_phase(Phase.SHUFFLE, lambda e: [c.reseal(e, payload=e.payload[:size] + e.payload[:-size])])
    assert_aborted(c.run_with({culprit: twice}), Reason.DUPLICATE_ITEM, culprit)


def test_an_output_posted_twice_or_zero_convicts_the_last_peer(community):
    c = community(SIZE)
    for reason, first in ((Reason.DUPLICATE_ITEM, slice(20, 40)), (Reason.BAD_OUTPUT, None)):
        address = (lambda e, s=first: e.payload[s]) if first else (lambda e: bytes(ADDRESS_BYTES))
        change = in_phase(Phase.BROADCAST, lambda e, a=address: [c.reseal(e, payload=a(e) + e.payload[ADDRESS_BYTES:])])
        assert_aborted(c.run_with({LAST: change}), reason, LAST)


@pytest.mark.parametrize("culprit", range(1, SIZE))
def test_a_peer_that_replaces_anothers_output_gets_no_signature(community, culprit):
    c = community(SIZE)

    def replace_all(e: Envelope) -> list[bytes]:
        """As if the culprit had shuffled only outputs of its own."""
        box_keys = [announced[i].payload[33:] for i in range(e.sender + 1, SIZE)]
        items = [wrap(os.urandom(20), box_keys) for _ in range(e.sender + 1)]
        return [c.reseal(e, payload=b"".join(items))]

    announced: dict[int, Envelope] = {}
    phase = Phase.BROADCAST if culprit == LAST else Phase.SHUFFLE
    watch = {
        i: (lambda e: (announced.setdefault(e.sender, e) if e.phase is Phase.ANNOUNCEMENT else None, [e.encoded])[1])
        for i in range(SIZE)
        if i != culprit
    }
    outcome = c.run_with(watch | {culprit: in_phase(phase, replace_all)})
    assert outcome.signed is None
    assert not outcome.posted(Phase.SIGNING)
    assert [outcome.raised.participant, outcome.raised.reason] == [culprit, Reason.CHANGED_SHUFFLE]
    assert Reason.OUTPUT_MISSING.value in [e.payload[0] for e in outcome.posted(Phase.COMPLAINT)]


def test_two_peers_with_one_output_are_stopped_by_the_last(fresh_community):
    c = fresh_community(SIZE, 6)
    c.outputs[1] = c.outputs[0]
    outcome = c.run_with({})
    assert_aborted(outcome, Reason.DUPLICATE_INSIDE, 1)


def test_a_zero_output_is_stopped_by_the_last(community):
    c = community(SIZE)
    peers = c.peers()
    peers[1]._output = bytes(20)
    outcome = run(c, peers)
    assert_aborted(outcome, Reason.BAD_OUTPUT_INSIDE, 1)


def run(c, peers):
    """A run of peers that were tampered with before the start."""
    original = c.peers
    c.peers = lambda: peers
    try:
        return c.run_with({})
    finally:
        c.peers = original


# --- Announcement ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("culprit", range(SIZE))
def test_an_encryption_key_that_everybody_can_read_is_refused(community, culprit):
    c = community(SIZE)
    for key in (bytes(32), b"\x01" + bytes(31), b"\xff" * 32):
        weak = in_phase(Phase.ANNOUNCEMENT, lambda e, k=key: [c.reseal(e, payload=e.payload[:33] + k)])
        assert_aborted(c.run_with({culprit: weak}), Reason.MALFORMED, culprit)


def test_announcing_anothers_public_key_is_refused(community):
    c = community(SIZE)
    other = c.peer(2)._public_key.format()
    borrowed = in_phase(Phase.ANNOUNCEMENT, lambda e: [c.reseal(e, payload=other + e.payload[33:])])
    assert_aborted(c.run_with({1: borrowed}), Reason.MALFORMED, 1)


# --- Complaints ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", SPOKEN, ids=lambda p: p.title)
def test_a_groundless_complaint_convicts_its_sender(community, phase):
    c = community(SIZE)
    culprit = LAST if phase is Phase.BROADCAST else 1
    groundless = in_phase(
        phase, lambda e: [c.reseal(e, phase=Phase.COMPLAINT, payload=bytes([Reason.UNREADABLE_ONION]))]
    )
    outcome = c.run_with({culprit: groundless})
    if phase in (Phase.ANNOUNCEMENT, Phase.SIGNING):
        assert_aborted(outcome, Reason.OUT_OF_PHASE, culprit)
    else:
        reason = Reason.MALFORMED if phase is Phase.EQUIVOCATION_CHECK else Reason.FALSE_ACCUSATION
        assert_aborted(outcome, reason, culprit)


def test_a_complaint_about_nothing_known_convicts_its_sender(community):
    c = community(SIZE)
    for code in (0, Reason.SILENT, 200):
        nonsense = in_phase(
            Phase.EQUIVOCATION_CHECK, lambda e, b=code: [c.reseal(e, phase=Phase.COMPLAINT, payload=bytes([b]))]
        )
        assert_aborted(c.run_with({1: nonsense}), Reason.MALFORMED, 1)


# --- Signing ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("culprit", range(SIZE))
def test_a_signature_of_another_mix_or_in_another_form_is_refused(community, culprit):
    c = community(SIZE)
    elsewhere = digest(c.session.domain, c.session.transact(c.outputs, NO_MEMO))
    for change in (
        lambda e: c.keys[culprit].sign(elsewhere),
        lambda e: e.payload[:64] + bytes([55 - e.payload[64]]),
        lambda e: e.payload[:64] + bytes([e.payload[64] - 27]),
    ):
        wrong = in_phase(Phase.SIGNING, lambda e, f=change: [c.reseal(e, payload=f(e))])
        assert_aborted(c.run_with({culprit: wrong}), Reason.WRONG_SIGNATURE, culprit)


# --- Two stories -----------------------------------------------------------------------------------------


def forked_run(c, tell: Callable[[int, Envelope], Envelope | None]) -> list:
    """A run over a board that shows each reader what ``tell(reader, envelope)`` says, ``None`` for nothing."""
    peers = c.peers()
    log = [message for peer in peers for message in peer.start().messages]
    for data in log:  # grows while it is read
        for peer in peers:
            told = tell(peer.index, decode(data))
            if told is not None:
                log += peer.receive(told).messages
    while running := [p for p in peers if not p.closed]:
        deadline = min(p.deadline_s for p in running)
        for peer in running:
            peer.tick(deadline)
    return [peers, [decode(data) for data in log]]


@pytest.mark.parametrize("phase", [Phase.ANNOUNCEMENT, Phase.SHUFFLE, Phase.BROADCAST])
def test_peers_that_were_told_different_stories_never_sign(community, phase):
    c = community(SIZE)
    liar = LAST if phase is Phase.BROADCAST else 1
    second_story = {
        Phase.ANNOUNCEMENT: lambda e: e.payload[:33] + bytes([9]) + bytes(31),
        Phase.SHUFFLE: lambda e: e.payload[onion_bytes(SIZE, 1) :] + e.payload[: onion_bytes(SIZE, 1)],
        Phase.BROADCAST: lambda e: e.payload[20:] + e.payload[:20],
    }[phase]

    def tell(reader: int, envelope: Envelope) -> Envelope:
        if envelope.phase is phase and envelope.sender == liar and reader == 0:
            return decode(c.reseal(envelope, payload=second_story(envelope)))
        return envelope

    peers, log = forked_run(c, tell)
    assert all(peer.state is State.ABORTED for peer in peers)
    assert not [e for e in log if e.phase is Phase.SIGNING]
    assert Reason.VIEWS_DIFFER in [f.reason for peer in peers for f in peer.faults]
    # With several logs nobody can tell from one of them who lied: only the liar may be named as proven.
    assert {f.participant for peer in peers for f in peer.faults if f.proven} <= {liar}
    assert c.notes_unspent()


def test_a_board_that_hides_a_message_from_one_reader_stops_the_mix(community):
    c = community(3)
    peers, log = forked_run(c, lambda reader, e: None if reader == 0 and e.sender == 2 else e)
    assert all(peer.state is State.ABORTED for peer in peers)
    assert not [e for e in log if e.phase is Phase.SIGNING]


def test_a_peer_whose_own_posts_never_appear_sees_that_it_is_missing(community):
    c = community(3)
    peers, _ = forked_run(c, lambda reader, e: None if e.sender == 1 else e)
    assert all([f.participant for f in peer.faults] == [1] for peer in peers)


# --- Saying so -------------------------------------------------------------------------------------------


def test_all_silent_peers_are_named_together(community):
    c = community(5)
    mute = in_phase(Phase.EQUIVOCATION_CHECK, lambda e: [])
    outcome = c.run_with({1: mute, 3: mute})
    for peer in outcome.honest:
        assert [f.participant for f in peer.faults] == [1, 3]
    assert str(outcome.raised) == "peer 1: silent in the equivocation check phase"


def test_a_fault_says_who_when_and_why_but_shows_no_content(community):
    c = community(SIZE)
    outcome = c.run_with({2: in_phase(Phase.SHUFFLE, lambda e: [c.reseal(e, payload=e.payload[1:])])})
    (fault,) = outcome.honest[1].faults
    assert str(fault) == "peer 2: wrong length in the shuffle phase"
    assert fault.__traceback__ is None
    assert all(o.hex() not in repr(fault) and o.hex() not in repr(Aborted((fault,))) for o in c.outputs)
