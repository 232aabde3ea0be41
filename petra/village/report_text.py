"""The report of a village for a terminal."""

from collections import Counter
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from assets.units import format_amount

WHO_READS = "The village's folder has every passphrase: so this report could open wallets and meters."


def text(found: Mapping[str, Any]) -> str:
    """The report for a terminal."""
    out = StringIO()
    console = Console(file=out, width=110, no_color=True, highlight=False)
    console.print(_window_table(found))
    console.print(_bill_table(found))
    for line in _lines(found):
        console.print(line, soft_wrap=True)
    return out.getvalue().rstrip()


def _window_table(found: Mapping[str, Any]) -> Table:
    table = Table(title=f"{found['intervals_delivered']} intervals delivered", title_justify="left")
    for name in ("window", "sets issued", "mixes (peers)", "trades", "Wh", "nano/Wh", "deposits"):
        table.add_column(name, justify="right")
    for t, w in found["windows"].items():
        peers = ", ".join(f"{count} x {size}" for size, count in sorted(Counter(w["mix_peers"]).items())) or "none"
        price = "" if w["price_nano_per_wh"] is None else str(w["price_nano_per_wh"])
        cells = (w["withdrawals"], peers, w["trades"], w["traded_wh"], price, w["deposits"])
        table.add_row(t, *map(str, cells))
    return table


def _bill_table(found: Mapping[str, Any]) -> Table:
    table = Table(title="bills, USD, beside the DSO's tariff alone", title_justify="left")
    for name in ("home", "import Wh", "export Wh", "bought Wh", "sold Wh", "bill", "tariff alone", "saved"):
        table.add_column(name, justify="right")
    for bill in found["bills"]:
        energy = (bill[n] for n in ("measured_import_wh", "measured_export_wh", "bought_wh", "sold_wh"))
        money = (bill[n] for n in ("bill_nano", "bill_without_trading_nano", "saved_nano"))
        table.add_row(str(bill["home"]), *map(str, energy), *map(format_amount, money))
    return table


def _lines(found: Mapping[str, Any]) -> list[str]:
    orders, stated, settled = found["orders"], found["statements"], found["offer_to_settled"]
    lines = [
        f"orders: {orders['posted']} posted, {orders['settled']} settled, {orders['expired']} expired, "
        f"{orders['refused']} refused, {orders['open']} open; {found['trades']} trades of {found['traded_wh']} Wh",
        f"statements: {stated['received']} received, {stated['equal_to_bills']} of {stated['homes']} homes' equal to "
        "their bills",
        f"started again: {', '.join(f'{name} {count} x' for name, count in found['restarts'].items()) or 'nothing'}",
    ]
    for what, label in (("from_posting", "from its posting"), ("from_gate_closure", "from gate closure")):
        row = settled[what]
        if row["count"]:
            lines.append(
                f"offer to settled trade, {label}: median {row['median_s']} s, 95th percentile {row['p95_s']} s "
                f"({row['count']} orders, {found['transport']}, {found['speed']} x real time)"
            )
    if settled["from_posting"]["count"]:
        lines.append(
            f"(the authors' demonstration of 2017 had a mean of {settled['authors_2017_mean_s']} s; its market matched "
            "offers as they came, this one waits for the gate of a batch auction)"
        )
    lines += [
        WHO_READS,
        f"next: petra audit {found['run']}; petra village audit {Path(found['run']).parent}",
    ]
    if found["entries_left_out"]:
        lines.insert(0, f"the last {found['entries_left_out']} ledger entries belong to intervals that are not billed")
    return lines
