"""The command line: ``petra simulate``, ``petra audit``, ``petra chain``, ``petra dso``, ``petra statement``.

Exit codes: 0 done; 1 the audit found a contradiction; 2 the input or the machine is at fault, said in one sentence.
"""

import json
import shutil
import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table as RichTable

from assets.units import format_amount
from petra import tables
from petra.commands import (
    bidstore,
    board,
    chain,
    config,
    doctor,
    dso_control,
    meter,
    mix,
    onion,
    privacy,
    relay,
    statement,
    village,
    wallet,
)
from petra.commands.errors import one_sentence_errors
from petra.crypto import COUNTED, COUNTED_BANNER, EXECUTED, crypto_named
from petra.homes.community import generate
from petra.homes.csv_profiles import read_profiles
from petra.homes.profile import Profiles
from petra.stopwatch import Stopwatch
from petra.tables import Table

BANNER = "THROW-AWAY KEYS, NO NETWORK ANONYMITY: keys come from the seed, and all messages travel in memory."
"""First line of every simulation."""

HTTP_BANNER = (
    "THROW-AWAY KEYS, NOT ANONYMOUS: keys come from the seed; mix messages go to a board over plain HTTP on this "
    "machine, which sees every wallet's network address. All other messages travel in memory."
)
"""The same when the mix goes over HTTP."""

TOR_BANNER = (
    "THROW-AWAY KEYS: keys come from the seed. Mix messages go to a board over Tor, each wallet and session on "
    "circuits of its own; all relays are on this machine, so nothing is hidden from its owner. "
    "Offers, trades and bills travel in memory."
)
"""The same when the mix goes over Tor."""

DEFAULT_TARIFF = "0.24/0.09"
"""What the DSO sells and buys at, USD/kWh."""

DEFAULT_START = "2025-04-01T00:00:00"
"""Start of generated homes: a summer day, so that there is something to sell."""

DEFAULT_INTERVALS_S = 86_400
"""Length of a run unless said otherwise: a day."""

app = typer.Typer(
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    help="Private, safe and settled energy trading between the homes of a microgrid.",
)

app.add_typer(bidstore.app, name="bidstore")
app.add_typer(board.app, name="board")
app.add_typer(chain.app, name="chain")
app.add_typer(meter.app, name="meter")
app.add_typer(config.app, name="config")
app.add_typer(dso_control.app, name="dso")
app.command()(doctor.doctor)
app.add_typer(mix.app, name="mix")
app.add_typer(onion.app, name="onion")
app.add_typer(privacy.app, name="privacy")
app.add_typer(relay.app, name="relay")
app.add_typer(statement.app, name="statement")
app.add_typer(village.app, name="village")
app.add_typer(wallet.app, name="wallet")


@app.callback()
def petra() -> None:
    """Private, safe and settled energy trading between the homes of a microgrid."""


