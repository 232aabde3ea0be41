"""One relay transaction for many calls: each stands alone, and thrift with gas is never a verdict."""

from dataclasses import replace

import pytest
from eth_abi import decode as abi_decode
from eth_abi import encode as abi_encode
from web3.exceptions import BlockNotFound

from assets import errors
from assets.groups import Groups
from assets.notes import Kind, Note, issued
from assets.port import NoteStatus
from assets.transactions import Cancel, Settle, Signed, digest, sign
from contracts import artifact, encoding, events
from contracts.errors import NodeError, RelayError
from contracts.ledger import EvmLedger

ENOUGH = 30_000_000


def to(chain, world):
    return chain.to_checksum_address("0x" + world.domain.contract.hex())


def send(chain, world, data, gas=ENOUGH):
    """Send raw calldata, past the binding; returns the receipt."""
    price = 2 * chain.eth.get_block("latest")["baseFeePerGas"]
    tx = {"from": chain.eth.accounts[0], "to": to(chain, world), "data": data, "gas": gas, "gasPrice": price}
    return chain.eth.wait_for_transaction_receipt(chain.eth.send_transaction(tx))


def encode(world, signed):
    """The call with the paths of its inputs."""
    world.ledger.entries()
    return encoding.encode(signed, world.ledger._groups)


def relay(chain, world, *calls, gas=ENOUGH):
    return send(chain, world, encoding.encode_relay(calls), gas)


def test_a_refused_call_does_not_touch_the_others(world):
    good, late = world.withdraw(world.epa(), nonce=0), world.withdraw(world.epa(), nonce=1)
    over = world.withdraw(world.epa(9999), nonce=1)
    before = world.ledger.transactions
    receipts = world.ledger.submit([good, over, good, late])
    expected = [None, errors.MeterLimit(1, 1, 0, 5000, 10_999), errors.BadNonce(1, 0), None]
    assert [r.refusal for r in receipts] == expected
    assert world.ledger.transactions == before + 1
    assert world.ledger.meter_nonce(world.METER) == 2


def test_a_verdict_has_its_time_while_validators_change_the_block_of_its_number(chain, world, monkeypatch):
    signed, block_of = world.withdraw(world.epa()), chain.eth.get_block

    def between_two_blocks(block, *more):
        if isinstance(block, int):
            raise BlockNotFound(f"Block with id: {block} not found.")
        return block_of(block, *more)

    monkeypatch.setattr(chain.eth, "get_block", between_two_blocks)
    receipt = world.submit(signed)
    assert receipt.accepted
    assert receipt.time_s == block_of("latest")["timestamp"]


def test_what_one_call_creates_the_next_one_spends(world):
    withdrawn = world.withdraw(world.epa())
    (note,) = issued(withdrawn.tx.outputs, digest(world.domain, withdrawn.tx))
    moved = world.transact([note], [world.epa(owner=world.bob)], world.alice)
    assert all(r.accepted for r in world.ledger.submit([withdrawn, moved]))
    assert world.ledger.status(note.id) is NoteStatus.SPENT


def test_an_empty_batch_sends_nothing(world):
    before = world.ledger.transactions
    assert world.ledger.submit([]) == []
    assert world.ledger.transactions == before


@pytest.mark.parametrize(
    "call",
    [
        b"",
        b"\1\2\3",
        artifact.selectors("function")["status"] + bytes(32),
        encoding.encode_relay([]),
        artifact.selectors("function")["fill"] + bytes(128),
    ],
)
def test_only_transactions_are_relayed(chain, world, call):
    good = encode(world, world.withdraw(world.epa()))
    assert relay(chain, world, good, call)["status"] == 0
    assert world.ledger.meter_nonce(world.METER) == 0


@pytest.mark.parametrize(
    "malformed", [encoding.TRANSACT, encoding.WITHDRAW + bytes(64), encoding.REGULATE + b"\xff" * 99]
)
def test_bytes_that_are_no_such_call_undo_the_relay(chain, world, malformed):
    good = encode(world, world.withdraw(world.epa()))
    assert relay(chain, world, good, malformed)["status"] == 0
    assert world.ledger.meter_nonce(world.METER) == 0


