"""The ledger read from the chain alone."""

import pytest

from assets.errors import Refusal
from assets.keys import Address
from assets.ledger import SpecLedger
from assets.port import Entry, NoteStatus
from assets.transactions import Cancel, PriceChange, Regulate, sign
from contracts import encoding
from contracts.errors import NodeError
from contracts.ledger import EvmLedger


def send(chain, world, data):
    """Send raw calldata, past the binding."""
    transaction = {
        "from": chain.eth.accounts[0],
        "to": chain.to_checksum_address("0x" + world.domain.contract.hex()),
        "data": data,
        "gas": 10**6,
        "gasPrice": 2 * chain.eth.get_block("latest")["baseFeePerGas"],
    }
    chain.eth.send_transaction(transaction)


def encode(world, signed):
    return encoding.encode(signed, world.ledger._groups)


def busy(world):
    """Some accepted and some refused transactions; returns the accepted ones."""
    withdrawals = [world.withdraw(world.epa(), world.fa(), nonce=n) for n in (0, 1, 5)]
    world.ledger.submit(withdrawals)
    (note, money) = world.issue(world.epa(), world.fa())
    moved = world.transact([note], [world.epa(owner=world.bob)], world.alice)
    world.ledger.submit([moved, moved, world.transact([money], [world.fa(7)], world.alice)])
    return [*withdrawals[:2], world.ledger.entries()[3].signed, moved]


def test_entries_are_the_accepted_transactions_in_order(world):
    accepted = busy(world)
    assert [e.signed for e in world.ledger.entries()[1:]] == accepted
    assert [e.seq for e in world.ledger.entries()] == list(range(5))
    assert [e.seq for e in world.ledger.entries(3)] == [3, 4]


def test_another_reader_sees_the_same_and_the_specification_agrees(chain, world):
    busy(world)
    reader = EvmLedger.at(chain, world.domain.contract)
    entries = reader.entries()
    assert entries == world.ledger.entries()
    spec = SpecLedger(world.domain, world.grid, world.dso.address, time_s=0)
    for entry in entries:
        spec.advance_to(entry.time_s)
        assert spec.submit([entry.signed])[0].accepted
    assert spec.entries() == entries
    assert (reader.grid, reader.dso) == (world.grid, world.dso.address)


def test_a_call_that_no_relay_carried_is_read_as_well(chain, world):
    signed = world.withdraw(world.epa())
    send(chain, world, encode(world, signed))
    assert world.ledger.entries()[-1].signed == signed


def test_a_call_in_another_layout_is_read_as_the_contract_reads_it(chain, world):
    """A relayer may lay a call out with other offsets; the signature still holds, so the ledger accepts it."""
    for signed in (world.regulate(ban=(world.METER,)), sign(world.domain, Cancel(world.alice.address, 5), world.alice)):
        call = encode(world, signed)
        offsets = {Regulate: (4, 36), Cancel: (4 + 64,)}[type(signed.tx)]
        moved = bytearray(call)
        for place in offsets:
            moved[place : place + 32] = word(int.from_bytes(call[place : place + 32], "big") + 32)
        head = 4 + 32 * (2 if isinstance(signed.tx, Regulate) else 3)
        moved[head:head] = b"\xff" * 32
        send(chain, world, encoding.encode_relay([bytes(moved) + b"junk"]))
        assert world.ledger.entries()[-1].signed == signed


def word(value):
    return (value % 2**256).to_bytes(32, "big")


def test_a_call_whose_offsets_point_backwards_is_read_as_the_contract_reads_it(chain, world):
    """The contract follows them; a reader that did not would be stopped for good by one malicious relayer."""
    signed = sign(world.domain, Cancel(world.alice.address, 5), world.alice)
    strings = word(65) + signed.signatures[0] + bytes(31)
    signatures = word(1) + word(-len(strings) - 32)
    head = word(int.from_bytes(world.alice.address, "big")) + word(5) + word(96 + len(strings))
    send(chain, world, encoding.encode_relay([encoding.CANCEL + head + strings + signatures]))
    assert world.ledger.entries()[-1].signed == signed


def test_an_empty_array_at_a_place_before_the_call_is_read_as_the_contract_reads_it(chain, world):
    signed = world.regulate(ban=(world.METER,))
    call = bytearray(encode(world, signed))
    prices_offset = 4 + 64 + 5 * 32
    call[prices_offset : prices_offset + 32] = word(-(2**200))
    send(chain, world, encoding.encode_relay([bytes(call)]))
    assert world.ledger.entries()[-1].signed == signed


