"""The operations that a counted mix adds up are those that executed sessions perform."""

from collections import Counter

import pytest

import mixer.dicemix.keys
import mixer.dicemix.pads
import mixer.dicemix.proceedings
import mixer.dicemix.signers
import mixer.onion
import mixer.signatures
from assets.counted import RECOVER, SIGN
from assets.keys import SigningKey, ThrowAwayKeys
from assets.notes import IssuedNote, epa
from assets.transactions import Domain
from mixer.board import MemoryBoard
from mixer.choice import engine_for
from mixer.engine import Rules
from mixer.engines import engine_named
from mixer.follower import Seat
from mixer.mixing import mix_in_memory
from mixer.session import MixSession
from petra import counted_mix as counted
from petra.counted_mix import mix_operations, session_operations, slots_solved
from petra.unit_costs import costs_of

KEYS = ThrowAwayKeys(1, "counted mixes")
DOMAIN = Domain(1, KEYS.fresh().address)


def session_of(peers):
    key_of = {key.address: key for key in (KEYS.fresh() for _ in range(peers))}
    notes = [IssuedNote(epa(owner, 100, 0, 0), DOMAIN.separator, i) for i, owner in enumerate(key_of)]
    session = MixSession(DOMAIN, 0, tuple(sorted(notes, key=lambda note: note.id)), DOMAIN.separator)
    outputs = [KEYS.fresh().address for _ in range(peers)]
    return session, [Seat(key_of[owner], lambda i=i: outputs[i]) for i, owner in enumerate(session.owners)]


@pytest.mark.parametrize("engine", ["coinshuffle", "dicemix"])
@pytest.mark.parametrize("peers", range(3, 21))
def test_the_formula_counts_what_an_executed_session_performs(peers, engine, monkeypatch):
    counts = Counter()

    def count(where, name, operation, by=lambda result: 1):
        function = getattr(where, name)

        def call(*arguments):
            result = function(*arguments)
            counts[operation] += by(result)
            return result

        monkeypatch.setattr(where, name, call)

    class Pad:
        def __init__(self, data):
            self._shake = shake(data)

        def digest(self, length):
            counts[counted.PAD_BYTES] += length
            return self._shake.digest(length)

    shake = mixer.dicemix.pads.shake_256
    monkeypatch.setattr(mixer.dicemix.pads, "shake_256", Pad)
    count(mixer.signatures, "check_key", counted.VERIFY)
    count(mixer.dicemix.signers, "check_key", counted.VERIFY)
    count(mixer.signatures, "recover_address", RECOVER)
    count(SigningKey, "sign", SIGN)
    count(mixer.onion, "crypto_box_keypair", counted.BOX_KEY)
    count(mixer.dicemix.keys, "crypto_box_keypair", counted.BOX_KEY)
    count(mixer.dicemix.keys, "crypto_scalarmult", counted.SHARE)
    count(mixer.onion, "crypto_box_seal", counted.SEAL)
    count(mixer.onion, "crypto_box_seal_open", counted.OPEN)
    count(mixer.dicemix.proceedings, "numbers", slots_solved(peers))
    session, seats = session_of(peers)
    mixing = mix_in_memory(engine_named(engine), session, Rules(minimum=2), seats, MemoryBoard())
    counts[SIGN] -= peers  # the mix signatures: a counted run's keys count them
    counts |= {counted.SESSIONS: 1, counted.MESSAGES: len(mixing.log), counted.BYTES: sum(mixing.sent_bytes)}
    assert +counts == session_operations(engine, peers)


def test_sessions_are_added_up_by_the_engine_that_their_size_chooses():
    expected = Counter()
    for peers in (3, 3, 20):
        expected.update(session_operations(engine_for(peers).name, peers))
    assert mix_operations([3, 20, 3]) == expected


def test_every_operation_has_a_cost_but_what_is_only_a_number_of_things():
    counts = mix_operations([3, 12])
    costs = {cost.operation: cost for cost in costs_of(counts)}
    assert costs.keys() == counts.keys()
    free = {operation for operation, cost in costs.items() if cost.unit_us is None}
    assert free == {counted.SESSIONS, counted.MESSAGES, counted.BYTES}
    for operation, cost in costs.items():
        assert cost.count == counts[operation]
        assert (cost.cpu_s == 0) == (operation in free)
