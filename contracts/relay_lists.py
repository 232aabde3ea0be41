"""The contract RelayLists: which relays a microgrid's private Tor network has, as its DSO published them on the chain.

There may be several such contracts beside one ledger, since anybody can deploy one. The first in which the DSO recorded
anything is *the* one of the ledger. That a contract's code is this program's does not say what its constructor was: one
of somebody else's can leave the same code, and a list that nobody signed. So the DSO's signature is checked here again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Self

from assets.hashing import keccak
from assets.keys import ZERO_ADDRESS, Address, Digest, Signer, recover_address
from assets.transactions import Domain
from assets.words import address_word, word
from contracts import artifact, relayer
from contracts.encoding import hex_string
from contracts.errors import NodeError, RelayError

if TYPE_CHECKING:
    from eth_typing import ChecksumAddress
    from web3 import Web3
    from web3.types import LogReceipt, TxParams

DEPLOYMENT_GAS = 1_500_000
"""Enough to deploy the contract."""

MAX_BYTES = 24_576
"""Longest list."""

_LIST_TAG = keccak(b"PETra relay list v1")
_LIST_TYPE = keccak(b"RelayList(uint64 version,bytes32 list)")
_PUSH_IMMUTABLE = b"\x7f" + bytes(32)


class NotRecorded(ValueError):
    """A list that the chain does not record, and why; the one before stays in force."""


@dataclass(frozen=True, slots=True)
class RecordedList:
    """A version of the list."""

    version: int
    """From 1."""
    data: bytes
    """Canonical JSON."""

    @property
    def digest(self) -> Digest:
        """What the contract has as the list's hash."""
        return list_hash(self.data)


def list_hash(data: bytes) -> Digest:
    """Tagged Keccak-256 of a list's canonical JSON."""
    return Digest(keccak(_LIST_TAG + data))


def list_digest(contract: Domain, version: int, data: bytes) -> Digest:
    """The EIP-712 digest that the DSO signs to record ``data`` as ``version`` in the contract ``contract``."""
    return contract.seal(keccak(_LIST_TYPE + word(version) + list_hash(data)))


