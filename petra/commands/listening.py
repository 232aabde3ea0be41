"""Where the commands' services listen: on this machine, or as an onion service."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from fastapi import FastAPI

OnionDir = Annotated[Path | None, typer.Option(help="Serve as an onion service of the private network in this folder.")]
OnionControl = Annotated[int | None, typer.Option(help="Serve as an onion service of the tor with this control port.")]
OnionKeyFile = Annotated[
    Path | None, typer.Option(help="Key of the .onion name, made if missing. Default: a fresh name each time.")
]


def control_port(onion_dir: Path | None, onion_control: int | None) -> int | None:
    """Control port of the tor that publishes the service; ``None`` without Tor. Raises ``ValueError`` for both."""
    if onion_dir is not None and onion_control is not None:
        raise ValueError("give --onion-dir or --onion-control, not both")
    if onion_dir is None:
        return onion_control
    from petra.onion.network import load

    return load(onion_dir).service_control_port


@asynccontextmanager
async def listening(
    app: "FastAPI", host: str, port: int, control: int | None, key_file: Path | None
) -> AsyncIterator[str]:
    """Serve ``app`` meanwhile; gives its address. With ``control``, only tor can reach it, and host and port are none.

    Raises ``OSError`` if the port is taken, :class:`~petra.onion.errors.OnionError` if it cannot be published.
    """
    from petra.onion.control import StemControl
    from petra.onion.keyfiles import kept_secret
    from petra.onion.service import fresh_service_key, onion_service
    from petra.serving import served

    if control is None:
        async with served(app, host, port) as bound:
            yield f"http://{host}:{bound}"
        return
    key = None if key_file is None else kept_secret(key_file, fresh_service_key)
    tor = await asyncio.to_thread(StemControl, control)
    try:
        async with onion_service(app, tor, key) as url:
            yield url
    finally:
        tor.close()
