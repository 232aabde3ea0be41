"""A JavaScript wallet (ethers) signs what PETra signs, to the byte.

``contracts/test/vectors.json`` is written by ``python tests/contracts/test_js_vectors.py``; forge reads it, too.
"""

import json
import os
import shutil
import subprocess
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from assets.domain import Domain
from assets.hashing import keccak
from assets.keys import Address, Digest, SigningKey
from assets.notes import IssuedNote, eca, epa, fa, note_word
from assets.orders import Order, Side, order_digest, sign_order
from assets.transactions import (
    Authorisation,
    Cancel,
    FeederCapacity,
    PriceChange,
    Regulate,
    Settlement,
    Transact,
    Withdraw,
    digest,
    sign,
)

CONTRACTS = Path(__file__).parents[2] / "contracts"
VECTORS = CONTRACTS / "test" / "vectors.json"
INSTALL = "Node with ethers is missing; install Node (>= 18, with npm), then run: npm ci --prefix contracts"

DOMAIN = Domain(31337, Address(keccak(b"ledger")[12:]))
SECRETS = [keccak(b"petra test vector %d" % n) for n in range(3)]
METER, SELLER, BUYER = (SigningKey(secret) for secret in SECRETS)
ENERGY = IssuedNote(epa(SELLER.address, 4_294_967_295, 4_294_966_270, 4_294_967_293), Digest(keccak(b"origin")), 65_535)
BOUGHT = IssuedNote(eca(BUYER.address, 1, 0, 0), Digest(keccak(b"another")), 0)
MONEY = tuple(IssuedNote(fa(BUYER.address, 2**63 - 1 - n), Digest(keccak(b"money")), n) for n in range(3))
CASES: dict[str, tuple[Any, bytes]] = {
    "withdraw": (Withdraw(4_294_967_295, 2**64 - 1, 7, (ENERGY.note, BOUGHT.note, MONEY[0].note)), SECRETS[0]),
    "transact": (Transact((ENERGY,), (ENERGY.note, epa(BUYER.address, 8, 3, 4)), Digest(keccak(b"memo"))), SECRETS[1]),
    "sell": (
        Order(Side.SELL, ENERGY, (), 2**64 - 1, BUYER.address, METER.address, 2**64 - 1, 500, SELLER.address, 255),
        SECRETS[1],
    ),
    "buy": (Order(Side.BUY, BOUGHT, MONEY, 90_000, SELLER.address, METER.address, 1_700_000_000, 0), SECRETS[2]),
    "cancel": (Cancel(SELLER.address, 2**255 + 1), SECRETS[1]),
    "regulate": (
        Regulate(
            1,
            feeders=(FeederCapacity(0, 7000, 9000), FeederCapacity(4_294_967_295, 1, 0)),
            authorise=(Authorisation(1, METER.address, 0, 5000, 6000, 2**63 - 1),),
            ban=(3, 4_294_967_295),
            settle=(Settlement(1, 10**9),),
            prices=(PriceChange(1_700_000_000, 240_000, 90_000),),
            time_s=2**40 - 1,
            successor=SELLER.address,
        ),
        SECRETS[0],
    ),
    "regulate nothing": (Regulate(0), SECRETS[0]),
}


def camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


def message(value: Any) -> Any:
    """What a wallet is shown: ids of notes, hexadecimal bytes, decimal numbers beyond JavaScript's precision."""
    match value:
        case IssuedNote():
            return message(value.id)
        case bytes():
            return "0x" + value.hex()
        case int():
            return str(int(value))
        case tuple():
            return [message(item) for item in value]
        case _:
            return {camel(field.name): message(getattr(value, field.name)) for field in fields(value)}


def body(order: Order, signature: bytes) -> bytes:
    """The order as the contract reads it (docs/ledger.md), for the test in Solidity."""
    numbers = ((order.limit_nano_per_wh, 8), (order.expires_s, 8), (order.least_w, 4), (order.nonce, 1))
    head = b"".join(number.to_bytes(size, "big") for number, size in numbers)
    head += order.deliver_to + order.pay_to + order.keep_at + bytes([len(order.money), 1])
    notes = (note_word(n.note) + n.origin + n.index.to_bytes(2, "big") for n in order.notes)
    return head + b"".join(notes) + signature


def vector(name: str, tx: Any, secret: bytes) -> dict[str, Any]:
    key = SigningKey(secret)
    if isinstance(tx, Order):
        digested, signed = order_digest(DOMAIN, tx), sign_order(DOMAIN, tx, key)
    else:
        digested, signed = digest(DOMAIN, tx), sign(DOMAIN, tx, key)
    described = {"body": message(body(tx, *signed.signatures))} if isinstance(tx, Order) else {}
    return described | {
        "name": name,
        "type": type(tx).__name__,
        "key": message(secret),
        "message": message(tx),
        "signer": message(key.address),
        "digest": message(digested),
        "signature": message(signed.signatures[0]),
    }


def document() -> dict[str, Any]:
    contract = message(DOMAIN.contract)
    domain = {"name": "PETra", "version": "1", "chainId": DOMAIN.chain_id, "verifyingContract": contract}
    return {"domain": domain, "cases": [vector(name, tx, secret) for name, (tx, secret) in CASES.items()]}


def test_vectors_are_what_python_signs():
    assert json.loads(VECTORS.read_text()) == document()


def test_a_javascript_wallet_signs_the_same():
    node = shutil.which("node")
    if node is None or not (CONTRACTS / "node_modules" / "ethers").exists():
        if os.environ.get("PETRA_REQUIRE_ALL") == "1":
            pytest.fail(INSTALL)
        pytest.skip(INSTALL)
    done = subprocess.run(
        [node, "test/wallet.mjs", str(VECTORS)],
        cwd=CONTRACTS,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    signed = [json.loads(line) for line in done.stdout.splitlines()]
    names = ("name", "signer", "digest", "signature")
    assert signed == [{name: case[name] for name in names} for case in document()["cases"]]


if __name__ == "__main__":
    VECTORS.write_text(json.dumps(document(), indent=1) + "\n")
