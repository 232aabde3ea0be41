"""Handing signed transactions to a relay.

The HTTP client is given from outside, so that the same code goes over loopback or over Tor; this module opens no
connection by itself, and tries no other way.
"""

from typing import TYPE_CHECKING

from assets.errors import EncodingError
from assets.transactions import Signed, Transaction
from petra.relay.wire import ANSWER_BYTES, body_of, fields_of

if TYPE_CHECKING:
    import httpx2


class RelayRefused(Exception):
    """The relay does not take the transaction: ``reason`` is a sentence. Sending it again will not help.

    A transaction may be on the ledger all the same, carried by somebody else: the ledger tells.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class RelayUnreachable(ConnectionError):
    """The relay gave no sound answer, or has no time. Whether it took the transaction is open: submit it again."""


class RelayClient:
    """One relay, as who submits sees it."""

    def __init__(self, url: str, http: "httpx2.AsyncClient") -> None:
        """``http``: the transport's; over Tor, one with circuits of its own."""
        self._url, self._http = url.rstrip("/"), http

    async def submit(self, signed: Signed[Transaction]) -> None:
        """Hand in a transaction. It is taken then, not yet recorded: the ledger tells the verdict.

        Submitting again does no harm. Raises :class:`RelayRefused` or :class:`RelayUnreachable`.
        """
        import httpx2

        try:
            body = body_of(signed)
        except EncodingError as error:
            raise RelayRefused(str(error)) from None
        data = bytearray()
        try:
            plain = {"Accept-Encoding": "identity"}
            async with self._http.stream("POST", f"{self._url}/v1/transactions", content=body, headers=plain) as answer:
                if answer.headers.get("Content-Encoding", "identity") != "identity":
                    # Never unpacked: a small answer may be made to fill the memory.
                    raise RelayUnreachable("what answered is no sound relay: its answer is packed; use another")
                async for chunk in answer.aiter_bytes():
                    data += chunk
                    if len(data) > ANSWER_BYTES:
                        raise RelayUnreachable("what answered is no sound relay; check its address, or use another")
        except httpx2.InvalidURL as wrong:
            raise RelayRefused(f"{self._url!r} is no address of a relay: {wrong}") from None
        except (httpx2.TransportError, httpx2.DecodingError) as error:
            raise RelayUnreachable(f"the relay did not answer ({type(error).__name__}); submit it again") from error
        self._believe(answer.status_code, bytes(data))

    def _believe(self, status: int, data: bytes) -> None:
        try:
            said = fields_of(data)
            if status == 202 and said["status"] == "taken":
                return
            detail = str(said["detail"])
        except (ValueError, KeyError):
            raise RelayUnreachable(f"what answered is no sound relay (HTTP {status}); use another") from None
        if 400 <= status < 500 and status not in (408, 425, 429):
            raise RelayRefused(detail)
        raise RelayUnreachable(detail)
