"""Starting one process of a village: its own session, folder and log; it ends when the supervisor does.

Programs of PETra are forked from the supervisor, which has imported what they need: so 60 processes start in seconds
on two cores, and one that was killed is back at once. Everything else is executed.
"""

import ctypes
import gc
import os
import random
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

PETRA = "petra"
"""First word of a command that is forked."""

PRELOADED = (
    *("petra.cli", "web3", "web3.middleware", "contracts.ledger", "contracts.nodes", "contracts.provider"),
    *("contracts.sync.file", "contracts.deployments", "smartmeter.daemon", "smartmeter.simulator", "pymodbus.client"),
    *("pymodbus.server", "pymodbus.simulator", "bidstore.service.app", "bidstore.service.client", "uvicorn"),
    *("mixer.boardservice.app", "mixer.boardservice.client", "mixer.boardservice.play", "aiosqlite", "alembic.command"),
    *("petra.serving", "petra.onion.control", "petra.onion.proxy", "dso.service.app", "petra.village.links"),
    *("petra.relay.service", "petra.relay.carrier", "petra.relay.client", "petra.prosumer.agent"),
    *("petra.prosumer.daemon", "petra.prosumer.folder", "petra.strategies", "petra.strategies.forecast"),
    *("petra.strategies.price_taker", "petra.strategies.zero_intelligence", "petra.strategies.look_ahead"),
    *("uvicorn.protocols.http.auto", "uvicorn.lifespan.on", "sqlalchemy.dialects.sqlite.aiosqlite"),
    *("psycopg", "sqlalchemy.dialects.postgresql.psycopg", "anyio._backends._asyncio", "httpx2", "sse_starlette"),
    *("python_socks.async_.asyncio", "stem.control", "sunspec2", "flint", "mixer.dicemix", "mixer.choice"),
    *("eth_account.hdaccount.mnemonic", "eth_account.hdaccount.deterministic"),
)
"""What the roles import where they need it."""

PR_SET_PDEATHSIG, PR_SET_NAME = 1, 15
LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def preload() -> None:
    """Import what children need, once. A module that is missing is missed by the child that needs it, and says so."""
    import importlib

    for name in PRELOADED:
        try:
            importlib.import_module(name)
        except ImportError:
            continue
    gc.collect()
    gc.freeze()  # what is never collected stays on pages that all children share


def bound_to(parent: int, name: str) -> Callable[[], None]:
    """What a child runs first: it is killed when the supervisor ends, however that ends."""

    def bind() -> None:
        if LIBC is None:
            return
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        LIBC.prctl(PR_SET_NAME, name.encode()[:15])
        if os.getppid() != parent:  # it ended before we asked
            os._exit(1)

    return bind


def end_with(owner: int) -> None:
    """Ask to be told to end when our parent, process ``owner``, has ended."""
    if LIBC is not None:
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != owner:
        raise OSError("whoever started this has ended")


class Child:
    """A running process."""

    def __init__(self, pid: int, process: "subprocess.Popen[bytes] | None") -> None:
        self.pid = pid
        self._process = process
        self.code: int | None = None
        """How it ended: exit code, or minus the signal; ``None`` while it runs."""

    def poll(self) -> bool:
        """Whether it runs."""
        if self.code is not None:
            return False
        if self._process is not None:
            self.code = self._process.poll()
            return self.code is None
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if pid:
            self.code = os.waitstatus_to_exitcode(status)
        return pid == 0

    def send(self, number: int) -> None:
        """Send a signal to the process and to whatever it started, unless it has ended."""
        if not self.poll():
            return
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:  # it has not got a session of its own yet
            os.kill(self.pid, number)


def start(
    name: str, command: Sequence[str], cwd: Path, env: Mapping[str, str], log: Path, user: str | None = None
) -> Child:
    """Start ``command``. Call it from the main thread: the child ends when the thread that started it does.

    ``user``: as whom, if we are root. Raises ``OSError`` if it cannot be started.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    bind, whole_env = bound_to(os.getpid(), name), {**os.environ, **env}
    if command[0] == PETRA and user is None:
        return Child(_fork(list(command), cwd, whole_env, log, bind), None)
    words = [sys.executable, "-m", PETRA, *command[1:]] if command[0] == PETRA else list(command)
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 - a program of ours, or what the user asked for
            words,
            cwd=cwd,
            env=whole_env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            user=user,
            group=user,
            extra_groups=[] if user else None,
            preexec_fn=bind,  # noqa: PLW1509 - the supervisor has one thread
        )
    return Child(process.pid, process)


def _fork(command: list[str], cwd: Path, env: Mapping[str, str], log: Path, bind: Callable[[], None]) -> int:
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        os.setsid()
        bind()
        _become(cwd, env, log)
        code = _run(command)
    except BaseException:
        traceback.print_exc()
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code)


def _become(cwd: Path, env: Mapping[str, str], log: Path) -> None:
    """Shed what is the supervisor's: signals, folder, environment, files, random numbers."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.set_wakeup_fd(-1)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    os.closerange(3, 1024)
    sys.stdin, sys.stdout, sys.stderr = (open(fd, mode, encoding="utf-8", closefd=False) for fd, mode in _STREAMS)  # noqa: SIM115
    random.seed()


_STREAMS = ((0, "r"), (1, "w"), (2, "w"))


def _run(command: list[str]) -> int:
    """The command line ``petra ...`` in this process; its exit code."""
    from petra.cli import app

    sys.argv = command
    try:
        app(command[1:], prog_name=PETRA, standalone_mode=True)
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    return 0
