"""EIP-712 digests: assets, eth-account's independent implementation, and the contract agree."""

from dataclasses import replace

import pytest
from eth_abi import decode
from eth_account.messages import _hash_eip191_message, encode_typed_data

from assets.keys import recover_address
from assets.notes import issued
from assets.orders import Order, order_digest
from assets.transactions import (
    Cancel,
    PriceChange,
    Regulate,
    Settle,
    Settlement,
    Signed,
    Transact,
    Withdraw,
    digest,
    sign,
)
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
        timeS="uint40",
        successor="address",
    ),
    "Order": fields(
        side="uint8",
        energy="bytes32",
        money="bytes32[]",
        limitNanoPerWh="uint64",
        deliverTo="address",
        payTo="address",
        expiresS="uint64",
        leastW="uint32",
        keepAt="address",
        nonce="uint8",
    ),
    "Fill": fields(sell="bytes32", buy="bytes32", powerW="uint32", priceNanoPerWh="uint64"),
    "Settle": fields(fills="Fill[]"),
    "Cancel": fields(owner="address", nonces="uint256"),
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
    match tx:
        case Transact():
            message = transact_message(tx)
        case Order():
            message = as_message(replace(tx, energy=tx.energy.id, money=tuple(m.id for m in tx.money)), name)
        case Settle():
            message = {"fills": [fill_message(domain, fill) for fill in tx.fills]}
        case _:
            message = as_message(tx, name)
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


def fill_message(domain, fill):
    sell, buy = ("0x" + by_eth_account(domain, signed.order).hex() for signed in (fill.sell, fill.buy))
    return {"sell": sell, "buy": buy, "powerW": fill.power_w, "priceNanoPerWh": fill.price_nano_per_wh}


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
            time_s=2**35,
        )
    )
    receipts.append(world.submit(ruled))
    cancel = sign(world.domain, Cancel(world.bob.address, 2**255 + 3), world.bob)
    receipts.append(world.submit(cancel))
    assert [r.refusal for r in receipts] == [None] * 4
    return [withdrawn, moved, ruled, cancel]


def test_orders_and_settlements_have_the_digests_of_eth_account(world):
    fill = world.fill(world.market(), sell={"nonce": 255, "keep_at": world.bob.address})
    for signed in (fill.sell, fill.buy):
        assert order_digest(world.domain, signed.order) == by_eth_account(world.domain, signed.order)
    settle = Settle((fill,))
    receipt = world.submit(Signed(settle, ())).require()
    assert receipt.digest == world.ledger.entries()[-1].digest == by_eth_account(world.domain, settle)


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
