"""What all groups of commands share: tables on the console, errors in one sentence."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.table import Table as RichTable

from assets.errors import Refusal
from petra.tables import Table


@contextmanager
def one_sentence_errors() -> Iterator[None]:
    """What the user or the machine got wrong ends in one sentence and exit code 2, not in a traceback."""
    try:
        yield
    except (ValueError, Refusal, OSError, ImportError) as error:
        typer.echo(f"petra: {error}", err=True)
        raise typer.Exit(2) from error


def show(table: Table) -> None:
    """Print a table; the first column to the left, the others to the right."""
    console = Console()
    console.width = max(console.width, 130)
    rich = RichTable(title=table.title, title_justify="left", caption=table.note or None, caption_justify="left")
    for i, name in enumerate(table.header):
        rich.add_column(name, justify="left" if i == 0 else "right")
    for row in table.rows:
        rich.add_row(*row)
    console.print(rich)
