"""Opening an EVM node: in this process, or at a URL."""

from typing import TYPE_CHECKING, Any

from contracts.errors import NodeUnreachable

if TYPE_CHECKING:
    from web3 import Web3

BLOCK_GAS = 500_000_000
"""Gas limit of a block in process: a whole stage of a microgrid fits one relay transaction."""

TIMEOUT_S = 30.0
"""How long a node may take to answer one request, in seconds."""

PATIENCE_S = 30.0
"""How long a question is asked again while the node gives no answer to it, in seconds."""

INSTALL_EVM = "the in-process EVM is not installed; run: pip install 'petra[evm]'"


def in_process(genesis_s: int, gas_limit: int = BLOCK_GAS) -> "Web3":
    """A chain of its own in this process (eth-tester on py-evm), whose first block has the time ``genesis_s``.

    Its accounts are throw-away keys that everybody knows. Raises ``ImportError`` with what to install.
    """
    try:
        from contracts import tester
    except ImportError as missing:
        raise ImportError(INSTALL_EVM) from missing
    return tester.open_chain(genesis_s, gas_limit)


def connect(url: str, patience_s: float = PATIENCE_S) -> "Web3":
    """The node at ``url`` (``http://`` or ``https://``). It has to answer now; later, for ``patience_s``, it may not.

    Raises :class:`~contracts.errors.NodeUnreachable` if nothing answers there, or something that is no EVM node.
    """
    from web3 import Web3
    from web3.middleware import ExtraDataToPOAMiddleware

    from contracts.provider import PatientProvider

    provider = PatientProvider(url, TIMEOUT_S)
    w3 = Web3(provider)
    try:
        chain_id: Any = w3.eth.chain_id
    except Exception as failure:  # requests, JSON and web3 each have their own families of errors
        raise NodeUnreachable(
            f"no EVM node answers at {url} ({type(failure).__name__}); start one (such as anvil), or correct the URL"
        ) from failure
    if not isinstance(chain_id, int):
        raise NodeUnreachable(f"what answers at {url} is no EVM node: it gives {chain_id!r} for its chain id")
    provider.patience_s = patience_s
    w3.middleware_onion.inject(ExtraDataToPOAMiddleware, layer=0)
    return w3


def in_this_process(w3: "Web3") -> bool:
    """Whether the chain is in this process: it always answers, and never lags."""
    return getattr(w3.provider, "ethereum_tester", None) is not None


def confirmations(w3: "Web3") -> int:
    """How many blocks, its own included, a transaction on this network needs to be there for good.

    Clique (EIP-225) may drop its newest blocks; a block on which more than half the validators have built stays.
    Elsewhere 1: in process, on development nodes, and on networks that agree on each block (QBFT, IBFT).
    """
    if in_this_process(w3):
        return 1
    provider: Any = w3.provider
    answer = provider.make_request("clique_getSigners", [])
    signers = answer.get("result")
    return len(signers) // 2 + 1 if isinstance(signers, list) else 1


def answers(url: str) -> bool:
    """Whether an EVM node answers at ``url`` at this moment."""
    try:
        connect(url)
    except NodeUnreachable:
        return False
    return True
