"""The relay list is what the ledger's present DSO key signed last, rebuilt by anybody from the chain alone."""

from dataclasses import replace

import pytest
from eth_abi.abi import encode

from assets.hashing import keccak
from assets.intervals import IntervalGrid
from assets.keys import Address, SigningKey, ThrowAwayKeys
from assets.transactions import Domain, Regulate, sign
from contracts import relayer
from contracts.errors import NodeError, RelayError
from contracts.ledger import EvmLedger
from contracts.relay_lists import MAX_BYTES, NotRecorded, RecordedList, RelayLists, list_digest, list_hash, load
from tests.contracts.conftest import open_chain

_KEYS = ThrowAwayKeys(4, "relay lists")
DSO, SUCCESSOR, STRANGER = _KEYS.fresh(), _KEYS.fresh(), _KEYS.fresh()
ONE, TWO = b'{"version":1}', b'{"version":1,"relays":[]}'


@pytest.fixture(scope="module")
def chain():
    """A chain of its own where it is in this process: for a log, eth-tester reads every block of all other tests."""
    return open_chain()


@pytest.fixture
def ledger(chain) -> EvmLedger:
    now_s = int(chain.eth.get_block("latest")["timestamp"])
    return EvmLedger.deploy(chain, DSO.address, IntervalGrid(now_s // 3600 * 3600 + 7200, 3600))


@pytest.fixture
def lists(chain, ledger) -> RelayLists:
    return RelayLists.deploy(chain, ledger.domain.contract)


def test_the_last_version_is_found_from_the_ledgers_address_alone(chain, ledger, lists):
    assert RelayLists.find(chain, ledger.domain.contract) is None
    assert lists.latest() is None
    assert lists.record(ONE, DSO) == RecordedList(1, ONE)
    assert lists.record(TWO, DSO).version == 2
    found = RelayLists.find(chain, ledger.domain.contract)
    assert found.address == lists.address
    assert found.latest() == RecordedList(2, TWO)
    assert found.latest().digest == list_hash(TWO)


def test_only_the_ledgers_present_dso_key_records(ledger, lists):
    with pytest.raises(NotRecorded, match="present DSO key"):
        lists.record(ONE, STRANGER)
    handover = sign(ledger.domain, Regulate(ledger.regulation_nonce(), successor=SUCCESSOR.address), DSO, SUCCESSOR)
    lists.record(ONE, DSO)
    ledger.submit([handover])[0].require()
    with pytest.raises(NotRecorded, match="present DSO key"):
        lists.record(TWO, DSO)
    assert lists.latest() == RecordedList(1, ONE)
    lists.record(TWO, SUCCESSOR)
    assert lists.latest() == RecordedList(2, TWO)


def test_a_signature_is_for_one_version_list_contract_and_chain(chain, ledger, lists):
    def refused(recorded: RecordedList, signature: bytes, why: str) -> None:
        with pytest.raises(NotRecorded, match=why):
            lists.relay(recorded, signature)
        assert lists.latest() is None

    good = DSO.sign(list_digest(lists.domain, 1, ONE))
    other = RelayLists.deploy(chain, ledger.domain.contract)
    refused(RecordedList(1, TWO), good, "DSO key")
    refused(RecordedList(2, ONE), DSO.sign(list_digest(lists.domain, 2, ONE)), "next version")
    refused(RecordedList(0, ONE), DSO.sign(list_digest(lists.domain, 0, ONE)), "next version")
    for domain in (other.domain, ledger.domain, replace(lists.domain, chain_id=1), Domain(1, ledger.domain.contract)):
        refused(RecordedList(1, ONE), DSO.sign(list_digest(domain, 1, ONE)), "DSO key")
    order = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
    high = good[:32] + (order - int.from_bytes(good[32:64], "big")).to_bytes(32, "big") + bytes([55 - good[64]])
    for damaged in (b"", good[:-1], good + b"\x00", good[:-1] + b"\x00", high, bytes(65)):
        refused(RecordedList(1, ONE), damaged, "DSO key")
    lists.relay(RecordedList(1, ONE), good)
    with pytest.raises(NotRecorded, match="next version"):
        lists.relay(RecordedList(1, ONE), good)
    assert lists.latest() == RecordedList(1, ONE)


def test_a_list_has_a_length(lists):
    for data in (b"", bytes(MAX_BYTES + 1)):
        with pytest.raises(NotRecorded, match="empty or longer"):
            lists.record(data, DSO)


def test_a_contract_that_is_not_this_programs_or_of_another_ledger_is_none(chain, ledger, lists):
    lists.record(ONE, DSO)
    strange = SigningKey.generate().address
    assert RelayLists.find(chain, strange) is None
    for contract, of in ((lists.address, strange), (ledger.domain.contract, ledger.domain.contract)):
        with pytest.raises(NodeError, match="no relay lists of ledger"):
            RelayLists(chain, contract, of)
    with pytest.raises(RelayError, match="beside a ledger"):
        RelayLists.deploy(chain, Address(bytes(19) + b"\x99"))


def test_who_deploys_another_contract_does_not_get_before_the_first(chain, ledger, lists):
    RelayLists.deploy(chain, ledger.domain.contract)
    lists.record(ONE, DSO)
    later = RelayLists.deploy(chain, ledger.domain.contract)
    later.record(TWO, DSO)
    assert RelayLists.find(chain, ledger.domain.contract).address == lists.address


def forge(chain, ledger: Address, data: bytes) -> Address:
    """Deploy this program's very code, with a version and an event that nobody signed put there by its constructor."""
    runtime = bytes.fromhex(load()["deployedBytecode"][2:]).replace(b"\x7f" + bytes(32), b"\x7f" + bytes(12) + ledger)
    event = encode(("bytes",), (data,))
    topic = keccak(b"RelayListRecorded(address,uint64,bytes32,bytes)")
    hashed = list_hash(data)

    def push(value: bytes) -> bytes:
        return bytes([0x5F + len(value)]) + value

    def code(start: int) -> bytes:
        def copy(at: int, size: int) -> bytes:
            return push(size.to_bytes(3, "big")) + push(at.to_bytes(3, "big")) + push(b"\0") + b"\x39"

        size = len(event).to_bytes(3, "big")
        return b"".join(
            (
                push(b"\x01") + push(b"\0") + b"\x55",  # version = 1
                push(hashed) + push(b"\x01") + b"\x55",  # listHash
                copy(start, len(event)),
                push(hashed) + push(b"\x01") + push(ledger) + push(topic) + push(size) + push(b"\0") + b"\xa4",
                copy(start + len(event), len(runtime)),
                push(len(runtime).to_bytes(3, "big")) + push(b"\0") + b"\xf3",
            )
        )

    init = code(len(code(0)))
    transaction = {"data": "0x" + (init + event + runtime).hex(), "gas": 3_000_000}
    (receipt,) = relayer.choose(chain).send(chain, [transaction])
    assert receipt["status"] == 1
    return Address(bytes.fromhex(receipt["contractAddress"][2:]))


def test_a_list_that_a_constructor_put_there_is_nobodys(chain, ledger):
    of = ledger.domain.contract
    forged = RelayLists(chain, forge(chain, of, TWO), of)
    with pytest.raises(NodeError, match="not signed by the DSO"):
        forged.latest()
    assert RelayLists.find(chain, of) is None
    honest = RelayLists.deploy(chain, of)
    honest.record(ONE, DSO)
    found = RelayLists.find(chain, of)
    assert found.address == honest.address
    assert found.latest() == RecordedList(1, ONE)


def test_a_first_contract_is_found_after_its_key_was_handed_on(chain, ledger, lists):
    lists.record(ONE, DSO)
    handover = sign(ledger.domain, Regulate(ledger.regulation_nonce(), successor=SUCCESSOR.address), DSO, SUCCESSOR)
    ledger.submit([handover])[0].require()
    found = RelayLists.find(chain, ledger.domain.contract)
    assert found.address == lists.address
    assert found.latest() == RecordedList(1, ONE)
