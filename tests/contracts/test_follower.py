"""Following a chain that grows, is set back, or is told wrongly."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts import nodes
from contracts.errors import NodeBehind, NodeError, Reorganised
from contracts.ledger import EvmLedger
from contracts.relayer import Patience
from contracts.sync.file import FileStore
from contracts.sync.follower import Follower
from contracts.sync.store import MemoryStore


def follower(world, store=None, confirmations=1, chain=None):
    chain = chain or world.ledger._w3
    since = world.ledger.since_block
    return Follower(chain, world.domain.contract, store or MemoryStore(), lambda records: None, since, confirmations)


def blocks(records):
    return [r.block for r in records]


def test_the_first_call_gives_all_and_the_next_what_came_since(world):
    reader = follower(world)
    first = reader.changes()
    assert (first.kept, len(first.fresh)) == (0, 1)
    world.issue(world.epa())
    world.issue(world.epa())
    second = reader.changes()
    assert (second.kept, len(second.fresh)) == (1, 2)
    assert reader.changes().fresh == []


def test_who_starts_again_with_the_same_store_goes_on_from_there(world, tmp_path):
    store = FileStore(tmp_path / "ledger.sqlite", world.domain)
    follower(world, store).changes()
    world.issue(world.epa())
    again = follower(world, store).changes()
    assert (again.kept, len(again.fresh)) == (0, 2)
    assert again.fresh == follower(world).changes().fresh


def test_only_confirmed_blocks_are_read(chain, world):
    reader = follower(world, confirmations=3)
    assert reader.changes().fresh == []
    chain.provider.ethereum_tester.mine_blocks(1)
    assert reader.changes().fresh == []
    chain.provider.ethereum_tester.mine_blocks(1)
    assert len(reader.changes().fresh) == 1


def test_what_a_reorganisation_drops_is_taken_back_and_what_it_brings_is_read(chain, world, tmp_path):
    tester = chain.provider.ethereum_tester
    reader = follower(world, FileStore(tmp_path / "ledger.sqlite", world.domain))
    world.issue(world.epa())
    snapshot = tester.take_snapshot()
    world.issue(world.epa())
    world.issue(world.epa())
    assert len(reader.changes().fresh) == 4
    tester.revert_to_snapshot(snapshot)
    world.issue(world.eca())
    world.issue(world.eca())
    world.issue(world.eca())
    after = reader.changes()
    assert (after.kept, len(after.fresh)) == (2, 3)
    assert reader.records() == follower(world).changes().fresh


def test_a_reorganisation_beyond_the_window_reads_all_again(chain, world, monkeypatch):
    monkeypatch.setattr("contracts.sync.store.WINDOW", 2)
    tester = chain.provider.ethereum_tester
    snapshot = tester.take_snapshot()
    reader = follower(world)
    for _ in range(4):
        world.issue(world.epa())
    assert len(reader.changes().fresh) == 5
    tester.revert_to_snapshot(snapshot)
    for _ in range(6):
        world.issue(world.eca())
    after = reader.changes()
    assert (after.kept, len(after.fresh)) == (0, 7)


@settings(max_examples=15)
@given(st.lists(st.sampled_from(["issue", "mine", "fork", "read"]), max_size=12), st.integers(1, 3))
def test_whatever_the_chain_does_the_store_is_the_chain(make_world, script, confirmations):
    world = make_world()
    tester = world.ledger._w3.provider.ethereum_tester
    reader, seen, snapshot = follower(world, confirmations=confirmations), [], tester.take_snapshot()
    for step in [*script, "read"]:
        match step:
            case "issue":
                world.issue(world.epa(1))
            case "mine":
                tester.mine_blocks(1)
            case "fork":
                tester.revert_to_snapshot(snapshot)
                tester.mine_blocks(2)
                snapshot = tester.take_snapshot()
            case "read":
                changes = reader.changes()
                seen = seen[: changes.kept] + changes.fresh
                assert seen == reader.records() == follower(world, confirmations=confirmations).changes().fresh


def test_a_node_that_lags_behind_is_an_error_and_nothing_is_taken_back(chain, world, monkeypatch):
    tester = chain.provider.ethereum_tester
    snapshot = tester.take_snapshot()
    world.issue(world.epa())
    reader = follower(world)
    assert len(reader.changes().fresh) == 2
    tester.revert_to_snapshot(snapshot)
    monkeypatch.setattr(nodes, "in_this_process", lambda w3: False)
    with pytest.raises(NodeBehind, match="lags behind"):
        reader.changes()
    assert len(reader.records()) == 2
    for nonce in (1, 2):  # and, before them, the relayer sends again what the node lost
        world.submit(world.withdraw(world.eca(), nonce=nonce)).require()
    after = reader.changes()
    assert (after.kept, len(after.fresh)) == (1, 3)


def spoiled(monkeypatch, chain, method, spoil):
    """Let the node's answers to ``method`` pass through ``spoil``."""
    answer = getattr(chain.eth, method)
    monkeypatch.setattr(chain.eth, method, lambda *question: spoil(answer(*question)))


