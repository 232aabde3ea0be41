"""A running board: its sessions, the quotas that span them, and their end."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

from assets.errors import EncodingError
from assets.keys import Digest, SigningKey
from mixer.boardservice.admission import Admission
from mixer.boardservice.description import decode_session
from mixer.boardservice.errors import (
    BadRequest,
    Busy,
    NotAdmitted,
    QuotaExceeded,
    SessionExpired,
    TooLarge,
    UnknownSession,
)
from mixer.boardservice.heads import NONCE_BYTES, SignedHead
from mixer.boardservice.limits import Limits
from mixer.boardservice.log import SessionLog
from mixer.boardservice.store import Store, StoredSession
from mixer.boardservice.ticket import check_ticket

try:
    from sqlalchemy.exc import SQLAlchemyError
except ImportError as error:
    raise ImportError("the board service needs SQLAlchemy; run: pip install 'petra[service]'") from error

POLL_S = 0.1
"""How often a replica asks a shared store for what others recorded, for the sessions that somebody reads here."""

TIDY_S = 30
"""How often expired sessions are deleted."""


class RunningBoard:
    """Everything that a board does, apart from HTTP. Use as ``async with board.running(): …``."""

    def __init__(
        self,
        store: Store,
        key: SigningKey,
        admission: Admission,
        limits: Limits | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.key, self.limits = key, limits or Limits()
        self._store = store
        self._admission = admission
        self._clock = clock
        self._logs: dict[Digest, SessionLog] = {}
        self._opening = asyncio.Lock()
        self._readers = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Prepare the store, and meanwhile follow other replicas and delete what has expired."""
        await self._store.prepare()
        tasks = [asyncio.create_task(self._tidy())]
        if self._store.shared:
            tasks.append(asyncio.create_task(self._follow()))
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            for task in tasks:
                with suppress(asyncio.CancelledError):
                    await task
            await self._store.close()

    async def describe(self, session_id: Digest, description: bytes, ticket: str) -> SessionLog:
        """Open the session that ``description`` describes, if it is not open already.

        Raises a :class:`~mixer.boardservice.errors.BoardRefusal`: for a description that is not that of the id, and
        for a bearer who is no member.
        """
        with suppress(UnknownSession):
            return (await self.log(session_id, ticket))[0]
        try:
            session = decode_session(description)
        except EncodingError as error:
            raise BadRequest(str(error)) from None
        if session.id != session_id:
            raise BadRequest("The description is that of another session.")
        check_ticket(ticket, session_id, self.key.address, session.owners)
        if reason := await self._admission.refusal(session):
            raise NotAdmitted(reason)
        if await self._store.open_sessions(self._now_s()) >= self.limits.sessions:
            raise Busy(f"It carries {self.limits.sessions} sessions at a time.")
        now_s = self._now_s()
        stored = StoredSession(description, now_s, now_s + self.limits.lifetime_s, secrets.token_bytes(NONCE_BYTES))
        await self._store.add_session(session_id, stored)
        return (await self.log(session_id, ticket))[0]

    async def log(self, session_id: Digest, ticket: str) -> tuple[SessionLog, int]:
        """The log of a session and which member asks for it; raises a ``BoardRefusal``."""
        log = self._logs.get(session_id) or await self._load(session_id)
        author = log.author(ticket)
        if self.expired(log):
            raise SessionExpired
        return log, author

    async def post(self, session_id: Digest, data: bytes, ticket: str) -> SignedHead:
        """Record a frame; returns the signed head after it. Raises a ``BoardRefusal``."""
        log, author = await self.log(session_id, ticket)
        if len(data) > self.limits.frame_bytes:
            raise TooLarge(f"It takes at most {self.limits.frame_bytes} bytes.")
        if log.waiting >= self.limits.waiting_posts:
            raise Busy
        return await log.post(author, data)

    def require_room(self, log: SessionLog, author: int) -> None:
        """Raise a ``BoardRefusal`` if ``author``, or all readers together, have too many streams open."""
        if log.readers[author] >= self.limits.readers_per_author:
            raise QuotaExceeded(f"An author reads a session on {self.limits.readers_per_author} streams at a time.")
        if self._readers >= self.limits.readers:
            raise Busy

    @contextmanager
    def reading(self, log: SessionLog, author: int) -> Iterator[None]:
        """Count a stream while it is open."""
        log.readers[author] += 1
        self._readers += 1
        try:
            yield
        finally:
            log.readers[author] -= 1
            self._readers -= 1

    def expired(self, log: SessionLog) -> bool:
        """Whether the session's time is over."""
        return self._now_s() >= log.expires_s

    async def tidy(self) -> int:
        """Delete what has expired; returns how many sessions."""
        now_s = self._now_s()
        self._logs = {key: log for key, log in self._logs.items() if now_s < log.expires_s}
        return await self._store.forget_expired(now_s)

    async def _load(self, session_id: Digest) -> SessionLog:
        async with self._opening:
            if session_id not in self._logs:
                stored = await self._store.session(session_id)
                if stored is None:
                    raise UnknownSession
                session = decode_session(stored.description)
                log = SessionLog(session, stored, self._store, self.key, self.limits, self._clock)
                await log.catch_up()
                self._logs[session_id] = log
            return self._logs[session_id]

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(POLL_S)
            for log in list(self._logs.values()):
                if log.readers.total():
                    with suppress(SQLAlchemyError):  # the database may come back
                        await log.catch_up()

    async def _tidy(self) -> None:
        while True:
            await asyncio.sleep(TIDY_S)
            with suppress(SQLAlchemyError):
                await self.tidy()

    def _now_s(self) -> int:
        return int(self._clock())
