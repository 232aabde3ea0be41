"""The contract StatementVerifier: what a private statement on alt_bn128 opens to, checked by any EVM node.

The contract has no state. Asking it by ``eth_call`` costs nothing; a contract that settles bills would call it.
"""

from functools import cache
from typing import TYPE_CHECKING, Any, Self

from assets.commitments.errors import BadStatement
from assets.commitments.group import POINT_BYTES
from assets.commitments.sheet import Sheet
from assets.commitments.statement import PrivateStatement, SignedPrivateStatement, total_words
from assets.commitments.tariff import prices_hash
from assets.hashing import keccak
from assets.keys import SIGNATURE_BYTES, Address
from assets.statement import signed_word
from assets.transactions import Domain
from assets.words import address_word, exactly, word
from contracts import artifact, relayer
from contracts.encoding import hex_string
from contracts.errors import NodeError, RelayError

if TYPE_CHECKING:
    from web3 import Web3
    from web3.types import TxParams

WORD = 32
DEPLOYMENT_GAS = 2_000_000
"""Enough to deploy the contract."""

CALL_GAS = 400_000_000
"""Gas of a question: room for the commitments of a month of quarter-hours, within what nodes allow a call."""

_STATEMENT_WORDS, _TOTAL_WORDS = 11, 6
"""Words of the contract's structs."""


class StatementVerifier:
    """The contract at one address; see ``contracts/src/StatementVerifier.sol``."""

    def __init__(self, w3: "Web3", contract: Address) -> None:
        """Raises :class:`~contracts.errors.NodeError` if there is no contract."""
        self._w3 = w3
        self._to = w3.to_checksum_address("0x" + contract.hex())
        self.address = contract
        if len(w3.eth.get_code(self._to)) == 0:
            raise NodeError(f"no contract at {self._to}; check address and node")

    @classmethod
    def deploy(cls, w3: "Web3", domain: Domain) -> Self:
        """A new verifier for statements of the ledger ``domain``, which is on this chain.

        Raises :class:`~contracts.errors.RelayError` if the deployment fails, ``ValueError`` for another chain's ledger.
        """
        if domain.chain_id != w3.eth.chain_id:
            raise ValueError(f"the ledger is on chain {domain.chain_id}, the node on chain {w3.eth.chain_id}")
        code = bytes.fromhex(load()["bytecode"][2:]) + address_word(domain.contract)
        transaction: TxParams = {"data": hex_string(code), "gas": DEPLOYMENT_GAS}
        (receipt,) = relayer.choose(w3).send(w3, [transaction])
        made = receipt["contractAddress"]
        if receipt["status"] != 1 or made is None:
            raise RelayError("the node refused to deploy the statement verifier")
        return cls(w3, Address(bytes.fromhex(made[2:])))

    def verify(self, signed: SignedPrivateStatement) -> Address:
        """Whose statement it is, if it opens to its bill; to be compared with the key that the ledger authorises.

        Raises :class:`~assets.commitments.errors.BadStatement` for whatever the contract refuses. That prices, FA
        withdrawn and sheets are those of the ledger is for the caller to check, as everywhere.
        """
        answer = self._ask(encode_verify(signed, "verdict"))
        if len(answer) < 3 * WORD:
            raise NodeError(f"the contract at {self._to} does not answer verdict; check address and node")
        length = int.from_bytes(answer[2 * WORD : 3 * WORD], "big")
        if length:
            raise _refusal(signed.statement, answer[3 * WORD : 3 * WORD + length])
        return Address(answer[12:WORD])

    def gas_of_verify(self, signed: SignedPrivateStatement) -> int:
        """Gas of a transaction that does nothing but ask, its calldata included."""
        return self._w3.eth.estimate_gas(self._call(encode_verify(signed)))

    def sums(self, sheet: Sheet) -> tuple[bytes, bytes]:
        """The sums of a sheet's imports and of its exports, added up by the contract; 64 bytes each.

        Raises :class:`~contracts.errors.NodeError` for commitments that are no points.
        """
        try:
            answer = self._ask(encode_sums(sheet))
        except Exception as failure:  # every node and provider has errors of its own
            why = "the contract does not add the commitments up; one of them is no point of the group"
            raise NodeError(why) from failure
        if len(answer) != 2 * POINT_BYTES:
            raise NodeError(f"the contract at {self._to} does not answer sums; check address and node")
        return answer[:POINT_BYTES], answer[POINT_BYTES:]

    def gas_of_sums(self, sheet: Sheet) -> int:
        """Gas of a transaction that does nothing but add a sheet's commitments up, its calldata included."""
        return self._w3.eth.estimate_gas(self._call(encode_sums(sheet)))

    def _ask(self, data: bytes) -> bytes:
        return bytes(self._w3.eth.call({**self._call(data), "gas": CALL_GAS}))

    def _call(self, data: bytes) -> "TxParams":
        return {"to": self._to, "data": hex_string(data)}


