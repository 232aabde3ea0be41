"""Opening an EVM node: in this process, or at a URL."""

import re
from collections.abc import Callable, Sequence
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

HIDDEN = "a URL that is not shown"
"""Stands for a URL in which it is not plain what is secret."""

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


def public_url(url: str) -> str:
    """``url`` without user, password, path and query, which may hold secrets: for messages, logs and reports."""
    scheme, _, rest = url.rpartition("://") if "://" in url else ("", "", url)
    host = re.split(r"[/?#\\]", rest)[0]
    if "@" in rest and "@" not in host:  # a password with a slash in it
        return HIDDEN
    host = host.rpartition("@")[2]
    if not re.fullmatch(r"(|https?)", scheme) or not re.fullmatch(r"([\w.-]+|\[[\da-fA-F:.]+\])(:\d{1,5})?", host):
        return HIDDEN
    return f"{scheme}://{host}" if scheme else host


def connect(url: str, patience_s: float = PATIENCE_S) -> "Web3":
    """The node at ``url`` (``http://`` or ``https://``). It has to answer now; later, for ``patience_s``, it may not.

    Raises ``ValueError`` for what is no such URL, and :class:`~contracts.errors.NodeUnreachable` if nothing answers
    there, or something that is no EVM node.
    """
    from web3 import Web3
    from web3.middleware import ExtraDataToPOAMiddleware
    from web3.types import RPCEndpoint

    from contracts.provider import PatientProvider

    shown = public_url(url)
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"{shown} is no node's URL: it starts with http:// or https://, such as http://localhost:8545")
    provider = PatientProvider(url, TIMEOUT_S)
    try:
        for method, parameters, is_sound in QUESTIONS:
            answer = provider.make_request(RPCEndpoint(method), parameters).get("result")
            if not is_sound(answer):
                raise NodeUnreachable(
                    f"what answers at {shown} is no EVM node: it has no sound answer to {method}; correct the URL"
                )
    except NodeUnreachable:
        raise
    except Exception as failure:  # requests and JSON each have their own families of errors, whose texts hold the URL
        raise NodeUnreachable(
            f"no EVM node answers at {shown} ({type(failure).__name__}); start one (such as anvil), or correct the URL"
        ) from None
    provider.patience_s = patience_s
    w3 = Web3(provider)
    w3.middleware_onion.inject(ExtraDataToPOAMiddleware, layer=0)
    return w3


def _is_chain_id(answer: object) -> bool:
    """Whether it is a number that a record of deployments can hold."""
    return _is_number(answer) and 0 < int(str(answer), 16) < 1 << 63


def _is_number(answer: object) -> bool:
    return isinstance(answer, str) and re.fullmatch("0x[0-9a-f]{1,64}", answer) is not None


def _is_block(answer: object) -> bool:
    if not isinstance(answer, dict) or not all(_is_number(answer.get(name)) for name in BLOCK_NUMBERS):
        return False
    return re.fullmatch("0x[0-9a-f]{64}", str(answer.get("hash"))) is not None


BLOCK_NUMBERS = ("number", "timestamp", "gasLimit")

QUESTIONS: Sequence[tuple[str, list[Any], Callable[[object], bool]]] = (
    ("eth_chainId", [], _is_chain_id),
    ("eth_gasPrice", [], _is_number),
    ("eth_getBlockByNumber", ["latest", False], _is_block),
)
"""What every EVM node can answer, and nearly nothing else can."""


def name_of(w3: "Web3") -> str:
    """What the node calls itself; some say nothing."""
    provider: Any = w3.provider
    name = provider.make_request("web3_clientVersion", []).get("result")
    return name if isinstance(name, str) and name.isprintable() else "of no name"


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
    signers = provider.make_request("clique_getSigners", []).get("result")
    return len(signers) // 2 + 1 if isinstance(signers, list) else 1


def answers(url: str) -> bool:
    """Whether an EVM node answers at ``url`` at this moment."""
    try:
        connect(url)
    except NodeUnreachable:
        return False
    return True
