"""The ledger as a wallet has it: read in whole from its node, never written to. Relays carry what it signs."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from contracts.errors import NodeError, RelayError
from contracts.relayer import PATIENCE, Patience
from petra.prosumer.config import WalletConfig

if TYPE_CHECKING:
    from web3 import Web3
    from web3.types import TxParams

    from contracts.ledger import EvmLedger


class ReadOnly:
    """A relayer that relays nothing."""

    def send(self, w3: "Web3", transactions: Sequence["TxParams"], patience: Patience = PATIENCE) -> NoReturn:
        """Refuse: a wallet that sent to its node would tell it what is whose."""
        raise RelayError("a wallet writes to no node; its transactions go through a relay")

    def restore(self, w3: "Web3") -> None:
        """Nothing was sent."""


def open_ledger(config: WalletConfig, store_path: Path) -> "EvmLedger":
    """The ledger of a wallet's configuration; what is read of it is kept in ``store_path``.

    Raises ``ConnectionError`` or :class:`~contracts.errors.NodeError` with what to do.
    """
    from contracts import nodes
    from contracts.ledger import EvmLedger
    from contracts.sync.file import FileStore

    c = config.ledger
    w3 = nodes.connect(c.url)
    if w3.eth.chain_id != c.chain_id:
        raise NodeError(f"{c.url} is chain {w3.eth.chain_id}, the wallet's ledger is on {c.chain_id}; correct [ledger]")
    store = FileStore(store_path, c.domain)
    patience = Patience(nodes.confirmations(w3))
    ledger = EvmLedger.at(w3, c.domain.contract, ReadOnly(), c.since_block, patience, store)
    if ledger.grid != c.grid:
        raise NodeError("the ledger has another time grid than the configuration; correct [ledger]")
    return ledger


def copy_store(source: Path, target: Path) -> None:
    """A consistent copy of what was read of the ledger, while another process may be reading on."""
    if source.exists():
        with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
            old.backup(new)
