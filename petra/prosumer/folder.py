"""A wallet's folder: configuration, keystores, state, and what was read of the ledger. One process works in it.

Files: ``wallet.toml``, ``phrase.json`` (the phrase's 32 bytes as Web3 secret storage), ``meter-seed.json`` (the same
for the meter's part), ``state.db`` (encrypted), ``ledger.db`` (public), ``lock``.
"""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from petra.prosumer.account import Account
from petra.prosumer.config import FILE, WalletConfig, load, parse
from petra.prosumer.keychain import Keychain
from petra.prosumer.ledger import copy_store, open_ledger
from petra.prosumer.seed import HomeSeed, SeedPhrase
from petra.prosumer.state import State
from smartmeter.identity import STANDARD_N, load_secret, save_secret

if TYPE_CHECKING:
    from contracts.ledger import EvmLedger


class Busy(ValueError):
    """Another process works in the folder."""


class WalletFolder:
    """The files of one wallet."""

    def __init__(self, path: Path) -> None:
        """Raises :class:`~petra.prosumer.config.WalletConfigError` if there is no usable configuration."""
        self.path = path
        self.config: WalletConfig = load(path)

    @classmethod
    def create(
        cls, path: Path, config: str, phrase: SeedPhrase, passphrase: str, cost: int = STANDARD_N
    ) -> "WalletFolder":
        """Make a folder; ``config`` is the text of its configuration.

        Raises ``ValueError`` if there is a wallet already, or the configuration is wrong; then nothing is written.
        """
        for name in (FILE, "phrase.json", "state.db"):
            if (path / name).exists():
                raise ValueError(f"{path} has a wallet already ({name}); choose another folder")
        parse(config.encode(), path / FILE)
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        save_secret(path / "phrase.json", phrase.entropy, passphrase, cost)
        save_secret(path / "meter-seed.json", HomeSeed(phrase).meter_seed, passphrase, cost)
        write_whole(path / FILE, config)
        return cls(path)

    def discard(self) -> None:
        """Remove what :meth:`create` made and what was read since; only for a wallet that was never used."""
        for pattern in (FILE, "phrase.json", "meter-seed.json", "state.db*", "ledger.db*", "lock"):
            for path in self.path.glob(pattern):
                path.unlink()

    @property
    def phrase_file(self) -> Path:
        """Keystore of the phrase."""
        return self.path / "phrase.json"

    @property
    def meter_seed_file(self) -> Path:
        """Keystore of what the meter is to get: ``petra meter init --seed-from``."""
        return self.path / "meter-seed.json"

    @property
    def meter_path(self) -> Path | None:
        """The folder of the home's meter, if the configuration names one."""
        return None if self.config.meter is None else self.path / self.config.meter

    def secrets(self, passphrase: str) -> HomeSeed:
        """Open the keystore. Raises :class:`~smartmeter.identity.KeystoreError`."""
        return HomeSeed(SeedPhrase(load_secret(self.phrase_file, passphrase)))

    def state(self, secrets: HomeSeed) -> State:
        """The wallet's memory, opened or made. Raises :class:`~petra.prosumer.vault.VaultError`."""
        return State(self.path / "state.db", secrets.state_secret)

    def keychain(self, secrets: HomeSeed, state: State) -> Keychain:
        """The home's addresses, with the numbers that ``state`` gave out."""
        return Keychain(secrets, state, state.restored_window)

    def account(self, keychain: Keychain, first_window: int = 0) -> Account:
        """An account that has followed nothing yet."""
        return Account(keychain, self.config.ledger.grid, first_window)

    def ledger(self) -> "EvmLedger":
        """The ledger, for the process that has the lock; what it reads is kept in the folder."""
        return open_ledger(self.config, self.path / "ledger.db")

    @contextmanager
    def ledger_beside(self) -> Iterator["EvmLedger"]:
        """The ledger for a command that may run beside the agent: it reads on from a copy of what is in the folder."""
        with tempfile.TemporaryDirectory(prefix="petra-wallet-") as aside:
            copy_store(self.path / "ledger.db", Path(aside) / "ledger.db")
            yield open_ledger(self.config, Path(aside) / "ledger.db")

    @property
    def is_running(self) -> bool:
        """Whether a process works in the folder."""
        try:
            with self.locked():
                return False
        except Busy:
            return True

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes out; a lock ends with its process, however that ends. Raises :class:`Busy`."""
        descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Busy(f"a wallet is running in {self.path}; ask petra wallet status, or stop it") from None
            yield
        finally:
            os.close(descriptor)


def write_whole(path: Path, text: str, mode: int = 0o600) -> None:
    """Write a file that is complete, or as it was, whenever the machine stops."""
    partial = path.with_name(path.name + ".partial")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(partial, path)
