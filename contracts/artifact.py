"""The committed artifacts: ABI and bytecode of each contract; of the ledger's, its selectors and topics as well."""

import json
from functools import cache
from importlib import resources
from typing import Any

from assets.hashing import keccak


@cache
def load(contract: str = "PetraLedger") -> dict[str, Any]:
    """The artifact of ``contract`` that ``python -m contracts.compile --write`` wrote."""
    text = resources.files("contracts").joinpath(f"artifacts/{contract}.json").read_text(encoding="utf-8")
    artifact: dict[str, Any] = json.loads(text)
    return artifact


def bytecode() -> bytes:
    """Creation code, to be followed by the constructor's arguments."""
    return bytes.fromhex(load()["bytecode"][2:])


def signature(entry: dict[str, Any]) -> str:
    """Canonical signature of a function, an error or an event, such as ``status(bytes32)``."""
    return f"{entry['name']}({','.join(_type(p) for p in entry['inputs'])})"


def _type(parameter: dict[str, Any]) -> str:
    kind: str = parameter["type"]
    if kind.startswith("tuple"):
        return f"({','.join(_type(p) for p in parameter['components'])}){kind[5:]}"
    return kind


@cache
def selectors(kind: str) -> dict[str, bytes]:
    """First four bytes of the hashed signature, by name, of all entries of ``kind`` (``function`` or ``error``)."""
    return {e["name"]: keccak(signature(e).encode())[:4] for e in load()["abi"] if e["type"] == kind}


@cache
def topics() -> dict[str, bytes]:
    """First topic of every event, by name."""
    return {e["name"]: keccak(signature(e).encode()) for e in load()["abi"] if e["type"] == "event"}


@cache
def error_types() -> dict[bytes, tuple[str, tuple[str, ...]]]:
    """Name and argument types of every custom error, by selector."""
    return {
        keccak(signature(e).encode())[:4]: (e["name"], tuple(_type(p) for p in e["inputs"]))
        for e in load()["abi"]
        if e["type"] == "error"
    }
