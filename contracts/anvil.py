"""anvil, the development node: a fresh chain with funded accounts, on which time can be set."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from contracts import nodes
from contracts.processes import LOOPBACK, Child, find_program, free_ports, require_free

NPM_BIN = Path(__file__).parent / "node_modules" / ".bin"
"""Where ``npm ci --prefix contracts`` puts programs."""

INSTALL = "run: npm ci --prefix contracts"


def find() -> str:
    """The path of anvil. Raises :class:`~contracts.processes.ProgramMissing` with what to run."""
    return find_program("anvil", [NPM_BIN], INSTALL)


@contextmanager
def running(log: Path, port: int = 0, options: Sequence[str] = ("--prune-history",)) -> Iterator[str]:
    """A fresh anvil on loopback for as long as the context lasts; gives its URL. Port 0 is any free one.

    Without ``--prune-history`` a long run gets slow, and large batches lose transactions (*measured*).
    """
    child, url = start(log, port, options)
    try:
        yield url
    finally:
        child.stop()


def start(log: Path, port: int = 0, options: Sequence[str] = ("--prune-history",)) -> tuple[Child, str]:
    """Start anvil; gives the process and its URL, once it answers. Raises ``OSError`` if the port is in use."""
    require_free([port], "end the program that has it, or give another port")
    (port,) = [port] if port else free_ports(1)
    url = f"http://{LOOPBACK}:{port}"
    child = Child("anvil", [find(), "--host", LOOPBACK, "--port", str(port), *options], log)
    try:
        child.wait_until(lambda: nodes.answers(url))
    except BaseException:
        child.kill()
        raise
    return child, url