def test_reading_again_asks_only_for_new_blocks(chain, world, monkeypatch):
    busy(world)
    world.ledger.entries()
    answer, asked = chain.eth.get_logs, []
    monkeypatch.setattr(chain.eth, "get_logs", lambda question: (asked.append(question), answer(question))[1])
    world.ledger.entries()
    world.ledger.status(bytes(32))
    assert asked == []
    world.issue(world.epa(10))
    world.ledger.entries()
    assert len(asked) == 1
    assert asked[0]["fromBlock"] == asked[0]["toBlock"]


def test_a_long_chain_is_read_in_pieces(chain, world, monkeypatch):
    accepted = busy(world)
    monkeypatch.setattr("contracts.sync.follower.CHUNK_BLOCKS", 2)
    reader = EvmLedger.at(chain, world.domain.contract, since_block=world.ledger.since_block)
    assert [e.signed for e in reader.entries()[1:]] == accepted


def test_a_node_that_fails_while_it_is_read_leaves_nothing_counted_twice(chain, world, monkeypatch):
    notes = [world.issue(world.epa())[0] for _ in range(3)]
    monkeypatch.setattr("contracts.sync.follower.CHUNK_BLOCKS", 2)
    reader = EvmLedger.at(chain, world.domain.contract, since_block=world.ledger.since_block)
    answer, asked = chain.eth.get_logs, []

    def fail_at_the_second_question(question):
        asked.append(question)
        if len(asked) == 2:
            raise TimeoutError
        return answer(question)

    monkeypatch.setattr(chain.eth, "get_logs", fail_at_the_second_question)
    with pytest.raises(TimeoutError):
        reader.entries()
    assert reader.entries() == world.ledger.entries()
    assert reader.meter_nonce(world.METER) == len(notes)


def test_what_a_reorganisation_removed_is_forgotten(chain, world):
    tester = chain.provider.ethereum_tester
    (kept,) = world.issue(world.epa())
    snapshot = tester.take_snapshot()
    (lost,) = world.issue(world.epa())
    assert world.ledger.status(lost.id) is NoteStatus.UNSPENT
    tester.revert_to_snapshot(snapshot)
    assert world.ledger.status(lost.id) is NoteStatus.UNKNOWN
    assert world.ledger.status(kept.id) is NoteStatus.UNSPENT
    tester.mine_blocks(3)
    world.issue(world.eca())
    assert len(world.ledger.entries()) == 3


def test_two_ledgers_on_one_chain_do_not_mix(chain, world):
    other = type(world)(EvmLedger.deploy(chain, world.dso.address, world.grid))
    other.issue(other.epa())
    assert len(world.ledger.entries()) == 1
    assert len(other.ledger.entries()) == 2


def test_the_views_of_the_contract_agree_with_what_was_read(world):
    note, _ = world.issue(world.epa(1000, 0, 3), world.fa(500))
    views = world.ledger.views
    world.ledger.entries()
    path = world.ledger._groups.path(note)
    assert views.status(note, path) is NoteStatus.UNSPENT
    assert views.status(note, ()) is NoteStatus.UNKNOWN
    assert views.meter_issued(world.METER, 3) == views.feeder_issued(world.FEEDER, 3) == (1000, 0)
    assert views.meter_issued(world.METER, 4) == (0, 0)
    assert views.meter_outstanding(world.METER) == 500
    assert views.meter_limits(99) is None
    assert views.feeder_caps(99) is None
    assert views.price_at(0) == world.ledger.price_at(0)


def test_before_the_first_price_there_is_none(evm):
    assert evm.price_at(0) is None
    assert evm.views.price_at(0) is None


def test_there_must_be_a_ledger_at_the_address(chain):
    with pytest.raises(NodeError, match="no contract"):
        EvmLedger.at(chain, Address(b"\1" * 20))


def test_time_moves_as_it_is_told_and_never_back(world):
    ledger = world.ledger
    ledger.advance_to(ledger.now_s + 1000)
    told = ledger.now_s
    receipt = world.submit(world.withdraw(world.epa()))
    assert receipt.time_s == told
    ledger.advance_to(told - 500)
    assert ledger.now_s == told
    assert world.submit(world.withdraw(world.epa())).time_s == told + 1


def test_a_price_for_this_very_moment_is_in_time(world):
    world.ledger.advance_to(world.ledger.now_s + 50)
    price = PriceChange(world.ledger.now_s, 5, 4)
    assert world.submit(world.regulate(prices=(price,))).accepted


def test_receipts_and_entries_are_what_the_port_says(world):
    receipt = world.submit(world.withdraw(world.epa()))
    entry = world.ledger.entries()[-1]
    assert entry == Entry(1, receipt.time_s, receipt.digest, entry.signed)
    assert not isinstance(receipt.refusal, Refusal)
