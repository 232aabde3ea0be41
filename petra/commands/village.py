"""``petra village``: a whole microgrid on this machine, every role a process of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from petra.commands import village_chaos
from petra.commands.errors import one_sentence_errors

app = typer.Typer(no_args_is_help=True, help="A whole microgrid on this machine: every role a process of its own.")

Folder = Annotated[Path, typer.Argument(help="The village's folder.")]


@app.command(hidden=True)
def supervise(
    folder: Folder, owner: Annotated[int | None, typer.Option(help="End when this process does.")] = None
) -> None:
    """Run the village whose options are in the folder: what `up` starts."""
    from petra.village import child
    from petra.village.life import Village

    with one_sentence_errors():
        if owner is not None:
            child.end_with(owner)
        child.preload()
        raise typer.Exit(0 if Village(folder).run() else 3)


@app.command(hidden=True)
def tor(folder: Folder) -> None:
    """Keep the village's private Tor network."""
    from petra.village.layout import Layout
    from petra.village.tor import keep

    with one_sentence_errors():
        keep(Layout(folder).of("tor") / "network")


app.command()(village_chaos.links)
