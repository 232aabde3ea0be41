"""``petra wallet run``: the home's side of the market by itself, until told to stop."""

import logging

from petra.commands.errors import one_sentence_errors
from petra.commands.wallet_options import Folder, PasswordFile, passphrase, warn_if_direct


def run(folder: Folder, password_file: PasswordFile = None) -> None:
    """Mix, offer and deposit by the ledger's time until stopped; it may be killed at any instant."""
    with one_sentence_errors():
        from petra.prosumer import daemon
        from petra.prosumer.folder import WalletFolder

        for noisy in ("web3", "urllib3", "httpx2", "httpcore2"):
            logging.getLogger(noisy).setLevel(logging.CRITICAL)
        home = WalletFolder(folder)
        warn_if_direct(home.config.transport)
        with home.locked():
            daemon.run(home, home.secrets(passphrase(password_file)))