@pytest.mark.parametrize(
    "change",
    [
        {"address": "0x" + "99" * 20},
        {"blockNumber": 10**6},
        {"blockNumber": None},
        {"topics": None},
        {"logIndex": "first"},
        {"removed": True},
    ],
)
def test_events_that_were_not_asked_for_are_an_error_and_not_kept(chain, world, monkeypatch, change):
    spoiled(monkeypatch, chain, "get_logs", lambda logs: [{**log, **change} for log in logs])
    reader = follower(world)
    with pytest.raises(NodeError, match="ask another node"):
        reader.changes()
    assert reader.records() == []


def test_an_event_that_is_reported_twice_is_an_error(chain, world, monkeypatch):
    spoiled(monkeypatch, chain, "get_logs", lambda logs: [*logs, *logs])
    with pytest.raises(NodeError, match="twice"):
        follower(world).changes()


def test_events_out_of_order_are_put_in_order(chain, world, monkeypatch):
    world.issue(world.epa())
    world.issue(world.epa())
    expected = follower(world).changes().fresh
    spoiled(monkeypatch, chain, "get_logs", lambda logs: list(reversed(logs)))
    assert follower(world).changes().fresh == expected


def test_events_of_blocks_that_are_not_on_the_chain_are_never_kept(chain, world, monkeypatch):
    spoiled(monkeypatch, chain, "get_logs", lambda logs: [{**log, "blockHash": bytes(32)} for log in logs])
    reader = follower(world)
    with pytest.raises(NodeError, match="change faster"):
        reader.changes()
    assert reader.records() == []


def test_a_node_that_has_not_indexed_its_newest_block_yet_is_asked_for_it_again(chain, world, monkeypatch):
    world.issue(world.epa())
    answer, asked = chain.eth.get_logs, []

    def forgetful(question):
        asked.append(question)
        return answer(question) if question["fromBlock"] == question["toBlock"] else []

    monkeypatch.setattr(chain.eth, "get_logs", forgetful)
    assert len(follower(world).changes().fresh) == 2
    assert not any("topics" in question for question in asked)


def test_questions_are_for_ranges_of_blocks_and_never_for_anybody(chain, world, monkeypatch):
    world.issue(world.epa())
    answer, asked = chain.eth.get_logs, []
    monkeypatch.setattr(chain.eth, "get_logs", lambda question: (asked.append(question), answer(question))[1])
    reader = EvmLedger.at(chain, world.domain.contract, since_block=world.ledger.since_block)
    reader.entries()
    reader.status(bytes(32))
    reader.meter_nonce(1)
    assert [set(question) for question in asked] == [{"address", "fromBlock", "toBlock"}]


def test_whoever_reads_on_after_a_reorganisation_is_told_so_once(chain, world):
    tester = chain.provider.ethereum_tester
    snapshot = tester.take_snapshot()
    world.issue(world.epa())
    reader = EvmLedger.at(chain, world.domain.contract, since_block=world.ledger.since_block)
    assert len(reader.entries()) == 2
    tester.revert_to_snapshot(snapshot)
    world.issue(world.eca())
    world.issue(world.eca())
    with pytest.raises(Reorganised, match="from number 1 on") as caught:
        reader.entries(2)
    assert caught.value.seq == 1
    assert [e.seq for e in reader.entries(1)] == [1, 2]
    assert reader.entries(3) == []


def test_a_ledger_opened_with_a_file_folds_it_without_asking_again(chain, world, tmp_path, monkeypatch):
    world.issue(world.epa())
    path, since = tmp_path / "ledger.sqlite", world.ledger.since_block
    first = EvmLedger.at(chain, world.domain.contract, since_block=since, store=FileStore(path, world.domain))
    entries = first.entries()
    monkeypatch.setattr(chain.eth, "get_logs", lambda question: pytest.fail("asked again"))
    second = EvmLedger.at(chain, world.domain.contract, since_block=since, store=FileStore(path, world.domain))
    assert second.entries() == entries
    assert second.meter_nonce(world.METER) == 1


def test_the_time_of_the_ledger_is_that_of_the_blocks_that_count(chain, world):
    chain.provider.ethereum_tester.mine_blocks(3)
    careful = EvmLedger.at(chain, world.domain.contract, patience=Patience(confirmations=3))
    assert careful.now_s == chain.eth.get_block(chain.eth.block_number - 2)["timestamp"]
