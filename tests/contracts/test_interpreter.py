"""Fused instructions change nothing: same gas, same state roots, same faults as py-evm's own."""

import pytest
from eth.vm.forks.prague import PragueVM
from eth_tester import EthereumTester
from hypothesis import given, settings
from hypothesis import strategies as st
from web3 import EthereumTesterProvider, Web3

from assets.intervals import IntervalGrid
from contracts import tester
from contracts.interpreter import FusedVM, landings
from contracts.ledger import EvmLedger

GENESIS_S = 1_700_000_000


def chain_with(rules):
    genesis = tester.SteadyBackend.generate_genesis_params({"timestamp": GENESIS_S - 900, "gas_limit": 10**8})
    state = tester.SteadyBackend.generate_genesis_state(num_accounts=1)
    backend = tester.SteadyBackend(genesis_parameters=genesis, genesis_state=state, vm_configuration=((0, rules),))
    return Web3(EthereumTesterProvider(EthereumTester(backend=backend)))


@pytest.fixture
def pair():
    return chain_with(PragueVM), chain_with(FusedVM)


def test_a_ledger_has_the_same_state_and_gas_on_both(pair, world):
    outcomes = []
    for w3 in pair:
        copy = type(world)(EvmLedger.deploy(w3, world.dso.address, IntervalGrid(GENESIS_S, 3600)))
        note, money = copy.issue(copy.epa(1000, 0, 3), copy.fa())
        moved = copy.transact([note, money], [copy.fa(), copy.epa(1000, 0, 3, owner=copy.bob)], copy.alice)
        copy.ledger.submit([moved, moved, copy.withdraw(copy.epa(9999)), copy.withdraw(copy.eca())])
        roots = [w3.eth.get_block(n)["stateRoot"] for n in range(w3.eth.block_number + 1)]
        outcomes.append((copy.ledger.entries(), copy.ledger.gas_used_total, roots))
    assert outcomes[0] == outcomes[1]
    assert len(outcomes[0][2]) == 5


def run(w3, code):
    """Creation code run as a transaction: status, gas and the code it leaves."""
    price = 2 * w3.eth.get_block("latest")["baseFeePerGas"]
    tx = {"from": w3.eth.accounts[0], "data": code, "gas": 200_000, "gasPrice": price}
    receipt = w3.eth.wait_for_transaction_receipt(w3.eth.send_transaction(tx))
    return (
        receipt["status"],
        receipt["gasUsed"],
        w3.eth.get_code(receipt["contractAddress"]) if receipt["status"] else b"",
    )


COMMON = [0x01, 0x03, 0x10, 0x11, 0x14, 0x15, 0x16, 0x17, 0x1B, 0x1C, 0x50, 0x56, 0x57, 0x5B, 0x80, 0x81, 0x90, 0x91]
pushes = st.integers(1, 32).flatmap(
    lambda n: st.binary(min_size=n, max_size=n).map(lambda data: bytes([0x5F + len(data)]) + data)
)
small_pushes = st.integers(0, 60).map(lambda value: bytes([0x60, value]))
programs = st.lists(
    st.one_of(small_pushes, small_pushes, pushes, st.sampled_from(COMMON).map(lambda o: bytes([o]))), max_size=40
).map(b"".join)
RETURN_TOP = bytes.fromhex("5f5260205ff3")
"""Store the top of the stack and return it as code."""


@pytest.fixture(scope="module")
def lasting_pair():
    return chain_with(PragueVM), chain_with(FusedVM)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(start=st.lists(pushes, min_size=0, max_size=6), program=programs)
def test_random_programs_have_the_same_outcome(lasting_pair, start, program):
    code = b"".join(start) + program + RETURN_TOP
    own, fused = (run(w3, code) for w3 in lasting_pair)
    assert own == fused


@pytest.mark.parametrize(
    "program",
    [
        "50",  # POP on nothing
        "80",  # DUP1 on nothing
        "600190",  # SWAP1 on one item
        "600101",  # ADD on one item
        "600056",  # jump to a PUSH
        "600456005b",  # jump over a STOP
        "6005566101005b",  # jump into the data of a PUSH
        "61ffff56",  # jump beyond the code
        "600160ff57",  # no jump, for the condition comes second
        "5b600056",  # a loop until the gas is gone
        "7f" + "ff" * 31,  # a PUSH cut off by the end of the code
        "5b6001600056",  # a loop that fills the stack
        "15",
        "6001610100" + "1b",  # shift by 256
        "6001610100" + "1c",
    ],
)
def test_faults_and_edges_have_the_same_outcome(lasting_pair, program):
    own, fused = (run(w3, bytes.fromhex(program)) for w3 in lasting_pair)
    assert own == fused


def test_the_data_of_a_push_is_no_place_to_land():
    assert landings(bytes.fromhex("5b605b5b7f" + "5b" * 32 + "5b")) == {0, 3, 37}
    assert landings(b"") == frozenset()
