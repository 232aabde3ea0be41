"""EIP-712 digests, compared with eth_account, and golden vectors for whoever writes a second implementation.

``vectors/eip712.json`` is written by ``python -m tests.assets.test_transactions``: digests and note ids come from
eth_account and eth_abi alone, never from the code under test. Each case holds the domain, the transaction in the
canonical encoding of :mod:`assets.codec`, its digest, the ids of its inputs and outputs, and signatures; ``refused``
holds signatures that recover nobody.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from eth_abi import encode
from eth_abi.packed import encode_packed
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_utils import keccak
from hypothesis import given
from hypothesis import strategies as st

from assets.codec import signed_from_json, signed_to_json
from assets.keys import ORDER, ZERO_ADDRESS, Address, Digest, SigningKey, recover_address
from assets.notes import IssuedNote, Kind, Note, eca, epa, fa, issued
from assets.orders import Fill, Order, Side, SignedOrder, order_digest
from assets.transactions import (
    Authorisation,
    Cancel,
    Domain,
    FeederCapacity,
    PriceChange,
    Regulate,
    Settle,
    Settlement,
    Signed,
    Transact,
    Transaction,
    Withdraw,
    digest,
    sign,
)
from tests.assets.drawing import (
    addresses,
    cancellations,
    orders,
    regulations,
    settlements,
    transactions,
    transfers,
    withdrawals,
)

VECTORS = Path(__file__).parent / "vectors" / "eip712.json"


def members(text: str) -> list[dict[str, str]]:
    return [dict(zip(("type", "name"), member.split(), strict=True)) for member in text.split(",")]


TYPES = {
    "EIP712Domain": members("string name,string version,uint256 chainId,address verifyingContract"),
    "Note": members("uint8 kind,address owner,uint64 quantity,uint32 start,uint32 end"),
    "FeederCapacity": members("uint32 feeder,uint64 exportW,uint64 importW"),
    "Authorisation": members("uint32 meter,address key,uint32 feeder,uint64 maxEpaW,uint64 maxEcaW,uint64 creditNano"),
    "Settlement": members("uint32 meter,uint64 amountNano"),
    "PriceChange": members("uint64 timeS,uint64 consumptionNanoPerWh,uint64 productionNanoPerWh"),
    "Withdraw": members("uint32 meter,uint64 nonce,uint32 window,Note[] outputs"),
    "Transact": members("bytes32[] inputs,Note[] outputs,bytes32 memo"),
    "Regulate": members(
        "uint64 nonce,FeederCapacity[] feeders,Authorisation[] authorise,uint32[] ban,"
        "Settlement[] settle,PriceChange[] prices,uint40 timeS,address successor"
    ),
    "Order": members(
        "uint8 side,bytes32 energy,bytes32[] money,uint64 limitNanoPerWh,address deliverTo,address payTo,"
        "uint64 expiresS,uint32 leastW,address keepAt,uint8 nonce"
    ),
    "Fill": members("bytes32 sell,bytes32 buy,uint32 powerW,uint64 priceNanoPerWh"),
    "Settle": members("Fill[] fills"),
    "Cancel": members("address owner,uint256 nonces"),
}
USED = {
    "Withdraw": ["Note"],
    "Transact": ["Note"],
    "Regulate": ["FeederCapacity", "Authorisation", "Settlement", "PriceChange"],
    "Settle": ["Fill"],
    "Order": [],
    "Cancel": [],
}


def as_hex(data: bytes) -> str:
    return "0x" + data.hex()


def note_message(note: Note) -> dict[str, Any]:
    return {
        "kind": int(note.kind),
        "owner": as_hex(note.owner),
        "quantity": note.quantity,
        "start": note.start,
        "end": note.end,
    }


def abi_note_id(issued_note: IssuedNote) -> bytes:
    """Keccak-256 of the note's packed word, its origin and its index, by eth_abi's packing alone."""
    note = issued_note.note
    if note.kind == Kind.FA:
        types, fields = ["uint24", "uint64"], [0, note.quantity]
    else:
        further = note.end - note.start
        types, fields = ["uint8", "uint32", "uint32", "uint16"], [0, note.quantity, note.start, further]
    packed = encode_packed(["address", "uint8", *types], [as_hex(note.owner), int(note.kind), *fields])
    return keccak(encode(["bytes32", "bytes32", "uint256"], [packed, issued_note.origin, issued_note.index]))


def message(domain: Domain, tx: Transaction | Order) -> dict[str, Any]:
    match tx:
        case Withdraw():
            notes = [note_message(note) for note in tx.outputs]
            return {"meter": tx.meter, "nonce": tx.nonce, "window": tx.window, "outputs": notes}
        case Transact():
            notes = [note_message(note) for note in tx.outputs]
            return {"inputs": [abi_note_id(i) for i in tx.inputs], "outputs": notes, "memo": tx.memo}
        case Order():
            return {
                "side": int(tx.side),
                "energy": abi_note_id(tx.energy),
                "money": [abi_note_id(note) for note in tx.money],
                "limitNanoPerWh": tx.limit_nano_per_wh,
                "deliverTo": as_hex(tx.deliver_to),
                "payTo": as_hex(tx.pay_to),
                "expiresS": tx.expires_s,
                "leastW": tx.least_w,
                "keepAt": as_hex(tx.keep_at),
                "nonce": tx.nonce,
            }
        case Settle():
            fills = [
                {
                    "sell": wallet_digest(domain, fill.sell.order),
                    "buy": wallet_digest(domain, fill.buy.order),
                    "powerW": fill.power_w,
                    "priceNanoPerWh": fill.price_nano_per_wh,
                }
                for fill in tx.fills
            ]
            return {"fills": fills}
        case Cancel():
            return {"owner": as_hex(tx.owner), "nonces": tx.nonces}
        case Regulate():
            return {
                "nonce": tx.nonce,
                "feeders": [{"feeder": f.feeder, "exportW": f.export_w, "importW": f.import_w} for f in tx.feeders],
                "authorise": [
                    {
                        "meter": a.meter,
                        "key": as_hex(a.key),
                        "feeder": a.feeder,
                        "maxEpaW": a.max_epa_w,
                        "maxEcaW": a.max_eca_w,
                        "creditNano": a.credit_nano,
                    }
                    for a in tx.authorise
                ],
                "ban": list(tx.ban),
                "settle": [{"meter": s.meter, "amountNano": s.amount_nano} for s in tx.settle],
                "prices": [
                    {
                        "timeS": p.time_s,
                        "consumptionNanoPerWh": p.consumption_nano_per_wh,
                        "productionNanoPerWh": p.production_nano_per_wh,
                    }
                    for p in tx.prices
                ],
                "timeS": tx.time_s,
                "successor": as_hex(tx.successor),
            }


def typed_data(domain: Domain, tx: Transaction | Order) -> dict[str, Any]:
    name = type(tx).__name__
    return {
        "types": {key: TYPES[key] for key in ("EIP712Domain", name, *USED[name])},
        "primaryType": name,
        "domain": {
            "name": "PETra",
            "version": "1",
            "chainId": domain.chain_id,
            "verifyingContract": as_hex(domain.contract),
        },
        "message": message(domain, tx),
    }


def wallet_digest(domain: Domain, tx: Transaction | Order) -> bytes:
    """The digest that any EIP-712 wallet would sign."""
    signable = encode_typed_data(full_message=typed_data(domain, tx))
    return keccak(b"\x19" + signable.version + signable.header + signable.body)


domains = st.builds(Domain, st.integers(0, 2**256 - 1), addresses)


@given(domains, withdrawals)
def test_the_digest_of_a_withdrawal_is_the_one_a_wallet_signs(domain, tx):
    assert digest(domain, tx) == wallet_digest(domain, tx)


@given(domains, transfers)
def test_the_digest_of_a_transfer_is_the_one_a_wallet_signs(domain, tx):
    assert digest(domain, tx) == wallet_digest(domain, tx)


@given(domains, regulations)
def test_the_digest_of_a_regulation_is_the_one_a_wallet_signs(domain, tx):
    assert digest(domain, tx) == wallet_digest(domain, tx)


@given(domains, settlements)
def test_the_digest_of_a_settlement_is_that_of_its_typed_data(domain, tx):
    assert digest(domain, tx) == wallet_digest(domain, tx)


@given(domains, st.one_of(orders(Side.SELL), orders(Side.BUY)))
def test_the_digest_of_an_order_is_the_one_a_wallet_signs(domain, order):
    assert order_digest(domain, order) == wallet_digest(domain, order)


@given(domains, cancellations)
def test_the_digest_of_a_cancellation_is_the_one_a_wallet_signs(domain, tx):
    assert digest(domain, tx) == wallet_digest(domain, tx)


def unsigned(tx):
    """A settlement without the signatures of its orders: they are not part of its digest."""
    if not isinstance(tx, Settle):
        return tx
    bare = [(f.sell.order, f.buy.order, f.power_w, f.price_nano_per_wh) for f in tx.fills]
    return Settle, bare


@given(domains, transactions, transactions)
def test_different_transactions_have_different_digests(domain, one, other):
    assert (digest(domain, one) == digest(domain, other)) == (unsigned(one) == unsigned(other))


@given(domains, domains, transactions)
def test_different_ledgers_give_different_digests(one, other, tx):
    assert (digest(one, tx) == digest(other, tx)) == (one == other)


def test_signatures_stand_in_the_order_of_the_keys():
    domain, keys = Domain(1, Address(bytes(20))), [SigningKey(bytes([n]) * 32) for n in (1, 2)]
    tx = Regulate(0)
    signed = sign(domain, tx, *keys)
    assert signed.tx == tx
    assert [recover_address(digest(domain, tx), s) for s in signed.signatures] == [key.address for key in keys]


def test_every_run_of_consecutive_inputs_of_one_owner_signs_once():
    one, other = Address(b"\x01" * 20), Address(b"\x02" * 20)
    origin = Digest(bytes(32))

    def owners(*order):
        return Transact(tuple(IssuedNote(fa(o, 1), origin, i) for i, o in enumerate(order)), ()).owners

    assert owners() == ()
    assert owners(one, one, other, other) == (one, other)
    assert owners(one, other, one) == (one, other, one)


def golden() -> dict[str, Any]:
    """The golden vectors, from eth_account and eth_abi alone."""
    keys = [SigningKey(bytes([n]) * 32) for n in (1, 2)]
    secrets = [bytes([n]) * 32 for n in (1, 2)]
    home, neighbour = (key.address for key in keys)
    domain = Domain(1337, Address(bytes(range(1, 21))))
    sun = IssuedNote(epa(home, 500, 3, 4), Digest(b"\xaa" * 32), 0)
    need = IssuedNote(eca(neighbour, 500, 3, 4), Digest(b"\xbb" * 32), 1)
    money = IssuedNote(fa(neighbour, 2**63 - 1), Digest(b"\xbb" * 32), 255)
    trade = (epa(neighbour, 500, 3, 4), eca(home, 500, 3, 4), fa(home, 2**63 - 1))
    meter, keep = Address(b"\x33" * 20), Address(b"\x44" * 20)
    sell = Order(Side.SELL, sun, (), 1, meter, keep, 2_000_000_000, 500)
    buy = Order(Side.BUY, need, (money,), 2**64 - 1, meter, keep, 2**64 - 1, 100, home, 255)
    cases: list[tuple[str, Transaction | Order, int]] = [
        ("withdraw one note", Withdraw(1, 0, 3, (epa(home, 500, 3, 4),)), 1),
        ("withdraw all kinds", Withdraw(2**32 - 1, 2**64 - 1, 2**32 - 1, (eca(home, 8, 0, 1023), fa(home, 9))), 1),
        ("withdraw nothing", Withdraw(0, 0, 0, ()), 1),
        ("trade", Transact((sun, need, money), trade), 2),
        ("transfer with memo", Transact((sun,), (epa(neighbour, 500, 3, 4),), Digest(bytes(range(32)))), 1),
        ("a malformed kind has a digest too", Withdraw(1, 0, 0, (Note(255, ZERO_ADDRESS, 2**32 - 1, 3, 9),)), 1),
        ("sell order", sell, 1),
        ("buy order", buy, 2),
        (
            "settle",
            Settle((Fill(SignedOrder(sell, ()), SignedOrder(buy, ()), 500, 2**62),)),
            0,
        ),
        ("cancel", Cancel(home, 2**255 + 5), 1),
        ("regulate nothing", Regulate(0), 1),
        (
            "regulate everything",
            Regulate(
                7,
                (FeederCapacity(7, 5000, 6000), FeederCapacity(8, 0, 2**63 - 1)),
                (Authorisation(1, home, 7, 3000, 4000, 10**9), Authorisation(2, neighbour, 8, 0, 0, 0)),
                (2, 1),
                (Settlement(1, 12),),
                (PriceChange(1_600_000_000, 240_000, 90_000), PriceChange(1_600_003_600, 0, 0)),
                1_600_000_000,
                neighbour,
            ),
            1,
        ),
    ]
    out = []
    for name, tx, signers in cases:
        expected = wallet_digest(domain, tx)
        signatures = tuple(bytes(Account.unsafe_sign_hash(expected, s).signature) for s in secrets[:signers])
        well_formed = not isinstance(tx, Withdraw) or all(note.kind in set(Kind) for note in tx.outputs)
        created = issued(tx.outputs, Digest(expected)) if isinstance(tx, Withdraw | Transact) else ()
        transaction = well_formed and not isinstance(tx, Order)
        out.append(
            {
                "name": name,
                "transaction": signed_to_json(Signed(tx, signatures)) if transaction else None,
                "typed_data": json.loads(json.dumps(typed_data(domain, tx), default=as_hex)),
                "digest": as_hex(expected),
                "signers": [as_hex(key.address) for key in keys[:signers]],
                "signatures": [as_hex(s) for s in signatures],
                "input_ids": [as_hex(abi_note_id(i)) for i in getattr(tx, "inputs", getattr(tx, "notes", ()))],
                "output_ids": [as_hex(abi_note_id(i)) for i in created],
            }
        )
    hashed = keccak(b"PETra")
    good = bytes(Account.unsafe_sign_hash(hashed, secrets[0]).signature)
    r, s, v = good[:32], good[32:64], good[64:]
    high = (ORDER - int.from_bytes(s, "big")).to_bytes(32, "big")
    bad = {
        "high s": r + high + bytes([55 - v[0]]),
        "v 0": r + s + b"\0",
        "v 1": r + s + b"\1",
        "v 29": r + s + b"\x1d",
        "r zero": bytes(32) + s + v,
        "s zero": r + bytes(32) + v,
        "r order": ORDER.to_bytes(32, "big") + s + v,
        "s order": r + ORDER.to_bytes(32, "big") + v,
        "r off the curve": (5).to_bytes(32, "big") + s + v,
        "64 bytes": r + s,
        "66 bytes": good + b"\0",
        "empty": b"",
    }
    return {
        "origin": "python -m tests.assets.test_transactions (eth_account, eth_abi)",
        "domain": {"chain_id": domain.chain_id, "contract": as_hex(domain.contract)},
        "cases": out,
        "refused": [{"name": name, "digest": as_hex(hashed), "signature": as_hex(sig)} for name, sig in bad.items()],
    }


def from_hex(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


STORED = json.loads(VECTORS.read_text()) if VECTORS.exists() else {"cases": [], "refused": []}


def test_the_golden_vectors_are_those_of_the_generator():
    assert golden() == STORED


@pytest.mark.parametrize("case", [c for c in STORED["cases"] if c["transaction"]], ids=lambda case: case["name"])
def test_golden_digests_note_ids_and_signers_are_met(case):
    domain = Domain(STORED["domain"]["chain_id"], Address(from_hex(STORED["domain"]["contract"])))
    signed = signed_from_json(case["transaction"])
    expected = from_hex(case["digest"])
    assert digest(domain, signed.tx) == expected
    assert [as_hex(recover_address(expected, s)) for s in signed.signatures] == case["signers"]
    if isinstance(signed.tx, Transact):
        assert [as_hex(i.id) for i in signed.tx.inputs] == case["input_ids"]
    if isinstance(signed.tx, Withdraw | Transact):
        assert [as_hex(i.id) for i in issued(signed.tx.outputs, Digest(expected))] == case["output_ids"]


@pytest.mark.parametrize("case", STORED["refused"], ids=lambda case: case["name"])
def test_golden_refused_signatures_recover_nobody(case):
    assert recover_address(from_hex(case["digest"]), from_hex(case["signature"])) == ZERO_ADDRESS


if __name__ == "__main__":
    VECTORS.write_text(json.dumps(golden(), indent=1, ensure_ascii=False) + "\n")
