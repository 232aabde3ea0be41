"""Looking at this machine."""

import ctypes
import resource
import shutil
import struct
import sys
import tempfile
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path

from contracts.processes import ProgramMissing
from petra.doctor.needs import DISK_BYTES, EXTRAS, OPEN_FILES, ROLES, SERVICES, Finding, Verdict

POSTGRES = ("/usr/lib/postgresql",)


def examine(roles: Iterable[str], folder: Path) -> list[Finding]:
    """What was found for ``roles``, whose data are to be in ``folder``."""
    asked = tuple(roles)
    found = [*_python(), *_extras(), *_programs(), *_machine(folder)]
    return [finding for finding in found if set(finding.roles) & set(asked)]


def _finding(
    what: str, roles: Iterable[str], found: str | None, fix: str, *, advice: bool = False, instead: str = "not found"
) -> Finding:
    if found is not None:
        return Finding(what, tuple(roles), Verdict.GOOD, found, "")
    return Finding(what, tuple(roles), Verdict.ADVICE if advice else Verdict.MISSING, instead, fix)


def _python() -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    good = version if sys.version_info >= (3, 11) else None
    yield _finding("Python 3.11", ROLES, good, "install Python 3.11 or later", instead=version)


def _extras() -> Iterator[Finding]:
    for extra, (modules, roles) in EXTRAS.items():
        missing = [name for name in modules if find_spec(name) is None]
        optional = {"postgres": ("board", "bidstore", "village"), "evm": ("chain",)}.get(extra, ())
        yield _finding(
            f"Python extra {extra}",
            roles or optional,
            None if missing else "installed",
            f"pip install 'petra[{extra}]'",
            advice=not roles,
            instead=f"without {', '.join(missing)}",
        )


def _programs() -> Iterator[Finding]:
    from contracts import anvil
    from contracts.network import geth

    tor = shutil.which("tor") if shutil.which("tor-gencert") else None
    yield _finding("tor and tor-gencert", ("onion", "village"), tor, "apt-get install tor")
    yield _finding("tor", ("wallet",), shutil.which("tor"), "apt-get install tor", advice=True)
    mbpoll = shutil.which("mbpoll")
    yield _finding("mbpoll, to look at a device by hand", ("meter",), mbpoll, "apt-get install mbpoll", advice=True)
    for what, module, roles in (
        ("anvil, a development chain", anvil, ("village",)),
        ("geth 1.13, a network of validators", geth, ("chain",)),
    ):
        try:
            path: str | None = module.find()
            fix = ""
        except ProgramMissing as missing:
            path, fix = None, str(missing).partition("; ")[2].removeprefix("run: ")
        yield _finding(what, roles, path, fix, advice=roles == ("chain",))
    yield _finding(
        "PostgreSQL server, for several replicas",
        ("board", "bidstore", "village"),
        _postgres(),
        "apt-get install postgresql",
        advice=True,
    )


def _postgres() -> str | None:
    found = shutil.which("initdb")
    if found is not None:
        return found
    return next((str(path) for folder in POSTGRES for path in sorted(Path(folder).glob("*/bin/initdb"))), None)


def _machine(folder: Path) -> Iterator[Finding]:
    there = folder if folder.is_dir() else folder.parent
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
        wrote: str | None = str(there)
    except OSError:
        wrote = None
    yield _finding(
        "writing the role's folder",
        ROLES,
        wrote,
        f"install -d -o $(id -un) -m 700 {folder}",
        instead=f"no writing in {there}",
    )
    free = shutil.disk_usage(there).free if there.is_dir() else 0
    mib = f"{free >> 20} MiB free"
    room = mib if free >= DISK_BYTES else None
    yield _finding("disk space, 1 GiB", ROLES, room, f"free some space for {there}, or use another disk", instead=mib)
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = soft == resource.RLIM_INFINITY or soft >= OPEN_FILES
    yield _finding(
        f"open files, {OPEN_FILES}",
        (*SERVICES, "village"),
        str(soft) if unlimited else None,
        f"ulimit -n {OPEN_FILES}    (systemd: LimitNOFILE={OPEN_FILES})",
        advice=True,
        instead=str(soft),
    )
    state, error_ms = clock_state()
    told = {True: f"synchronised, within {error_ms} ms", None: "the system does not say"}.get(state)
    yield _finding(
        "clock, synchronised",
        ROLES,
        told,
        "timedatectl set-ntp true",
        advice=True,
        instead="not synchronised: readings are dated by it",
    )


STA_UNSYNC = 0x0040
"""Flag of adjtimex(2)."""


def clock_state() -> tuple[bool | None, int]:
    """Whether the kernel's clock is held by NTP, and its largest error in ms; ``None`` if nobody can tell."""
    buffer = ctypes.create_string_buffer(208)  # struct timex of 64-bit Linux; modes 0 asks only
    try:
        if sys.maxsize < 2**32 or ctypes.CDLL(None, use_errno=True).adjtimex(buffer) < 0:
            return None, 0
    except (OSError, AttributeError):
        return None, 0
    _, _, _, error_us, _, status = struct.unpack_from("@iqqqqi", buffer)
    return not status & STA_UNSYNC, error_us // 1000
