"""One relay transaction for many calls: each stands alone, and thrift with gas is never a verdict."""

import pytest
from eth_abi import encode as abi_encode

from assets import errors
from assets.notes import issued
from assets.port import NoteStatus
from assets.transactions import digest
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
    ],
)
def test_only_the_three_transactions_are_relayed(chain, world, call):
    good = encoding.encode(world.withdraw(world.epa()))
    assert relay(chain, world, good, call)["status"] == 0
    assert world.ledger.meter_nonce(world.METER) == 0


@pytest.mark.parametrize(
    "malformed", [encoding.TRANSACT, encoding.WITHDRAW + bytes(64), encoding.REGULATE + b"\xff" * 99]
)
def test_bytes_that_are_no_such_call_undo_the_relay(chain, world, malformed):
    good = encoding.encode(world.withdraw(world.epa()))
    assert relay(chain, world, good, malformed)["status"] == 0
    assert world.ledger.meter_nonce(world.METER) == 0


def test_a_dirty_word_is_no_transaction(chain, world):
    call = bytearray(encoding.encode(world.withdraw(world.epa())))
    dirty_owner = call.index(world.alice.address) - 1
    call[dirty_owner] = 1
    assert relay(chain, world, bytes(call))["status"] == 0


def test_too_little_gas_never_becomes_a_refusal(chain, world):
    """At every amount of gas a sound relay is recorded or undone as a whole; a refusal would be the relayer's doing."""
    notes = world.issue(world.epa(), world.epa(), world.epa(owner=world.bob))
    moved = world.transact(notes, [world.epa(3000)], world.alice, world.bob)
    call = encoding.encode(moved)
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
    monkeypatch.setattr("contracts.ledger.RELAY_BYTES", 1000)
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
