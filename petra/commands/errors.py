"""How commands end when the user or the machine got something wrong."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from assets.errors import Refusal
from contracts.errors import NodeError


@contextmanager
def one_sentence_errors() -> Iterator[None]:
    """What the user or the machine got wrong ends in one sentence and exit code 2, not in a traceback."""
    try:
        yield
    except (ValueError, Refusal, NodeError, OSError, ImportError) as error:
        typer.echo(f"petra: {error}", err=True)
        raise typer.Exit(2) from error
