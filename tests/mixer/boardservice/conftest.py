"""A board on loopback, and its members."""

import asyncio
import os
import shutil
import socket
import subprocess
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from assets.keys import SigningKey

httpx2 = pytest.importorskip("httpx2", reason="httpx2 is missing; run: pip install 'petra[service]'")

from mixer.boardservice.admission import AnySession  # noqa: E402
from mixer.boardservice.app import board_app  # noqa: E402
from mixer.boardservice.board import RunningBoard  # noqa: E402
from mixer.boardservice.client import BoardAddress, BoardClient  # noqa: E402
from mixer.boardservice.store import Store, engine_of  # noqa: E402
from petra.serving import served  # noqa: E402

BOARD_KEY = SigningKey(bytes(31) + b"\x07")


class Boards:
    """Makes boards on a database, and clients for the members of a community."""

    def __init__(self, database: str) -> None:
        self.database = database
        self.key = BOARD_KEY

    @asynccontextmanager
    async def serve(self, app_of=board_app, admission=None, **options):
        """A board that is served; gives its address."""
        board = RunningBoard(Store(engine_of(self.database)), self.key, admission or AnySession(), **options)
        async with served(app_of(board)) as port:
            yield BoardAddress(f"http://127.0.0.1:{port}", self.key.address)

    def client(self, address, community, index, key=None):
        http = httpx2.AsyncClient(trust_env=False, timeout=20)
        return BoardClient(http, address, community.session, key or community.keys[index])


@pytest.fixture
def boards(tmp_path):
    return Boards(str(tmp_path / "board.db"))


async def take(client, count):
    """The first ``count`` messages that ``client`` reads."""
    messages = []
    async with asyncio.timeout(20):
        async for records in client.follow():
            messages += [record.frame.message for record in records]
            if len(messages) >= count:
                return messages
    raise AssertionError("the stream ended")


@pytest.fixture(scope="session")
def read():
    return take


def _missing(what: str) -> None:
    if os.environ.get("PETRA_REQUIRE_ALL") == "1":
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture(scope="session")
def postgres_url():
    """A PostgreSQL server of this test run's own, as a user that is not root."""
    bins = sorted(Path("/usr/lib/postgresql").glob("*/bin")) if Path("/usr/lib/postgresql").exists() else []
    found = shutil.which("initdb") or next((str(b / "initdb") for b in reversed(bins)), None)
    if found is None:
        _missing("postgresql is missing; run: apt-get install postgresql")
    bin_dir = Path(found).parent
    folder = Path(tempfile.mkdtemp(prefix="petra-postgres-"))  # pytest's own folders are closed to other users
    as_user = []
    if os.getuid() == 0:
        as_user = ["runuser", "-u", "postgres", "--"]
        shutil.chown(folder, "postgres")
    data = folder / "data"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    def run(*command):
        done = subprocess.run(
            [*as_user, *map(str, command)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd="/", check=False
        )
        assert done.returncode == 0, done.stderr

    run(bin_dir / "initdb", "-D", data, "-U", "petra", "-A", "trust", "--no-sync")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
    run(bin_dir / "pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o", options, "start")
    try:
        yield f"postgresql://petra@127.0.0.1:{port}/postgres"
    finally:
        run(bin_dir / "pg_ctl", "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(folder)
