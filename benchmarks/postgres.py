"""A PostgreSQL server of one's own, for a while: for benchmarks, and for tests."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from contracts.processes import LOOPBACK, ProgramMissing, free_ports

INSTALL = "postgresql is missing; run: apt-get install postgresql"

DEBIAN = Path("/usr/lib/postgresql")
"""Where Debian keeps the programs of each version."""


def find() -> Path:
    """The folder of the server's programs. Raises :class:`~contracts.processes.ProgramMissing`."""
    versions = sorted(DEBIAN.glob("*/bin/initdb"), key=lambda path: [len(path.parts[-3]), path.parts[-3]])
    found = shutil.which("initdb") or (str(versions[-1]) if versions else None)
    if found is None:
        raise ProgramMissing(INSTALL)
    return Path(found).parent


@contextmanager
def running(*options: str) -> Iterator[str]:
    """A fresh server on loopback; gives its URL. It runs as a user who is not root, and loses all when it ends."""
    programs = find()
    folder = Path(tempfile.mkdtemp(prefix="petra-postgres-"))
    as_user: list[str] = []
    if os.getuid() == 0:
        as_user = ["runuser", "-u", "postgres", "--"]
        shutil.chown(folder, "postgres")
    (port,) = free_ports(1)

    def run(program: str, *arguments: str) -> None:
        command = [*as_user, str(programs / program), "-D", str(folder / "data"), *arguments]
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd="/", check=False)
        if done.returncode:
            raise OSError(f"{program} failed: {done.stderr.decode(errors='replace').strip()}")

    try:
        run("initdb", "-U", "petra", "-A", "trust", "--no-sync")
        given = " ".join(f"-c {option}" for option in (f"listen_addresses={LOOPBACK}", *options))
        where = f"-p {port} -c unix_socket_directories={folder} {given}"
        run("pg_ctl", "-w", "-l", str(folder / "log"), "-o", where, "start")
        try:
            yield f"postgresql://petra@{LOOPBACK}:{port}/postgres"
        finally:
            run("pg_ctl", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
