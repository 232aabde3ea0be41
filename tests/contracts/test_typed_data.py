"""EIP-712 digests: assets, eth-account's independent implementation, and the contract agree."""

import pytest
from eth_abi import decode
from eth_account.messages import _hash_eip191_message, encode_typed_data

from assets.keys import recover_address
from assets.notes import issued
from assets.transactions import PriceChange, Regulate, Settlement, Transact, Withdraw, digest
from contracts import artifact, encoding

NOTE = [
    {"name": "kind", "type": "uint8"},
    {"name": "owner", "type": "address"},
    {"name": "quantity", "type": "uint64"},
    {"name": "start", "type": "uint32"},
    {"name": "end", "type": "uint32"},
]


def fields(**types):
    return [{"name": name, "type": kind} for name, kind in types.items()]


TYPES = {
    "Note": NOTE,
    "Withdraw": fields(meter="uint32", nonce="uint64", window="uint32", outputs="Note[]"),
    "Transact": fields(inputs="bytes32[]", outputs="Note[]", memo="bytes32"),
    "FeederCapacity": fields(feeder="uint32", exportW="uint64", importW="uint64"),
    "Authorisation": fields(
        meter="uint32", key="address", feeder="uint32", maxEpaW="uint64", maxEcaW="uint64", creditNano="uint64"
    ),
    "Settlement": fields(meter="uint32", amountNano="uint64"),
    "PriceChange": fields(timeS="uint64", consumptionNanoPerWh="uint64", productionNanoPerWh="uint64"),
    "Regulate": fields(
        nonce="uint64",
        feeders="FeederCapacity[]",
        authorise="Authorisation[]",
        ban="uint32[]",
        settle="Settlement[]",
        prices="PriceChange[]",
    ),
}


def as_message(value, kind):
    if kind.endswith("[]"):
        return [as_message(item, kind[:-2]) for item in value]
    if kind in TYPES:
        values = [getattr(value, name) for name in value.__slots__]
        return {f["name"]: as_message(v, f["type"]) for f, v in zip(TYPES[kind], values, strict=True)}
    return "0x" + value.hex() if isinstance(value, bytes) else int(value)


def by_eth_account(domain, tx):
    name = type(tx).__name__
    message = as_message(tx, name) if not isinstance(tx, Transact) else transact_message(tx)
    signable = encode_typed_data(
        domain_data={
            "name": "PETra",
            "version": "1",
            "chainId": domain.chain_id,
            "verifyingContract": "0x" + domain.contract.hex(),
        },
        message_types={k: v for k, v in TYPES.items() if k in needed(name)},
        message_data=message,
    )
    return bytes(_hash_eip191_message(signable))


def transact_message(tx):
    return {
        "inputs": ["0x" + i.id.hex() for i in tx.inputs],
        "outputs": as_message(tx.outputs, "Note[]"),
        "memo": "0x" + tx.memo.hex(),
    }


def needed(name):
    nested = {f["type"].removesuffix("[]") for f in TYPES[name]} & set(TYPES)
    return {name} | nested


@pytest.fixture
def signed_transactions(world):
    """One of each kind, as the contract accepts them."""
    withdrawn = world.withdraw(world.epa(), world.eca(1, 0, 7), world.fa(2**29))
    receipts = [world.submit(withdrawn)]
    inputs = issued(withdrawn.tx.outputs, receipts[0].digest)
    moved = world.transact(inputs, [n.note for n in reversed(inputs)], world.alice)
    receipts.append(world.submit(moved))
    ruled = world.signed_by_dso(
        Regulate(
            1,
            ban=(world.METER, world.OTHER_METER),
            settle=(Settlement(world.METER, 2**28),),
            prices=(PriceChange(2**33, 2, 1), PriceChange(2**34, 3, 3)),
        )
    )
    receipts.append(world.submit(ruled))
    assert [r.refusal for r in receipts] == [None] * 3
    return [withdrawn, moved, ruled]


def test_digests_are_those_of_eth_account_and_of_the_contract(world, signed_transactions):
    on_chain = [entry.digest for entry in world.ledger.entries()[1:]]
    ours = [digest(world.domain, signed.tx) for signed in signed_transactions]
    assert on_chain == ours == [by_eth_account(world.domain, signed.tx) for signed in signed_transactions]


def test_the_first_regulation_has_grants_and_feeders_and_the_same_digest_too(world):
    first = world.ledger.entries()[0]
    assert first.signed.tx.authorise
    assert first.signed.tx.feeders
    assert first.digest == by_eth_account(world.domain, first.signed.tx)
    assert recover_address(first.digest, first.signed.signatures[0]) == world.dso.address


def test_the_contract_tells_its_domain(chain, world):
    to = chain.to_checksum_address("0x" + world.domain.contract.hex())
    answer = chain.eth.call({"to": to, "data": "0x" + artifact.selectors("function")["eip712Domain"].hex()})
    types = ["bytes1", "string", "string", "uint256", "address", "bytes32", "uint256[]"]
    expected = (b"\x0f", "PETra", "1", chain.eth.chain_id, to.lower(), bytes(32), ())
    assert decode(types, bytes(answer)) == expected


def test_kinds_have_distinct_selectors():
    assert len({encoding.WITHDRAW, encoding.TRANSACT, encoding.REGULATE, encoding.RELAY}) == 4


def test_withdraw_type_has_the_fields_of_the_dataclass():
    assert list(Withdraw.__slots__) == [f["name"] for f in TYPES["Withdraw"]]
