"""Honest peers mix, in four rounds however many they are; the ledger takes the result; secrets stay secret."""

import pickle
from pathlib import Path

import pytest

from assets.keys import ZERO_ADDRESS, Address
from mixer.dicemix.keys import RunKey, public_of, shared
from mixer.dicemix.message import MIN_MESSAGE_BYTES
from mixer.dicemix.peer import Peer
from mixer.dicemix.protocol import ROUNDS, Phase, payload_bytes
from mixer.dicemix.roots import pure_roots
from mixer.dicemix.stages import TRANSITIONS, Stage, Trigger, mermaid
from mixer.engine import Mixed, Rules, Run, first_run, next_run
from mixer.exhibits import encode_exhibit


@pytest.mark.parametrize("size", [2, 3, 4, 7, 12, 24, 53])
def test_honest_peers_move_every_note_to_a_fresh_address(fresh_community, make_room, size):
    community = fresh_community(size)
    room = make_room(community).play()
    outcome = room.outcome
    assert isinstance(outcome, Mixed)
    assert [r.refusal for r in community.ledger.submit([outcome.signed])] == [None]
    outputs = [note.owner for note in outcome.signed.tx.outputs]
    assert outputs == sorted(community.outputs)
    assert all(peer.outcome == outcome and peer.secrets_dropped for peer in room.honest)
    assert room.witnessed().outcome == outcome
    assert len(room.messages) == ROUNDS * size


def test_it_works_without_flint(community, make_room, monkeypatch):
    from mixer.dicemix import roots

    monkeypatch.setattr(roots, "find_roots", pure_roots)
    roots.numbers.cache_clear()
    assert isinstance(make_room(community(12)).play().outcome, Mixed)


@pytest.mark.parametrize("size", [2, 5, 9])
def test_messages_of_a_phase_have_one_size_whoever_sends_them(community, make_room, size):
    room = make_room(community(size)).play()
    for message in room.messages:
        assert len(message.encoded) == MIN_MESSAGE_BYTES + payload_bytes(message.phase, size)


def test_no_message_but_a_revelation_shows_an_address(community, make_room):
    com = community(6)
    room = make_room(com).play()
    for message in room.messages:
        assert not [address for address in com.outputs if address in message.encoded]


def test_the_order_of_the_outputs_does_not_follow_the_order_of_the_peers(community, make_room):
    """Slots are in the order of hashes, and the transaction sorts: over several runs peer 0 is everywhere."""
    com = community(4)
    places = set()
    for number in range(12):
        run = Run(com.session, number, (0, 1, 2, 3), 0)
        room = make_room(com, run=run).play()
        proceedings = room.honest[0]._proceedings
        from mixer.dicemix.slots import slot_number

        places.add(proceedings.numbers.index(slot_number(proceedings.context, com.outputs[0])))
    assert len(places) > 1


def test_some_of_a_sessions_members_mix_without_the_others(community, make_room):
    com = community(7)
    run = Run(com.session, 2, (0, 3, 4, 6), 100)
    room = make_room(com, run=run).play()
    outcome = room.outcome
    assert isinstance(outcome, Mixed)
    assert list(outcome.signed.tx.inputs) == [com.session.inputs[m] for m in run.members]
    assert next_run(run, outcome, Rules(minimum=2), 200) is None


def test_no_way_leads_from_signing_to_the_revelation():
    reachable, before = {Stage.SIGNING}, set()
    while reachable != before:
        before = set(reachable)
        reachable |= {new for (old, _), new in TRANSITIONS.items() if old in reachable}
    assert Stage.REVELATION not in reachable
    assert all((stage, Trigger.BETRAYED) in TRANSITIONS for stage in Stage if stage is not Stage.FAILED)


def test_the_diagram_shows_every_transition():
    assert mermaid().count("-->") == len(TRANSITIONS) + 3


