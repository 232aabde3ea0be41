"""Whose account pays for what a service carries to the ledger."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from contracts.relayer import Relayer

RelayerKeyFile = Annotated[
    Path | None,
    typer.Option(help="Private key of the account that pays, 32 bytes in hex. Else PETRA_RELAYER_KEY, or the node's."),
]


def relayer_of(key_file: Path | None) -> "Relayer | None":
    """The account in a file; ``None`` lets :func:`contracts.relayer.choose` decide. Raises ``ValueError``."""
    if key_file is None:
        return None
    from eth_account import Account

    from contracts.relayer import LocalKey

    try:
        # What systemd hands over is the service's own, whatever its mode says: there are access lists on it.
        handed_over = os.environ.get("CREDENTIALS_DIRECTORY") == str(key_file.parent)
        if not handed_over and key_file.stat().st_mode & 0o077:
            raise ValueError(f"others can read {key_file}; say: chmod 600 {key_file}")
        text = key_file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ValueError(f"{key_file} cannot be read ({error.strerror}); give the file of a private key") from None
    except UnicodeDecodeError:
        raise ValueError(f"{key_file} holds no private key; write 32 bytes in hex") from None
    try:
        return LocalKey(Account.from_key(text))
    except Exception:  # of several libraries, whose texts could hold the key
        raise ValueError(f"{key_file} holds no private key; write 32 bytes in hex") from None
