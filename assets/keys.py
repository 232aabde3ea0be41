"""secp256k1 signing keys, addresses and signatures, as the EVM defines them."""

import hashlib
import hmac
import secrets
from typing import NewType, Protocol

from coincurve import PrivateKey, PublicKey

from assets.hashing import keccak

Address = NewType("Address", bytes)
"""20 bytes: the last 20 of the Keccak-256 of an uncompressed public key."""

Digest = NewType("Digest", bytes)
"""32 bytes that are signed or that identify something."""

ZERO_ADDRESS = Address(bytes(20))

ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
"""Order of the secp256k1 group (SEC 2, §2.4.1)."""

SIGNATURE_BYTES = 65


class Signer(Protocol):
    """What signs: :class:`SigningKey`, or a secure element that never gives its key away."""

    @property
    def address(self) -> Address:
        """Address of the key."""

    def sign(self, digest: bytes) -> bytes:
        """Signature of a 32-byte digest: ``r ‖ s ‖ v`` with low ``s`` and ``v`` 27 or 28."""


class SigningKey:
    """A private key that never shows itself: not in ``repr``, not in errors, not when pickled."""

    __slots__ = ("_key", "address")

    def __init__(self, secret: bytes) -> None:
        if len(secret) != 32 or not 0 < int.from_bytes(secret, "big") < ORDER:
            raise ValueError("a signing key is 32 bytes between 1 and the group order - 1")
        self._key = PrivateKey(secret)
        self.address = address_of(self._key.public_key)

    @classmethod
    def generate(cls) -> "SigningKey":
        """A fresh key from the operating system's randomness."""
        return cls((secrets.randbelow(ORDER - 1) + 1).to_bytes(32, "big"))

    def sign(self, digest: bytes) -> bytes:
        """Signature of a 32-byte digest: ``r ‖ s ‖ v`` with low ``s`` and ``v`` 27 or 28 (RFC 6979 nonce)."""
        if len(digest) != 32:
            raise ValueError(f"a digest has 32 bytes, this one {len(digest)}")
        signature = self._key.sign_recoverable(digest, hasher=None)
        return signature[:64] + bytes([27 + signature[64]])

    @property
    def public_key(self) -> PublicKey:
        """The public key; an address hides it until the first signature."""
        return self._key.public_key

    def __repr__(self) -> str:
        return f"SigningKey(address=0x{self.address.hex()})"

    def __reduce__(self) -> str:
        raise TypeError("a signing key is not pickled; store it in a keystore")


def address_of(public_key: PublicKey) -> Address:
    """Address of a public key."""
    return Address(keccak(public_key.format(compressed=False)[1:])[12:])


def recover_address(digest: bytes, signature: bytes) -> Address:
    """Address whose key signed ``digest``.

    A signature that is not canonical (wrong length, high ``s``, ``v`` other than 27 or 28, off the curve) gives
    :data:`ZERO_ADDRESS`, which owns nothing, as the EVM's ``ecrecover`` precompile does.
    """
    if len(signature) != SIGNATURE_BYTES or signature[64] not in (27, 28):
        return ZERO_ADDRESS
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
    if not (0 < r < ORDER and 0 < s <= ORDER // 2):
        return ZERO_ADDRESS
    compact = signature[:64] + bytes([signature[64] - 27])
    try:
        return address_of(PublicKey.from_signature_and_message(compact, digest, hasher=None))
    except Exception:  # libsecp256k1 reports an unrecoverable point as a bare Exception
        return ZERO_ADDRESS


class KeySource(Protocol):
    """Where fresh keys come from: the operating system for real homes, a seed for simulations."""

    def fresh(self) -> SigningKey:
        """A key that this source has never returned before."""


class RandomKeys:
    """Keys from the operating system's randomness."""

    def fresh(self) -> SigningKey:
        """A key that nobody can predict."""
        return SigningKey.generate()


class ThrowAwayKeys:
    """Reproducible keys of a simulation, derived from its seed and a label; worthless as secrets."""

    def __init__(self, seed: int, label: str) -> None:
        self._root = hashlib.sha256(f"petra throw-away keys/{seed}/{label}".encode()).digest()
        self._count = 0

    def fresh(self) -> SigningKey:
        """The next key of the sequence."""
        self._count += 1
        return SigningKey(hmac.digest(self._root, self._count.to_bytes(8, "big"), "sha256"))

    def __repr__(self) -> str:
        return f"ThrowAwayKeys(issued={self._count})"
