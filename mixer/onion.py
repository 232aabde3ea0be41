"""Layered encryption: an output address wrapped once for every later peer, in libsodium sealed boxes."""

from collections.abc import Sequence

from nacl.bindings import (
    crypto_box_keypair,
    crypto_box_seal,
    crypto_box_seal_open,
    crypto_box_SECRETKEYBYTES,
    crypto_scalarmult_base,
)
from nacl.exceptions import CryptoError

from assets.keys import Address

_P = 2**255 - 19
_SMALL_ORDER = frozenset(
    {
        0,
        1,
        _P - 1,
        325606250916557431795983626356110631294008115727848805560023387167927233504,
        39382357235489614581723060781553021112529911719440698176882885853963445705823,
    }
)
"""Points of X25519 whose order divides 8: whatever is encrypted to them, everybody can read (RFC 7748, §6.1 and §7)."""


class UnreadableOnion(Exception):
    """The outermost layer was not made for this key, or was changed."""


class BoxKey:
    """A peer's encryption key of one run. Its secret never shows and is dropped by :meth:`destroy`.

    Python cannot promise that no copy stays in memory; what it can do is to forget the only reference.
    """

    __slots__ = ("_secret", "public")

    def __init__(self, secret: bytes | None = None) -> None:
        """A fresh key; with ``secret``, the one that a peer revealed. Raises ``ValueError`` if it has not 32 bytes."""
        self.public: bytes
        self._secret: bytes | None
        if secret is None:
            self.public, self._secret = crypto_box_keypair()
        elif len(secret) == crypto_box_SECRETKEYBYTES:
            self.public, self._secret = crypto_scalarmult_base(secret), secret
        else:
            raise ValueError(f"the secret of an encryption key has {crypto_box_SECRETKEYBYTES} bytes")

    def peel(self, onion: bytes) -> bytes:
        """``onion`` without its outermost layer.

        Raises :class:`UnreadableOnion` if the layer is not for this key, ``ValueError`` once the key is destroyed.
        """
        if self._secret is None:
            raise ValueError("the key of this run is destroyed")
        try:
            return crypto_box_seal_open(onion, self.public, self._secret)
        except (CryptoError, TypeError):
            raise UnreadableOnion from None

    def reveal(self) -> bytes:
        """The secret, to be shown to everybody: afterwards this object has it no more.

        Raises ``ValueError`` once the key is destroyed.
        """
        if self._secret is None:
            raise ValueError("the key of this run is destroyed")
        secret, self._secret = self._secret, None
        return secret

    def destroy(self) -> None:
        """Forget the secret. Doing so twice changes nothing."""
        self._secret = None

    @property
    def destroyed(self) -> bool:
        """Whether the secret is gone."""
        return self._secret is None

    def __repr__(self) -> str:
        return "BoxKey(destroyed)" if self.destroyed else "BoxKey()"

    def __reduce__(self) -> str:
        raise TypeError("the encryption key of a run is not pickled")


def wrap(address: Address, keys: Sequence[bytes]) -> bytes:
    """``address`` under one layer for each of ``keys``; the first key's layer is the outermost."""
    onion: bytes = address
    for key in reversed(keys):
        onion = crypto_box_seal(onion, key)
    return onion


def check_box_key(key: bytes) -> None:
    """Raise ``ValueError`` for a key that is not in canonical form or to which nothing can be encrypted safely."""
    u = int.from_bytes(key, "little")
    if u >= _P or u in _SMALL_ORDER:
        raise ValueError("not a usable X25519 public key")
