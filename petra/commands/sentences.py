"""What the user or the machine got wrong, said in one sentence."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from assets.errors import Refusal


@contextmanager
def one_sentence_errors() -> Iterator[None]:
    """End in one sentence and exit code 2, not in a traceback."""
    from petra.onion.errors import OnionError

    try:
        yield
    except (ValueError, Refusal, OSError, ImportError, OnionError) as error:
        typer.echo(f"petra: {error}", err=True)
        raise typer.Exit(2) from error
