"""geth as a validator: found, prepared, started, and told that gas is free."""

import json
import os
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from contracts import nodes
from contracts.errors import NodeError
from contracts.network.validator import PASSWORD_FILE, Validator
from contracts.processes import LOOPBACK, Child, find_program

VERSION = "1.13.15"
"""The last release that seals Clique blocks; later ones only follow public Ethereum."""

INSTALL = "run: .ci/geth (builds it with Go), or put geth 1.13.15 on the PATH"

SOCKET_PATH_BYTES = 100
"""Longest path of a Unix socket, with some room."""


def cache_folder() -> Path:
    """Where ``.ci/geth`` puts what it built."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "petra" / f"geth-{VERSION}"


def find() -> str:
    """The path of geth. Raises :class:`~contracts.processes.ProgramMissing` with what to run."""
    return find_program("geth", [cache_folder()], INSTALL)


def init(program: str, validator: Validator, genesis: Path) -> None:
    """Write the first block into the validator's folder."""
    command = [program, "init", "--state.scheme", "hash", "--datadir", str(validator.data), str(genesis)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)  # noqa: S603
    if done.returncode:
        raise NodeError(f"geth refuses the genesis block: {done.stderr.strip().splitlines()[-1]}")


def start(program: str, validator: Validator) -> Child:
    """Start the validator; it is not waited for."""
    command = [
        program,
        *("--config", str(validator.folder / "config.toml")),
        *("--datadir", str(validator.data), "--nodekey", str(validator.folder / "nodekey")),
        *("--nat", "none", "--netrestrict", "127.0.0.0/8"),
        *(
            "--http",
            "--http.addr",
            LOOPBACK,
            "--http.port",
            str(validator.rpc_port),
            "--http.api",
            "eth,net,web3,clique",
        ),
        *("--authrpc.addr", LOOPBACK, "--authrpc.port", str(validator.auth_port)),
        *("--ipcpath", str(socket_path(validator))),
        # Every block's state goes to disk at once: after a power cut of all validators none has anything to redo.
        *("--gcmode", "archive", "--state.scheme", "hash", "--cache", "64"),
        *("--mine", "--miner.etherbase", "0x" + validator.address.hex(), "--miner.gasprice", "1"),
        *("--unlock", "0x" + validator.address.hex(), "--password", str(validator.folder / PASSWORD_FILE)),
        "--allow-insecure-unlock",  # the account of a validator owns nothing, and the port is on loopback
    ]
    return Child(f"validator {validator.folder.name}", command, validator.log)


def in_use(validator: Validator) -> bool:
    """Whether a geth runs on the validator's folder: it holds a lock there, which ends with its process."""
    try:
        import fcntl
    except ImportError:  # Windows; there the ports tell
        return False
    try:
        with (validator.data / "geth" / "LOCK").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def wait_ready(child: Child, validator: Validator) -> None:
    """Wait until the validator answers, and let it take transactions at a gas price of 0.

    Its command line knows no such setting: it takes 0 for "not given".
    """
    child.wait_until(lambda: nodes.answers(validator.url) and _free_gas(validator))


def _free_gas(validator: Validator) -> bool:
    try:
        return call(validator, "miner_setGasPrice", "0x0") is True
    except OSError:
        return False


def call(validator: Validator, method: str, *parameters: object) -> Any:  # noqa: ANN401 - JSON
    """Ask the node over its own socket, which only this user may open; for what its HTTP port does not offer."""
    request = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters})
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(nodes.TIMEOUT_S)
        connection.connect(str(socket_path(validator)))
        connection.sendall(request.encode() + b"\n")
        with connection.makefile("r", encoding="utf-8") as lines:
            answer = json.loads(lines.readline() or "null")
    if not isinstance(answer, dict) or "result" not in answer:
        raise NodeError(f"{validator.folder.name} refuses {method}: {answer}")
    return answer["result"]


def socket_path(validator: Validator) -> Path:
    """The node's own socket: in its folder, or where that path is too long for a socket, in the temporary folder."""
    path = validator.folder.resolve() / "geth.ipc"
    if len(os.fsencode(path)) <= SOCKET_PATH_BYTES:
        return path
    return Path(tempfile.gettempdir()) / f"petra-{validator.address.hex()}.ipc"
