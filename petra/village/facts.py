"""How a village stands: gathered from its files, its ledger and its bid store's database, for whoever watches."""

import csv
import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assets.units import SECONDS_PER_HOUR
from contracts.errors import NodeError, NodeUnreachable
from petra.village.layout import Layout
from petra.village.market import Market, Window, copied
from petra.village.plan import gate_s
from petra.village.state import Phase, VillageState, read_state

if TYPE_CHECKING:
    from contracts.ledger import EvmLedger

PATIENCE_S = 1.0
"""How long the node may take to answer somebody who only watches."""


@dataclass(frozen=True, slots=True)
class Bills:
    """The homes' bills so far."""

    count: int = 0
    bill_nano: int = 0
    """Σ B."""


@dataclass(frozen=True, slots=True)
class Facts:
    """A village at one moment."""

    state: VillageState
    ledger_s: int | None = None
    """Ledger time; ``None`` if the node does not answer."""
    t: int | None = None
    """The interval that runs; -1 before the first."""
    stage: str = ""
    windows: Mapping[int, Window] = field(default_factory=dict)
    prices: tuple[int, int] | None = None
    """What the DSO sells and buys at, nano-units per Wh, in the interval that runs."""
    depth: tuple[int, int] | None = None
    """Open offers and open bids for the next window."""
    last_price: tuple[int, int] | None = None
    """Window and price of the newest auction that had trades."""
    feeders_w: Mapping[int, int] = field(default_factory=dict)
    """Mean power of each feeder in the interval that runs, as the homes' simulators play it; positive: import."""
    bills: Bills = Bills()
    faults: Sequence[Mapping[str, Any]] = ()

    @property
    def restarts(self) -> int:
        """How often processes were started again."""
        return sum(p.restarts for p in self.state.processes)


