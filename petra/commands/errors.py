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
    except Exception as error:
        if not _is_of_web3(error):
            raise
        typer.echo(
            f"petra: the node gives no sound answer ({type(error).__name__}); check its version, or give another one",
            err=True,
        )
        raise typer.Exit(2) from error


def _is_of_web3(error: Exception) -> bool:
    """Whether web3 raised it for what a node answered; web3 takes a second to load, and is not loaded for this."""
    return any(kind.__module__.startswith("web3.") for kind in type(error).__mro__)
