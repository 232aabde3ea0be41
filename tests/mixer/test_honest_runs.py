"""Peers that follow the protocol get their notes mixed, and nobody learns who got which."""

import random
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.notes import issued
from assets.port import NoteStatus
from mixer.board import EMPTY_HEAD, BrokenChain, MemoryBoard, check_chain
from mixer.envelope import decode
from mixer.phases import State
from mixer.protocol import ADDRESS_BYTES, Phase, payload_bytes
from mixer.run import run_in_memory
from mixer.step import Completed, Entered


@given(size=st.integers(2, 12), run=st.integers(0, 3))
@settings(max_examples=22, deadline=None)
def test_the_mix_moves_every_note_to_the_address_its_owner_asked_for(fresh_community, size, run):
    c = fresh_community(size, run)
    board = MemoryBoard()
    peers = c.peers(run=run)
    signed = run_in_memory(c.session, peers, board)

    assert sorted(o.owner for o in signed.tx.outputs) == sorted(c.outputs)
    assert [o.owner for o in signed.tx.outputs] == sorted(c.outputs)
    assert signed.tx.inputs == c.session.inputs
    assert {o.note_class for o in signed.tx.outputs} == {c.session.inputs[0].note.note_class}
    assert all(peer.signed == signed and peer.state is State.DONE for peer in peers)
    assert len({peer.transcript for peer in peers}) == 1

    (receipt,) = c.ledger.submit([signed])
    assert receipt.accepted, receipt.refusal
    assert all(c.ledger.status(i) is NoteStatus.SPENT for i in c.session.input_ids)
    assert all(c.ledger.status(n.id) is NoteStatus.UNSPENT for n in issued(signed.tx.outputs, receipt.digest))


def test_messages_have_exactly_the_lengths_and_the_order_of_the_protocol(community):
    c = community(5)
    board = MemoryBoard()
    run_in_memory(c.session, c.peers()[::-1], board)
    posts = [decode(data) for data in board.received]
    everybody = range(5)
    expected = [
        *((Phase.ANNOUNCEMENT, i) for i in everybody),
        *((Phase.SHUFFLE, i) for i in range(4)),
        (Phase.BROADCAST, 4),
        *((Phase.EQUIVOCATION_CHECK, i) for i in everybody),
        *((Phase.SIGNING, i) for i in everybody),
    ]
    assert [(e.phase, e.sender) for e in posts] == expected
    assert all(len(e.payload) == payload_bytes(e.phase, 5, e.sender) for e in posts)
    assert check_chain(board.read_from(0)) == board.head


def test_a_board_that_changes_what_it_showed_is_noticed(community):
    class ForgetfulBoard(MemoryBoard):
        def read_from(self, position):
            posts = super().read_from(position)
            return [replace(p, head=EMPTY_HEAD) if p.position == 7 else p for p in posts]

    c = community(4)
    with pytest.raises(BrokenChain) as caught:
        run_in_memory(c.session, c.peers(), ForgetfulBoard())
    assert caught.value.args == (7,)


def test_every_message_refers_to_all_that_its_sender_accepted_before(community):
    c = community(4)
    board = MemoryBoard()
    signed = run_in_memory(c.session, c.peers(), board)
    views = [decode(data).previous for data in board.received]
    by_phase = [views[0:4], views[4:5], views[5:6], views[6:7], views[7:8], views[8:12], views[12:16]]
    assert all(len(set(group)) == 1 for group in by_phase)
    assert len(set(views)) == len(by_phase)
    assert signed.tx.memo == views[-1], "the memo is the hash of the transcript up to signing"


def test_before_the_broadcast_the_board_has_seen_no_output(community):
    c = community(6)
    board = MemoryBoard()
    run_in_memory(c.session, c.peers(), board)
    seen = b""
    for data in board.received:
        if decode(data).phase is Phase.BROADCAST:
            break
        seen += data
    assert len(seen) > 6 * ADDRESS_BYTES
    # Not even a part of an address: ten bytes in a row do not occur by chance.
    assert not any(output[at : at + 10] in seen for output in c.outputs for at in range(0, 20, 10))


def broadcast_order(c, seed: int) -> list[int]:
    """Whose output stands where in the last peer's list, in a run whose shuffling is seeded."""
    board = MemoryBoard()
    peers = [c.peer(i, rng=random.Random(seed * 16 + i)) for i in range(c.size)]
    run_in_memory(c.session, peers, board)
    (payload,) = [e.payload for e in map(decode, board.received) if e.phase is Phase.BROADCAST]
    return [c.outputs.index(payload[at : at + 20]) for at in range(0, len(payload), 20)]


def test_every_order_of_the_broadcast_list_is_equally_likely(community):
    runs = 600
    orders = Counter(tuple(broadcast_order(community(3), seed)) for seed in range(runs))
    assert len(orders) == 6
    chi_squared = sum((n - runs / 6) ** 2 / (runs / 6) for n in orders.values())
    assert chi_squared < 20.5, "5 degrees of freedom: exceeded once in 1000 if uniform"


def test_the_peers_shuffle_with_the_systems_randomness_unless_told_otherwise(community):
    assert all(isinstance(peer._rng, random.SystemRandom) for peer in community(3).peers())


def test_a_peer_reports_each_state_that_it_enters(community):
    c = community(2)
    peers = c.peers()
    board = MemoryBoard()
    events = []
    for peer in peers:
        step = peer.start()
        events += step.events if peer.index == 0 else ()
        for message in step.messages:
            board.append(message)
    read = 0
    while posts := board.read_from(read):
        read += len(posts)
        for post in posts:
            for peer in peers:
                step = peer.receive(post.data)
                events += step.events if peer.index == 0 else ()
                for message in step.messages:
                    board.append(message)
    assert [e.state for e in events if isinstance(e, Entered)] == [
        s for s in State if s not in (State.CREATED, State.BLAME, State.ABORTED)
    ]
    assert events[-1] == Completed(peers[1].signed)


def test_the_peers_given_must_be_those_of_the_session(community):
    c = community(3)
    for peers in (c.peers()[:-1], [*c.peers()[:-1], c.peer(0)]):
        with pytest.raises(ValueError, match="each of them once"):
            run_in_memory(c.session, peers, MemoryBoard())
