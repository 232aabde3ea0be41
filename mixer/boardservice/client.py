"""A member's end of the board: posts frames, follows the log, and believes only what it has checked.

The HTTP client is given from outside, so that the same code goes over loopback or over Tor; this module opens no
connection by itself. Whatever goes wrong on the way is tried again over the same kind of way or ends in
:class:`~mixer.boardservice.errors.BoardLost`; it is never tried by another.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from types import TracebackType

from assets.codec import ADDRESS, UINT32, UINT64, JsonObject, is_nested_deeply
from assets.errors import EncodingError
from assets.keys import Address, Digest, SigningKey
from mixer.boardservice.description import encode_session
from mixer.boardservice.errors import (
    REFUSALS,
    BoardForked,
    BoardLost,
    BoardMisbehaved,
    BoardRefusal,
    Busy,
    UnknownSession,
)
from mixer.boardservice.event import LENGTH_BYTES, MAX_EVENT_BYTES, decode_event
from mixer.boardservice.frame import sign_frame
from mixer.boardservice.heads import SignedHead, first_head
from mixer.boardservice.record import Record, author_of, decode_record
from mixer.boardservice.ticket import HEADER, sign_ticket
from mixer.opening import UNOPENED
from mixer.session import MixSession

try:
    import httpx2
except ImportError as error:
    raise ImportError("a board is reached with httpx2; run: pip install 'petra[service]'") from error

RETRIES = 5
"""How often a request is repeated when the connection breaks or the board is busy."""

RETRY_S = 0.25
"""Pause before the first repetition; it doubles every time."""

MAX_ANSWER_BYTES = 16 * 1024
"""No answer but a stream is longer."""

SILENCE_S = 40
"""A stream that carries nothing for so long, not even a heartbeat, is taken for broken."""


@dataclass(frozen=True, slots=True)
class BoardAddress:
    """Where a board is, and with which key it signs. Written ``http://host:port#0x…`` (:func:`parse_board`)."""

    url: str
    key: Address

    def __str__(self) -> str:
        return f"{self.url}#0x{self.key.hex()}"


def parse_board(text: str) -> BoardAddress:
    """The address written as ``text``; raises ``ValueError``."""
    url, _, key = text.partition("#")
    try:
        if not url.startswith("http://"):
            raise EncodingError("no URL")
        return BoardAddress(url.rstrip("/"), Address(ADDRESS.decode(key, "key")))
    except EncodingError:
        raise ValueError(
            f"{text!r} is not a board; write http://host:port#0x… with the 40 digits of its address"
        ) from None


@dataclass(slots=True)
class Traffic:
    """What a member sent and received, in bytes of bodies."""

    posts: int = 0
    sent_bytes: int = 0
    received_bytes: int = 0