class Watcher:
    """Looks at a village again and again. What cannot be read at a moment is left out, and read the next time."""

    def __init__(self, folder: Path) -> None:
        self._layout = Layout(folder.absolute())
        self._ledger: EvmLedger | None = None
        self._market: Market | None = None
        self._net_wh: dict[int, list[int]] = {}

    def look(self) -> Facts:
        """How it stands now. Raises ``ValueError`` if there is no village."""
        state = read_state(self._layout.folder)
        facts = Facts(state, bills=self._bills(state), faults=self._faults())
        if "genesis_s" not in state.facts:
            return facts
        facts = replace(facts, **self._on_ledger(state))
        if facts.t is None:
            return facts
        return replace(facts, feeders_w=self._feeders_w(state, facts.t), **self._book(state, facts.t + 1))

    def _on_ledger(self, state: VillageState) -> dict[str, Any]:
        if state.phase is Phase.STOPPED:
            return {}
        try:
            ledger = self._opened(state)
            ledger_s, interval_s = ledger.now_s, ledger.grid.interval_s
            if self._market is None:
                self._market = Market(ledger.grid)
            self._market.follow(ledger.entries(self._market.cursor))
            t = max(-1, (ledger_s - ledger.grid.genesis_s) // interval_s)
            price = ledger.price_at(max(0, t))
        except (NodeError, NodeUnreachable, OSError, ValueError):
            self._ledger = self._market = None
            return {}
        prices = None if price is None else (price.consumption_nano_per_wh, price.production_nano_per_wh)
        into_s = ledger_s - ledger.grid.genesis_s - t * interval_s
        return {
            "ledger_s": ledger_s,
            "t": t,
            "stage": stage(t, into_s, interval_s, state.options.intervals),
            "windows": {w: copied(window) for w, window in self._market.windows.items()},
            "prices": prices,
        }

    def _opened(self, state: VillageState) -> "EvmLedger":
        if self._ledger is None:
            from contracts import deployments, nodes

            w3 = nodes.connect(str(state.facts["rpc"]), patience_s=PATIENCE_S)
            recorded = deployments.load(int(state.facts["chain_id"]), self._layout.deployments)
            if recorded is None:
                raise ValueError("no ledger is recorded yet")
            self._ledger = recorded.open(w3)
        return self._ledger

    def _book(self, state: VillageState, window: int) -> dict[str, Any]:
        rows = self._query(
            state,
            f"SELECT side, COUNT(*) FROM bid_order WHERE status = 'open' AND start = {int(window)} GROUP BY side",  # noqa: S608
        )
        auctions = self._query(
            state,
            "SELECT start, price_nano_per_wh FROM bid_auction WHERE price_nano_per_wh IS NOT NULL "
            "ORDER BY start DESC, round DESC LIMIT 1",
        )
        found: dict[str, Any] = {}
        if rows is not None:
            from assets.orders import Side

            by_side = dict(rows)
            found["depth"] = by_side.get(int(Side.SELL), 0), by_side.get(int(Side.BUY), 0)
        if auctions:
            found["last_price"] = auctions[0]
        return found

    def _query(self, state: VillageState, sql: str) -> list[tuple[int, int]] | None:
        """Rows of the bid store's database; ``None`` if it cannot be read now."""
        if state.options.db == "postgres":
            return _postgres(state, sql)
        try:
            db = sqlite3.connect(f"file:{self._layout.of('bidstore1') / 'bids.db'}?mode=ro", uri=True, timeout=0.2)
            try:
                return [(int(a), int(b)) for a, b in db.execute(sql).fetchall()]
            finally:
                db.close()
        except sqlite3.Error:
            return None

    def _bills(self, state: VillageState) -> Bills:
        count = total_nano = 0
        for home in range(1, state.options.homes + 1):
            for record in bill_records(self._layout.of(f"meter{home}") / "book.db"):
                count, total_nano = count + 1, total_nano + int(record["bill_nano"])
        return Bills(count, total_nano)

    def _faults(self) -> list[Mapping[str, Any]]:
        try:
            lines = self._layout.faults.read_text(encoding="utf-8").splitlines()
            return [found for line in lines if isinstance(found := json.loads(line), dict)]
        except (OSError, ValueError):
            return []

    def _feeders_w(self, state: VillageState, t: int) -> dict[int, int]:
        interval_s = state.options.interval_s
        found: dict[int, int] = {}
        for home, feeder in state.facts.get("feeders", {}).items():
            net_wh = self._played(int(home))
            if 0 <= t < len(net_wh):
                found[feeder] = found.get(feeder, 0) + net_wh[t] * SECONDS_PER_HOUR // interval_s
        return dict(sorted(found.items()))

    def _played(self, home: int) -> list[int]:
        if home not in self._net_wh:
            try:
                with self._layout.profile(home).open(encoding="utf-8", newline="") as file:
                    rows = list(csv.DictReader(file))
            except OSError:
                return []
            self._net_wh[home] = [int(row["load_wh"]) - int(row["pv_wh"]) for row in rows]
        return self._net_wh[home]


def bill_records(book: Path) -> list[dict[str, int]]:
    """The bills in a meter's book, oldest first; none while it cannot be read."""
    try:
        db = sqlite3.connect(f"file:{book}?mode=ro", uri=True, timeout=0.2)
        try:
            return [json.loads(record) for (record,) in db.execute("SELECT record FROM bill ORDER BY t").fetchall()]
        finally:
            db.close()
    except sqlite3.Error:
        return []


def _postgres(state: VillageState, sql: str) -> list[tuple[int, int]] | None:
    import psycopg

    url = next((p.address for p in state.processes if p.role == "postgres"), None)
    try:
        with psycopg.connect(url or "", connect_timeout=1) as connection:
            return [(int(a), int(b)) for a, b in connection.execute(sql.encode()).fetchall()]
    except psycopg.Error:
        return None


def stage(t: int, into_s: int, interval_s: int, last: int) -> str:
    """What the homes do ``into_s`` after the start of interval ``t`` (-1: before the first), in words."""
    parts = []
    window = t + 1
    if t < 0:
        return "before interval 0: the homes start"
    if window <= last:
        if into_s < interval_s // 4:
            parts.append(f"meters withdraw the notes of window {window}")
        elif into_s < interval_s - gate_s(interval_s):
            parts.append(f"wallets mix and post orders for window {window}")
        else:
            parts.append(f"auction and settlement for window {window}")
    if 1 <= t <= last and into_s >= interval_s // 10:
        parts.append(f"what was not traded for window {t} is deposited")
    if 1 <= t <= last + 1 and into_s >= interval_s // 2:
        parts.append(f"interval {t - 1} is billed")
    return "; ".join(parts) or "nothing is due"
