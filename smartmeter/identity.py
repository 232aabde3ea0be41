"""Who the meter is: the encrypted keystore of its key, a :class:`~assets.keys.Signer`, and addresses from a seed."""

import hmac
import json
import os
from collections.abc import Iterator
from pathlib import Path

from assets.hashing import keccak
from assets.keys import ORDER, Address, SigningKey

LIGHT_N, STANDARD_N = 2**12, 2**18
"""Cost of the keystore's scrypt: for tests, and as geth has it."""

GAP = 32
"""How many unused addresses of a window are watched beyond the last one handed out or used."""


class KeystoreError(ValueError):
    """A keystore that cannot be opened, or must not be overwritten."""


def save_secret(path: Path, secret: bytes, passphrase: str, cost: int = STANDARD_N) -> None:
    """Write 32 secret bytes as Web3 Secret Storage (version 3), readable by its owner only.

    The file is complete or absent whenever the machine stops. Raises :class:`KeystoreError` if it exists.
    """
    from eth_account import Account

    SigningKey(secret)  # only a valid key has an address to name in the file
    stored = Account.encrypt(secret, passphrase, kdf="scrypt", iterations=cost)
    partial = path.with_name(path.name + ".partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        json.dump(stored, stream)
        stream.flush()
        os.fsync(stream.fileno())
    try:
        os.link(partial, path)  # unlike a rename, this refuses to replace a key
    except FileExistsError:
        raise KeystoreError(f"{path} exists; a keystore is never overwritten, choose another folder") from None
    finally:
        partial.unlink()


def load_secret(path: Path, passphrase: str) -> bytes:
    """The 32 bytes in a keystore; raises :class:`KeystoreError` that never shows what was in it."""
    from eth_account import Account

    try:
        return bytes(Account.decrypt(path.read_text(encoding="utf-8"), passphrase))
    except OSError as error:
        raise KeystoreError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    except (ValueError, KeyError, TypeError, NotImplementedError):
        raise KeystoreError(f"{path}: wrong passphrase, or not a Web3 Secret Storage file") from None


class _Seed:
    """A secret of 32 bytes, and what follows from it by HMAC-SHA256 over a purpose, a window and an index.

    Hardened: one derived secret that leaked gives away no other.
    """

    __slots__ = ("_seed",)
    _purpose: bytes

    def __init__(self, seed: bytes) -> None:
        if len(seed) != 32:
            raise ValueError("a seed has 32 bytes")
        self._seed = seed

    def _derived(self, window: int, index: int, attempt: int = 0) -> bytes:
        if not (0 <= window < 2**32 and 0 <= index < 2**32):
            raise ValueError("window and index are between 0 and 2**32-1")
        place = window.to_bytes(4, "big") + index.to_bytes(4, "big") + bytes([attempt])
        return hmac.digest(self._seed, self._purpose + place, "sha256")

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    def __reduce__(self) -> str:
        raise TypeError("a seed is not pickled; store it in a keystore")


class DepositSeed(_Seed):
    """The secret from which all deposit addresses follow, so that a restored meter finds every deposit.

    Address ``i`` of a window is a hash of what is derived for them, and nobody knows a key to it: what is deposited
    stays there. Could a home move a deposited note on to another of these addresses, it would be credited twice.
    """

    __slots__ = ()
    _purpose = b"petra deposit"

    def address(self, window: int, index: int) -> Address:
        """One deposit address."""
        return Address(keccak(self._derived(window, index))[12:])


class OwnerSeed(_Seed):
    """From the same seed, the prosumer's addresses that the standard sets are issued to: key ``i`` is for note ``i``.

    The prosumer's wallet has the seed as well, and so the keys; the meter uses their addresses only. So a home's notes
    are issued in every window, whether or not its wallet is there, and after a restart to the same addresses.
    """

    __slots__ = ()
    _purpose = b"petra owner"

    def key(self, window: int, index: int) -> SigningKey:
        """The key that owns one note of a window's standard set."""
        for attempt in range(256):  # all but never more than one
            secret = self._derived(window, index, attempt)
            if 0 < int.from_bytes(secret, "big") < ORDER:
                return SigningKey(secret)
        raise AssertionError("256 hashes in a row were no keys")

    def owners(self, window: int, count: int) -> list[Address]:
        """The addresses of a window's notes, in the order of the standard set."""
        return [self.key(window, index).address for index in range(count)]


def blinding_secret(seed: bytes) -> bytes:
    """The secret of commitments' blindings, from the seed: a restored meter opens what it committed to."""
    return hmac.digest(seed, b"petra blinding", "sha256")


class DerivedAddresses:
    """Deposit addresses by window from a seed: the same interface as :class:`~smartmeter.deposits.DepositAddresses`.

    A meter restored from nothing but its seed calls :meth:`watch` for the windows in question and then knows them all.
    """

    def __init__(self, seed: DepositSeed) -> None:
        self._seed = seed
        self._window_of: dict[Address, tuple[int, int]] = {}
        self._watched: dict[int, int] = {}
        self._handed_out: dict[int, int] = {}

    def fresh(self, window: int) -> Address:
        """The next address of ``window``; one that a deposit was seen at is skipped."""
        if window < 0:
            raise ValueError(f"window is {window}; delivery intervals count from 0")
        index = self._handed_out.get(window, 0)
        self._used(window, index)
        return self._seed.address(window, index)

    def watch(self, windows: Iterator[int] | range) -> None:
        """Know the first :data:`GAP` addresses of these windows, before the ledger is read again from its start."""
        for window in windows:
            self._extend(window, GAP)

    def window_of(self, address: Address) -> int | None:
        """The window of one of the meter's addresses; ``None`` for anybody else's. Seeing it used widens the watch."""
        place = self._window_of.get(address)
        if place is None:
            return None
        self._used(*place)
        return place[0]

    def forget_before(self, window: int) -> None:
        """Watch the addresses of earlier windows no more; what is deposited there is not even refused."""
        self._window_of = {a: place for a, place in self._window_of.items() if place[0] >= window}
        for known in (self._watched, self._handed_out):
            for old in [w for w in known if w < window]:
                del known[old]

    def __contains__(self, address: object) -> bool:
        return address in self._window_of

    def __repr__(self) -> str:
        return f"DerivedAddresses(windows={len(self._watched)})"

    def _used(self, window: int, index: int) -> None:
        self._handed_out[window] = max(self._handed_out.get(window, 0), index + 1)
        self._extend(window, index + 1 + GAP)

    def _extend(self, window: int, count: int) -> None:
        for index in range(self._watched.get(window, 0), count):
            self._window_of[self._seed.address(window, index)] = (window, index)
        self._watched[window] = max(self._watched.get(window, 0), count)
