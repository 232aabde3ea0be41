"""Serving any ASGI application as an onion service."""

import asyncio
import base64
import hashlib
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from petra.onion.control import TorControl
from petra.serving import served

HTTP = 80
"""Port of every onion service; Tor encrypts and authenticates, so there is no TLS above it."""


def fresh_service_key() -> str:
    """A new v3 service key as the control port takes it: whoever has it can serve under its ``.onion`` name.

    The key is the expanded Ed25519 secret: SHA-512 of a seed, clamped (RFC 8032, §5.1.5).
    """
    expanded = bytearray(hashlib.sha512(secrets.token_bytes(32)).digest())
    expanded[0] &= 248
    expanded[31] = expanded[31] & 127 | 64
    return "ED25519-V3:" + base64.b64encode(expanded).decode()


@asynccontextmanager
async def onion_service(app: FastAPI, control: TorControl, key: str | None = None) -> AsyncIterator[str]:
    """Serve ``app`` meanwhile, on loopback for the tor process behind ``control``; gives its ``http://….onion``.

    Raises :class:`~petra.onion.errors.OnionError` if it cannot be published.
    """
    async with served(app) as port:
        name = await asyncio.to_thread(control.publish, HTTP, f"127.0.0.1:{port}", key)
        yield f"http://{name}"
