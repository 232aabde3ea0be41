"""The first block of a Clique network: who may seal blocks, how often, and under which rules of the EVM."""

from collections.abc import Sequence
from typing import Any

from assets.keys import Address

GAS_LIMIT = 30_000_000
"""Gas of a block, that of public Ethereum."""

EPOCH_BLOCKS = 30_000
"""After how many blocks Clique forgets votes that have no majority (EIP-225)."""

VANITY, SEAL = bytes(32), bytes(65)
"""What stands before and after the signers in a genesis block's extra data (EIP-225)."""

FORKS = (
    "homesteadBlock",
    "eip150Block",
    "eip155Block",
    "eip158Block",
    "byzantiumBlock",
    "constantinopleBlock",
    "petersburgBlock",
    "istanbulBlock",
    "berlinBlock",
)
"""Rules of the EVM that hold from the first block on.

London is left out on purpose: its base fee rises from 0 as soon as a block is more than half full, and never falls
below 1 wei again, so that gas would not stay free. Code compiled for London runs all the same, for all that London
added to it is an instruction that reads the base fee.
"""


def clique(
    chain_id: int, signers: Sequence[Address], period_s: int, timestamp_s: int, gas_limit: int = GAS_LIMIT
) -> dict[str, Any]:
    """``genesis.json`` of a network whose ``signers`` take turns, a block every ``period_s`` seconds (EIP-225).

    Nobody owns anything on it: gas is free.
    """
    if not signers:
        raise ValueError("a network needs at least one validator")
    if period_s < 1:
        raise ValueError("blocks come once a second at most; give a period of at least 1 s")
    return {
        "config": {
            "chainId": chain_id,
            **dict.fromkeys(FORKS, 0),
            "clique": {"period": period_s, "epoch": EPOCH_BLOCKS},
        },
        "difficulty": "0x1",
        "gasLimit": hex(gas_limit),
        "timestamp": hex(timestamp_s),
        "extraData": "0x" + (VANITY + b"".join(sorted(signers)) + SEAL).hex(),
        "alloc": {},
    }


def signers(first: dict[str, Any]) -> list[Address]:
    """Who may seal blocks by a ``genesis.json``, in order. Raises ``ValueError`` if its extra data is none."""
    extra = bytes.fromhex(first["extraData"].removeprefix("0x"))
    listed = extra[len(VANITY) : -len(SEAL)]
    if len(listed) % 20:
        raise ValueError("the extra data holds no addresses")
    return [Address(listed[at : at + 20]) for at in range(0, len(listed), 20)]
