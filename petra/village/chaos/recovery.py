"""Whether a process does its job: what each role has to show, read from outside of it.

A *mark* is how far a process has come. One that was hit has recovered when it has come further in everything than it
was when the fault was taken back. docs/chaos.md has the table of roles.
"""

import asyncio
import json
import sqlite3
import time
import urllib.error
import urllib.request
from contextlib import closing
from pathlib import Path

from petra.village.chaos.kinds import Kind, Planned
from petra.village.links import HOST, read_links
from petra.village.state import ProcessState, VillageState, read_state

Mark = tuple[int, ...]

PATHS = {"board": "/v1/board", "relay": "/health", "bidstore": "/v1", "dso": "/health"}
"""What a service is asked, by its role."""

NETWORK = (Kind.CUT, Kind.SILENT, Kind.SLOW)

ASK_S = 5.0
TOR_ASK_S = 20.0


async def mark_of(folder: Path, planned: Planned) -> Mark | None:
    """How far the victim of a fault has come; ``None`` if it cannot be asked."""
    state = read_state(folder)
    if planned.kind is Kind.TOR:
        return await _services(state, ("board", "relay", "bidstore"))
    process = next((p for p in state.processes if p.name == planned.process), None)
    if process is None or process.pid is None:
        return None
    own = await mark(folder, state, process)
    if own is None or planned.kind not in NETWORK:
        return own
    return *own, *(await _through(folder, planned.victim) or (0,))


async def mark(folder: Path, state: VillageState, process: ProcessState) -> Mark | None:
    """How far a process has come."""
    match process.role:
        case "meter":
            return await asyncio.to_thread(meter_mark, folder / process.folder)
        case "wallet":
            return await asyncio.to_thread(wallet_mark, folder / process.folder)
        case "simulator":  # its meter reads it
            return await asyncio.to_thread(meter_mark, folder / f"meter{process.name.removeprefix('simulator')}")
        case "chain" | "clock":
            return await asyncio.to_thread(chain_mark, str(state.facts.get("rpc", "")))
        case "postgres":  # the bid store needs it
            return await _services(state, ("bidstore",))
        case role if role in PATHS:
            return await _service(state, process)
    return (round(process.since_s * 1000),)


async def _through(folder: Path, name: str) -> Mark | None:
    """What the far end of a link answers through it: most processes have other work, which goes on without."""
    link = next((link for link in read_links(folder) if link.name == name), None)
    if link is None:
        return None
    url, far_end = f"http://{HOST}:{link.listen}", name.partition("-")[2].rstrip("0123456789")
    if far_end == "chain":
        return await asyncio.to_thread(chain_mark, url)
    return await _answer(url + PATHS[far_end], None)


def meter_mark(folder: Path) -> Mark | None:
    """Time of the newest reading that was used, and ledger time up to which everything was counted."""
    used = _ask(folder / "journal.db", "SELECT MAX(time_ms) FROM state")
    tally = _ask(folder / "book.db", "SELECT value FROM about WHERE name = 'tally'")
    if used is None or not isinstance(used, int) or not isinstance(tally, str):
        return None
    return used, int(json.loads(tally)["time_s"])


def wallet_mark(folder: Path) -> Mark | None:
    """The newest block whose events the wallet has stored."""
    block = _ask(folder / "ledger.db", "SELECT MAX(number) FROM block")
    return (block,) if isinstance(block, int) else None


def _ask(path: Path, question: str) -> object:
    """The one value that a database answers; ``None`` if it cannot be read now."""
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=2)) as db:
            row = db.execute(question).fetchone()
    except sqlite3.Error:
        return None
    return None if row is None else row[0]


def chain_mark(url: str) -> Mark | None:
    """Time of the newest block."""
    body = b'{"jsonrpc":"2.0","id":1,"method":"eth_getBlockByNumber","params":["latest",false]}'
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310 - the node's
    try:
        with urllib.request.urlopen(request, timeout=ASK_S) as answer:  # noqa: S310
            return (int(json.load(answer)["result"]["timestamp"], 16),)
    except (OSError, ValueError, KeyError, TypeError, urllib.error.URLError):
        return None


async def _services(state: VillageState, roles: tuple[str, ...]) -> Mark | None:
    marks = [await _service(state, p) for role in roles for p in state.role(role)]
    times = [m[0] for m in marks if m is not None]
    return (min(times),) if len(times) == len(marks) and times else None


async def _service(state: VillageState, process: ProcessState) -> Mark | None:
    """When the service answered; over the transport of the village."""
    if process.address is None:
        return None
    url = process.address.partition("#")[0].rstrip("/") + PATHS[process.role]
    if ".onion" not in url:
        return await _answer(url, None)
    tor = next((p for p in state.processes if p.role == "tor"), None)
    if tor is None or tor.address is None:
        return None
    return await _answer(url, int(tor.address.rpartition(":")[2]))


async def _answer(url: str, socks_port: int | None) -> Mark | None:
    """When ``url`` answered, in real milliseconds; through Tor if there is a port."""
    import httpx2

    from petra.onion.proxy import Identity, TorProxy, direct_client

    client = direct_client(ASK_S) if socks_port is None else TorProxy(socks_port).client(Identity.fresh(), TOR_ASK_S)
    try:
        async with client:
            answer = await client.get(url)
    except (httpx2.HTTPError, OSError):
        return None
    return (time.time_ns() // 1_000_000,) if answer.status_code == 200 else None


def is_further(now: Mark | None, before: Mark | None) -> bool:
    """Whether a process has come further in everything. One that could not be asked before has if it can be now."""
    if now is None:
        return False
    return before is None or all(n > b for n, b in zip(now, before, strict=True))