def _refusal(s: PrivateStatement, data: bytes) -> BadStatement:
    name = _errors().get(data[:4], "")
    match name:
        case "OpeningFails":
            why = "the commitments, weighted with the prices, do not open to this bill"
            return BadStatement(s.meter, "bill_nano, blinding or fa_deposited", why)
        case "NotAPoint":
            index = int.from_bytes(data[4:], "big")
            field = f"totals[{index // 2}]" if index < 2 * len(s.totals) else "fa_deposited"
            return BadStatement(s.meter, field, "no point of alt_bn128")
        case "OutOfRange":
            return BadStatement(s.meter, "blinding or bill_nano", "out of range")
        case "BadSignature":
            return BadStatement(s.meter, "signature", "nobody's")
    return BadStatement(s.meter, "statement", f"the contract refuses it: 0x{data.hex()}")


# --- Artifact and encoding -------------------------------------------------------------------------------


def load() -> dict[str, Any]:
    """The artifact of the contract, as in :func:`contracts.artifact.load`."""
    return artifact.load("StatementVerifier")


@cache
def _errors() -> dict[bytes, str]:
    return {keccak(artifact.signature(e).encode())[:4]: e["name"] for e in load()["abi"] if e["type"] == "error"}


@cache
def _selector(name: str) -> bytes:
    (entry,) = [e for e in load()["abi"] if e["type"] == "function" and e["name"] == name]
    return keccak(artifact.signature(entry).encode())[:4]


def encode_verify(signed: SignedPrivateStatement, function: str = "verify") -> bytes:
    """Calldata of ``verify``, or of ``verdict``: ``(Statement, Total[], bytes)``."""
    totals = signed.statement.totals
    at_totals = (_STATEMENT_WORDS + 2) * WORD
    at_signature = at_totals + WORD + len(totals) * _TOTAL_WORDS * WORD
    padded = exactly(signed.signature, SIGNATURE_BYTES) + bytes(-SIGNATURE_BYTES % WORD)
    return (
        _selector(function)
        + statement_words(signed.statement)
        + word(at_totals)
        + word(at_signature)
        + word(len(totals))
        + b"".join(total_words(total) for total in totals)
        + word(SIGNATURE_BYTES)
        + padded
    )


def encode_sums(sheet: Sheet) -> bytes:
    """Calldata of ``sums(uint256[4][])``: the sheet's points as they stand."""
    return _selector("sums") + word(WORD) + word(len(sheet)) + sheet.points


def statement_words(s: PrivateStatement) -> bytes:
    """The contract's struct Statement as eleven words of the EVM ABI."""
    return (
        word(s.meter, 32)
        + word(s.nonce, 64)
        + word(s.first, 32)
        + word(s.last, 32)
        + keccak(b"".join(s.sheets))
        + prices_hash(s.prices)
        + s.fa_deposited
        + word(s.fa_withdrawn_nano, 128)
        + signed_word(s.bill_nano)
        + word(s.blinding)
    )
