"""Where sessions and their records are kept: SQLite by default, PostgreSQL for several replicas; the same code.

Records belong to an *opening* of a session, named by its nonce. So what was written for one that has been forgotten
meanwhile can never stand in the log of the next.

A record's place is the primary key of its row. Whoever inserts a place first has it; another replica that tried the
same place fails, reads what it missed, and tries the next. So there is one log, without locks, and no replica can
record what it has not checked against all that came before.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from assets.keys import Digest

try:
    from sqlalchemy import (
        BigInteger,
        Column,
        Integer,
        LargeBinary,
        MetaData,
        Table,
        delete,
        event,
        func,
        insert,
        select,
    )
    from sqlalchemy.exc import DatabaseError, IntegrityError
    from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
except ImportError as error:
    raise ImportError("the board service needs SQLAlchemy; run: pip install 'petra[service]'") from error

_METADATA = MetaData()

_SESSIONS = Table(
    "board_opening",
    _METADATA,
    Column("session", LargeBinary(32), primary_key=True),
    Column("nonce", LargeBinary(32), nullable=False, unique=True),
    Column("description", LargeBinary, nullable=False),
    Column("opened_s", BigInteger, nullable=False),
    Column("expires_s", BigInteger, nullable=False, index=True),
)

_RECORDS = Table(
    "board_opening_record",
    _METADATA,
    Column("nonce", LargeBinary(32), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),
)


class PlaceTaken(Exception):
    """Another replica has recorded a frame at that place."""


@dataclass(frozen=True, slots=True)
class StoredSession:
    """A session as it was described."""

    description: bytes
    opened_s: int
    expires_s: int
    nonce: bytes
    """Drawn when the session was opened: names this opening."""


def engine_of(url: str) -> AsyncEngine:
    """An engine for ``url``: a file name, ``sqlite+aiosqlite:///…`` or ``postgresql+psycopg://…``.

    Raises ``ImportError`` with what to install, and ``ValueError`` for a database of another kind.
    """
    if "://" not in url:
        url = f"sqlite+aiosqlite:///{Path(url).absolute()}"
    if url.startswith("postgresql://"):
        url = "postgresql+psycopg://" + url.removeprefix("postgresql://")
    if not url.startswith(("sqlite+aiosqlite://", "postgresql+psycopg://")):
        raise ValueError(f"the board keeps its log in a file or at postgresql://…, not at {url.split('://', 1)[0]}://…")
    try:
        engine = create_async_engine(url)
    except ModuleNotFoundError as error:
        extra = "postgres" if url.startswith("postgresql") else "service"
        raise ImportError(f"{error.name} is missing; run: pip install 'petra[{extra}]'") from error
    if engine.dialect.name == "sqlite":
        event.listen(engine.sync_engine, "connect", _tune_sqlite)
    return engine


def _tune_sqlite(connection: Any, _: object) -> None:  # noqa: ANN401 - the driver's, behind SQLAlchemy's adapter
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=5000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


class Store:
    """Sessions and records in a database."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    @property
    def shared(self) -> bool:
        """Whether other replicas may write to the same database."""
        return self._engine.dialect.name != "sqlite"

    async def prepare(self) -> None:
        """Make the tables that are missing. Raises ``ConnectionError`` if the database cannot be reached."""
        try:
            async with self._engine.begin() as connection:
                await connection.run_sync(_METADATA.create_all)
        except IntegrityError:  # another replica made them at the same moment
            await self.prepare()
        except DatabaseError as error:
            reason = str(error.orig).strip().splitlines()[0]
            raise ConnectionError(f"the board's database cannot be opened: {reason}") from error

    async def close(self) -> None:
        """Give back all connections."""
        await self._engine.dispose()

    async def add_session(self, session: Digest, stored: StoredSession) -> None:
        """Record a session, unless it is recorded already."""
        row = {"session": session, **asdict(stored)}
        try:
            async with self._engine.begin() as connection:
                await connection.execute(insert(_SESSIONS).values(row))
        except IntegrityError:
            return

    async def session(self, session: Digest) -> StoredSession | None:
        """What was recorded of a session."""
        async with self._engine.connect() as connection:
            columns = select(*(_SESSIONS.c[name] for name in ("description", "opened_s", "expires_s", "nonce")))
            row = (await connection.execute(columns.where(_SESSIONS.c.session == session))).first()
        return None if row is None else StoredSession(bytes(row[0]), row[1], row[2], bytes(row[3]))

    async def open_sessions(self, now_s: int) -> int:
        """How many sessions have not expired."""
        async with self._engine.connect() as connection:
            count = select(func.count()).select_from(_SESSIONS).where(_SESSIONS.c.expires_s > now_s)
            return int((await connection.execute(count)).scalar_one())

    async def records(self, nonce: bytes, start: int) -> Sequence[bytes]:
        """The records of an opening from place ``start`` on."""
        async with self._engine.connect() as connection:
            query = (
                select(_RECORDS.c.data)
                .where(_RECORDS.c.nonce == nonce, _RECORDS.c.position >= start)
                .order_by(_RECORDS.c.position)
            )
            return [bytes(row[0]) for row in await connection.execute(query)]

    async def append(self, nonce: bytes, start: int, records: Sequence[bytes]) -> None:
        """Keep ``records`` at the places from ``start`` on, all or none. Raises :class:`PlaceTaken`."""
        rows = [{"nonce": nonce, "position": start + i, "data": data} for i, data in enumerate(records)]
        try:
            async with self._engine.begin() as connection:
                await connection.execute(insert(_RECORDS), rows)
        except IntegrityError:
            raise PlaceTaken from None

    async def forget_expired(self, now_s: int) -> int:
        """Delete all sessions that have expired, and the records that belong to no session; returns how many sessions.

        A session stands before its records are written, so none of a session that is open is ever without one. What
        somebody writes for a session at the moment when it is deleted goes the next time.
        """
        kept = select(_SESSIONS.c.nonce)
        async with self._engine.begin() as connection:
            expired = (await connection.execute(delete(_SESSIONS).where(_SESSIONS.c.expires_s <= now_s))).rowcount
            await connection.execute(delete(_RECORDS).where(_RECORDS.c.nonce.not_in(kept)))
        return expired
