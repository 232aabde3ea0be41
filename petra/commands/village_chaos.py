"""``petra village links|chaos|audit``: a village's network, what goes wrong in it, and whether all came out right."""

import asyncio
import json
import logging
from pathlib import Path
from typing import Annotated

import typer

from petra.commands.errors import one_sentence_errors

Folder = Annotated[Path, typer.Argument(help="The village's folder.")]


def links(folder: Folder) -> None:
    """Run the TCP links of links.json, which is read again whenever it changes; until SIGTERM."""
    with one_sentence_errors():
        from petra.village import links as running

        def ready(count: int) -> None:
            print(json.dumps({"links": count}), flush=True)

        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
        asyncio.run(running.run(folder, ready))
