"""A session is fixed by the ledger, and refuses notes that cannot hide one another."""

from dataclasses import replace

import pytest

from assets.keys import Address, Digest
from assets.notes import epa
from assets.transactions import Domain
from mixer.protocol import MAX_PAYLOAD_BYTES, MAX_PEERS, Phase, payload_bytes
from mixer.session import MixSession


def test_everything_that_fixes_a_session_is_in_its_id(community):
    session = community(4).session
    others = [
        replace(session, window=session.window + 1),
        replace(session, anchor=Digest(b"\x01" * 32)),
        replace(session, inputs=session.inputs[:-1]),
        replace(session, domain=Domain(session.domain.chain_id + 1, session.domain.contract)),
        replace(session, domain=Domain(session.domain.chain_id, Address(b"\x43" * 20))),
        community(4, 1).session,
    ]
    assert len({session.id, *(other.id for other in others)}) == len(others) + 1
    assert replace(session).id == session.id


def test_a_session_whose_notes_cannot_hide_one_another_is_refused(community):
    session = community(4).session
    first, second, *rest = session.inputs
    louder = replace(second, note=replace(second.note, quantity=second.note.quantity + 1))
    twin = replace(second, note=replace(second.note, owner=first.note.owner))
    refused = {
        "2 to 256 notes": (first,),
        "one class": tuple(sorted((first, louder, *rest), key=lambda n: n.id)),
        "distinct owners": tuple(sorted((first, twin, *rest), key=lambda n: n.id)),
        "sorted by id": (second, first, *rest),
    }
    for message, inputs in refused.items():
        with pytest.raises(ValueError, match=message):
            MixSession(session.domain, session.window, inputs, session.anchor)
    with pytest.raises(ValueError, match="distinct owners"):
        replace(session, inputs=(first, first))
    with pytest.raises(ValueError, match="window"):
        replace(session, window=-1)
    with pytest.raises(ValueError, match="32 bytes"):
        replace(session, anchor=Digest(b"short"))


def test_the_order_of_the_outputs_in_the_mix_tells_nothing(community):
    c = community(4)
    memo = Digest(b"\x05" * 32)
    mix = c.session.transact(c.outputs, memo)
    assert mix == c.session.transact(c.outputs[::-1], memo)
    assert [o.owner for o in mix.outputs] == sorted(c.outputs)
    assert mix.outputs[0] == epa(min(c.outputs), 400, 7, 7)
    assert mix.inputs == c.session.inputs


def test_only_an_owner_of_an_input_is_a_peer(community):
    c = community(4)
    assert [c.session.index_of(k.address) for k in c.keys] == [0, 1, 2, 3]
    with pytest.raises(ValueError, match="owns no note"):
        c.session.index_of(c.outputs[0])


def test_no_message_of_the_largest_session_is_longer_than_the_longest_payload():
    sizes = [payload_bytes(phase, MAX_PEERS, i) or 0 for phase in Phase for i in range(MAX_PEERS)]
    assert max(sizes) == MAX_PAYLOAD_BYTES
