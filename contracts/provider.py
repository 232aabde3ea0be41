"""JSON-RPC over HTTP to a node that may restart, lag behind or answer nonsense.

Import this module lazily: web3 takes a second to load.
"""

import time
from typing import TYPE_CHECKING, Any

from web3 import HTTPProvider

from contracts.errors import NodeUnreachable
from contracts.nodes import public_url

if TYPE_CHECKING:
    from web3.types import RPCEndpoint, RPCResponse

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 2.0
"""Pauses between two attempts, in seconds: each is twice the one before."""

ACTIONS = frozenset({"eth_sendTransaction", "eth_sendRawTransaction"})
"""What is never repeated here: whoever sends a transaction decides whether to send it again."""

BUSY_CODES = frozenset({-32005, -32603})
"""Errors that say something of the node's state rather than of the question: limit exceeded, internal error."""


def no_answer(failure: Exception) -> bool:
    """Whether ``failure`` leaves open what the node did: it is no refusal of the node's own."""
    from web3.exceptions import Web3RPCError

    if not isinstance(failure, Web3RPCError):
        return True
    error = (failure.rpc_response or {}).get("error")
    return isinstance(error, dict) and error.get("code") in BUSY_CODES


class PatientProvider(HTTPProvider):
    """Repeats questions that get no answer: no connection, an error page, JSON that is cut off, or no JSON-RPC."""

    def __init__(self, url: str, timeout_s: float) -> None:
        super().__init__(url, request_kwargs={"timeout": timeout_s}, exception_retry_configuration=None)
        self.patience_s = 0.0
        """How long to repeat a question; 0 while nobody knows whether there is a node at all."""

    def make_request(self, method: "RPCEndpoint", params: Any) -> "RPCResponse":  # noqa: ANN401 - as in web3
        """Ask, and ask again; raises :class:`~contracts.errors.NodeUnreachable` when patience ends."""
        end_s, pause_s = time.monotonic() + self.patience_s, FIRST_PAUSE_S
        while True:
            try:
                return self._ask(method, params)
            except Exception as failure:  # requests and JSON each have families of errors of their own
                if not self.patience_s:
                    raise
                at = public_url(str(self.endpoint_uri))
                if method in ACTIONS:
                    raise NodeUnreachable(f"the node at {at} gave no answer ({type(failure).__name__})") from None
                if time.monotonic() + pause_s > end_s:
                    raise NodeUnreachable(
                        f"the node at {at} gives no sound answer for {self.patience_s:.0f} s "
                        f"({type(failure).__name__}); check that it runs, or give another one"
                    ) from None  # whose text holds the whole URL
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def _ask(self, method: "RPCEndpoint", params: Any) -> "RPCResponse":  # noqa: ANN401
        response = super().make_request(method, params)
        if not isinstance(response, dict) or ("result" in response) == ("error" in response):
            raise ValueError("the answer is no JSON-RPC answer")
        error = response.get("error")
        if method not in ACTIONS and isinstance(error, dict) and error.get("code") in BUSY_CODES and self.patience_s:
            raise ValueError(f"the node is busy: {error.get('message')}")
        return response
