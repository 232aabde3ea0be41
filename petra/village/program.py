"""A process that a village is to run, before it does."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Program:
    """One process, what it needs, and how to tell that it is there."""

    name: str
    role: str
    command: tuple[str, ...]
    """``petra ...`` for a program of PETra; otherwise executed as it stands."""
    env: Mapping[str, str] = field(default_factory=dict)
    port: int | None = None
    """It is ready when something listens there, on 127.0.0.1."""
    says: str | None = None
    """It is ready when it has printed a line of JSON with this field; what stands there is its address."""
    prints: str | None = None
    """It is ready when this text has appeared in its log."""
    address: str | None = None
    """Where others reach it, if that is known before."""
    user: str | None = None
    """As whom it runs, if the supervisor is root."""
    task: bool = False
    """It ends by itself when its work is done."""
    chain_state: Path | None = None
    """Where anvil keeps its chain: a file of which there has to be a whole copy (:mod:`contracts.anvil_state`)."""
    patience_s: float = 90
    """How long it may take to be ready before it is started again."""


STOP_ORDER = {
    "wallet": 0,
    "task": 0,
    "meter": 1,
    "simulator": 1,
    "bidstore": 2,
    "relay": 2,
    "board": 2,
    "dso": 2,
    "tor": 3,
    "postgres": 3,
    "links": 3,
    "clock": 4,
    "chain": 5,
}
"""Who depends on others ends before them."""
