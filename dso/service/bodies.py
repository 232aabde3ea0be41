"""Bodies of requests are looked at before a JSON parser sees them: strangers send them, too."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from assets.codec import is_nested_deeply

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

MOST_BYTES = 65_536
"""Longest body of JSON; a statement has 600."""


class CheckedBodies:
    """ASGI middleware that refuses bodies that are too long, and those whose nesting would crash the interpreter.

    ``apart``: a path whose own code reads the body in parts.
    """

    def __init__(self, app: App, apart: str) -> None:
        self._app, self._apart = app, apart

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass a request on, its body read, or answer it."""
        from starlette.responses import JSONResponse

        if scope["type"] != "http" or scope["path"] == self._apart:
            await self._app(scope, receive, send)
            return
        body, more = b"", True
        while more and len(body) <= MOST_BYTES:
            message = await receive()
            if message["type"] != "http.request":
                return
            body, more = body + message.get("body", b""), message.get("more_body", False)
        if len(body) > MOST_BYTES:
            answer = JSONResponse({"detail": f"a body has at most {MOST_BYTES} bytes"}, 413)
            await answer(scope, receive, send)
            return
        # JSON in UTF-8 has no zero bytes; in UTF-16 or UTF-32, which Python's parser takes, brackets would hide.
        if b"\0" in body or is_nested_deeply(body):
            answer = JSONResponse({"detail": "the body is not JSON in UTF-8, or is nested too deeply"}, 422)
            await answer(scope, receive, send)
            return
        unread = [{"type": "http.request", "body": body, "more_body": False}]

        async def again() -> Message:
            return unread.pop() if unread else await receive()

        await self._app(scope, again, send)
