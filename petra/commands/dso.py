"""``petra dso``: the operator's desk."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from petra.commands.errors import one_sentence_errors
from petra.commands.shown import show

app = typer.Typer(no_args_is_help=True, help="The operator's desk: grid check, controller, administration, bills.")

WINTER_WEEK = "2025-01-05T00:00:00"
"""A Sunday: the day of history before the week that is shown."""

MAX_SCALE = 1000


def _factors(scales: str) -> list[int]:
    texts = [text.strip() for text in scales.split(",")]
    if not all(text.isascii() and text.isdigit() and 1 <= int(text) <= MAX_SCALE for text in texts):
        raise ValueError(f"--scales {scales!r} is no list of whole factors from 1 to {MAX_SCALE}, such as 1,4,8")
    return [int(text) for text in texts]


@app.command()
def week(
    seed: Annotated[int, typer.Option(min=0, help="Seed of the homes and of their answers.")] = 1,
    start: Annotated[str, typer.Option(help="The day of history before the week.")] = WINTER_WEEK,
    tariff: Annotated[str, typer.Option(help="Flat tariff, sells/buys in USD per kWh.")] = "0.24/0.09",
    days: Annotated[int, typer.Option(min=1, help="Length of the week, after a day of history.")] = 7,
    why: Annotated[bool, typer.Option("--why", help="What was decided on the last day, and why.")] = False,
) -> None:
    """A week of the 18-home community with the microgrid controller on and off, on market and ledger (a minute)."""
    from assets.intervals import IntervalGrid
    from dso.tariff import Tariff
    from petra.homes.community import generate
    from petra.operated import Options
    from petra.week import run_week, week_table

    with one_sentence_errors():
        (base, *more) = Tariff.parse(tariff).price_changes(IntervalGrid(0, 3600))
        if more:
            raise ValueError("--tariff is one pair of prices here, such as 0.24/0.09")
        profiles = generate(seed, datetime.fromisoformat(start), (days + 1) * 24, 3600)
        result = run_week(profiles, Options(seed, base))
        show(week_table(result, f"18 homes, seed {seed}, {days} days after {start[:10]}"))
        for d in result.played.decisions[-24:] if why else ():
            typer.echo(
                f"{d.t % 24:02d}:00 forecast {d.forecast_w:6d} W, target {d.target_w} W, signal {d.signal_w:+6d} W, "
                f"level {d.level:+d}, price {d.consumption_nano_per_wh}: {d.reason}"
            )


@app.command()
def grid(
    seed: Annotated[int, typer.Option(min=0, help="Seed of the homes.")] = 1,
    start: Annotated[str, typer.Option(help="First quarter-hour of the week.")] = "2025-01-06T00:00:00",
    scales: Annotated[str, typer.Option(help="Factors on every home's power, with commas.")] = "1,4,8",
) -> None:
    """Check a week of the community on the CIGRE network, as it is and scaled up."""
    from petra.grid_stress import stress, stress_table
    from petra.homes.community import generate

    with one_sentence_errors():
        factors = _factors(scales)
        profiles = generate(seed, datetime.fromisoformat(start), 7 * 96, 900)
        results = [stress(profiles, factor) for factor in factors]
        show(stress_table(results, f"18 homes, a week of quarter-hours from {start[:10]}, seed {seed}"))
        for result in results:
            typer.echo(f"x{result.scale}: {result.cut.explanation}")


@app.command()
def stress(
    seed: Annotated[int, typer.Option(min=0, help="Seed of the homes.")] = 1,
    start: Annotated[str, typer.Option(help="The day of history before.")] = WINTER_WEEK,
    days: Annotated[int, typer.Option(min=1, help="Days after the first.")] = 7,
    scales: Annotated[str, typer.Option(help="Factors on every home's power, with commas.")] = "1,4,8",
) -> None:
    """The market on the ledger with the community scaled up, with the grid check and without (minutes)."""
    from assets.transactions import PriceChange
    from petra.grid_stress import market_stress, market_stress_table
    from petra.homes.community import generate
    from petra.operated import Options

    with one_sentence_errors():
        factors = _factors(scales)
        profiles = generate(seed, datetime.fromisoformat(start), (days + 1) * 24, 3600)
        base = PriceChange(0, 240_000, 90_000)
        results = [market_stress(profiles, Options(seed, base, scale=factor, notes=4)) for factor in factors]
        show(market_stress_table(results, f"18 homes, {days} days after {start[:10]}, seed {seed}"))
        for result in results:
            for why in result.explanations:
                typer.echo(f"x{result.scale}: {why}")


@app.command()
def network(
    path: Annotated[Path, typer.Argument(help="pandapower JSON, or CGMES: .zip or folder of profiles.")],
) -> None:
    """Read a network file and say what the grid check sees in it."""
    from dso.grid.files import read_network
    from dso.grid.flow import PowerFlow

    with one_sentence_errors():
        net = read_network(path)
        flows = PowerFlow(net, [0]).run([[0.0]])
        typer.echo(
            f"{net.name}: {len(net.buses)} buses, {len(net.lines)} lines, {len(net.transformers)} transformers; "
            f"without load {flows.u_pu.min():.4f} to {flows.u_pu.max():.4f} p.u."
        )
