"""``petra meter init|run|status|withdraw|statement|verify|export``: one home's meter as a process."""

import asyncio
import secrets
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from assets.units import format_amount
from petra.commands.errors import one_sentence_errors
from petra.logs import LogJson, configure

if TYPE_CHECKING:
    from assets.keys import Address

Folder = Annotated[Path, typer.Argument(help="The meter's folder.")]
PasswordFile = Annotated[Path | None, typer.Option(help="Passphrase of the keystores; else it is asked for.")]


def init(
    folder: Folder,
    number: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="The meter's number at the DSO.")],
    rpc: Annotated[str, typer.Option(help="URL of a node's JSON-RPC.")],
    contract: Annotated[
        str | None, typer.Option(help="The ledger's contract; the one recorded by `chain deploy`.")
    ] = None,
    deployments: Annotated[Path, typer.Option(help="Folder of the deployments' files.")] = Path("deployments"),
    profile: Annotated[str, typer.Option(help="Model of the analyser at the grid connection.")] = "sdm630",
    host: Annotated[str, typer.Option(help="Its name or address.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65_535)] = 502,
    device_id: Annotated[int, typer.Option(min=1, max=247)] = 1,
    seed_from: Annotated[
        Path | None,
        typer.Option(
            help="Keystore of the seed that the prosumer's wallet made; same passphrase. One is drawn if not."
        ),
    ] = None,
    password_file: PasswordFile = None,
    light: Annotated[bool, typer.Option("--light", help="Cheap keystores, for tests only.")] = False,
) -> None:
    """Make a meter: keys, seed and a configuration to be completed by hand."""
    with one_sentence_errors():
        from assets.keys import ORDER, SigningKey
        from contracts import deployments as files
        from contracts import nodes
        from contracts.ledger import EvmLedger
        from petra.standard import GUESS, announced_set
        from smartmeter import config, identity
        from smartmeter.profile import load_all

        if (folder / config.FILE).exists():
            raise ValueError(f"{folder} has a meter already; choose another folder")
        known = load_all()
        if profile not in known:
            names = ", ".join(sorted(known))
            raise ValueError(f"--profile {profile}: choose of {names}; one of your own is named in {config.FILE} later")
        w3 = nodes.connect(rpc)
        recorded = files.load(w3.eth.chain_id, deployments)
        if contract is None and recorded is None:
            raise ValueError(
                f"{deployments} records no ledger on chain {w3.eth.chain_id}; "
                "name the DSO's folder with --deployments, or the ledger with --contract"
            )
        if contract is None and recorded is not None:
            address, block = recorded.contract, recorded.block
        else:
            address, block = _address(contract or ""), 0
        ledger = EvmLedger.at(w3, address, since_block=block)
        grid, (notes, meaning) = ledger.grid, announced_set(ledger)
        passphrase = _passphrase(password_file, confirm=True)
        key, seed = ((secrets.randbelow(ORDER - 1) + 1).to_bytes(32, "big") for _ in range(2))
        if seed_from is not None:
            seed = identity.load_secret(seed_from, passphrase)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        cost = identity.LIGHT_N if light else identity.STANDARD_N
        identity.save_secret(folder / "key.json", key, passphrase, cost)
        identity.save_secret(folder / "seed.json", seed, passphrase, cost)
        (folder / config.FILE).write_text(
            _TEMPLATE.format(
                number=number,
                gate_s=grid.interval_s // 2,
                url=rpc,
                chain_id=w3.eth.chain_id,
                contract="0x" + address.hex(),
                block=block,
                genesis_s=grid.genesis_s,
                interval_s=grid.interval_s,
                profile=profile,
                host=host,
                port=port,
                device_id=device_id,
                note_power_w=notes.note_power_w,
                per_kind=notes.epa_notes,
                fa_amount_nano=notes.fa_amount_nano,
                meaning=meaning,
            ),
            encoding="utf-8",
        )
        config.load(folder)
        if meaning == GUESS:
            typer.echo(f"[standard_set] fa_amount_nano: {GUESS}; give what the other homes have", err=True)
    typer.echo(
        f"meter {number}: complete {folder / config.FILE}, and let the DSO authorise 0x{SigningKey(key).address.hex()}"
    )
    if seed_from is None:
        typer.echo(f"the prosumer's wallet needs a copy of {folder / 'seed.json'}; keep one as a backup")
    else:
        typer.echo(f"its seed is that of {seed_from}; the phrase of the prosumer's wallet is the backup of both")


def run(folder: Folder, password_file: PasswordFile = None, log_json: LogJson = False) -> None:
    """Read, withdraw, follow the ledger and bill until stopped; it may be killed at any instant."""
    with one_sentence_errors():
        from smartmeter import daemon
        from smartmeter.folder import MeterFolder

        configure(log_json)
        home = MeterFolder(folder)
        with home.locked():
            opened = home.secrets(_passphrase(password_file))
            try:
                asyncio.run(daemon.run(home, opened))
            except* (ValueError, OSError, sqlite3.Error) as failed:
                raise ValueError("; ".join(_causes(failed))) from None


def status(folder: Folder) -> None:
    """Say how the meter stands: readings, notes, bills, and what went wrong."""
    with one_sentence_errors():
        from smartmeter.book import Fate
        from smartmeter.clock import world_clock
        from smartmeter.flags import Flag, names
        from smartmeter.folder import MeterFolder

        home = MeterFolder(folder)
        journal, book = home.journal(), home.book()
        now_ms = world_clock().now_ms()
        for counter in home.wiring.counters:
            last_ms = journal.last_ms(counter)
            read = "never read" if last_ms is None else f"read {max(0, now_ms - last_ms) // 1000} s ago"
            typer.echo(f"{counter}: {read}")
        tally = book.tally()
        typer.echo("ledger: not read yet" if tally is None else f"ledger: {tally.cursor} entries read")
        issues = book.issues()
        for fate in Fate:
            count = sum(i.fate is fate for i in issues)
            if count:
                typer.echo(f"standard sets {fate.value}: {count}")
        if any(i.fate is Fate.REFUSED for i in issues):
            typer.echo(f"  the last refusal: {next(i.reason for i in reversed(issues) if i.fate is Fate.REFUSED)}")
        bills = book.bills()
        typer.echo(f"bills: {len(bills)}" + (f", intervals {bills[0].t}..{bills[-1].t}" if bills else ""))
        for bit in Flag:
            at = [b.t for b in bills if b.flags & bit]
            if at:
                typer.echo(f"  {names(bit)[0]}: {len(at)} bills, the last of interval {at[-1]}")
        if home.config.report is not None:
            stated, booked = book.statement_count(), book.statement_count(acknowledged_only=True)
            typer.echo(f"statements: {booked} acknowledged by the DSO, {stated - booked} to be delivered")
        for r in book.refused():
            typer.echo(f"deposit refused: {r.kind.name} of intervals {r.first}..{r.last}: {r.reason}")


def withdraw(folder: Folder, password_file: PasswordFile = None) -> None:
    """Without the daemon: follow the ledger once, and issue the standard sets that are due."""
    with one_sentence_errors():
        from smartmeter import daemon
        from smartmeter.clock import world_clock
        from smartmeter.folder import MeterFolder

        home = MeterFolder(folder)
        with home.locked():
            books = daemon.bookkeeper(home, home.secrets(_passphrase(password_file)))
            before = {i.window for i in home.book().issues()}
            books.step(world_clock().now_ms() // 1000)
            issues = [i for i in home.book().issues() if i.window not in before]
    for issue in issues:
        told = f": {issue.reason}" if issue.reason else ""
        typer.echo(f"window {issue.window}: {len(issue.signed.tx.outputs)} notes {issue.fate.value}{told}")
    if not issues:
        typer.echo("nothing is due: the notes of every open window are issued, or the DSO has named no price for it")


def statement(
    folder: Folder,
    out: Annotated[Path, typer.Option(help="What to give to the DSO.")],
    first: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="First interval.")],
    last: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Last interval.")],
    openings: Annotated[Path | None, typer.Option(help="What the prosumer keeps: every interval, openable.")] = None,
    group: Annotated[str, typer.Option(help="secp256k1, or alt_bn128 for settling on the ledger.")] = "secp256k1",
    min_intervals: Annotated[
        int, typer.Option(min=1, help="In how many intervals of the period a price must hold at least.")
    ] = 96,
    password_file: PasswordFile = None,
) -> None:
    """State a period to the DSO: commitments to every interval, and their price-weighted sum opened, once."""
    with one_sentence_errors():
        from assets.commitments.codec import openings_bytes, publication_bytes
        from petra.commands.statement import SHEET_INTERVALS, choose_group, write_secret
        from smartmeter.commitments.blinding import BlindingSecret
        from smartmeter.commitments.book import CommitmentBook
        from smartmeter.commitments.committer import Committer, prices_of_bills
        from smartmeter.commitments.price_guard import PriceGuard
        from smartmeter.folder import MeterFolder
        from smartmeter.identity import blinding_secret

        home, chosen = MeterFolder(folder), choose_group(group)
        book, domain, number = home.book(), home.config.ledger.domain, home.config.number
        if first > last:
            raise ValueError(f"a period is first..last; got {first}..{last}")
        records = book.bills(first, last)
        if len(records) != last - first + 1:
            raise ValueError(f"not every interval of {first}..{last} is billed yet; see petra meter status {folder}")
        opened = home.secrets(_passphrase(password_file))
        blinding = BlindingSecret(blinding_secret(opened.seed), domain, chosen, number)
        guard = PriceGuard(min_intervals)
        made = CommitmentBook(folder / f"commitments-{chosen.name}.sqlite", number, domain.separator, chosen.name)
        try:
            committer = Committer(number, opened.key, blinding, domain, chosen, made, guard)
            guard.check(prices_of_bills(records))  # before the book notes a period that is refused
            book.state_period(first, last, f"private on {chosen.name}")
            committer.commit_all(records, SHEET_INTERVALS)
            publication = committer.state(first, last)
            out.write_bytes(publication_bytes(chosen, publication.sheets, publication.statement))
            if openings is not None:
                singles = [committer.open_interval(r.t) for r in records]
                write_secret(openings, openings_bytes(singles, committer.open_deposits(first, last)))
        finally:
            made.close()
    bill_nano = publication.statement.statement.bill_nano
    typer.echo(f"meter {number} bills {format_amount(bill_nano)} USD for the intervals {first}..{last}: {out}")


