"""``petra wallet run``: the home's side of the market by itself, until told to stop."""

import logging
from pathlib import Path
from typing import Annotated

import typer

from petra.commands.errors import one_sentence_errors

Folder = Annotated[Path, typer.Argument(help="The wallet's folder.")]
PasswordFile = Annotated[Path | None, typer.Option(help="Passphrase of the keystores; else it is asked for.")]

NOT_ANONYMOUS = "NOT ANONYMOUS: transport is http; board, bid stores and relays see this machine's address."


def run(folder: Folder, password_file: PasswordFile = None) -> None:
    """Mix, offer and deposit by the ledger's time until stopped; it may be killed at any instant."""
    with one_sentence_errors():
        from petra.commands.meter_run import _passphrase
        from petra.prosumer import daemon
        from petra.prosumer.folder import WalletFolder

        for noisy in ("web3", "urllib3", "httpx2", "httpcore2"):
            logging.getLogger(noisy).setLevel(logging.CRITICAL)
        home = WalletFolder(folder)
        if home.config.transport == "http":
            typer.echo(NOT_ANONYMOUS, err=True)
        with home.locked():
            daemon.run(home, home.secrets(_passphrase(password_file)))
