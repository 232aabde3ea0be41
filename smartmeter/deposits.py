"""Deposit addresses: fresh ones per note, known to nobody but the meter and its prosumer."""

from assets.keys import Address, KeySource, SigningKey


class DepositAddresses:
    """The addresses at which a meter accepts deposits, and the window that each belongs to.

    The meter keeps the keys and never spends: a deposited note has left circulation.
    """

    def __init__(self, keys: KeySource) -> None:
        self._keys = keys
        self._by_address: dict[Address, tuple[int, SigningKey]] = {}

    def fresh(self, window: int) -> Address:
        """A new address whose FA deposits stand on the bill of ``window``."""
        if window < 0:
            raise ValueError(f"window is {window}; delivery intervals count from 0")
        key = self._keys.fresh()
        if key.address in self._by_address:
            raise ValueError("the key source returned a key twice; deposit addresses must be fresh")
        self._by_address[key.address] = (window, key)
        return key.address

    def window_of(self, address: Address) -> int | None:
        """The window that one of this meter's addresses belongs to; ``None`` for anybody else's address."""
        entry = self._by_address.get(address)
        return None if entry is None else entry[0]

    def __contains__(self, address: object) -> bool:
        return address in self._by_address

    def __repr__(self) -> str:
        return f"DepositAddresses(count={len(self._by_address)})"
