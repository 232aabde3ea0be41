"""``petra village``: a whole microgrid on this machine, every role a process of its own."""

import json
from pathlib import Path
from typing import Annotated

import typer

from petra.commands import village_chaos
from petra.commands.errors import one_sentence_errors
from petra.village.options import ANVIL, Options, parse_replace

app = typer.Typer(no_args_is_help=True, help="A whole microgrid on this machine: every role a process of its own.")

Folder = Annotated[Path, typer.Argument(help="The village's folder.")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of text.")]

DEFAULTS = Options()


@app.command()
def up(
    folder: Annotated[Path, typer.Argument(help="A folder that is empty or missing.")],
    homes: Annotated[int, typer.Option(help="Number of homes.")] = DEFAULTS.homes,
    intervals: Annotated[int, typer.Option(help="Delivery intervals with trading.")] = DEFAULTS.intervals,
    transport: Annotated[
        str, typer.Option(help="Between wallets and board, bid store, relay: tor, or http (NOT ANONYMOUS).")
    ] = DEFAULTS.transport,
    chain: Annotated[str, typer.Option(help="anvil, or the URL of a node (then --speed 1).")] = ANVIL,
    db: Annotated[str, typer.Option(help="The bid store's: sqlite or postgres.")] = DEFAULTS.db,
    replicas: Annotated[int, typer.Option(help="Of the bid store; several need --db postgres.")] = DEFAULTS.replicas,
    speed: Annotated[int, typer.Option(help="Simulated seconds per second.")] = DEFAULTS.speed,
    seed: Annotated[int, typer.Option(help="Of energy and strategies; keys are secrets of their own.")] = DEFAULTS.seed,
    profiles: Annotated[
        Path | None, typer.Option(help="Measured homes, .csv or .csv.gz: interval_start,home,load_wh,pv_wh.")
    ] = None,
    start: Annotated[str | None, typer.Option(help="First interval, ISO 8601 local standard time.")] = None,
    interval_s: Annotated[int, typer.Option(help="Seconds per interval, of generated homes.")] = DEFAULTS.interval_s,
    tariff: Annotated[str, typer.Option(help="What the DSO sells/buys at, USD per kWh.")] = DEFAULTS.tariff,
    notes: Annotated[int, typer.Option(help="Notes of each kind that a home gets per interval.")] = DEFAULTS.notes,
    strategy: Annotated[str, typer.Option(help="How the homes trade.")] = DEFAULTS.strategy,
    replace: Annotated[
        list[str] | None, typer.Option(help="NAME=COMMAND: run another program as this process; repeat it.")
    ] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Return when the village runs; it goes on.")] = False,
    no_view: Annotated[bool, typer.Option("--no-view", help="One line for each event, not a live view.")] = False,
) -> None:
    """Start a village and watch it to its last bill; Ctrl-C ends it. Exit code 3: it was stopped before.

    18 homes need about 3 GB of memory. Everything is in the folder, passphrases too: such a village guards nothing.
    """
    with one_sentence_errors():
        from petra.village import starting

        options = Options(
            homes=homes,
            intervals=intervals,
            speed=speed,
            transport=transport,
            chain=chain,
            db=db,
            replicas=replicas,
            seed=seed,
            profiles=None if profiles is None else str(profiles.absolute()),
            start=start,
            interval_s=interval_s,
            tariff=tariff,
            notes=notes,
            strategy=strategy,
            replace=parse_replace(replace or []),
        )
        delivered = starting.up(folder, options, detach=detach, view=not no_view, say=typer.echo)
    if not delivered:
        raise typer.Exit(3)


@app.command()
def status(folder: Folder, as_json: AsJson = False) -> None:
    """How a village stands: clock, stage, processes, order book, prices, feeders, bills, faults. Once."""
    with one_sentence_errors():
        from petra.village.facts import Watcher
        from petra.village.view import shown, text

        facts = Watcher(folder).look()
        typer.echo(json.dumps(shown(facts), indent=1) if as_json else text(facts))


@app.command()
def down(folder: Folder) -> None:
    """End a village in order. What it did stays in the folder."""
    with one_sentence_errors():
        from petra.village import starting

        typer.echo(starting.down(folder))


@app.command()
def report(folder: Folder, as_json: AsJson = False) -> None:
    """What a village did, from ledger, meters, DSO and wallets; writes DIR/run for `petra audit`. Ends nothing."""
    with one_sentence_errors():
        from petra.village.report import make_report
        from petra.village.report_text import text

        found = make_report(folder)
        typer.echo(json.dumps(found, indent=1) if as_json else text(found))


@app.command(hidden=True)
def supervise(
    folder: Folder, owner: Annotated[int | None, typer.Option(help="End when this process does.")] = None
) -> None:
    """Run the village whose options are in the folder: what `up` starts."""
    with one_sentence_errors():
        from petra.village import child
        from petra.village.life import Village

        if owner is not None:
            child.end_with(owner)
        child.preload()
        delivered = Village(folder).run()
    raise typer.Exit(0 if delivered else 3)


@app.command(hidden=True)
def tor(folder: Folder) -> None:
    """Keep the village's private Tor network."""
    with one_sentence_errors():
        from petra.village.layout import Layout
        from petra.village.tor import keep

        keep(folder, Layout(folder).of("tor") / "network")


app.command(hidden=True)(village_chaos.links)
app.command()(village_chaos.chaos)
app.command()(village_chaos.audit)