def test_a_note_spent_elsewhere_is_shown_by_its_owners_signature(fresh_community, make_room):
    from assets.notes import Note
    from assets.transactions import Transact, sign

    community = fresh_community(4)
    spent = community.session.inputs[2]
    note = Note(spent.note.kind, Address(b"\x77" * 20), spent.note.quantity, spent.note.start, spent.note.end)
    elsewhere = sign(community.session.domain, Transact((spent,), (note,), bytes(32)), community.keys[2])
    room = make_room(community).play()
    assert isinstance(room.outcome, Mixed)
    (exhibit,) = room.honest[0].expose(elsewhere)
    for peer in room.honest:
        assert peer.receive(exhibit) == ()
    assert room.reasons == {2: "SPENT_ELSEWHERE"}
    assert room.faults[0].proven


def test_the_sessions_own_mix_accuses_nobody(community, make_room):
    com = community(4)
    room = make_room(com).play()
    outcome = room.outcome
    assert isinstance(outcome, Mixed)
    honest = room.honest[0]
    with pytest.raises(ValueError, match="no betrayal"):
        honest.expose(outcome.signed)
    shown = honest._seal(Phase.EXHIBIT, encode_exhibit(outcome.signed))
    room.honest[1].receive(shown)
    assert room.honest[1].outcome == outcome


@pytest.mark.parametrize(
    ("output", "sentence"),
    [(ZERO_ADDRESS, "other than zero"), (Address(b"\x01"), "20 bytes"), (None, "fresh address")],
)
def test_an_output_that_cannot_be_one_is_refused(community, output, sentence):
    com = community(3)
    run = first_run(com.session, Rules(minimum=2))
    with pytest.raises(ValueError, match=sentence):
        Peer(run, com.keys[0], com.session.owners[1] if output is None else output)


def test_only_members_play(community):
    com = community(4)
    run = Run(com.session, 1, (0, 1, 2), 0)
    with pytest.raises(ValueError, match="takes no part"):
        Peer(run, com.keys[3], com.outputs[3])
    with pytest.raises(ValueError, match="owns no note"):
        Peer(run, community(3).keys[0], com.outputs[3])
    with pytest.raises(ValueError, match="2 to 256 members"):
        Peer(Run(com.session, 1, (0,), 0), com.keys[0], com.outputs[0])


def test_a_peer_says_so_when_it_is_used_in_the_wrong_order(community):
    com = community(2)
    peer = Peer(first_run(com.session, Rules(minimum=2)), com.keys[0], com.outputs[0])
    for call in (lambda: peer.receive(b""), lambda: peer.tick(0)):
        with pytest.raises(ValueError, match="begin"):
            call()
    assert peer.deadline_s is None
    assert len(peer.begin()) == 1
    with pytest.raises(ValueError, match="begun already"):
        peer.begin()
    peer.tick(5)
    with pytest.raises(ValueError, match="went back"):
        peer.tick(4)


def test_a_run_key_keeps_its_secret_and_forgets_it():
    key, other = RunKey(), RunKey()
    assert public_of(key.reveal()) == key.public
    assert shared(other.reveal(), key.public) == key.shared(other.public)
    assert key.reveal().hex() not in repr(key)
    with pytest.raises(TypeError):
        pickle.dumps(key)
    key.destroy()
    key.destroy()
    assert repr(key) == "RunKey(destroyed)"
    with pytest.raises(ValueError, match="destroyed"):
        key.reveal()
    with pytest.raises(ValueError, match="X25519"):
        shared(other.reveal(), bytes(32))
    with pytest.raises(ValueError, match="32 bytes"):
        public_of(b"short")


def test_nothing_secret_is_printed(community, make_room):
    com = community(3)
    peers = make_room(com).play().honest
    for peer in peers:
        assert com.outputs[peer.member].hex() not in repr(peer)
    assert {message.phase for message in make_room(com).play().messages} == {
        Phase.KEYS,
        Phase.SLOTS,
        Phase.PAYLOADS,
        Phase.SIGNING,
    }


def test_the_protocol_page_contains_the_generated_diagram():
    page = Path(__file__).parents[3] / "docs" / "protocol" / "dicemix.md"
    assert f"```mermaid\n{mermaid()}\n```" in page.read_text(encoding="utf-8")
