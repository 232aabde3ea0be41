"""``petra privacy``: how well adversaries link mixed notes to meters, and what keeping them from it costs."""

from pathlib import Path
from typing import Annotated

import typer

from petra.commands.errors import one_sentence_errors

app = typer.Typer(no_args_is_help=True, help="Anonymity measured, and what it costs.")


@app.command()
def measure(
    run_dir: Annotated[Path, typer.Argument(help="The folder that petra simulate wrote.")],
    corrupted: Annotated[int, typer.Option(min=0, help="f: homes whose secrets the adversary has.")] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Draws the corrupted homes.")] = 0,
    gate: Annotated[
        float, typer.Option(min=1, help="Most that an upper bound may be, in multiples of guessing.")
    ] = 1.6,
) -> None:
    """Let every adversary try on the run's public files, and on the same run with leaks planted.

    Writes privacy.json beside them. Exit code 1: an adversary links better than the gate, or a leak was missed.
    """
    from rich.console import Console

    from petra.commands.printing import rich_table

    console = Console()
    with one_sentence_errors():
        from petra.privacy import report
        from petra.privacy.measure import measure as measure_run
        from petra.privacy.view import read_record

        record = read_record(run_dir)
        rows = measure_run(record, corrupted, seed)
        leaks = report.planted(record, corrupted, seed)
        (run_dir / "privacy.json").write_text(report.to_json(rows, leaks, corrupted, seed, gate) + "\n")
        wrong = report.failures(rows, leaks, gate)
    console.print(rich_table(report.adversaries_table(rows)))
    console.print(rich_table(report.leaks_table(leaks)))
    console.print(f"All windows: {run_dir / 'privacy.json'}", soft_wrap=True)
    for sentence in wrong:
        typer.echo(f"PRIVACY FAILED  {sentence}", err=True)
    if wrong:
        raise typer.Exit(1)


@app.command()
def cost(
    peers: Annotated[str, typer.Option(help="Sizes of the mix, separated by commas.")] = "5,10,20,50",
    transport: Annotated[str, typer.Option(help="Transports, separated by commas.")] = "memory,http",
    onion_dir: Annotated[Path | None, typer.Option(help="For tor: the folder of a network that runs.")] = None,
    homes: Annotated[int, typer.Option(min=2, help="Homes of the gas table.")] = 18,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the homes of the gas table.")] = 3,
) -> None:
    """Seconds, rounds and bytes of a mix by transport and size; gas and notes per home by privacy setting."""
    from rich.console import Console

    from petra.commands.printing import rich_table
    from petra.tables import Table

    console = Console()
    with one_sentence_errors():
        from datetime import datetime

        from dso.tariff import Tariff
        from petra.homes.community import generate
        from petra.privacy.cost import session_cost, session_line
        from petra.privacy.settings import settings
        from petra.scenario import default_scenario
        from petra.transports import open_transport

        if not all(size.isdecimal() for size in peers.split(",")):
            raise ValueError(f"--peers: {peers!r} is no list of numbers; write 5,10,20")
        sizes = [int(size) for size in peers.split(",")]
        lines = []
        for name in transport.split(","):
            with open_transport(name, onion_dir, any_session=True) as way:
                lines += [tuple(session_line(session_cost(way, n))) for n in sizes]
        head = ("transport", "engine", "N", "s", "rounds", "s/round", "posts/peer", "KiB sent/peer", "KiB read/peer")
        note = "Median of 3; all peers in one process. A round: all post 1 KiB and read it."
        console.print(rich_table(Table("a mix", head, tuple(lines), note)))
        profiles = generate(seed, datetime.fromisoformat("2025-04-01T14:00:00"), 2, 3600, homes)
        rows = settings(default_scenario(profiles, seed, "evm", Tariff.parse("0.24/0.09")))
        cells = tuple(
            (c.name, str(c.notes), f"{c.gas:,}", f"{c.mix_gas:,}", f"{c.mix_s * 1000:.0f}", f"{c.adversary:.3f}")
            for c in rows
        )
        columns = ("setting", "notes", "gas", "mix gas", "mix ms", "named")
        note = f"Per home and interval, {homes} homes, the contract in process."
        console.print(rich_table(Table("privacy settings", columns, cells, note)))
