"""Encrypted key files (Web3 Secret Storage), readable by their owner only."""

import json
import os
import secrets
from pathlib import Path
from tempfile import NamedTemporaryFile

from eth_account import Account

from assets.keys import Address, SigningKey

SCRYPT_N = 2**18
"""Work to try one passphrase (about a second), the default of Ethereum's wallets."""


def create_key(path: Path, passphrase: str) -> SigningKey:
    """A fresh key in a new file. Raises ``ValueError`` for a short passphrase, ``FileExistsError`` for an old file."""
    if len(passphrase) < 8:
        raise ValueError("the passphrase of a keystore has at least 8 characters")
    secret = secrets.token_bytes(32)
    key = SigningKey(secret)
    text = json.dumps(Account.encrypt(secret, passphrase, kdf="scrypt", iterations=SCRYPT_N))
    if path.exists():
        raise FileExistsError(f"{path} exists; a keystore never overwrites a file")
    with NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    os.link(file.name, path)  # at once or not at all, and never over another file
    os.unlink(file.name)
    return key


def open_key(path: Path, passphrase: str) -> SigningKey:
    """The key in the file ``path``; raises ``ValueError`` for a wrong passphrase or another kind of file."""
    try:
        return SigningKey(bytes(Account.decrypt(path.read_text(encoding="utf-8"), passphrase)))
    except (ValueError, TypeError, KeyError, AttributeError):
        # The cause is not shown: it may carry parts of what was read.
        raise ValueError(f"{path.name} is no keystore, or this is not its passphrase") from None


def open_desk_keys(folder: Path, passphrase: str, dso: Address) -> tuple[SigningKey, SigningKey | None]:
    """The desk's key, and its successor's if a rotation is under way. ``dso``: whom the ledger knows as the DSO.

    A rotation that the ledger has and the desk has not, because it was killed in between, is finished first.
    """
    following = folder / "dso-next.json"
    successor = open_key(following, passphrase) if following.exists() else None
    if successor is not None and successor.address == dso:
        finish_rotation(folder)
        return successor, None
    return open_key(folder / "dso.json", passphrase), successor


def finish_rotation(folder: Path) -> None:
    """The successor's keystore becomes the desk's; the old one is kept under another name."""
    number = len(list(folder.glob("dso-retired-*.json")))
    if (folder / "dso.json").exists():  # else it was killed between the two
        (folder / "dso.json").rename(folder / f"dso-retired-{number}.json")
    (folder / "dso-next.json").rename(folder / "dso.json")
