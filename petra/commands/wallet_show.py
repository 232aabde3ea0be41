"""``petra wallet status|history|policy``: how a wallet stands, what it did, and how it behaves."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from petra.commands.errors import one_sentence_errors
from petra.commands.wallet_options import AsJson, DryRun, Folder, PasswordFile, answer, passphrase

if TYPE_CHECKING:
    from petra.prosumer.config import StrategyConfig


def status(
    folder: Folder,
    spend: Annotated[
        str | None, typer.Option(help="Numbers of notes, such as 1,4: what would spending them together tell?")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All windows since the first, not the last 96.")] = False,
    password_file: PasswordFile = None,
    as_json: AsJson = False,
) -> None:
    """Say what the home has, by window; what is offered; and what an observer of the ledger knows."""
    with one_sentence_errors():
        from petra.prosumer import overview
        from petra.prosumer.budget import in_words
        from petra.prosumer.folder import WalletFolder

        numbers = _numbers(spend) if spend is not None else []
        home = WalletFolder(folder)
        running = home.is_running
        with overview.view(home, home.secrets(passphrase(password_file)), everything) as seen:
            if numbers:
                exposure = seen.observer.exposure(seen.chosen(numbers))
                said = in_words(exposure)
                value = {
                    "notes": numbers,
                    "homes": list(exposure.sets),
                    "together": exposure.together,
                    "links": exposure.links,
                    "in_words": said,
                }
                answer(as_json, value, said)
                return
            answer(as_json, overview.as_json(seen, running), overview.lines(seen, running))


def history(
    folder: Folder,
    last: Annotated[int, typer.Option(min=1, help="How many of the newest events.")] = 50,
    password_file: PasswordFile = None,
    as_json: AsJson = False,
) -> None:
    """List what the wallet did, oldest first; nobody else can read it."""
    with one_sentence_errors():
        from petra.prosumer.folder import WalletFolder

        home = WalletFolder(folder)
        state = home.state(home.secrets(passphrase(password_file)))
        try:
            events = state.events()[-last:]
        finally:
            state.close()
        value: dict[str, Any] = {
            "events": [
                {"number": e.number, "kind": e.kind, "real_ms": e.real_ms, "ledger_s": e.ledger_s, "facts": e.facts}
                for e in events
            ]
        }
        lines = []
        for e in events:
            facts = " ".join(f"{name}={fact}" for name, fact in e.facts.items())
            at = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(e.real_ms / 1000))
            on = "" if e.ledger_s is None else f"  ledger {e.ledger_s}"
            lines.append(f"{at} UTC{on}  {e.kind}  {facts}".rstrip())
        answer(as_json, value, lines or ["nothing happened yet"])


def policy(
    folder: Folder,
    strategy: Annotated[
        str | None, typer.Option(help="price-taker, zero-intelligence or look-ahead; without it: show what holds.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option(help="Python file with a class of your own, relative to the wallet's folder.")
    ] = None,
    class_name: Annotated[str | None, typer.Option("--class", help="Name of that class.")] = None,
    parameter: Annotated[list[str] | None, typer.Option(help="name=value, for the strategy; repeatable.")] = None,
    max_sell_notes: Annotated[int | None, typer.Option(min=0, help="Most notes offered for sale in a window.")] = None,
    max_buy_notes: Annotated[int | None, typer.Option(min=0, help="Most notes asked for in a window.")] = None,
    min_sell: Annotated[str | None, typer.Option(help="Never sell for less, USD per kWh.")] = None,
    max_buy: Annotated[str | None, typer.Option(help="Never buy for more, USD per kWh.")] = None,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Show the strategy with its parameters and bounds, or set it; a running agent obeys after its next start."""
    with one_sentence_errors():
        from dso.tariff import parse_price
        from petra.prosumer import policy as policies
        from petra.prosumer.config import strategy_of
        from petra.prosumer.folder import WalletFolder
        from petra.strategies import make

        home = WalletFolder(folder)
        now = home.config.strategy
        bounds = {
            "max_sell_notes": max_sell_notes,
            "max_buy_notes": max_buy_notes,
            "min_sell_nano_per_wh": None if min_sell is None else parse_price(min_sell),
            "max_buy_nano_per_wh": None if max_buy is None else parse_price(max_buy),
        }
        wanted = {name: bound for name, bound in bounds.items() if bound is not None}
        if not (wanted or parameter or strategy or file or class_name):
            answer(as_json, _policy_json(now), _policy_lines(now))
            return
        if strategy is not None and file is not None:
            raise ValueError("give either --strategy, or --file and --class")
        kind: dict[str, Any] = {"name": now.name, "file": now.file, "class": now.class_name}
        same = strategy is None and file is None and class_name is None
        if not same:
            kind = {"name": strategy, "file": file, "class": class_name}
        parameters = dict(now.parameters) if same else {}
        for text in parameter or ():
            name, equals, value = text.partition("=")
            if not (name and equals):
                raise ValueError(f"--parameter {text!r} is not name=value")
            parameters[name] = policies.as_value(value)
        limits = now.bounds.model_dump() | wanted
        chosen = strategy_of(kind | {"parameters": parameters, "bounds": limits})
        make(chosen, home.path)  # refused now, not at the next window
        if not dry_run:
            policies.set_strategy(home.path, chosen)
        done = "would be set" if dry_run else "set"
        answer(as_json, _policy_json(chosen) | {"set": not dry_run}, [f"{done}:", *_policy_lines(chosen)])
        if not dry_run and not as_json and home.is_running:
            typer.echo("the agent that is running keeps to the old one until it is started again")


def _policy_json(chosen: "StrategyConfig") -> dict[str, Any]:
    return {
        "strategy": chosen.name,
        "file": None if chosen.file is None else str(chosen.file),
        "class": chosen.class_name,
        "parameters": chosen.parameters,
        "bounds": chosen.bounds.model_dump(),
    }


def _policy_lines(chosen: "StrategyConfig") -> list[str]:
    lines = [f"strategy: {chosen.name}" if chosen.name else f"strategy: class {chosen.class_name} of {chosen.file}"]
    lines += [f"  {name} = {value}" for name, value in chosen.parameters.items()]
    bounds = chosen.bounds.model_dump(exclude_none=True)
    lines += [f"bound: {name} = {value}" for name, value in bounds.items()]
    return lines if bounds else [*lines, "bounds: none but the DSO's prices, as the strategy keeps them"]


def _numbers(text: str) -> list[int]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() for part in parts):
        raise ValueError(f"--spend {text!r} is no list of notes; write their numbers, such as 1,4")
    return [int(part) for part in parts]
