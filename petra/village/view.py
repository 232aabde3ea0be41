"""A village in the terminal: live, or once."""

import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from assets.units import format_amount
from petra.village.facts import Facts, Watcher
from petra.village.state import Condition, Phase

LOOK_S = 1.0
WIDTH = 120
"""Columns of the view when it is printed once."""

ROWS = 8
"""Newest windows and faults that are shown."""


def live(folder: Path, running: Callable[[], bool]) -> None:
    """Show the village until it has ended."""
    watcher, console = Watcher(folder), Console()
    with Live(Text("starting"), console=console, auto_refresh=False) as screen:
        while True:
            on = running()
            try:
                screen.update(render(watcher.look()), refresh=True)
            except ValueError:  # nothing is written yet
                screen.update(Text("starting: reading in what all programs share"), refresh=True)
            if not on:
                return
            time.sleep(LOOK_S)


def text(facts: Facts) -> str:
    """The view as text."""
    out = StringIO()
    Console(file=out, width=WIDTH, no_color=True, highlight=False).print(render(facts))
    return out.getvalue().rstrip()


def render(facts: Facts) -> RenderableType:
    """The view."""
    parts: list[RenderableType] = [_head(facts), Columns([_processes(facts), _market(facts)])]
    if facts.faults:
        parts.append(_faults(facts))
    return Group(*parts)


def _head(facts: Facts) -> RenderableType:
    options, state = facts.state.options, facts.state
    clock = "not started"
    if facts.ledger_s is not None:
        clock = datetime.fromtimestamp(facts.ledger_s, UTC).strftime("%Y-%m-%d %H:%M:%S")
    lines = [
        f"{state.phase.value}{': ' + state.message if state.message else ''}",
        f"village clock {clock} ({options.speed} s per second), interval {_or(facts.t)} of {options.intervals}",
    ]
    if state.phase is Phase.STOPPED:
        lines[1:] = ["its chain has ended: petra village report has clock, market and prices"]
    if facts.stage:
        lines.append(facts.stage)
    title = f"{options.homes} homes, transport {options.transport}, bid store on {options.db} x {options.replicas}"
    return Panel(Text("\n".join(lines)), title=title, title_align="left")


def _processes(facts: Facts) -> Table:
    table = Table(title="processes", title_justify="left")
    for name, justify in (("role", "left"), ("running", "right"), ("of", "right"), ("restarts", "right"), ("", "left")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    roles = list(dict.fromkeys(p.role for p in facts.state.processes))
    for role in roles:
        own = facts.state.role(role)
        well = sum(p.state in (Condition.RUNNING, Condition.DONE) for p in own)
        others = Counter(p.state.value for p in own if p.state not in (Condition.RUNNING, Condition.DONE))
        ill = [p.name for p in own if p.state in (Condition.RESTARTING, Condition.PAUSED, Condition.FAILED)]
        told = ", ".join(f"{count} {state}" for state, count in others.items())
        told += f": {', '.join(ill[:3])}" if ill else ""
        style = "red" if ill else None
        table.add_row(role, str(well), str(len(own)), str(sum(p.restarts for p in own)), told, style=style)
    return table


def _market(facts: Facts) -> RenderableType:
    table = Table(title="market", title_justify="left")
    for name in ("window", "sets", "mixes (peers)", "trades", "Wh", "nano/Wh", "deposits"):
        table.add_column(name, justify="right")
    for t in sorted(facts.windows)[-ROWS:]:
        window = facts.windows[t]
        peers = "+".join(f"{count}x{size}" for size, count in sorted(Counter(window.mixes).items()))
        price = str(window.trades[0].price_nano_per_wh) if window.trades else ""
        cells = (window.withdrawals, peers or "-", len(window.trades), window.traded_wh, price, window.deposits)
        table.add_row(str(t), *map(str, cells))
    return Group(table, Text("\n".join(_lines(facts))))


def _lines(facts: Facts) -> list[str]:
    lines = []
    if facts.depth is not None:
        lines.append(f"order book of the next window: {facts.depth[0]} offers, {facts.depth[1]} bids")
    if facts.last_price is not None:
        lines.append(f"last price {facts.last_price[1]} nano/Wh, for window {facts.last_price[0]}")
    if facts.prices is not None:
        lines.append(f"the DSO sells at {facts.prices[0]} and buys at {facts.prices[1]} nano/Wh")
    if facts.feeders_w:
        lines.append("feeders " + ", ".join(f"{feeder}: {w:+d} W" for feeder, w in facts.feeders_w.items()))
    lines.append(f"{facts.bills.count} bills, {format_amount(facts.bills.bill_nano)} USD in all")
    return lines


def _faults(facts: Facts) -> Table:
    table = Table(title=f"{len(facts.faults)} faults, the newest", title_justify="left")
    for name in ("when", "fault", "what"):
        table.add_column(name)
    for fault in facts.faults[-ROWS:]:
        when = datetime.fromtimestamp(float(fault.get("simulated_s") or 0), UTC).strftime("%H:%M:%S")
        what = fault.get("text") or fault.get("target") or ""
        table.add_row(when, str(fault.get("fault", "")), str(what))
    return table


def shown(facts: Facts) -> dict[str, object]:
    """The same as JSON values."""
    windows = {
        str(t): {
            "withdrawals": w.withdrawals,
            "mixes": w.mixes,
            "trades": len(w.trades),
            "traded_wh": w.traded_wh,
            "price_nano_per_wh": w.trades[0].price_nano_per_wh if w.trades else None,
            "deposits": w.deposits,
        }
        for t, w in sorted(facts.windows.items())
    }
    depth, prices, last = facts.depth, facts.prices, facts.last_price
    return {
        **facts.state.to_json(),
        "ledger_s": facts.ledger_s,
        "interval": facts.t,
        "stage": facts.stage,
        "windows": windows,
        "book": None if depth is None else {"offers": depth[0], "bids": depth[1]},
        "last_price": None if last is None else {"window": last[0], "nano_per_wh": last[1]},
        "dso_prices": None if prices is None else {"consumption": prices[0], "production": prices[1]},
        "feeders_w": {str(feeder): w for feeder, w in facts.feeders_w.items()},
        "bills": {"count": facts.bills.count, "bill_nano": facts.bills.bill_nano},
        "restarts": facts.restarts,
        "faults": list(facts.faults),
    }


def _or(t: int | None) -> str:
    return "-" if t is None else str(t)
