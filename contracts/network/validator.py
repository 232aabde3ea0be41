"""One validator of a network: its keys, its ports, and its folder of node files."""

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from assets.keys import Address
from contracts.errors import NodeError
from contracts.processes import LOOPBACK

PASSWORD_FILE = "password"  # noqa: S105 - a file's name
KEY_ROUNDS = 4096
"""Cost of deriving the key that encrypts a validator's key: its password is random and long, so little is needed."""


@dataclass(frozen=True, slots=True)
class Validator:
    """A node that seals blocks. Secrets are in its folder only, in files that nobody else may read."""

    folder: Path
    address: Address
    """Under which it seals."""
    enode: str
    """Under which other nodes find it."""
    rpc_port: int
    auth_port: int
    """geth always opens a port for a consensus client of public Ethereum; nobody here uses it."""

    @property
    def url(self) -> str:
        """Where its JSON-RPC answers."""
        return f"http://{LOOPBACK}:{self.rpc_port}"

    @property
    def peer_port(self) -> int:
        """Where other nodes find it."""
        return int(self.enode.rpartition(":")[2])

    @property
    def data(self) -> Path:
        """geth's own folder."""
        return self.folder / "data"

    @property
    def log(self) -> Path:
        """What the node says."""
        return self.folder / "node.log"


def create(folder: Path, p2p_port: int, rpc_port: int, auth_port: int) -> Validator:
    """Make the keys of a new validator and write its files."""
    from eth_account import Account
    from eth_keys.datatypes import PrivateKey

    keystore = folder / "data" / "keystore"
    keystore.mkdir(parents=True)
    password, account = secrets.token_hex(16), Account.create(secrets.token_bytes(32))
    node_key = PrivateKey(secrets.token_bytes(32))
    encrypted = Account.encrypt(account.key, password, kdf="scrypt", iterations=KEY_ROUNDS)
    _write_secret(keystore / "validator", json.dumps(encrypted))
    _write_secret(folder / PASSWORD_FILE, password)
    _write_secret(folder / "nodekey", node_key.to_bytes().hex())
    enode = f"enode://{node_key.public_key.to_bytes().hex()}@{LOOPBACK}:{p2p_port}"
    public = {"address": account.address, "enode": enode, "rpcPort": rpc_port, "authPort": auth_port}
    (folder / "validator.json").write_text(json.dumps(public, indent=2) + "\n", encoding="utf-8")
    return load(folder)


def load(folder: Path) -> Validator:
    """The validator whose files are in ``folder``. Raises :class:`~contracts.errors.NodeError` if they are not."""
    try:
        public = json.loads((folder / "validator.json").read_text(encoding="utf-8"))
        address = Address(bytes.fromhex(public["address"][2:]))
        found = Validator(folder, address, str(public["enode"]), int(public["rpcPort"]), int(public["authPort"]))
        if not all(0 < port < 1 << 16 for port in (found.rpc_port, found.auth_port, found.peer_port)):
            raise ValueError("a port is out of range")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as failure:
        raise NodeError(
            f"{folder} holds no validator's files ({type(failure).__name__}); build the network anew, in a new folder"
        ) from failure
    return found


def write_config(validator: Validator, peers: list[str], chain_id: int, p2p_port: int) -> None:
    """geth's configuration: whom to connect to; nobody else is looked for."""
    lines = [
        "[Eth]",
        f"NetworkId = {chain_id}",
        'SyncMode = "full"',
        "[Node.P2P]",
        f'ListenAddr = "{LOOPBACK}:{p2p_port}"',
        "NoDiscovery = true",
        # Trusted nodes are let in beyond this number, and nobody else is. A node that was away asks for what it missed
        # as soon as it has this many peers; with more it would wait 10 s.
        "MaxPeers = 1",
        f"StaticNodes = {json.dumps(peers)}",
        f"TrustedNodes = {json.dumps(peers)}",
    ]
    (validator.folder / "config.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _write_secret(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
