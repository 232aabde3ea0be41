"""Signatures that are counted and not executed: for simulations so large that nobody could wait for the real ones.

A *counted* key has no point on a curve. Its address is a hash of its secret, and a signature is the secret itself with
a hash over it and the message. Whoever checks it finds out whose it is, as with a real one, so a ledger still refuses
whatever its owners did not agree to. But it **proves nothing**: who has seen one can make others.

Nothing real takes a counted signature for one of its own, and the other way round:

* its last byte is 0, for which the EVM's ``ecrecover``, and :func:`assets.keys.recover_address`, find nobody;
* its digests are made for another EIP-712 domain, by name;
* a counted ledger's log says so on its first line, and whoever does not ask for it refuses to read on;
* a counted key has no public key, so no mix, no keystore and no node can use it.
"""

import hashlib
import hmac
from collections import Counter
from dataclasses import dataclass, field
from typing import NoReturn

from assets.domain import Domain, separator
from assets.hashing import keccak
from assets.keys import SIGNATURE_BYTES, ZERO_ADDRESS, Address, SigningKey

KEY = "secp256k1: key made"
SIGN = "secp256k1: signature made"
RECOVER = "secp256k1: signer recovered"

_NAME = keccak(b"PETra, cryptography counted and not executed")
_ADDRESS_TAG = keccak(b"PETra counted key v1")
_V = 0
"""Last byte of a counted signature; real ones end with 27 or 28."""

SECRET_BYTES = 32

Counts = Counter[str]
"""How often each operation would have been executed."""


@dataclass(frozen=True, slots=True)
class CountedDomain(Domain):
    """A ledger whose signatures are counted. Only a simulation that was asked to count makes one."""

    counts: Counts = field(default_factory=Counter, compare=False, repr=False)

    @property
    def separator(self) -> bytes:
        """``hashStruct`` of the domain, whose name no real ledger has."""
        return separator(_NAME, self.chain_id, self.contract)

    def recover(self, message: bytes, signature: bytes) -> Address:
        """Whose key signed ``message``; the zero address for anything but a counted signature of it."""
        self.counts[RECOVER] += 1
        if len(signature) != SIGNATURE_BYTES or signature[-1] != _V:
            return ZERO_ADDRESS
        secret = signature[:SECRET_BYTES]
        return _address(secret) if signature == _signature(secret, message) else ZERO_ADDRESS


class CountedKey(SigningKey):
    """A key that only counts what it signs. Raises ``ValueError`` unless ``secret`` has 32 bytes."""

    __slots__ = ("_counts", "_secret")

    def __init__(self, secret: bytes, counts: Counts) -> None:
        if len(secret) != SECRET_BYTES:
            raise ValueError(f"a counted key has {SECRET_BYTES} bytes, not {len(secret)}")
        self._secret, self._counts = secret, counts
        self.address = _address(secret)
        counts[KEY] += 1

    def sign(self, digest: bytes) -> bytes:
        """A counted signature of a 32-byte digest: it has the form of a real one, and shows the secret."""
        if len(digest) != SECRET_BYTES:
            raise ValueError(f"a digest has 32 bytes, this one {len(digest)}")
        self._counts[SIGN] += 1
        return _signature(self._secret, digest)

    @property
    def public_key(self) -> NoReturn:
        """There is none: raises ``TypeError``, so that nothing real works with a counted key."""
        raise TypeError("a counted key has no public key: its cryptography is counted and not executed")

    def __repr__(self) -> str:
        return f"CountedKey(address=0x{self.address.hex()})"


class CountedKeys:
    """Reproducible counted keys of a simulation, derived from its seed and a label."""

    def __init__(self, seed: int, label: str, counts: Counts) -> None:
        self._root = hashlib.sha256(f"petra counted keys/{seed}/{label}".encode()).digest()
        self._made, self._counts = 0, counts

    def fresh(self) -> CountedKey:
        """The next key of the sequence."""
        self._made += 1
        return CountedKey(hmac.digest(self._root, self._made.to_bytes(8, "big"), "sha256"), self._counts)

    def __repr__(self) -> str:
        return f"CountedKeys(made={self._made})"


def _address(secret: bytes) -> Address:
    return Address(keccak(_ADDRESS_TAG + secret)[12:])


def _signature(secret: bytes, message: bytes) -> bytes:
    return secret + keccak(secret + message) + bytes([_V])
