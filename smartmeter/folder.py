"""A meter's folder: configuration, keystores, journal, book, and what was read of the ledger. One process at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from assets.keys import Signer, SigningKey
from smartmeter.book import Book
from smartmeter.config import MeterConfig, load
from smartmeter.identity import load_secret
from smartmeter.journal import Journal
from smartmeter.profile import Profile
from smartmeter.wiring import Wiring


class Busy(ValueError):
    """Another process works in the folder."""


@dataclass(frozen=True, slots=True)
class Secrets:
    """What the keystores hold; never shown."""

    key: Signer
    seed: bytes

    def __repr__(self) -> str:
        return "Secrets()"


class MeterFolder:
    """The files of one meter."""

    def __init__(self, path: Path) -> None:
        """Raises :class:`~smartmeter.config.ConfigError` if there is no usable configuration."""
        self.path = path
        self.config: MeterConfig = load(path)
        self.profiles: dict[str, Profile] = self.config.profiles()
        self.wiring: Wiring = self.config.wiring(self.profiles)

    @property
    def key_file(self) -> Path:
        """Keystore of the signing key."""
        return self.path / "key.json"

    @property
    def seed_file(self) -> Path:
        """Keystore of the seed of addresses and blindings, which the prosumer's wallet has as well."""
        return self.path / "seed.json"

    def secrets(self, passphrase: str) -> Secrets:
        """Open both keystores. Raises :class:`~smartmeter.identity.KeystoreError`."""
        return Secrets(SigningKey(load_secret(self.key_file, passphrase)), load_secret(self.seed_file, passphrase))

    def journal(self) -> Journal:
        """The journal, opened or made."""
        limits = self.config.limits(self.profiles)
        return Journal(self.path / "journal.db", self.config.ledger.grid, limits, self.config.max_gap_ms)

    def book(self) -> Book:
        """The book, opened or made."""
        return Book(self.path / "book.db", self.config.number, self.config.ledger.domain)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes out; a lock ends with its process, however that ends. Raises :class:`Busy`."""
        descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Busy(
                    f"a meter is running in {self.path} and does this by itself; ask petra meter status, or stop it"
                ) from None
            yield
        finally:
            os.close(descriptor)