@app.command()
def simulate(
    homes: Annotated[int | None, typer.Option(min=2, help="Number of homes; all of the file, or 18.")] = None,
    profiles: Annotated[
        Path | None, typer.Option(help="Measured homes, .csv or .csv.gz: interval_start,home,load_wh,pv_wh.")
    ] = None,
    start: Annotated[str | None, typer.Option(help="First interval, ISO 8601 local standard time.")] = None,
    intervals: Annotated[int | None, typer.Option(min=1, help="Number of delivery intervals; a day.")] = None,
    interval_s: Annotated[
        int | None, typer.Option(min=1, help="Seconds per interval; that of the file, or 3600.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of homes, strategies and throw-away keys.")] = 1,
    ledger: Annotated[str, typer.Option(help="spec, evm (in process), or the URL of a JSON-RPC node.")] = "evm",
    tariff: Annotated[str, typer.Option(help="What the DSO sells/buys at, USD per kWh.")] = DEFAULT_TARIFF,
    transport: Annotated[
        str, typer.Option(help="What carries the mix: memory, http (NOT ANONYMOUS) or tor.")
    ] = "memory",
    onion_dir: Annotated[
        Path | None, typer.Option(help="For tor: the folder of a running private network; one is started if not given.")
    ] = None,
    strategy: Annotated[
        str | None,
        typer.Option(help="price-taker, zero-intelligence or look-ahead; like the last interval if not given."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the files of the run.")] = Path("out/run"),
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run of --out that was cut off.")] = False,
    crypto: Annotated[
        str, typer.Option(help="executed, or counted: for thousands of homes; then no signature proves anything.")
    ] = EXECUTED,
    profile: Annotated[bool, typer.Option("--profile", help="Show the CPU time and memory of every stage.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print summary.json instead of tables.")] = False,
) -> None:
    """Run a microgrid from homes to bills: every asset on a ledger, every transfer signed, every note mixed."""
    from petra.report import write_report
    from petra.rundir import prepare_folder, write_run
    from petra.scenario import default_scenario
    from petra.simulation import simulate as run_simulation
    from petra.summary import who_learnt_what

    console = Console(stderr=as_json)
    banner = {"memory": BANNER, "http": HTTP_BANNER, "tor": TOR_BANNER}.get(transport, BANNER)
    if crypto == COUNTED:
        banner = COUNTED_BANNER
    watch = Stopwatch()
    console.print(banner, style="bold yellow", soft_wrap=True)
    with one_sentence_errors():
        from dso.tariff import Tariff
        from petra.transports import open_transport

        if out.exists() and not out.is_dir():
            raise ValueError(f"--out {out} is a file; give a folder")
        if crypto_named(crypto).counts is not None and (ledger, transport) != ("spec", "memory"):
            raise ValueError("--crypto counted needs --ledger spec, and no --transport: nothing is sent or executed")
        with watch("generate"):
            homes_of = _load(profiles, start, intervals, homes, interval_s, seed)
        scenario = default_scenario(homes_of, seed, ledger, Tariff.parse(tariff))
        prepare_folder(out)
        scenario = replace(scenario, record_in=out / "deployments", resume=resume, strategy=strategy, crypto=crypto)
        if strategy is not None:
            scenario = replace(scenario, name=f"{scenario.name}; strategy {strategy}")
        with (
            open_transport(transport, onion_dir, reach=ledger, say=console.print) as way,
            _progress(console) as progress,
        ):
            task = progress.add_task("intervals", total=scenario.intervals)
            run = run_simulation(scenario, lambda done: progress.update(task, completed=done), way, watch)
        with watch("learnt"):
            learnt = who_learnt_what(run)
        with watch("files"):
            summary = write_run(run, learnt, out)
        with watch("report"):
            write_report(run, learnt, banner, out / "report.html")
    if as_json:
        print(json.dumps(summary, indent=2))
        return
    for table in (
        tables.profile_table(run) if profile else tables.stages_table(run),
        tables.bills_table(run),
        tables.conservation_table(run),
        tables.knowledge_table(learnt),
        *([tables.crypto_table(run)] if run.costs else []),
    ):
        _print(console, table)
    if crypto == COUNTED:
        console.print(COUNTED_BANNER, style="bold yellow", soft_wrap=True)
    for line in way.account():
        console.print(line, soft_wrap=True)
    console.print(f"Plots and tables: {out / 'report.html'}", soft_wrap=True)
    recomputed = "limit and bill" if crypto == COUNTED else "signature, limit and bill"
    console.print(f"Next: {_program()} audit {out}    recomputes every {recomputed} from the files", soft_wrap=True)


@app.command()
def audit(run_dir: Annotated[Path, typer.Argument(help="The folder that petra simulate wrote.")]) -> None:
    """Recompute a run from its public files: every limit, balance, price and signature, and every bill."""
    from petra.audit import AuditError
    from petra.audit import audit as audit_run

    try:
        result = audit_run(run_dir)
    except AuditError as error:
        typer.echo(f"AUDIT FAILED  {error}", err=True)
        raise typer.Exit(1) from None
    checked = "signatures"
    if result.counted:
        checked = "SIGNATURES THAT CANNOT BE CHECKED (cryptography counted, not executed)"
    typer.echo(
        f"audit passed: {result.ledger_entries} ledger transactions, {result.signatures} {checked}, "
        f"{result.trades} trades, {result.billing_records} bills of {result.homes} homes; "
        f"the DSO receives {format_amount(result.bills_nano)} USD"
    )


def _load(
    path: Path | None, start: str | None, intervals: int | None, homes: int | None, interval_s: int | None, seed: int
) -> Profiles:
    """Measured homes from a file, or the generated community."""
    first = None if start is None else _parse_start(start)
    if path is not None:
        return read_profiles(path, first, intervals, homes, interval_s)
    step_s = interval_s or 3600
    return generate(
        seed,
        first or datetime.fromisoformat(DEFAULT_START),
        intervals or max(1, DEFAULT_INTERVALS_S // step_s),
        step_s,
        homes or 18,
    )


def _parse_start(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"--start {text!r} is not a date and time; write 2025-04-01T00:00:00") from None


def _progress(console: Console) -> Progress:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    return Progress(*columns, console=console)


def _print(console: Console, table: Table) -> None:
    rich = RichTable(title=table.title, title_justify="left", title_style="bold", caption=table.note or None)
    rich.caption_justify = "left"
    for i, name in enumerate(table.header):
        rich.add_column(name, justify="left" if i == 0 else "right")
    for row in table.rows:
        rich.add_row(*row)
    console.print(rich)


def _program() -> str:
    """How the user called this program, to be called again: ``petra``, or the path of the script."""
    called = Path(sys.argv[0])
    return "petra" if shutil.which("petra") or called.name != "petra" else str(called)


def main() -> None:
    """Entry point of the ``petra`` command."""
    app()