@pytest.mark.parametrize(
    ("place", "value"),
    [(18 + 20, 1 << 7), (18 + 21, 1), (18 + 32 + 21, 1), (17, 1), (17, 3)],
    ids=["kind", "a zero of EPA", "a zero of FA", "fewer outputs", "more outputs"],
)
def test_bits_without_a_meaning_and_wrong_lengths_are_no_transaction(chain, world, place, value):
    call = bytearray(encode(world, world.withdraw(world.epa(), world.fa())))
    body = 4 + 32 + 32
    if place == 17:
        call[body + place] = value
    else:
        call[body + place] ^= value
    receipt = relay(chain, world, bytes(call))
    refused = events.decode(receipt["logs"], world.domain.contract) if receipt["status"] else []
    assert [type(e).__name__ for e in refused] in ([], ["Refused"])
    assert world.ledger.meter_nonce(world.METER) == 0


def test_only_the_ledger_itself_fills(chain, world):
    fill = world.fill(world.market())
    world.ledger.entries()
    settle = encoding.encode(Signed(Settle((fill,)), ()), world.ledger._groups)
    body, proofs = abi_decode(["bytes", "bytes"], settle[4:])
    call = artifact.selectors("function")["fill"] + abi_encode(["bytes", "bytes"], [body[2:], proofs[2:]])
    assert send(chain, world, call)["status"] == 0
    assert send(chain, world, settle)["status"] == 1


def test_a_wrong_path_is_no_refusal_of_the_note(chain, world):
    """Whoever relays gives the paths: with a wrong one the note is unknown, and stays as it was."""
    note, twin = world.issue(world.epa(), world.epa(2000))
    moved = world.transact([note], [world.epa()], world.alice)
    wrong = Groups()
    wrong.add(note.origin, (note.note, replace(twin.note, quantity=7)))
    receipt = relay(chain, world, encoding.encode(moved, wrong))
    (refused,) = events.decode(receipt["logs"], world.domain.contract)
    assert refused.refusal == errors.UnknownNote(note.id)
    world.submit(moved).require()


def test_a_note_is_spent_at_its_own_place_only(chain, world):
    """The same path at a place beyond the tree would be the same note once more."""
    note, _ = world.issue(world.epa(), world.epa(2000))
    for index in (2, 3, 16, 17):
        elsewhere = replace(note, index=index)
        moved = world.transact([elsewhere], [world.epa()], world.alice)
        path = world.ledger._groups.path(note)
        call = encode(world, moved)
        call = encoding.TRANSACT + abi_encode(
            ["bytes", "bytes"], [abi_decode(["bytes", "bytes"], call[4:])[0], bytes([len(path)]) + b"".join(path)]
        )
        receipt = relay(chain, world, call)
        (refused,) = events.decode(receipt["logs"], world.domain.contract)
        assert refused.refusal == errors.UnknownNote(elsewhere.id)


def test_settling_with_too_little_gas_never_becomes_a_refusal(chain, world):
    fill = world.fill(world.market())
    call = encode(world, Signed(Settle((fill,)), ()))
    outcomes = set()
    for gas in range(40_000, 140_000, 1777):
        receipt = relay(chain, world, call, gas=gas)
        emitted = events.decode(receipt["logs"], world.domain.contract)
        assert [e for e in emitted if not isinstance(e, events.Accepted)] == []
        outcomes.add(receipt["status"])
        if receipt["status"] == 1:
            break
    assert outcomes == {0, 1}


def test_too_little_gas_never_becomes_a_refusal(chain, world):
    """At every amount of gas a sound relay is recorded or undone as a whole; a refusal would be the relayer's doing."""
    notes = world.issue(world.epa(), world.epa(), world.epa(owner=world.bob))
    moved = world.transact(notes, [world.epa(3000)], world.alice, world.bob)
    call = encode(world, moved)
    full = chain.eth.estimate_gas(
        {"from": chain.eth.accounts[0], "to": to(chain, world), "data": encoding.encode_relay([call])}
    )
    outcomes = set()
    for gas in range(int(full * 0.45), int(full * 1.1), 1777):
        receipt = relay(chain, world, call, gas=gas)
        assert [e for e in events.decode(receipt["logs"], world.domain.contract) if isinstance(e, events.Refused)] == []
        outcomes.add(receipt["status"])
        if receipt["status"] == 1:
            break
    assert outcomes == {0, 1}


def test_the_binding_says_so_when_a_relay_is_undone(chain, world, monkeypatch):
    monkeypatch.setattr("contracts.gas.of_relay", lambda calls_gas, calldata_bytes: 60_000)
    with pytest.raises(RelayError, match="undone as a whole"):
        world.ledger.submit([world.withdraw(world.epa())])
    assert world.ledger.meter_nonce(world.METER) == 0


def test_the_binding_says_so_when_the_node_refuses_the_transaction(world, monkeypatch):
    monkeypatch.setattr("contracts.gas.of_relay", lambda calls_gas, calldata_bytes: 1)
    with pytest.raises(RelayError, match="refused the relay"):
        world.ledger.submit([world.withdraw(world.epa())])


