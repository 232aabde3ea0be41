"""A PostgreSQL cluster of the village's own: no root, no system service."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from contracts.processes import LOOPBACK, ProgramMissing
from petra.village.program import Program

INSTALL = "postgresql is missing; run: apt-get install postgresql"
DEBIAN = Path("/usr/lib/postgresql")
USER = "postgres"
"""As whom it runs if we are root, which PostgreSQL refuses to be."""
CONNECTIONS = 200


def programs() -> Path:
    """The folder of the server's programs. Raises :class:`~contracts.processes.ProgramMissing`."""
    versions = sorted(DEBIAN.glob("*/bin/initdb"), key=lambda path: [len(path.parts[-3]), path.parts[-3]])
    found = shutil.which("initdb") or (str(versions[-1]) if versions else None)
    if found is None:
        raise ProgramMissing(INSTALL)
    return Path(found).parent


def make_cluster(folder: Path, port: int) -> tuple[Program, Path]:
    """Make a cluster below ``folder``; the program that serves it, and where it is.

    Another user must be able to reach it if we are root; if it cannot, the cluster is in the system's temporary folder.
    Raises ``OSError`` with what ``initdb`` says.
    """
    bin_dir = programs()
    folder.mkdir(parents=True, exist_ok=True)
    user = USER if os.getuid() == 0 else None
    place = folder
    if user is not None:
        shutil.chown(folder, user)
        if _run(user, "test", "-w", str(folder)).returncode:
            place = Path(tempfile.mkdtemp(prefix="petra-village-postgres-"))
            shutil.chown(place, user)
    data = place / "data"
    done = _run(user, str(bin_dir / "initdb"), "-D", str(data), "-U", "petra", "-A", "trust", "--no-sync")
    if done.returncode:
        raise OSError(f"initdb failed: {done.stderr.decode(errors='replace').strip()}")
    command = [str(bin_dir / "postgres"), "-D", str(data), "-p", str(port), "-c", f"listen_addresses={LOOPBACK}"]
    command += ["-c", f"unix_socket_directories={place}", "-c", f"max_connections={CONNECTIONS}"]
    program = Program("postgres", "postgres", tuple(command), port=port, address=database_url(port), user=user)
    return program, place


def database_url(port: int) -> str:
    """What the bid store opens."""
    return f"postgresql://petra@{LOOPBACK}:{port}/postgres"


def _run(user: str | None, *command: str) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(  # noqa: S603 - the database's own programs
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        cwd="/",
        check=False,
        user=user,
        group=user,
        extra_groups=[] if user else None,
    )
