"""Which ledger is deployed on which chain: a file a chain, ``deployments/<chainId>.json``, to be kept and shared."""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assets.codec import is_nested_deeply
from assets.hashing import keccak
from assets.intervals import IntervalGrid
from assets.keys import Address
from assets.transactions import Domain
from contracts import artifact
from contracts.errors import NodeError
from contracts.ledger import EvmLedger
from contracts.views import Views

if TYPE_CHECKING:
    from web3 import Web3

FORMAT_VERSION = 1
"""Version of the file's format."""

FOLDER = Path("deployments")
"""Where the files are, unless told otherwise."""

PUSH_IMMUTABLE = b"\x7f" + bytes(32)
"""How the artifact marks a word that the constructor fills in: ``PUSH32`` of zero."""

MAX_BYTES = 4096
"""More than any record has; a file that is longer is none, and is not read."""

MAX_NUMBER = (1 << 63) - 1
"""The largest number in a record."""

REPLACE = "restore the file, or replace it: petra chain deploy --again"
"""What to do about a file that is none, unless the caller knows better."""

FIELDS = ("version", "chainId", "contract", "block", "blockHash", "dso", "genesisS", "intervalS", "codeHash")
"""Fields of the file, all of them required."""


class DeploymentError(ValueError):
    """A deployment's file is missing or wrong; says what to do."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """One ledger on one chain."""

    chain_id: int
    contract: Address
    block: int
    """The block with the deployment: its events start there."""
    block_hash: bytes
    """Tells this chain from another one with the same id, such as a development chain that was started anew."""
    dso: Address
    grid: IntervalGrid
    code_hash: bytes
    """Keccak-256 of the contract's code on the chain."""

    @property
    def domain(self) -> Domain:
        """For which ledger signatures are made."""
        return Domain(self.chain_id, self.contract)

    @classmethod
    def of(cls, w3: "Web3", ledger: EvmLedger) -> "Deployment":
        """What is to be recorded of ``ledger``, which was just deployed."""
        block = w3.eth.get_block(ledger.since_block)
        return cls(
            ledger.domain.chain_id,
            ledger.domain.contract,
            ledger.since_block,
            bytes(block["hash"]),
            ledger.dso,
            ledger.grid,
            keccak(code_at(w3, ledger.domain.contract)),
        )

    def save(self, folder: Path = FOLDER) -> Path:
        """Write the file, all of it or nothing; returns its path."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.chain_id}.json"
        fresh = path.with_suffix(".json.new")
        fresh.write_text(json.dumps(self._to_json(), indent=2) + "\n", encoding="utf-8")
        os.replace(fresh, path)
        return path

    def _to_json(self) -> dict[str, object]:
        return {
            "version": FORMAT_VERSION,
            "chainId": self.chain_id,
            "contract": "0x" + self.contract.hex(),
            "block": self.block,
            "blockHash": "0x" + self.block_hash.hex(),
            "dso": "0x" + self.dso.hex(),
            "genesisS": self.grid.genesis_s,
            "intervalS": self.grid.interval_s,
            "codeHash": "0x" + self.code_hash.hex(),
        }

    def problems(self, w3: "Web3") -> Iterator[str]:
        """Why the ledger at this node is not the one recorded here; nothing if it is."""
        if w3.eth.chain_id != self.chain_id:
            yield f"the node's chain id is {w3.eth.chain_id}, not {self.chain_id}"
            return
        code = code_at(w3, self.contract)
        if not code:
            yield f"there is no contract at 0x{self.contract.hex()}: the chain was started anew, or is another one"
            return
        if keccak(code) != self.code_hash:
            yield "the contract's code is not the one that was deployed"
        if not equals_artifact(code):
            yield "the contract is of another version than this program"
            return
        if _block_hash(w3, self.block) != self.block_hash:
            yield f"block {self.block} is another one than that of the deployment"
        yield from self._other_terms(w3)

    def _other_terms(self, w3: "Web3") -> Iterator[str]:
        views = Views(w3, self.contract)
        try:
            grid, founder = views.grid(), views.founder()
        except (NodeError, ValueError):
            yield "the contract is no ledger"
            return
        if founder != self.dso:
            yield f"the contract's DSO is 0x{founder.hex()}, not 0x{self.dso.hex()}"
        if grid != self.grid:
            yield (
                f"the contract's intervals are {grid.interval_s} s each from {grid.genesis_s} on, not "
                f"{self.grid.interval_s} s each from {self.grid.genesis_s} on"
            )

    def open(self, w3: "Web3", **options: Any) -> EvmLedger:  # noqa: ANN401 - the options of EvmLedger
        """The ledger; raises :class:`DeploymentError` if the one at this node is not the one recorded."""
        for problem in self.problems(w3):
            raise DeploymentError(f"{problem}; give the URL of the right node, or deploy anew: petra chain deploy")
        return EvmLedger.at(w3, self.contract, since_block=self.block, **options)


def load(chain_id: int, folder: Path = FOLDER, remedy: str = REPLACE) -> Deployment | None:
    """The deployment recorded for a chain; ``None`` if there is no file.

    Raises :class:`DeploymentError`, which says to do ``remedy``, for a file that is no record of this chain.
    """
    path = folder / f"{chain_id}.json"
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise ValueError(f"it is longer than {MAX_BYTES} bytes")
        deployment = _from_json(_parse(data))
        if deployment.chain_id != chain_id:
            raise ValueError(f"it is of chain {deployment.chain_id}")
    except FileNotFoundError:
        return None
    except NotADirectoryError as failure:
        raise NotADirectoryError(f"{folder} is a file; give the folder of the deployments' files") from failure
    except OSError as failure:
        raise DeploymentError(f"{path} cannot be read ({failure.strerror}); {remedy}") from failure
    except ValueError as failure:
        raise DeploymentError(f"{path} is no record of a ledger on chain {chain_id} ({failure}); {remedy}") from failure
    return deployment


def set_aside(chain_id: int, folder: Path = FOLDER) -> Path:
    """Give what is in a record's place another name, which is returned."""
    path = folder / f"{chain_id}.json"
    taken = (path.with_suffix(f".json.old{number}") for number in count(1))
    free = next(name for name in taken if not name.exists())
    path.rename(free)
    return free


