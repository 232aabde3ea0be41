"""A peer's key of one run, and the secrets that it shares with each other peer."""

from nacl.bindings import crypto_box_keypair, crypto_scalarmult, crypto_scalarmult_base
from nacl.exceptions import CryptoError

from mixer.dicemix.protocol import BOX_KEY_BYTES


class RunKey:
    """An X25519 key made for one run. Its secret leaves it by :meth:`reveal` only, and :meth:`destroy` drops it.

    Python cannot promise that no copy stays in memory; what it can do is to forget the only reference.
    """

    __slots__ = ("_secret", "public")

    def __init__(self) -> None:
        self.public: bytes
        self._secret: bytes | None
        self.public, self._secret = crypto_box_keypair()

    def shared(self, other: bytes) -> bytes:
        """The secret shared with the owner of the public key ``other``; ``ValueError`` once the key is destroyed."""
        return shared(self.reveal(), other)

    def reveal(self) -> bytes:
        """The secret key itself, for a revelation; ``ValueError`` once the key is destroyed."""
        if self._secret is None:
            raise ValueError("the key of this run is destroyed")
        return self._secret

    def destroy(self) -> None:
        """Forget the secret. Doing so twice changes nothing."""
        self._secret = None

    @property
    def destroyed(self) -> bool:
        """Whether the secret is gone."""
        return self._secret is None

    def __repr__(self) -> str:
        return "RunKey(destroyed)" if self.destroyed else "RunKey()"

    def __reduce__(self) -> str:
        raise TypeError("the key of a run is not pickled")


def shared(secret: bytes, public: bytes) -> bytes:
    """X25519 of a secret and a public key (RFC 7748, §6.1). Raises ``ValueError`` for a public key of small order."""
    try:
        return crypto_scalarmult(secret, public)
    except (CryptoError, RuntimeError):
        raise ValueError("not a usable X25519 public key") from None


def public_of(secret: bytes) -> bytes:
    """The public key of a secret one. Raises ``ValueError`` if the secret has another length."""
    if len(secret) != BOX_KEY_BYTES:
        raise ValueError(f"an X25519 key has {BOX_KEY_BYTES} bytes, not {len(secret)}")
    return crypto_scalarmult_base(secret)