class RelayLists:
    """The contract at one address; see ``contracts/src/RelayLists.sol``."""

    def __init__(self, w3: "Web3", contract: Address, ledger: Address, since_block: int = 0) -> None:
        """Raises :class:`~contracts.errors.NodeError` unless the contract there is this program's, for ``ledger``."""
        self._w3, self._since = w3, since_block
        self._to = w3.to_checksum_address("0x" + contract.hex())
        self.address, self.ledger = contract, ledger
        if not _is_genuine(w3, contract, ledger):
            raise NodeError(f"no relay lists of ledger 0x{ledger.hex()} at {self._to}; check address and node")

    @classmethod
    def deploy(cls, w3: "Web3", ledger: Address) -> Self:
        """A new one for a ledger. Raises :class:`~contracts.errors.RelayError` if there is no ledger."""
        code = bytes.fromhex(load()["bytecode"][2:]) + address_word(ledger)
        transaction: TxParams = {"data": hex_string(code), "gas": DEPLOYMENT_GAS}
        (receipt,) = relayer.choose(w3).send(w3, [transaction])
        made = receipt["contractAddress"]
        if receipt["status"] != 1 or made is None:
            raise RelayError("the node refused to deploy relay lists; they are deployed beside a ledger")
        return cls(w3, Address(bytes.fromhex(made[2:])), ledger, int(receipt["blockNumber"]))

    @classmethod
    def find(cls, w3: "Web3", ledger: Address, since_block: int = 0) -> Self | None:
        """That of ``ledger``: the first, since ``since_block``, in which its DSO recorded a list; ``None`` if none is.

        Nobody else can sign for one, so nobody can put another before it once there is one.
        """
        for log in _logs(w3, since_block, [_topic(), address_word(ledger)]):
            address = Address(bytes.fromhex(log["address"][2:]))
            if _is_genuine(w3, address, ledger) and _is_signed(w3, log, ledger):
                return cls(w3, address, ledger, int(log["blockNumber"]))
        return None

    @property
    def domain(self) -> Domain:
        """For which contract the DSO signs."""
        return Domain(self._w3.eth.chain_id, self.address)

    def latest(self) -> RecordedList | None:
        """The version in force; ``None`` if there is none yet.

        Raises :class:`~contracts.errors.NodeError` if the node does not show the list of the hash that the chain holds,
        or if neither the ledger's present DSO key nor its first one signed it.
        """
        from eth_abi.abi import decode

        version = int.from_bytes(self._ask("version"), "big")
        if version == 0:
            return None
        expected = self._ask("listHash")
        topics = [_topic(), address_word(self.ledger), word(version), expected]
        for log in _logs(self._w3, self._since, topics, self._to):
            (data,) = decode(("bytes",), bytes(log["data"]))
            if list_hash(data) == expected:
                if not _is_signed(self._w3, log, self.ledger):
                    raise NodeError(
                        f"relay list {version} is not signed by the DSO's present or first key; do not use it, "
                        "and let the DSO publish it anew"
                    )
                return RecordedList(version, data)
        raise NodeError("the node shows no relay list with the hash that the chain holds; ask another node")

    def record(self, data: bytes, signer: Signer) -> RecordedList:
        """Record ``data`` as the next version, signed by ``signer``. Raises :class:`NotRecorded`."""
        version = int.from_bytes(self._ask("version"), "big") + 1
        return self.relay(RecordedList(version, data), signer.sign(list_digest(self.domain, version, data)))

    def relay(self, recorded: RecordedList, signature: bytes) -> RecordedList:
        """Carry what the DSO signed to the chain, whoever one is. Raises :class:`NotRecorded`."""
        from eth_abi.abi import encode

        arguments = encode(("uint64", "bytes", "bytes"), (recorded.version, recorded.data, signature))
        call: TxParams = {"to": self._to, "data": hex_string(_selector("record") + arguments)}
        try:
            needed = self._w3.eth.estimate_gas(call)
        except Exception as refused:  # every node and provider has errors of its own
            raise NotRecorded(f"the relay list is not recorded: {_reason(refused)}") from refused
        (receipt,) = relayer.choose(self._w3).send(self._w3, [{**call, "gas": needed + needed // 4}])
        if receipt["status"] != 1:
            raise NotRecorded("the relay list is not recorded: another one came first; try again")
        return recorded

    def _ask(self, name: str) -> bytes:
        return bytes(self._w3.eth.call({"to": self._to, "data": hex_string(_selector(name))}))


def _logs(
    w3: "Web3", since_block: int, topics: list[bytes], address: "ChecksumAddress | None" = None
) -> "Iterator[LogReceipt]":
    """Events with these topics, in the order of the chain."""
    wanted: dict[str, Any] = {
        "fromBlock": since_block,
        "toBlock": "latest",
        "topics": [hex_string(topic) for topic in topics],
    }
    if address is not None:
        wanted["address"] = address
    found = w3.eth.get_logs(wanted)  # type: ignore[arg-type] # a filter is a dictionary of these
    yield from sorted(found, key=lambda log: (int(log["blockNumber"]), int(log["logIndex"])))


def _is_genuine(w3: "Web3", contract: Address, ledger: Address) -> bool:
    """Whether the code there is the artifact's, made for ``ledger``."""
    code = bytes(w3.eth.get_code(w3.to_checksum_address("0x" + contract.hex())))
    expected = bytes.fromhex(load()["deployedBytecode"][2:])
    return code == expected.replace(_PUSH_IMMUTABLE, b"\x7f" + address_word(ledger))


def _is_signed(w3: "Web3", log: "LogReceipt", ledger: Address) -> bool:
    """Whether the event comes from a call of ``record`` whose signature is that of a key of the DSO.

    That is the ledger's present key, or its first: one in between is to publish again, as nobody asks for its time.
    """
    from eth_abi.abi import decode

    sent = w3.eth.get_transaction(log["transactionHash"])
    data = bytes(sent["input"])
    if sent.get("to") != log["address"] or data[:4] != _selector("record"):
        return False
    version, body, signature = decode(("uint64", "bytes", "bytes"), data[4:])
    domain = Domain(w3.eth.chain_id, Address(bytes.fromhex(log["address"][2:])))
    signer = recover_address(list_digest(domain, version, body), signature)
    to = w3.to_checksum_address("0x" + ledger.hex())
    named = (w3.eth.call({"to": to, "data": hex_string(keccak(name)[:4])}) for name in (b"dso()", b"founder()"))
    return signer != ZERO_ADDRESS and signer in {Address(bytes(word_)[-20:]) for word_ in named}


def _reason(refused: Exception) -> str:
    """The contract's refusal in words, wherever a node put the data that came with it."""
    text = f"{refused} {getattr(refused, 'data', '')}"
    for selector, name in _errors().items():
        if selector.hex() in text or repr(selector)[2:-1] in text or name in text:
            return _WORDS[name]
    return "the contract refused without a reason"


_WORDS = {
    "NotTheOperator": "it is not signed by the ledger's present DSO key",
    "OutOfOrder": "it is not the next version; another one came first",
    "BadLength": f"it is empty or longer than {MAX_BYTES} bytes",
}


def load() -> dict[str, Any]:
    """The artifact of the contract, as in :func:`contracts.artifact.load`."""
    return artifact.load("RelayLists")


@cache
def _errors() -> dict[bytes, str]:
    return {keccak(artifact.signature(e).encode())[:4]: e["name"] for e in load()["abi"] if e["type"] == "error"}


@cache
def _topic() -> bytes:
    (entry,) = [e for e in load()["abi"] if e["type"] == "event"]
    return keccak(artifact.signature(entry).encode())


@cache
def _selector(name: str) -> bytes:
    (entry,) = [e for e in load()["abi"] if e["type"] == "function" and e["name"] == name]
    return keccak(artifact.signature(entry).encode())[:4]
