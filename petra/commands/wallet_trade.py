"""``petra wallet offer|trade``: what the owner wants offered, and one window by hand."""

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer

from petra.commands.errors import one_sentence_errors
from petra.commands.wallet_options import AsJson, DryRun, Folder, PasswordFile, answer, passphrase, warn_if_direct

if TYPE_CHECKING:
    from petra.prosumer.folder import WalletFolder
    from petra.prosumer.seed import HomeSeed


def offer(
    folder: Folder,
    side: Annotated[str, typer.Argument(help="sell or buy.")],
    interval: Annotated[int, typer.Option(min=0, help="Delivery interval.")],
    notes: Annotated[int, typer.Option(min=0, help="How many notes; 0: offer nothing, whatever the strategy decides.")],
    limit: Annotated[str, typer.Option(help="Sell for at least, buy for at most so much: USD per kWh, such as 0.15.")],
    password_file: PasswordFile = None,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Tell the wallet what to offer in one interval, in place of its strategy; its agent carries it out."""
    with one_sentence_errors():
        from assets.orders import Side
        from assets.units import format_amount
        from dso.tariff import parse_price
        from petra.prosumer import overview
        from petra.prosumer.folder import WalletFolder
        from petra.prosumer.trading import schedule_for

        if side not in ("sell", "buy"):
            raise ValueError(f"an offer is to sell or to buy, not to {side!r}")
        price = parse_price(limit)
        if price < 1:
            raise ValueError("--limit is at least 0.000001 USD per kWh")
        home = WalletFolder(folder)
        s = home.config.standard_set
        most = s.epa_notes if side == "sell" else min(s.eca_notes, s.fa_notes)
        if notes > most:
            raise ValueError(f"a home is issued notes to {side} at most {most} of in an interval; give --notes {most}")
        most_pays = s.fa_amount_nano * 3600 // (s.note_power_w * home.config.ledger.interval_s)
        if side == "buy" and price > most_pays:
            raise ValueError(f"an FA note pays at most {format_amount(most_pays * 1000)} USD per kWh; lower --limit")
        with overview.view(home, home.secrets(passphrase(password_file))) as seen:
            schedule = schedule_for(home)
            if interval < schedule.next_window(seen.now_s) or seen.now_s >= schedule.gate_closes_s(interval):
                first = schedule.next_window(seen.now_s + home.config.gate_s)
                raise ValueError(f"trading for interval {interval} is over; the next one is {first}")
            number = None
            if not dry_run:
                given = seen.state.add_instruction(interval, Side[side.upper()], notes, price)
                seen.state.add_event("instructed", seen.now_s, window=interval, side=side, notes=notes, limit=price)
                number = given.number
        running = home.is_running
        bound = "at least" if side == "sell" else "at most"
        what = f"{side} {notes} notes in interval {interval} for {bound} {price} nano per Wh"
        if dry_run:
            lines = [f"would be noted: {what}"]
        elif running:
            lines = [f"noted as instruction {number}: {what}", "the running agent carries it out in its time"]
        else:
            lines = [
                f"noted as instruction {number}: {what}",
                f"no agent is running: petra wallet run {folder} does it",
            ]
        value: dict[str, Any] = {"instruction": number, "interval": interval, "side": side, "notes": notes}
        answer(as_json, value | {"limit_nano_per_wh": price, "running": running}, lines)


def trade(
    folder: Folder,
    password_file: PasswordFile = None,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Take part in the market of the next interval, and stop when what is left of it was deposited."""
    with one_sentence_errors():
        from petra.prosumer import overview
        from petra.prosumer.folder import WalletFolder
        from petra.prosumer.trading import plan, schedule_for

        home = WalletFolder(folder)
        secrets = home.secrets(passphrase(password_file))
        with overview.view(home, secrets) as seen:
            window = schedule_for(home).next_window(seen.now_s)
            value, lines = plan(home, seen, window)
        if dry_run:
            answer(as_json, value, lines)
            return
        if not as_json:
            answer(False, value, lines)
        warn_if_direct(home.config.transport)
        with home.locked():
            done = asyncio.run(_one_window(home, secrets, window, as_json))
        answer(as_json, value | {"done": done}, [f"window {window} is over for this wallet"])


async def _one_window(folder: "WalletFolder", secrets: "HomeSeed", window: int, quiet: bool) -> list[dict[str, Any]]:
    """Let the agent work until nothing of ``window`` is left to do; what it did."""
    from petra.prosumer.agent import Agent
    from petra.prosumer.daemon import home_of, schedule_of
    from petra.prosumer.depositing import owned_windows
    from petra.prosumer.reach import open_reach

    reach = open_reach(folder.config.transport, folder.config.socks_port)
    reach.verify()
    done: list[dict[str, Any]] = []

    def tell(level: str, event: str, **facts: int | str) -> None:
        done.append({"event": event} | facts)
        if not quiet:
            typer.echo(f"  {event}" + "".join(f" {name}={fact}" for name, fact in facts.items()))

    state = folder.state(secrets)
    try:
        home = home_of(folder, secrets, state, reach, tell)
        agent, stop = Agent(home), asyncio.Event()
        schedule = schedule_of(folder.config, home.readings)
        working = asyncio.create_task(agent.run(stop))
        while not working.done():
            await asyncio.wait([working], timeout=home.poll_s)
            now_s = agent.now_s
            if now_s is None or now_s < schedule.deposit_s(window):
                continue
            if window not in owned_windows(home.account) or now_s >= schedule.overdue_s(window):
                stop.set()
        await working
    finally:
        state.close()
    return done
