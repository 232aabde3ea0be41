"""Opening the ledger of a simulation: the specification, the contract in process, or the contract on a node."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from assets.intervals import IntervalGrid
from assets.keys import Address, Digest
from assets.ledger import SpecLedger
from assets.port import Entry, Receipt
from assets.transactions import Domain, Signed, Transaction
from contracts import deployments, nodes
from contracts.ledger import EvmLedger
from contracts.relayer import Patience
from petra.crypto import Crypto
from petra.microgrid import SimulatedLedger

SPEC_DOMAIN = Domain(chain_id=1337, contract=Address(bytes(19) + b"\x01"))
"""Domain of the specification, which runs on no chain."""


def open_ledger(
    where: str,
    dso: Address,
    start_s: int,
    interval_s: int,
    record_in: Path | None = None,
    crypto: Crypto = Crypto(),  # noqa: B008 - frozen
) -> SimulatedLedger:
    """A fresh ledger: ``spec``, ``evm`` (in process), or the URL of a JSON-RPC node.

    What is deployed on a node is recorded in the folder ``record_in``, so that :func:`reopen_ledger` finds it.

    Interval 0 starts at ``start_s`` (Unix seconds), or on a node whose clock is past that, one interval from now: a
    ledger accepts no prices for the past. Raises ``ValueError`` or ``ConnectionError`` with what to do.
    """
    if crypto.counts is not None and where != "spec":
        raise ValueError("--crypto counted needs --ledger spec: a contract checks signatures itself")
    opened_s = start_s - interval_s
    if where == "spec":
        return SpecLedger(crypto.domain(SPEC_DOMAIN), IntervalGrid(start_s, interval_s), dso, time_s=opened_s)
    if where == "evm":
        return EvmLedger.deploy(nodes.in_process(opened_s), dso, IntervalGrid(start_s, interval_s))
    if not where.startswith(("http://", "https://")):
        raise ValueError(
            f"--ledger is spec, evm, or a node's URL such as http://127.0.0.1:8545; not {nodes.public_url(where)}"
        )
    w3 = nodes.connect(where)
    genesis_s = max(start_s, int(w3.eth.get_block("latest")["timestamp"]) + interval_s)
    patience = Patience(nodes.confirmations(w3))
    ledger = AheadOfTime.deploy(w3, dso, IntervalGrid(genesis_s, interval_s), patience=patience)
    if record_in is not None:
        deployments.Deployment.of(w3, ledger).save(record_in)
    return ledger


def reopen_ledger(where: str, dso: Address, interval_s: int, recorded_in: Path) -> "AheadOfTime | None":
    """The ledger that a run which was cut off left on a node; ``None`` if it had deployed none yet.

    Raises ``ValueError`` with what to do if it is not there any more, or is of another run.
    """
    if not where.startswith(("http://", "https://")):
        raise ValueError("only a run on a node can be resumed; the other ledgers end with their process")
    w3 = nodes.connect(where)
    deployment = deployments.load(w3.eth.chain_id, recorded_in, "restore the file, or leave --resume out")
    if deployment is None:
        return None
    if (deployment.dso, deployment.grid.interval_s) != (dso, interval_s):
        raise ValueError(f"{recorded_in} holds a run of another seed or interval; give the same options as before")
    for problem in deployment.problems(w3):
        raise ValueError(f"the run cannot be resumed: {problem}; leave --resume out to start a new one")
    patience = Patience(nodes.confirmations(w3))
    return AheadOfTime.at(w3, deployment.contract, since_block=deployment.block, patience=patience)


def shown(where: str) -> str:
    """How a ledger is named to anybody: a node's URL without what may be secret."""
    return nodes.public_url(where) if "://" in where else where


def gas_total(ledger: SimulatedLedger) -> int:
    """Gas used by all transactions that this process relayed; 0 for the specification, which meters none."""
    ledger = getattr(ledger, "live", ledger)  # of a run that was resumed
    return ledger.gas_used_total if isinstance(ledger, EvmLedger) else 0


class AheadOfTime(EvmLedger):
    """A node's ledger, with the clock of a simulation that may run ahead of the node's.

    Where a node lets nobody set its time, all transactions of the simulation are recorded long before the intervals
    they are for, so every one is in time; only the parties' idea of "now" moves. An entry has the simulated time of its
    submission, or the node's where that is later: the files of a run read as if the node had kept simulated time.
    """

    _simulated_s = 0

    @property
    def now_s(self) -> int:
        """Simulated time, or the node's where that is later. Unix seconds."""
        return max(super().now_s, self._simulated_s)

    def advance_to(self, unix_s: int) -> None:
        """Move simulated time forwards to ``unix_s``, and the node's where it lets us."""
        super().advance_to(unix_s)
        self._simulated_s = max(self._simulated_s, unix_s)

    def submit(self, batch: Sequence[Signed[Transaction]]) -> list[Receipt]:
        """Relay transactions in order; verdicts have simulated times."""
        receipts = super().submit(batch)
        for receipt in receipts:
            self._submitted_s.setdefault(receipt.digest, self._simulated_s)
        return [replace(r, time_s=max(r.time_s, self._simulated_s)) for r in receipts]

    def entries(self, start: int = 0) -> list[Entry]:
        """Accepted transactions from sequence number ``start`` on, with simulated times."""
        return [replace(e, time_s=max(e.time_s, self._submitted_s.get(e.digest, 0))) for e in super().entries(start)]

    def note_submission(self, message: Digest, simulated_s: int) -> None:
        """Remember when a transaction was submitted that another process of the same run submitted."""
        self._submitted_s.setdefault(message, simulated_s)

    @cached_property
    def _submitted_s(self) -> dict[Digest, int]:
        """Simulated time of submission by digest, Unix seconds."""
        return {}
