"""How commands end when the user or the machine got something wrong."""

import csv
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from errno import ENOENT
from pathlib import Path
from traceback import walk_tb

import typer

from assets.errors import Refusal
from contracts.errors import NodeError
from mixer.faults import PeerFault
from petra.onion.errors import NotTor, OnionError
from petra.transports import TransportFailed

ONE_SENTENCE = (ValueError, Refusal, NodeError, OSError, ImportError, NotTor, OnionError, TransportFailed, PeerFault)
"""Errors whose text is for the user."""

WEB3 = frozenset({"web3", "eth_utils", "eth_abi", "hexbytes"})
"""The packages that read what nodes answer."""


@contextmanager
def one_sentence_errors() -> Iterator[None]:
    """What the user or the machine got wrong ends in one sentence and exit code 2, not in a traceback."""
    try:
        yield
    except Exception as error:
        if _is_of_web3(error):
            text = f"the node gives no sound answer ({type(error).__name__}); check its version, or give another one"
        elif type(error) is FileNotFoundError and error.filename is not None and error.errno == ENOENT:
            missing = Path(os.fsdecode(error.filename))
            text = f"{missing if missing.parent.exists() else missing.parent} is not there; check the path"
        elif isinstance(error, ONE_SENTENCE):
            text = str(error)
        elif isinstance(error, sqlite3.Error):
            text = f"a database file cannot be used ({error}); free the disk, or restore the file"
        elif isinstance(error, csv.Error):
            text = f"a file is no CSV that can be read ({error}); give the right file"
        else:
            raise
        typer.echo(f"petra: {text}", err=True)
        raise typer.Exit(2) from error


def _is_of_web3(error: Exception) -> bool:
    """Whether web3 raised it for what a node answered, be it an error of its own or that it stumbled."""
    steps = [frame for frame, _ in walk_tb(error.__traceback__)]
    raised_in = str(steps[-1].f_globals.get("__name__")) if steps else ""
    return any(name.partition(".")[0] in WEB3 for name in (raised_in, type(error).__module__))
