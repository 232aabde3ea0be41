"""The EIP-712 digest of a trade, beside the general encoder of eth_account."""

from eth_account.messages import encode_typed_data

from assets.hashing import keccak
from assets.transactions import Domain, Transact, digest
from benchmarks.neighbourhood import specification, traders
from benchmarks.row import Reference, Row
from benchmarks.sizes import Sizes
from benchmarks.timer import medians_s

TYPES = {
    "Note": [
        {"name": "kind", "type": "uint8"},
        {"name": "owner", "type": "address"},
        {"name": "quantity", "type": "uint64"},
        {"name": "start", "type": "uint32"},
        {"name": "end", "type": "uint32"},
    ],
    "Transact": [
        {"name": "inputs", "type": "bytes32[]"},
        {"name": "outputs", "type": "Note[]"},
        {"name": "memo", "type": "bytes32"},
    ],
}


def rows(sizes: Sizes) -> list[Row]:
    """One digest of a transaction with three inputs and four outputs."""
    neighbourhood, trades = traders(specification(), 1)
    tx, domain = trades[0].tx, neighbourhood.ledger.domain
    names, message = domain_data(domain), message_data(tx)
    if general_digest(names, message) != digest(domain, tx):
        raise AssertionError("eth_account's digest is another one")

    def ours() -> None:
        for _ in range(sizes.signatures):
            digest(domain, tx)

    def theirs() -> None:
        for _ in range(sizes.signatures):
            general_digest(names, message)

    ours_s, theirs_s = medians_s(sizes.runs, lambda: ours, lambda: theirs)
    each_us = 1e6 / sizes.signatures
    reference = Reference("eth_account, encode_typed_data", theirs_s * each_us)
    return [Row("EIP-712 digest, 3 notes in, 4 out", ours_s * each_us, "µs", sizes.runs, reference)]


def domain_data(domain: Domain) -> dict[str, object]:
    """The domain as eth_account takes it."""
    contract = "0x" + domain.contract.hex()
    return {"name": "PETra", "version": "1", "chainId": domain.chain_id, "verifyingContract": contract}


def message_data(tx: Transact) -> dict[str, object]:
    """The transaction as eth_account takes it: the ids of its inputs computed already."""
    return {
        "inputs": [issued_note.id for issued_note in tx.inputs],
        "outputs": [
            {
                "kind": int(note.kind),
                "owner": "0x" + note.owner.hex(),
                "quantity": note.quantity,
                "start": note.start,
                "end": note.end,
            }
            for note in tx.outputs
        ],
        "memo": tx.memo,
    }


def general_digest(names: dict[str, object], message: dict[str, object]) -> bytes:
    """The digest by eth_account."""
    signable = encode_typed_data(names, TYPES, message)
    return keccak(b"\x19" + signable.version + signable.header + signable.body)