def verify(folder: Folder) -> None:
    """Recompute everything from the raw readings: the journal, each bill, and that no energy is lost or doubled.

    Exit code 1 if something does not follow.
    """
    with one_sentence_errors():
        from smartmeter.audit import verify_meter
        from smartmeter.folder import MeterFolder

        home = MeterFolder(folder)
        found = verify_meter(home.journal(), home.book(), home.wiring)
    for problem in found.problems:
        typer.echo(f"WRONG  {problem}", err=True)
    if found.problems:
        raise typer.Exit(1)
    typer.echo(
        f"right: {found.readings} readings and {found.bills} bills recomputed; {found.net_wh} Wh billed, as counted"
    )


def export(
    folder: Folder,
    out: Annotated[Path, typer.Option(help="Folder for billing.jsonl, withdrawals.jsonl and readings.jsonl.")],
) -> None:
    """Write bills, withdrawals and raw readings for an auditor; they show every interval."""
    with one_sentence_errors():
        from smartmeter.audit import export_meter
        from smartmeter.folder import MeterFolder

        home = MeterFolder(folder)
        counts = export_meter(home.journal(), home.book(), out)
    typer.echo(f"{out}: " + ", ".join(f"{count} {what}" for what, count in counts.items()))


def _causes(failed: BaseExceptionGroup[BaseException]) -> list[str]:
    """What went wrong in the tasks of a group, and in groups within it."""
    found = []
    for error in failed.exceptions:
        if isinstance(error, BaseExceptionGroup):
            found += _causes(error)
        elif isinstance(error, sqlite3.Error):
            found.append(f"a file of the meter cannot be used ({error}); free the disk, or restore the file")
        else:
            found.append(str(error) or type(error).__name__)
    return found


