"""Reporting to the DSO: a signed statement of each finished period, delivered until it is acknowledged.

A statement is written down, signed, before it is sent, and sent again as it is: whatever happens to the process, a
period is stated once. The next one waits for the acknowledgement, since the DSO numbers them.
"""

import json
import logging
import urllib.request
from collections.abc import Callable
from dataclasses import asdict
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError

from assets.codec import is_nested_deeply
from assets.keys import Signer
from assets.statement import SignedStatement, sign_statement
from smartmeter.book import Book
from smartmeter.statement import statement_of

log = logging.getLogger("petra.meter")

TIMEOUT_S = 20
"""How long the DSO may take to answer, seconds."""

ANSWER_BYTES = 64 * 1024
"""Longest answer that is read."""

LONGEST_PAUSE_S = 60.0
"""Longest pause between two attempts, real seconds."""


class NotAcknowledged(Exception):
    """The DSO did not book a statement; says why, as far as it is known."""


def json_of(signed: SignedStatement) -> dict[str, int | str]:
    """A statement as the DSO takes it in."""
    return {**asdict(signed.statement), "signature": "0x" + signed.signature.hex()}


class Reporter:
    """States the periods of a book, in order. Use it in the thread that made the book."""

    def __init__(
        self, book: Book, meter: int, key: Signer, every: int, deliver: Callable[[SignedStatement], None]
    ) -> None:
        """``every``: intervals of a period; one ends where a multiple of that many intervals does.

        ``deliver`` raises :class:`NotAcknowledged` unless the DSO has booked it.
        """
        self._book, self._meter, self._key, self._every, self._deliver = book, meter, key, every, deliver

    def step(self) -> int:
        """State what is finished and deliver what waits; how many were acknowledged.

        Raises :class:`NotAcknowledged`; what was not delivered is delivered by a later step.
        """
        count = 0
        while True:
            waiting = self._book.waiting_statement() or self._state()
            if waiting is None:
                return count
            self._deliver(waiting)
            self._book.acknowledge(waiting.statement.nonce)
            count += 1

    def _state(self) -> SignedStatement | None:
        """The statement of the next period, durable; ``None`` if it is not finished."""
        period = self._next_period()
        if period is None:
            return None
        records = self._book.bills(period[0], period[-1])
        if len(records) != len(period):
            return None
        statement = statement_of(self._meter, self._book.statement_count(), records)
        signed = sign_statement(self._book.domain, statement, self._key)
        self._book.add_statement(signed)
        return signed

    def _next_period(self) -> range | None:
        """Intervals that were not stated yet, up to the end of a period or to what was stated in another way."""
        start = self._book.first_bill
        if start is None:
            return None
        for first, last, _ in self._book.stated():
            if first > start:
                end = self._end(start)
                return range(start, min(end, first))
            start = max(start, last + 1)
        return range(start, self._end(start))

    def _end(self, start: int) -> int:
        return (start // self._every + 1) * self._every


class HttpDelivery:
    """Delivers statements to ``petra dso serve``."""

    def __init__(self, url: str, token_file: Path) -> None:
        """``token_file`` is read each time: a fresh token needs no restart."""
        self._url, self._token_file = url.rstrip("/") + "/statements", token_file
        # Neither a proxy of the environment nor a redirection gets to see the token.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirection)

    def __call__(self, signed: SignedStatement) -> None:
        """Deliver a statement. Raises :class:`NotAcknowledged`."""
        try:
            token = self._token_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            raise NotAcknowledged(f"{self._token_file} with the DSO's token cannot be read") from None
        if not token or not token.isascii() or not token.isprintable():
            raise NotAcknowledged(f"{self._token_file} holds no token; write the one that petra dso serve printed")
        request = urllib.request.Request(  # noqa: S310 - the configuration takes http and https only
            self._url,
            json.dumps(json_of(signed)).encode(),
            {"Content-Type": "application/json", "Authorization": f"Bearer {token}"},
        )
        try:
            with self._opener.open(request, timeout=TIMEOUT_S) as answer:
                said = _fields(answer.read(ANSWER_BYTES))
        except HTTPError as refusal:
            with refusal:
                raise NotAcknowledged(str(_fields(refusal.read(ANSWER_BYTES)).get("detail", refusal.code))) from None
        except (OSError, HTTPException) as failure:
            raise NotAcknowledged(f"the DSO does not answer ({type(failure).__name__})") from None
        if said.get("status") not in ("booked", "booked before"):
            raise NotAcknowledged("what answered is no DSO's service; check [report] url")


class _NoRedirection(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object, **__: object) -> None:
        """Nowhere else."""


def _fields(data: bytes) -> dict[str, object]:
    try:
        found = None if is_nested_deeply(data) else json.loads(data)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {}