def test_the_binding_does_not_believe_a_receipt_without_events(world, monkeypatch):
    signed = world.withdraw(world.epa())
    monkeypatch.setattr("contracts.events.decode", lambda logs, contract: [])
    with pytest.raises(NodeError, match="do not answer"):
        world.ledger.submit([signed])


def test_nobody_can_deploy_a_ledger_without_an_operator(chain, world):
    with pytest.raises(RelayError, match="could not be deployed"):
        EvmLedger.deploy(chain, bytes(20), world.grid)


def test_a_large_batch_is_carried_in_several_transactions(world, monkeypatch):
    monkeypatch.setattr("contracts.ledger.CALL_BYTES", 500)
    monkeypatch.setattr(world.ledger, "_in_process", False)
    before = world.ledger.transactions
    batch = [world.withdraw(world.epa(100), nonce=n) for n in range(5)]
    receipts = world.ledger.submit(batch)
    assert [r.refusal for r in receipts] == [None] * 5
    assert world.ledger.transactions - before == 5
    assert [r.time_s for r in receipts] == sorted(r.time_s for r in receipts)


def test_an_event_of_a_refusal_that_we_do_not_know_is_an_error(world):
    topic = artifact.topics()["Refused"]
    log = {
        "address": "0x" + world.domain.contract.hex(),
        "topics": [topic, bytes(32)],
        "data": abi_encode(["bytes"], [b"\1\2\3\4"]),
    }
    with pytest.raises(NodeError):
        events.decode([log], world.domain.contract)


class InFront:
    """A relayer who is slower than somebody else by one submission."""

    def __init__(self, relay_by, submission):
        self._relay_by, self._submission = relay_by, submission

    def send(self, *arguments):
        submission, self._submission = self._submission, lambda: None
        submission()
        return self._relay_by.send(*arguments)


def overtaken(chain, world, submission):
    """The ledger as seen by somebody whom ``submission`` overtakes."""
    ledger = EvmLedger.at(chain, world.domain.contract, since_block=world.ledger.since_block)
    ledger._relay_by = InFront(ledger._relay_by, submission)
    return ledger


def test_fills_that_somebody_else_relayed_just_before_us_have_settled(chain, world):
    good, bad = world.fill(world.market()), world.fill(world.market(), price=9)
    both = Signed(Settle((good, bad)), ())
    (receipt,) = overtaken(chain, world, lambda: world.ledger.submit([both])).submit([both])
    assert receipt.accepted
    assert [type(refusal) for refusal in receipt.fills] == [type(None), errors.PriceLimit]
    assert receipt.digest == digest(world.domain, Settle((good,))) == world.ledger.entries()[-1].digest
    (late,) = world.ledger.submit([both])
    assert [type(refusal) for refusal in late.fills] == [errors.NoteSpent, errors.PriceLimit]


def test_fills_that_somebody_else_relayed_one_by_one_have_settled(chain, world):
    first, second, third = [world.fill(world.market(100, 5000)) for _ in range(3)]
    alone = [Signed(Settle((fill,)), ()) for fill in (first, second)]
    ledger = overtaken(chain, world, lambda: world.ledger.submit(alone))
    (receipt,) = ledger.submit([Signed(Settle((first, second, third)), ())])
    assert (receipt.accepted, receipt.fills) == (True, (None, None, None))
    assert receipt.digest == digest(world.domain, Settle((third,)))
    ledger = overtaken(chain, world, lambda: None)
    (late,) = ledger.submit([Signed(Settle((first, first)), ())])
    assert [type(refusal) for refusal in late.fills] == [errors.NoteSpent] * 2


def test_a_cancellation_that_is_relayed_again_keeps_its_place(world):
    cancel = sign(world.domain, Cancel(world.alice.address, 5), world.alice)
    assert all(world.submit(cancel).accepted for _ in range(2))
    assert world.ledger.recorded(digest(world.domain, cancel.tx)) == world.ledger.entries()[-2]


def test_a_fill_without_funds_does_not_hinder_who_builds_on_it(either):
    notes = either.market()
    unfunded = either.fill(notes, price=3, buy={"limit": 3})
    settlement = Settle((unfunded,))
    energy, *_ = issued((Note(Kind.EPA, either.carol.address, 1000, 2, 3),), digest(either.domain, settlement))
    moved = either.transact([energy], [energy.note], either.carol)
    first, second = either.ledger.submit([Signed(settlement, ()), moved])
    assert isinstance(first.refusal, errors.Unfunded)
    assert second.refusal == errors.UnknownNote(energy.id)
