"""The seed phrase of a home, and every secret that follows from it.

Words: BIP-39, 24 of the English list. Keys: BIP-32 with hardened steps only, so that a leaked key gives away no other.
Paths, and why: docs/adr/0020-one-phrase-restores-a-home.md.
"""

import secrets
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from assets.keys import ORDER, SigningKey

if TYPE_CHECKING:
    from eth_account.hdaccount.mnemonic import Mnemonic

WORDS = 24
"""Words of a phrase: 256 bits, and a checksum of 8."""

ENTROPY_BYTES = 32

APPLICATION = 20_252
"""First step of every path; not registered for any coin."""

METER, MIXED, STATE = 0, 1, 2
"""Third step: what the meter gets; keys that only the wallet has; the secret of the wallet's own files."""

MAX_STEP = 2**31 - 1
"""Largest number of a hardened step (BIP-32)."""


class PhraseError(ValueError):
    """A text that is no seed phrase. Says what is wrong with it, never what is in it."""


class SeedPhrase:
    """24 words that a home is restored from. They are shown by :meth:`reveal` and by nothing else."""

    __slots__ = ("_entropy",)

    def __init__(self, entropy: bytes) -> None:
        if len(entropy) != ENTROPY_BYTES:
            raise PhraseError(f"a seed phrase stands for {ENTROPY_BYTES} bytes")
        if not 0 < int.from_bytes(entropy, "big") < ORDER:
            raise PhraseError(
                "this phrase cannot be used: it is one that everybody knows; take one from a wallet's init"
            )
        self._entropy = entropy

    @classmethod
    def generate(cls) -> "SeedPhrase":
        """A phrase that nobody can guess."""
        return cls((secrets.randbelow(ORDER - 1) + 1).to_bytes(ENTROPY_BYTES, "big"))

    @classmethod
    def parse(cls, text: str) -> "SeedPhrase":
        """The phrase that somebody typed, whatever the spacing and case. Raises :class:`PhraseError`."""
        words = text.lower().split()
        if len(words) != WORDS:
            raise PhraseError(
                f"a seed phrase has {WORDS} words, this one {len(words)}; type all of them in their order"
            )
        places = {word: place for place, word in enumerate(_mnemonic().wordlist)}
        for number, word in enumerate(words, 1):
            if word not in places:
                raise PhraseError(
                    f"word {number} of the seed phrase is not in the list of BIP-39; correct its spelling"
                )
        if not _mnemonic().is_mnemonic_valid(" ".join(words)):
            raise PhraseError("the words of the seed phrase do not belong together; check each word and their order")
        bits = 0
        for word in words:
            bits = bits << 11 | places[word]
        return cls((bits >> 8).to_bytes(ENTROPY_BYTES, "big"))

    @property
    def entropy(self) -> bytes:
        """The 32 bytes that the words spell: a secret, to be kept in a keystore."""
        return self._entropy

    def reveal(self) -> str:
        """The words, to be shown to their owner once."""
        return str(_mnemonic().to_mnemonic(self._entropy))

    def __repr__(self) -> str:
        return "SeedPhrase()"

    def __reduce__(self) -> str:
        raise TypeError("a seed phrase is not pickled; store it in a keystore")


class _Node:
    """A key of the tree with its chain code; all its children are hardened."""

    __slots__ = ("_chain_code", "secret")

    def __init__(self, secret: bytes, chain_code: bytes) -> None:
        self.secret, self._chain_code = secret, chain_code

    @classmethod
    def root(cls, phrase: SeedPhrase) -> "_Node":
        import hmac

        seed = _mnemonic().to_seed(phrase.reveal())
        both = hmac.digest(b"Bitcoin seed", seed, "sha512")  # BIP-32, master key generation
        return cls(both[:32], both[32:])

    def child(self, step: int) -> "_Node":
        from eth_account.hdaccount.deterministic import HardNode, derive_child_key

        if not 0 <= step <= MAX_STEP:
            raise ValueError(f"a step of a path is 0 to {MAX_STEP}; this wallet cannot name {step}")
        return _Node(*derive_child_key(self.secret, self._chain_code, HardNode(step)))

    def __repr__(self) -> str:
        return "_Node()"


class HomeSeed:
    """Every secret of one home, derived from its phrase."""

    __slots__ = ("_meter", "_mixed", "_state", "_windows")

    def __init__(self, phrase: SeedPhrase) -> None:
        account = _Node.root(phrase).child(APPLICATION).child(0)
        self._meter, self._mixed, self._state = (account.child(branch) for branch in (METER, MIXED, STATE))
        self._windows: dict[int, _Node] = {}

    @property
    def meter_seed(self) -> bytes:
        """32 bytes for the meter: the addresses of what it issues and of deposits follow from them, nothing else."""
        return self._meter.secret

    @property
    def state_secret(self) -> bytes:
        """32 bytes that the wallet's own files are encrypted with."""
        return self._state.secret

    def mixed_key(self, window: int, index: int) -> SigningKey:
        """Key ``index`` for what mixes return in ``window``; the meter has no way to it."""
        node = self._windows.get(window)
        if node is None:
            node = self._windows[window] = self._mixed.child(window)
        return SigningKey(node.child(index).secret)

    def __repr__(self) -> str:
        return "HomeSeed()"

    def __reduce__(self) -> Any:  # noqa: ANN401 - as object's
        raise TypeError("a home's seed is not pickled; store its phrase in a keystore")


@lru_cache(maxsize=1)
def _mnemonic() -> "Mnemonic":
    from eth_account.hdaccount.mnemonic import Mnemonic

    return Mnemonic()
