"""Setting the time of chains that let us: in process, anvil, hardhat. On every other network time is its own."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from web3 import Web3


class ChainClock:
    """The time of the next block."""

    def __init__(self, w3: "Web3") -> None:
        self._w3 = w3
        self._next_s = 0
        self._settable = True

    def now_s(self, latest_s: int) -> int:
        """Ledger time, given that of the latest block: once time was set, that of the next block."""
        return max(latest_s, self._next_s)

    def advance_to(self, unix_s: int, latest_s: int) -> None:
        """Let the next block have the time ``unix_s``, unless it lies in the past or the chain sets its own time."""
        if unix_s <= self.now_s(latest_s) or not self._settable:
            return
        self._settable = self._set_next(unix_s)
        if self._settable:
            self._next_s = unix_s

    def _set_next(self, unix_s: int) -> bool:
        provider: Any = self._w3.provider
        if (tester := getattr(provider, "ethereum_tester", None)) is not None:
            tester.time_travel(unix_s)
            return True
        answer = provider.make_request("evm_setNextBlockTimestamp", [unix_s])
        return "error" not in answer
