"""Opening the bid store's database: SQLite by default, PostgreSQL for several replicas; migrated when opened."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

try:
    from sqlalchemy import Connection, event, text
    from sqlalchemy.exc import DBAPIError
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
except ImportError as error:
    raise ImportError("the bid store's service needs SQLAlchemy; run: pip install 'petra[service]'") from error

LEADER_LOCK = 0x50455452_41424944
"""Advisory lock of whoever matches and settles: "PETRABID"."""
_MIGRATION_LOCK = LEADER_LOCK + 1


def engine_of(url: str, connections: int = 12) -> AsyncEngine:
    """An engine for ``url``: a file name, ``sqlite+aiosqlite:///…`` or ``postgresql://…``.

    Raises ``ImportError`` with what to install, ``ValueError`` for a database of another kind, and ``ConnectionError``
    for a file that cannot be opened.
    """
    if "://" not in url:
        url = f"sqlite+aiosqlite:///{Path(url).absolute()}"
    if url.startswith("postgresql://"):
        url = "postgresql+psycopg://" + url.removeprefix("postgresql://")
    if not url.startswith(("sqlite+aiosqlite:///", "postgresql+psycopg://")):
        kind = url.split("://", 1)[0]
        raise ValueError(f"the bid store keeps its book in a file or at postgresql://…, not at {kind}://…")
    sqlite = url.startswith("sqlite")
    # SQLite has one writer at a time; who waits in the pool is served in turn, who waits in SQLite is not.
    options = {"pool_size": 1, "max_overflow": 0} if sqlite else {"pool_size": connections, "pool_pre_ping": True}
    try:
        engine = create_async_engine(url, hide_parameters=True, **options)  # errors name no ids
    except ModuleNotFoundError as error:
        extra = "service" if sqlite else "postgres"
        raise ImportError(f"{error.name} is missing; run: pip install 'petra[{extra}]'") from error
    if sqlite:
        _check_file(str(engine.url.database))
        event.listen(engine.sync_engine, "connect", _tune_sqlite)
        event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def _check_file(path: str) -> None:
    # Here, since the thread that aiosqlite fails to open a file in can outlive the event loop, and ends in a traceback.
    try:
        sqlite3.connect(path).close()
    except sqlite3.Error as error:
        raise ConnectionError(f"the bid store's database {path} cannot be opened: {error}") from error


def _tune_sqlite(connection: Any, _: object) -> None:  # noqa: ANN401 - the driver's, behind SQLAlchemy's adapter
    connection.isolation_level = None  # transactions are begun below
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=10000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and writes later could find another writer in between; this one waits instead.
    connection.exec_driver_sql("BEGIN IMMEDIATE")


async def migrate(engine: AsyncEngine) -> None:
    """Bring the tables up to date; replicas that start together wait for each other.

    Raises ``ConnectionError`` if the database cannot be reached.
    """
    try:
        async with engine.begin() as connection:
            if engine.dialect.name == "postgresql":
                await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
            await connection.run_sync(_upgrade)
    except (DBAPIError, OSError) as error:
        raise ConnectionError(f"the bid store's database cannot be opened: {reason(error)}") from error


def reason(error: Exception) -> str:
    """What the database said, in one line."""
    return (str(getattr(error, "orig", error)).strip().splitlines() or [type(error).__name__])[0]


def _upgrade(connection: object) -> None:
    try:
        from alembic import command
        from alembic.config import Config
    except ImportError as error:
        raise ImportError("the bid store's service needs alembic; run: pip install 'petra[service]'") from error
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


class Leader:
    """Whoever holds the leader's lock."""

    def __init__(self, session: AsyncConnection | None) -> None:
        self._session = session

    async def check(self) -> None:
        """Raise if the session that holds the lock is gone."""
        if self._session is not None:
            await self._session.execute(text("SELECT 1"))
            await self._session.commit()


@asynccontextmanager
async def leadership(engine: AsyncEngine) -> AsyncIterator[Leader | None]:
    """The leader's lock for a while, or ``None`` if another replica has it.

    The lock is the database session's: it is given back when the connection ends, however the replica ended. SQLite
    has one replica, which leads.
    """
    if engine.dialect.name != "postgresql":
        yield Leader(None)
        return
    async with engine.connect() as session:
        locked = await session.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": LEADER_LOCK})
        leads = bool(locked.scalar_one())
        await session.commit()
        try:
            yield Leader(session) if leads else None
        finally:
            if leads:
                await session.invalidate()  # ends the session, and with it the lock