def _passphrase(path: Path | None, confirm: bool = False) -> str:
    if path is not None:
        try:
            return path.read_text(encoding="utf-8").rstrip("\n")
        except UnicodeDecodeError:  # whose text shows a part of it
            raise ValueError(f"{path} is no UTF-8 text; give a file with the passphrase") from None
    asked: str = typer.prompt("Passphrase of the keystores", hide_input=True, confirmation_prompt=confirm)
    return asked


def _address(text: str) -> "Address":
    from assets.keys import Address

    try:
        raw = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        raw = b""
    if len(raw) != 20:
        raise ValueError("--contract is 0x and 40 hex digits")
    return Address(raw)


_TEMPLATE = """\
# docs/meter.md explains every field.
number = {number}
gate_s = {gate_s}
poll_ms = 1000

[ledger]
url = "{url}"
chain_id = {chain_id}
contract = "{contract}"
since_block = {block}
genesis_s = {genesis_s}
interval_s = {interval_s}
poll_ms = 5000

# [report]  # a signed statement of each period to petra dso serve
# url = "http://127.0.0.1:8700"
# token_file = "dso-token"
# every = 96

[standard_set]  # the same for all homes of the microgrid
note_power_w = {note_power_w}
epa_notes = {per_kind}
eca_notes = {per_kind}
fa_notes = {per_kind}
fa_amount_nano = {fa_amount_nano}  # {meaning}
lead = 1

[[analysers]]
name = "grid"
profile = "{profile}"
role = "grid"
host = "{host}"
port = {port}
device_id = {device_id}
"""
