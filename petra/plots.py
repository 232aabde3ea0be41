"""The plots of a report as inline SVG: no script, no external load."""

from collections.abc import Sequence
from io import StringIO
from typing import TYPE_CHECKING

from petra.bills import home_bills
from petra.simulation import Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_BARS, BINS = 100, 50
"""Most homes with a bar each; beyond that a histogram of so many bins."""

INSTALL = "pip install 'petra[report]'"


def energy_plot(run: Run) -> str:
    """Load, generation, local trade and grid import in each interval, kWh."""
    homes, n = run.scenario.profiles.homes, run.scenario.intervals
    traded_wh = [sum(trade.energy_wh for trade in market.trades) for market in run.markets]
    figure, axes = _figure()
    for label, values_wh, colour in (
        ("load", [sum(h.load_wh[t] for h in homes) for t in range(n)], "#444444"),
        ("generation", [sum(h.generation_wh[t] for h in homes) for t in range(n)], "#e0a100"),
        ("import from the grid", _imports_wh(run), "#b03a2e"),
        ("traded locally", traded_wh, "#1e8449"),
    ):
        axes.step(_hours(run), [wh / 1000 for wh in values_wh], where="mid", label=label, color=colour)
    return _svg(figure, axes, "kWh per interval")


def price_plot(run: Run) -> str:
    """The DSO's two prices and the local price in each interval, currency units per kWh."""
    figure, axes = _figure()
    hours, homes = _hours(run), len(run.grid.homes)
    bills = [run.bills[t * homes] for t in range(run.scenario.intervals)]
    axes.step(hours, [b.consumption_nano_per_wh / 1e6 for b in bills], where="mid", label="DSO sells", color="#b03a2e")
    axes.step(hours, [b.production_nano_per_wh / 1e6 for b in bills], where="mid", label="DSO buys", color="#2e6da4")
    local = [(h, m.trades[0].price_nano_per_wh / 1e6) for h, m in zip(hours, run.markets, strict=True) if m.trades]
    axes.plot([h for h, _ in local], [p for _, p in local], "o", label="local auction", color="#1e8449")
    axes.set_ylim(bottom=0)
    return _svg(figure, axes, "USD per kWh")


def savings_plot(run: Run) -> str:
    """What each home saved by trading locally, currency units; of a large community, how many saved how much."""
    bills = home_bills(run.bills)
    figure, axes = _figure()
    saved = [b.saved_nano / 1e9 for b in bills]
    if len(bills) > MAX_BARS:
        axes.hist(saved, bins=BINS, color="#1e8449")
        return _svg(figure, axes, "homes", "USD saved", legend=False)
    axes.bar([str(b.home) for b in bills], saved, color=["#1e8449" if s >= 0 else "#b03a2e" for s in saved])
    axes.axhline(0, color="#444444", linewidth=0.8)
    return _svg(figure, axes, "USD saved", "home", legend=False)


def _imports_wh(run: Run) -> list[int]:
    homes = len(run.grid.homes)
    return [
        sum(max(0, b.residual_wh) for b in run.bills[t * homes : (t + 1) * homes])
        for t in range(run.scenario.intervals)
    ]


def _hours(run: Run) -> Sequence[float]:
    """Middle of each interval in hours since the local midnight before the run."""
    start = run.scenario.profiles.start
    first_s = start.hour * 3600 + start.minute * 60 + start.second
    return [(first_s + (t + 0.5) * run.scenario.interval_s) / 3600 for t in range(run.scenario.intervals)]


def _figure() -> "tuple[Figure, Axes]":
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(f"the report's plots need matplotlib: {INSTALL}") from error
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    return figure, figure.subplots()


def _svg(figure: "Figure", axes: "Axes", y_label: str, x_label: str = "hour of the day", legend: bool = True) -> str:
    from matplotlib import rc_context

    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.spines[["top", "right"]].set_visible(False)
    if legend:
        axes.legend(frameon=False, ncols=4, loc="upper left", bbox_to_anchor=(0, 1.15))
    buffer = StringIO()
    # A fixed salt and no date make the same run give the same bytes.
    with rc_context({"svg.hashsalt": "petra", "svg.fonttype": "none"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    svg = buffer.getvalue()
    return svg[svg.index("<svg") :]
