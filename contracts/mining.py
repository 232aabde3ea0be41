"""Blocks on demand, for anvil without automatic mining: whoever has the clock makes them."""

from typing import TYPE_CHECKING, Any

from contracts.errors import NodeError

if TYPE_CHECKING:
    from web3 import Web3


def mine(w3: "Web3", unix_s: int) -> bool:
    """Make a block with the time ``unix_s``; none, and ``False``, if the newest has that time or a later one.

    Raises :class:`~contracts.errors.NodeError` for a node that has no time to set.
    """
    if int(w3.eth.get_block("latest")["timestamp"]) >= unix_s:
        return False
    provider: Any = w3.provider
    answer = provider.make_request("evm_mine", [{"timestamp": unix_s}])
    if "error" in answer:
        why = answer["error"].get("message")
        raise NodeError(f"the node makes no blocks on demand ({why}); give anvil --no-mining")
    return True