def _parse(data: bytes) -> Any:  # noqa: ANN401 - JSON
    if is_nested_deeply(data):
        raise ValueError("it is nested too deeply")
    try:
        return json.loads(data.decode())
    except UnicodeDecodeError:
        raise ValueError("it is no text") from None
    except ValueError:
        raise ValueError("it is no JSON") from None


def _from_json(obj: Any) -> Deployment:  # noqa: ANN401 - JSON
    if not isinstance(obj, dict) or sorted(obj) != sorted(FIELDS):
        raise ValueError(f"its fields are not {', '.join(FIELDS)}")
    if obj["version"] != FORMAT_VERSION:
        raise ValueError(f"its version is {obj['version']!r}, not {FORMAT_VERSION}")
    return Deployment(
        _whole(obj, "chainId"),
        Address(_bytes(obj, "contract", 20)),
        _whole(obj, "block"),
        _bytes(obj, "blockHash", 32),
        Address(_bytes(obj, "dso", 20)),
        IntervalGrid(_whole(obj, "genesisS"), _whole(obj, "intervalS")),
        _bytes(obj, "codeHash", 32),
    )


def _whole(obj: dict[str, Any], name: str) -> int:
    value = obj[name]
    if type(value) is not int or not 0 <= value <= MAX_NUMBER:
        raise ValueError(f"{name} is {_shown(value)}, not a whole number from 0 to {MAX_NUMBER}")
    return value


def _bytes(obj: dict[str, Any], name: str, length: int) -> bytes:
    value = obj[name]
    if not isinstance(value, str) or not re.fullmatch(f"0x[0-9a-fA-F]{{{2 * length}}}", value):
        raise ValueError(f"{name} is {_shown(value)}, not 0x and {2 * length} hex digits")
    return bytes.fromhex(value[2:])


def _shown(value: object) -> str:
    """A value of a file, short enough for a sentence."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}…"


def code_at(w3: "Web3", contract: Address) -> bytes:
    """The contract's code; empty if there is none."""
    return bytes(w3.eth.get_code(w3.to_checksum_address("0x" + contract.hex())))


def equals_artifact(code: bytes) -> bool:
    """Whether ``code`` is the artifact's, but for the words that the constructor filled in."""
    expected = bytes.fromhex(artifact.load()["deployedBytecode"][2:])
    if len(code) != len(expected):
        return False
    at, parts = 0, expected.split(PUSH_IMMUTABLE)
    for part in parts:
        if code[at : at + len(part)] != part:
            return False
        at += len(part)
        if at < len(code) and code[at] != PUSH_IMMUTABLE[0]:
            return False
        at += len(PUSH_IMMUTABLE)
    return True


def _block_hash(w3: "Web3", number: int) -> bytes | None:
    from web3.exceptions import BlockNotFound

    try:
        return bytes(w3.eth.get_block(number)["hash"])
    except BlockNotFound:
        return None
