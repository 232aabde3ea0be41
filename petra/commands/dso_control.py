"""The commands of the automatic loop: the next day's prices, and limits before notes are issued."""

import csv
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from petra.commands.dso_bills import app
from petra.commands.dso_desk import DESK, Folder, Passphrase, each_once, open_desk, signer_of
from petra.commands.errors import one_sentence_errors

if TYPE_CHECKING:
    from dso.controller.forecast import BookDepth
    from dso.grid.check import GridCheck

__all__ = ["app"]

MEMORY = "controller.json"

Enrolment = Annotated[Path, typer.Argument(help="The enrolment: every meter with its nameplate limits.")]


@app.command()
def guard(
    passphrase: Passphrase,
    enrolment: Enrolment,
    desk: Folder = DESK,
    intervals: Annotated[int, typer.Option(min=1, max=35_040, help="How many coming intervals must be safe.")] = 1,
    network: Annotated[
        Path | None, typer.Option(help="pandapower JSON, or CGMES .zip or folder; the CIGRE network.")
    ] = None,
    at: Annotated[list[str] | None, typer.Option(help="feeder=bus of the network; repeat it.")] = None,
) -> None:
    """Check the grid for the coming intervals and set the limits that are safe. Run it before notes are issued."""
    from dso.controller.autopilot import Autopilot
    from dso.controller.memory import Memory
    from dso.desk.enrolment import read_enrolment

    with one_sentence_errors():
        grants = read_enrolment(enrolment.read_text(encoding="utf-8").splitlines())
        check = _check(network, at, sorted({g.feeder for g in grants}))
        folder, ledger = open_desk(desk)
        autopilot = Autopilot(
            folder.desk(ledger), signer_of(folder, ledger, passphrase), {g.meter: g for g in grants}, check=check
        )
        autopilot.limit_permille.update(Memory.read(desk / MEMORY).limit_permille)
        first = ledger.grid.index(ledger.now_s) + 1
        done = autopilot.guard(first, first + intervals - 1)
        typer.echo(done.cut.explanation)
        for sentence in done.beyond:
            typer.echo(f"WARNING  {sentence}", err=True)
        typer.echo("limits are as they were" if done.receipt is None else "limits set on the ledger")


def _check(network: Path | None, at: list[str] | None, feeders: list[int]) -> "GridCheck":
    from dso.grid.check import GridCheck
    from dso.grid.cigre import NODE_BUS, residential
    from dso.grid.files import read_network
    from dso.grid.flow import PowerFlow

    if network is None:
        if at or not set(feeders) <= set(NODE_BUS):
            raise ValueError(f"the CIGRE network has the feeders {list(NODE_BUS)}; for others give --network and --at")
        return GridCheck(residential(), tuple(NODE_BUS))
    try:
        places = [(int(feeder), bus) for feeder, bus in (text.split("=", 1) for text in at or ())]
    except ValueError:
        raise ValueError("write --at feeder=bus, such as --at '3=Bus R11'") from None
    each_once("feeder", [feeder for feeder, _ in places])
    buses = dict(places)
    if not set(feeders) <= set(buses):
        raise ValueError(f"give --at feeder=bus for each of the feeders {feeders}")
    net = read_network(network)
    return GridCheck(PowerFlow(net, [net.bus(bus) for bus in buses.values()]), tuple(buses))


@app.command()
def control(
    passphrase: Passphrase,
    enrolment: Enrolment,
    history: Annotated[Path, typer.Option(help="CSV interval,net_wh: what the community drew, import less export.")],
    tariff: Annotated[str, typer.Option(help="The flat tariff around which prices move.")] = "0.24/0.09",
    book: Annotated[
        Path | None, typer.Option(help="CSV interval,bids_wh,asks_wh: what is open at the bid store, if anything.")
    ] = None,
    desk: Folder = DESK,
) -> None:
    """Decide on the prices of the next day of intervals and publish them; again for the same day, it does the same."""
    from assets.transactions import PriceChange
    from dso.controller.autopilot import Autopilot
    from dso.controller.controller import Controller
    from dso.controller.memory import Memory
    from dso.desk.enrolment import read_enrolment
    from dso.tariff import Tariff

    with one_sentence_errors():
        grants = read_enrolment(enrolment.read_text(encoding="utf-8").splitlines())
        folder, ledger = open_desk(desk)
        grid, per_day = ledger.grid, 86_400 // ledger.grid.interval_s
        steps = Tariff.parse(tariff).steps
        if len(steps) != 1:
            raise ValueError("--tariff is one pair of prices here, such as 0.24/0.09")
        first = (grid.index(ledger.now_s) // per_day + 1) * per_day
        known = Memory.read(desk / MEMORY)
        before = known.levels(first)
        controller = Controller(per_day, levels=dict(before))
        autopilot = Autopilot(
            folder.desk(ledger), signer_of(folder, ledger, passphrase), {g.meter: g for g in grants}, controller
        )

        def base(t: int) -> PriceChange:
            return PriceChange(grid.start_s(t), steps[0].consumption_nano_per_wh, steps[0].production_nano_per_wh)

        autopilot.limit_permille.update(known.limits(grid.index(ledger.now_s), first - 1))
        depths = None if book is None else _book(book)
        decisions = autopilot.plan_day(first, base, _history_w(history, grid.interval_s), depths)
        Memory(first, before, controller.levels, autopilot.limit_permille).write(desk / MEMORY)
        for (level, reason), run in groupby(decisions, key=lambda d: (d.level, d.reason)):
            alike = list(run)
            signals = sorted(d.signal_w for d in alike)
            typer.echo(
                f"intervals {alike[0].t}..{alike[-1].t}: signal {signals[0]:+d} to {signals[-1]:+d} W, "
                f"level {level:+d}: {reason}"
            )
        typer.echo(f"prices of the intervals {first}..{first + per_day - 1} published")


def _history_w(path: Path, interval_s: int) -> dict[int, int]:
    rows = _whole_numbers(path, "interval,net_wh")
    return {t: wh * 3600 // interval_s for t, wh in rows}


def _book(path: Path) -> "dict[int, BookDepth]":
    from dso.controller.forecast import BookDepth

    rows = _whole_numbers(path, "interval,bids_wh,asks_wh")
    if any(min(bids_wh, asks_wh) < 0 for _, bids_wh, asks_wh in rows):
        raise ValueError(f"{path.name} has an order for less than 0 Wh; bids and asks are both written without a sign")
    return {t: BookDepth(bids_wh, asks_wh) for t, bids_wh, asks_wh in rows}


def _whole_numbers(path: Path, header: str) -> list[list[int]]:
    """The rows of a CSV file of whole numbers; each interval is there once."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    if not rows or ",".join(rows[0]) != header:
        raise ValueError(f"the first line of {path.name} is {header}")
    try:
        numbers = [[int(text) for text in row] for row in rows[1:]]
    except ValueError:
        numbers = [[]]
    if any(len(row) != len(rows[0]) for row in numbers):
        raise ValueError(f"{path.name} has a line that is not {header} in whole numbers")
    if len({row[0] for row in numbers}) < len(numbers):
        raise ValueError(f"{path.name} has an interval twice; keep one of its lines")
    return numbers
