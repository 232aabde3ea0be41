"""Whether a role could start with its file: every problem in a sentence, none of them with a secret in it."""

import os
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

from petra.config.load import ConfigError, load, read, role_of
from petra.config.roles import ROLES, RoleSettings
from petra.config.secrets import private_file, writable

LOOPBACK = "127.0.0.1"


def check_file(path: Path, online: bool = False, running: bool = False) -> tuple[str, list[str]]:
    """The role that ``path`` configures, and what is wrong.

    ``online`` also asks the ledger's node and a database server; ``running``: the role runs, so that its port is taken.
    Raises :class:`~petra.config.load.ConfigError` for a file that cannot be read, or is nobody's.
    """
    values = read(path)
    role = role_of(path, values)
    if role == "meter":
        from petra.config.homes import check_meter

        return role, list(check_meter(path, online))
    if role == "wallet":
        from petra.config.homes import check_wallet

        return role, list(check_wallet(path, online))
    try:
        settings = load(ROLES[role], path)
    except ConfigError as error:
        return role, [str(error)]
    return role, [f"{path}: {problem}" for problem in _problems(role, settings, online, running)]


def _problems(role: str, settings: RoleSettings, online: bool, running: bool) -> Iterator[str]:
    found = settings.model_dump()
    for name in settings.secrets:
        if (path := found.get(name)) is not None:
            yield from private_file(name, path, made=name in settings.made)
    if (rpc := found.get("rpc")) is not None:
        yield from url_problems("rpc", rpc)
    if (database := found.get("database")) is not None:
        yield from _database("database", str(database), online)
    if (store := found.get("store")) is not None:
        yield from _database("store", str(store), online)
    elif role == "follower":
        yield "store: name the file for the events"
    if found.get("onion_dir") is not None and found.get("onion_control") is not None:
        yield "onion_dir: give it or onion_control, not both"
    elif (onion_dir := found.get("onion_dir")) is not None:
        yield from _onion(onion_dir)
    elif not running and found.get("onion_control") is None:
        yield from _port(found.get("host") or LOOPBACK, found.get("port") or 0)
    if role == "board" and (rpc is not None) + (found["ledger_log"] is not None) + bool(found["any_session"]) != 1:
        yield "rpc: say whose notes may mix here: give one of rpc, ledger_log and any_session"
    if role == "dso":
        yield from _desk(found["desk"] or Path("desk"), online)
    folder = found.get("deployments")
    if folder is not None and not folder.is_dir():
        yield f"deployments: {folder} is no folder; copy it from whoever deployed the ledger"
    elif online and role not in ("dso", "network") and rpc is not None:
        yield from _ledger(rpc, folder or Path("deployments"))


def url_problems(field: str, url: str) -> Iterator[str]:
    """Whether ``url`` is the address of something in HTTP."""
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        good = False
    if not good:
        yield f"{field}: it is no URL; write http://host:port"


def _port(host: str, port: int) -> Iterator[str]:
    if port == 0:
        return
    try:
        socket.create_server((host, port)).close()
    except OSError as failure:
        yield f"port: {host}:{port} cannot be used ({failure.strerror}); give another, or --running if it is ours"


def _database(field: str, text: str, online: bool) -> Iterator[str]:
    if "://" not in text:
        path = Path(text)
        if path.is_dir() or not writable(path):
            yield f"{field}: {path} cannot be written; let the role's user write in {path.parent}"
        elif path.exists():
            try:
                with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
                    db.execute("SELECT count(*) FROM sqlite_master")
            except sqlite3.Error as error:
                yield f"{field}: {path} is no database that can be used ({error}); restore it, or name another file"
        return
    if not text.startswith("postgresql://"):
        yield f"{field}: give a file, or postgresql://user@host/name"
        return
    try:
        import psycopg
    except ImportError:
        yield f"{field}: PostgreSQL needs psycopg; run: pip install 'petra[postgres]'"
        return
    if online:
        try:
            psycopg.connect(text, connect_timeout=5).close()
        except psycopg.Error as error:
            yield f"{field}: the server lets nobody in ({type(error).__name__}); check host, user, password and name"


def _onion(folder: Path) -> Iterator[str]:
    from petra.onion.errors import OnionError
    from petra.onion.network import load as load_network

    try:
        network = load_network(folder)
    except OnionError as error:
        yield f"onion_dir: {error}"
        return
    if not all(network.alive(node) for node in network.layout.nodes):
        yield f"onion_dir: processes of the network in {folder} have ended; run: petra onion up --dir {folder}"


def _desk(path: Path, online: bool) -> Iterator[str]:
    from dso.desk.folder import DeskFolder

    try:
        folder = DeskFolder.open(path)
    except ValueError as error:
        yield f"desk: {error}"
        return
    yield from url_problems("desk", folder.node)
    yield from private_file("desk", path / "dso.json", made=False)
    if not os.access(path, os.W_OK):
        yield f"desk: {path} cannot be written; let the role's user write there"
    if online:
        yield from contract_problems("desk", folder.node, None, folder.contract)


def contract_problems(field: str, url: str, chain_id: int | None, contract: bytes) -> Iterator[str]:
    """Whether the node at ``url`` is of the chain ``chain_id`` and has the ledger at ``contract``."""
    from assets.keys import Address
    from contracts import nodes
    from contracts.errors import NodeError, NodeUnreachable
    from contracts.ledger import EvmLedger

    try:
        w3 = nodes.connect(url, patience_s=3)
        found = w3.eth.chain_id
        if chain_id is not None and found != chain_id:
            yield f"{field}: the node is of chain {found}, the configuration of chain {chain_id}; correct one of them"
            return
        EvmLedger.at(w3, Address(contract))
    except (NodeError, NodeUnreachable, ValueError) as error:
        yield f"{field}: {error}"


def _ledger(rpc: str, folder: Path) -> Iterator[str]:
    from contracts import deployments, nodes
    from contracts.errors import NodeUnreachable

    try:
        w3 = nodes.connect(rpc, patience_s=3)
        recorded = deployments.load(w3.eth.chain_id, folder)
    except (NodeUnreachable, ValueError) as error:
        yield f"rpc: {error}"
        return
    if recorded is None:
        yield f"deployments: {folder} records no ledger on chain {w3.eth.chain_id}; copy it, or run petra chain deploy"
        return
    for problem in recorded.problems(w3):
        yield f"deployments: {problem}; give the URL of the right node, or the right folder"