class BoardClient:
    """One member of one session at one board. Use as ``async with BoardClient(…) as board: …``.

    ``http`` is the member's own: nobody else's requests may share its connections. It is closed at the end.
    """

    def __init__(self, http: "httpx2.AsyncClient", board: BoardAddress, session: MixSession, key: SigningKey) -> None:
        self._http, self._board, self._session, self._key = http, board, session, key
        self._author = session.index_of(key.address)
        self._path = f"{board.url}/v1/sessions/{session.id.hex()}"
        self._headers = {
            HEADER: sign_ticket(self._author, session.id, board.key, key).text,
            "Accept-Encoding": "identity",
        }
        self._head = SignedHead(session.id, 0, UNOPENED)  # until the board has opened the session
        self._chain: list[Digest] = [self._head.head]
        self._signed: dict[int, SignedHead] = {}
        self._opened_s: int | None = None
        self.records: list[Record] = []
        """Everything that the board has shown, checked: the evidence for whatever follows."""
        self.standing = 0
        """Records that the log had when the session was opened here."""
        self.traffic = Traffic()

    async def __aenter__(self) -> "BoardClient":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    @property
    def head(self) -> SignedHead:
        """The last head that the board signed for what this member has read."""
        return self._head

    @property
    def now_s(self) -> int:
        """The board's time as far as it has been read: when the session was opened, or when the last record came."""
        return self.records[-1].at_s if self.records else self._opened_s or 0

    @property
    def opening(self) -> Digest:
        """First head of the log: which opening of the session this is. Raises ``ValueError`` before :meth:`open`."""
        if self._opened_s is None:
            raise ValueError("open the session first")
        return self._chain[0]

    async def open(self) -> int:
        """Open the session at the board, unless it is open; returns at what time of the board it was.

        Raises a ``BoardRefusal``, :class:`BoardLost`, or :class:`BoardMisbehaved`.
        """
        try:
            answer = await self._request("GET", self._path)
        except UnknownSession:
            answer = await self._request("PUT", self._path, encode_session(self._session))
        try:
            fields = _fields(answer)
            opened_s = UINT64.decode(fields["opened_s"], "opened_s")
            signature = bytes.fromhex(str(fields["signature"]))
            nonce = bytes.fromhex(str(fields["nonce"]))
            head = SignedHead(
                self._session.id, 0, first_head(self._board.key, self._session.id, opened_s, nonce), signature
            )
            standing = UINT32.decode(fields["count"], "count")
            if bytes.fromhex(str(fields["head"])) != head.head:
                raise ValueError("another head")
        except (ValueError, KeyError, TypeError) as error:
            raise BoardMisbehaved("the board's answer about the session cannot be read") from error
        if self._opened_s is None:
            self._opened_s, self._head, self._chain, self.standing = opened_s, head, [head.head], standing
        self._believe(head)
        return opened_s

    async def post(self, message: bytes) -> SignedHead:
        """Add a message to the log; returns the board's signed head after it.

        Raises a ``BoardRefusal``, :class:`BoardLost`, or :class:`BoardMisbehaved` if the answer is not signed.
        """
        frame = sign_frame(self._author, self._head, message, self._key, self._board.key)
        answer = await self._request("POST", self._path + "/posts", frame.encoded)
        self.traffic.posts += 1
        try:
            fields = _fields(answer)
            head = SignedHead(
                self._session.id,
                UINT32.decode(fields["count"], "count"),
                Digest(bytes.fromhex(str(fields["head"]))),
                bytes.fromhex(str(fields["signature"])),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise BoardMisbehaved("the board's answer to a post cannot be read") from error
        self._believe(head)
        return head

    async def follow(self) -> AsyncGenerator[list[Record], None]:
        """All records of the log from the first not yet read, as they arrive, each checked.

        Raises :class:`BoardForked` or :class:`BoardMisbehaved` at the first thing that is wrong, a ``BoardRefusal``,
        and :class:`BoardLost` if the stream breaks and cannot be taken up again.
        """
        if self._opened_s is None:
            await self.open()
        failures = 0
        while True:
            url = f"{self._path}/events?start={len(self.records)}"
            try:
                async with self._http.stream(
                    "GET", url, headers=self._headers, timeout=httpx2.Timeout(SILENCE_S)
                ) as response:
                    if response.status_code != 200:
                        raise _refusal(response.status_code, await _whole(response))
                    async for event in self._events(response):
                        failures = 0
                        yield self._read(event)
            except (httpx2.TransportError, httpx2.StreamError, Busy) as error:
                failures = await self._pause(failures, error)
            else:
                failures = await self._pause(failures, None)

    async def _events(self, response: "httpx2.Response") -> AsyncIterator[bytes]:
        """Each event of a stream, without its length; signs of life are left out."""
        rest = bytearray()
        async for chunk in response.aiter_raw():
            self.traffic.received_bytes += len(chunk)
            rest += chunk
            while len(rest) >= LENGTH_BYTES:
                end = LENGTH_BYTES + int.from_bytes(rest[:LENGTH_BYTES], "big")
                if end > LENGTH_BYTES + MAX_EVENT_BYTES:
                    raise BoardMisbehaved(f"the board announced an event of more than {MAX_EVENT_BYTES} bytes")
                if len(rest) < end:
                    break
                event = bytes(rest[LENGTH_BYTES:end])
                del rest[:end]
                if event:
                    yield event

    def _read(self, event: bytes) -> list[Record]:
        try:
            seal, signature, bodies = decode_event(event)
            records = [decode_record(self._session.id, data) for data in bodies]
        except EncodingError as error:
            raise BoardMisbehaved(f"the board sent what is no event: {error}") from error
        head = SignedHead(self._session.id, len(self.records) + len(records), Digest(seal), signature)
        before = len(self._chain)
        chain = self._chain.copy()
        now_s = self.now_s
        for record in records:
            chain.append(record.head_after(chain[-1]))
            if record.at_s < now_s:
                raise BoardMisbehaved(f"the board's time went back from {now_s} to {record.at_s}")
            now_s = record.at_s
        if chain[-1] != head.head:
            raise BoardMisbehaved("the board signed another head than that of the records that it sent")
        self._believe(head)
        self._chain, self._head = chain, head
        self.records += records
        for count in range(before, len(chain)):
            if count in self._signed and self._signed[count].head != chain[count]:
                raise BoardForked(self._head_at(count), self._signed[count])
        for record in records:
            self._check(record)
        return records

    def _check(self, record: Record) -> None:
        owners, frame = self._session.owners, record.frame
        signer = author_of(record.encoded, self._session.id, self._board.key)
        if frame.author >= len(owners) or signer != owners[frame.author]:
            raise BoardMisbehaved("the board recorded a frame that its author did not sign")
        if frame.seen.count >= len(self._chain):
            raise BoardMisbehaved("the board recorded a frame that refers to frames after it")
        if frame.seen.head != self._chain[frame.seen.count]:
            if frame.seen.is_signed_by(self._board.key):
                raise BoardForked(self._head_at(frame.seen.count), frame.seen)
            raise BoardMisbehaved("the board recorded a frame that refers to a head which it never signed")

    def _believe(self, head: SignedHead) -> None:
        """Remember a signed head. Raises :class:`BoardForked` if it contradicts what was read or signed before."""
        if not head.is_signed_by(self._board.key):
            raise BoardMisbehaved("the board's head does not carry its signature")
        known = self._signed.setdefault(head.count, head)
        if known.head != head.head:
            raise BoardForked(known, head)
        if head.count < len(self._chain) and self._chain[head.count] != head.head:
            raise BoardForked(self._head_at(head.count), head)

    def _head_at(self, count: int) -> SignedHead:
        """This member's own head after ``count`` frames; with the board's signature if it signed just that."""
        own = SignedHead(self._session.id, count, self._chain[count])
        signed = self._signed.get(count)
        return signed if signed is not None and signed.head == own.head else own

    async def _request(self, method: str, url: str, body: bytes | None = None) -> bytes:
        failures = 0
        while True:
            try:
                async with self._http.stream(method, url, content=body, headers=self._headers) as response:
                    self.traffic.sent_bytes += len(body or b"")
                    answer = await _whole(response)
                    if response.is_success:
                        return answer
                    raise _refusal(response.status_code, answer)
            except (httpx2.TransportError, httpx2.StreamError, Busy) as error:
                failures = await self._pause(failures, error)

    async def _pause(self, failures: int, error: Exception | None) -> int:
        if failures >= RETRIES:
            raise BoardLost(f"the board cannot be reached: {error or 'it ends every stream'}") from error
        await asyncio.sleep(RETRY_S * 2**failures)
        return failures + 1


async def _whole(response: "httpx2.Response") -> bytes:
    """The body of an answer that is no stream, read no further than an answer is long, and never unpacked."""
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise BoardMisbehaved("the board's answer is packed, which nobody asked for")
    answer = bytearray()
    async for chunk in response.aiter_raw():
        answer += chunk
        if len(answer) > MAX_ANSWER_BYTES:
            raise BoardMisbehaved(f"the board's answer is longer than {MAX_ANSWER_BYTES} bytes")
    return bytes(answer)


def _fields(answer: bytes) -> JsonObject:
    """The fields of an answer in JSON; raises ``ValueError`` if it is no object."""
    fields = None if is_nested_deeply(answer) else json.loads(answer)
    if not isinstance(fields, dict):
        raise EncodingError("expected an object")
    return fields


def _refusal(status: int, body: bytes) -> Exception:
    """The refusal in a problem+json answer."""
    try:
        problem = _fields(body)
        cls: type[BoardRefusal] = REFUSALS[str(problem["type"])]
        return cls(str(problem["detail"]))
    except (ValueError, KeyError, TypeError):
        return Busy(f"(HTTP {status})") if status >= 500 else BoardMisbehaved(f"the board answered with HTTP {status}")
