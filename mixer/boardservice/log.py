"""The log of one session on a running board: checks a post, records it, and wakes whoever waits for it.

Posts that arrive while others are being written are written together. The records in memory are always a prefix of
those in the store; on a store that other replicas share, the rest is read before anything is added.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from assets.errors import EncodingError
from assets.keys import Address, Digest, SigningKey
from mixer.boardservice.errors import BadRequest, BoardRefusal, NotAMember, OtherHistory, QuotaExceeded
from mixer.boardservice.event import with_length
from mixer.boardservice.frame import Frame, decode_frame
from mixer.boardservice.heads import SignedHead, first_head, sign_head
from mixer.boardservice.limits import Limits
from mixer.boardservice.record import Record, decode_record
from mixer.boardservice.store import PlaceTaken, Store, StoredSession
from mixer.boardservice.ticket import check_ticket
from mixer.session import MixSession


@dataclass(frozen=True, slots=True)
class _Waiting:
    frame: Frame
    done: "asyncio.Future[SignedHead]"


class SessionLog:
    """All records of one session."""

    def __init__(
        self,
        session: MixSession,
        stored: StoredSession,
        store: Store,
        key: SigningKey,
        limits: Limits,
        clock: Callable[[], float],
    ) -> None:
        self.session = session
        self.opened_s, self.expires_s, self.nonce = stored.opened_s, stored.expires_s, stored.nonce
        self.readers: Counter[int] = Counter()
        """Open streams by author."""
        self._store, self._key, self._limits, self._clock = store, key, limits, clock
        self._kept: list[bytes] = []
        self._heads: list[Digest] = [first_head(key.address, session.id, stored.opened_s, stored.nonce)]
        self._last_s = stored.opened_s
        self._last_author = 0
        self._tickets: dict[str, int] = {}
        self._places: dict[Digest, int] = {}
        self._posts: Counter[int] = Counter()
        self._bytes: Counter[int] = Counter()
        self._waiting: deque[_Waiting] = deque()
        self._writer: asyncio.Task[None] | None = None
        self._reading = asyncio.Lock()
        self._grown = asyncio.Event()
        self._signed: dict[int, SignedHead] = {}

    @property
    def count(self) -> int:
        """Number of records known here."""
        return len(self._kept)

    @property
    def waiting(self) -> int:
        """Posts that are not written yet."""
        return len(self._waiting)

    @property
    def board(self) -> Address:
        """The board's address."""
        return self._key.address

    def records(self, start: int) -> Sequence[bytes]:
        """The records from place ``start`` on, each behind its length."""
        return self._kept[start:]

    def size_from(self, start: int) -> int:
        """Bytes of the records from place ``start`` on."""
        return sum(map(len, self._kept[start:]))

    def places_after_author(self, member: int) -> int:
        """How many members come between the author of the last record and ``member``, in the order of their inputs."""
        return (member - self._last_author - 1) % self.session.size

    def author(self, ticket: str) -> int:
        """Which member ``ticket`` proves its bearer to be; raises :class:`~mixer.boardservice.errors.NotAMember`."""
        if ticket not in self._tickets:
            author = check_ticket(ticket, self.session.id, self.board, self.session.owners)
            if len(self._tickets) > 4 * self.session.size:  # a signature can be made again, and then is another one
                self._tickets.clear()
            self._tickets[ticket] = author
        return self._tickets[ticket]

    def head(self, count: int) -> SignedHead:
        """The signed head after the first ``count`` records."""
        if count not in self._signed:
            self._signed[count] = sign_head(self.session.id, count, self._heads[count], self._key)
        return self._signed[count]

    async def wait_beyond(self, count: int) -> None:
        """Return once there are more than ``count`` records."""
        while self.count <= count:
            await self._grown.wait()

    async def catch_up(self) -> None:
        """Read what other replicas have recorded."""
        async with self._reading:
            for data in await self._store.records(self.nonce, self.count):
                self._take(decode_record(self.session.id, data))
        self._wake()

    async def post(self, author: int, data: bytes) -> SignedHead:
        """Record a frame; returns the head after it. A frame that is recorded already gets the same answer again.

        Raises a :class:`~mixer.boardservice.errors.BoardRefusal`, nothing having changed.
        """
        try:
            frame = decode_frame(self.session.id, data)
        except (EncodingError, ValueError) as error:
            raise BadRequest(str(error)) from None
        if frame.author != author:
            raise NotAMember("The frame names another author than the ticket.")
        if frame.author_address(self.board) != self.session.owners[author]:
            raise NotAMember("The frame is not signed by its author for this board and session.")
        waiting = _Waiting(frame, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write())
        return await waiting.done

    async def _write(self) -> None:
        """Write what waits until nothing does; answer each post."""
        while self._waiting:
            batch = list(self._waiting)
            self._waiting.clear()
            try:
                await self._record(batch)
            except Exception as error:
                for waiting in batch:
                    if not waiting.done.done():
                        waiting.done.set_exception(error)

    async def _record(self, batch: Sequence[_Waiting]) -> None:
        while True:
            accepted: dict[Digest, Frame] = {}
            posts, sizes = Counter(self._posts), Counter(self._bytes)
            for waiting in batch:
                if waiting.done.done():
                    continue
                frame = waiting.frame
                if frame.id in accepted or frame.id in self._places:
                    continue
                try:
                    self._check(frame, posts, sizes)
                except BoardRefusal as refusal:
                    waiting.done.set_exception(refusal)
                    continue
                accepted[frame.id] = frame
                posts[frame.author] += 1
                sizes[frame.author] += len(frame.encoded)
            try:
                if accepted:
                    async with self._reading:
                        at_s = max(int(self._clock()), self._last_s)
                        records = [Record(at_s, frame) for frame in accepted.values()]
                        await self._store.append(self.nonce, self.count, [r.encoded for r in records])
                        for record in records:
                            self._take(record)
                break
            except PlaceTaken:
                await self.catch_up()
        self._wake()
        for waiting in batch:
            if not waiting.done.done():
                waiting.done.set_result(self.head(self._places[waiting.frame.id] + 1))

    def _check(self, frame: Frame, posts: Counter[int], sizes: Counter[int]) -> None:
        seen = frame.seen
        # What this replica signed itself needs no check: equal signatures are one signature.
        known = self._signed.get(seen.count)
        signed = (known is not None and known == seen) or seen.is_signed_by(self.board)
        if seen.count > self.count or seen.head != self._heads[seen.count] or not signed:
            raise OtherHistory(f"It names a head after {seen.count} posts that this log never had.")
        if posts[frame.author] >= self._limits.posts_per_author:
            raise QuotaExceeded(f"An author has {self._limits.posts_per_author} posts in a session.")
        if sizes[frame.author] + len(frame.encoded) > self._limits.bytes_per_author:
            raise QuotaExceeded(f"An author has {self._limits.bytes_per_author} bytes in a session.")

    def _take(self, record: Record) -> None:
        frame = record.frame
        self._places[frame.id] = self.count
        self._heads.append(record.head_after(self._heads[-1]))
        self._kept.append(with_length(record.encoded))
        self._last_s = record.at_s
        self._last_author = frame.author
        self._posts[frame.author] += 1
        self._bytes[frame.author] += len(frame.encoded)

    def _wake(self) -> None:
        self._grown.set()
        self._grown = asyncio.Event()
