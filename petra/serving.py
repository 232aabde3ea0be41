"""Serving a board or a bid store on a socket of this machine."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

try:
    import uvicorn
except ImportError as error:
    raise ImportError("serving needs uvicorn; run: pip install 'petra[service]'") from error

CONNECTIONS = 4096
"""Connections at a time; beyond that the answer is 503."""


@asynccontextmanager
async def served(app: FastAPI, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[int]:
    """Serve ``app`` meanwhile; gives the port, chosen by the system if ``port`` is 0.

    Raises ``OSError`` if the port is taken, and whatever keeps the application from starting.
    """
    try:
        listener = socket.create_server((host, port), backlog=1024)
    except OSError as failure:
        raise OSError(f"cannot listen on {host}:{port} ({failure.strerror}); give another port or host") from failure
    config = uvicorn.Config(
        app,
        log_level="error",
        access_log=False,  # who asked for what is nobody's business
        lifespan="off",
        limit_concurrency=CONNECTIONS,
        timeout_keep_alive=120,
        timeout_graceful_shutdown=1,
        server_header=False,
    )
    server = uvicorn.Server(config)
    try:
        async with app.router.lifespan_context(app):  # here, so that what keeps it from starting is raised as it is
            task = asyncio.create_task(server.serve([listener]))
            try:
                while not server.started:
                    if task.done():
                        raise OSError("the service did not start") from task.exception()
                    await asyncio.sleep(0.01)  # uvicorn tells by a flag only
                yield listener.getsockname()[1]
            finally:
                server.should_exit = True
                await task
    finally:
        listener.close()
