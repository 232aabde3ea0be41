"""The ledger as a Solidity contract, and its typed Python binding over any EVM JSON-RPC node.

Start with :mod:`contracts.ledger` and ``contracts/src/IPetraLedger.sol``.
"""

import os

# eth-hash prefers a slower backend where both are installed; whoever set another one keeps it.
os.environ.setdefault("ETH_HASH_BACKEND", "pysha3")
