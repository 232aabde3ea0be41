"""The contract BillSettlements: bills marked as settled on the chain and their credit freed, in one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Self

from assets.commitments.statement import SignedPrivateStatement, total_words
from assets.commitments.tariff import prices_hash
from assets.hashing import keccak
from assets.keys import Address, Digest
from assets.transactions import Regulate, Signed
from assets.words import address_word
from contracts import artifact, relayer
from contracts.encoding import hex_string
from contracts.errors import NodeError, RelayError

if TYPE_CHECKING:
    from web3 import Web3
    from web3.types import TxParams

DEPLOYMENT_GAS = 2_500_000
"""Enough to deploy the contract."""

WORD = 32


class NotSettled(ValueError):
    """Bills that the chain does not settle, and why; nothing was marked and no credit freed."""


@dataclass(frozen=True, slots=True)
class Account:
    """Where a meter's settled bills end."""

    settled: int
    """How many bills are settled: the number of the next."""
    next_interval: int
    """First interval that no settled bill covers."""


class BillSettlements:
    """The contract at one address; see ``contracts/src/BillSettlements.sol``."""

    def __init__(self, w3: "Web3", contract: Address) -> None:
        """Raises :class:`~contracts.errors.NodeError` if there is no contract."""
        self._w3 = w3
        self._to = w3.to_checksum_address("0x" + contract.hex())
        self.address = contract
        if len(w3.eth.get_code(self._to)) == 0:
            raise NodeError(f"no contract at {self._to}; check address and node")

    @classmethod
    def deploy(cls, w3: "Web3", ledger: Address, verifier: Address) -> Self:
        """A new one for a ledger and the verifier of its statements.

        Raises :class:`~contracts.errors.RelayError` if the deployment fails: the verifier is another ledger's.
        """
        code = bytes.fromhex(load()["bytecode"][2:]) + address_word(ledger) + address_word(verifier)
        transaction: TxParams = {"data": hex_string(code), "gas": DEPLOYMENT_GAS}
        (receipt,) = relayer.choose(w3).send(w3, [transaction])
        made = receipt["contractAddress"]
        if receipt["status"] != 1 or made is None:
            raise RelayError("the node refused to deploy bill settlements; the verifier must be of the same ledger")
        return cls(w3, Address(bytes.fromhex(made[2:])))

    def settle(self, bills: Sequence[SignedPrivateStatement], regulation: Signed[Regulate]) -> int:
        """Mark bills as settled and carry the DSO's regulation that frees their credit; gas used.

        ``regulation`` settles the FA withdrawn of each bill that has any, in the order of the bills. Raises
        :class:`NotSettled` for whatever the contracts refuse; nothing has happened then.
        """
        data = encode_settle(bills, regulation)
        call: TxParams = {"to": self._to, "data": hex_string(data)}
        try:
            needed = self._w3.eth.estimate_gas(call)
        except Exception as refused:  # every node and provider has errors of its own
            raise NotSettled(f"the bills are not settled: {_reason(refused)}") from refused
        (receipt,) = relayer.choose(self._w3).send(self._w3, [{**call, "gas": needed + needed // 4}])
        if receipt["status"] != 1:
            raise NotSettled("the bills are not settled: the ledger changed meanwhile; try again")
        return int(receipt["gasUsed"])

    def account(self, meter: int) -> Account:
        """Where a meter's settled bills end."""
        settled, following = self._ask("accounts", ("uint32",), (meter,), ("uint64", "uint32"))
        return Account(settled, following)

    def settled_bill(self, meter: int, nonce: int) -> Digest | None:
        """Digest of the statement that was settled as number ``nonce``; ``None`` if none was."""
        (digest,) = self._ask("settledBill", ("uint32", "uint64"), (meter, nonce), ("bytes32",))
        return Digest(digest) if any(digest) else None

    def _ask(self, name: str, kinds: tuple[str, ...], values: tuple[int, ...], answers: tuple[str, ...]) -> Any:  # noqa: ANN401 - as the ABI says
        from eth_abi.abi import decode, encode

        data = _selector(name) + encode(kinds, values)
        return decode(answers, bytes(self._w3.eth.call({"to": self._to, "data": hex_string(data)})))


def encode_settle(bills: Sequence[SignedPrivateStatement], regulation: Signed[Regulate]) -> bytes:
    """Calldata of ``settle``."""
    from eth_abi.abi import encode

    (entry,) = [e for e in load()["abi"] if e["type"] == "function" and e["name"] == "settle"]
    kinds = artifact.signature(entry)[len("settle(") : -1]
    return (
        _selector("settle")
        + encode([f"({kinds})"], [([_bill(b) for b in bills], _regulate(regulation.tx), list(regulation.signatures))])[
            WORD:
        ]
    )  # the arguments themselves, without the offset of a tuple around them


def _bill(signed: SignedPrivateStatement) -> tuple[object, ...]:
    s = signed.statement
    at_x, at_y = (int.from_bytes(s.fa_deposited[i : i + WORD], "big") for i in (0, WORD))
    statement = (
        s.meter, s.nonce, s.first, s.last, keccak(b"".join(s.sheets)), prices_hash(s.prices), at_x, at_y,
        s.fa_withdrawn_nano, s.bill_nano, s.blinding,
    )  # fmt: skip
    totals = [
        tuple(int.from_bytes(words[i : i + WORD], "big") for i in range(0, len(words), WORD))
        for words in map(total_words, s.totals)
    ]
    return statement, totals, signed.signature


def _regulate(tx: Regulate) -> tuple[object, ...]:
    return (
        tx.nonce,
        [(f.feeder, f.export_w, f.import_w) for f in tx.feeders],
        [(a.meter, a.key, a.feeder, a.max_epa_w, a.max_eca_w, a.credit_nano) for a in tx.authorise],
        list(tx.ban),
        [(s.meter, s.amount_nano) for s in tx.settle],
        [(p.time_s, p.consumption_nano_per_wh, p.production_nano_per_wh) for p in tx.prices],
        tx.time_s,
        tx.successor,
    )


def _reason(refused: Exception) -> str:
    """The error's name, wherever a node put the data that came with it."""
    text = f"{refused} {getattr(refused, 'data', '')}"
    for selector, name in _errors().items():
        if selector.hex() in text or repr(selector)[2:-1] in text or name in text:
            return name
    return "a contract refused without a reason"


def load() -> dict[str, Any]:
    """The artifact of the contract, as in :func:`contracts.artifact.load`."""
    return artifact.load("BillSettlements")


@cache
def _errors() -> dict[bytes, str]:
    from contracts import statements

    abis = (load()["abi"], statements.load()["abi"], artifact.load()["abi"])
    return {keccak(artifact.signature(e).encode())[:4]: e["name"] for abi in abis for e in abi if e["type"] == "error"}


@cache
def _selector(name: str) -> bytes:
    (entry,) = [e for e in load()["abi"] if e["type"] == "function" and e["name"] == name]
    return keccak(artifact.signature(entry).encode())[:4]
