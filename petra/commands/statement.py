"""``petra statement``: bills of a period that show nothing but their sum. docs/statements.md explains them.

Exit codes: 0 done; 1 a statement or an opening does not verify; 2 the input or the machine is at fault.
"""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from assets.units import format_amount
from petra.commands.errors import one_sentence_errors

if TYPE_CHECKING:
    from assets.commitments.group import Group
    from assets.keys import SigningKey
    from smartmeter.billing import BillingRecord

app = typer.Typer(no_args_is_help=True, help="Bills of a period that show nothing but their sum.")

Ledger = Annotated[Path, typer.Option(help="The published ledger, ledger.jsonl.")]
File = Annotated[Path, typer.Argument(help="The statement that the meter published.")]
Openings = Annotated[Path, typer.Option(help="The prosumer's openings; they show single intervals.")]

SHEET_INTERVALS = 96
"""Intervals of a sheet unless said otherwise: a day of quarter-hours."""


@app.command()
def make(
    meter: Annotated[int, typer.Option(min=0, help="The meter's number at the DSO.")],
    state: Annotated[Path, typer.Option(help="Folder of the meter: blinding secret and commitment book, kept.")],
    out: Annotated[Path, typer.Option(help="What to publish to the DSO.")],
    billing: Annotated[Path | None, typer.Option(help="Final bills, billing.jsonl.")] = None,
    ledger: Annotated[Path | None, typer.Option(help="The published ledger, ledger.jsonl.")] = None,
    keystore: Annotated[Path | None, typer.Option(help="The meter's signing key, Web3 Secret Storage.")] = None,
    run: Annotated[
        Path | None, typer.Option(help="A simulated run in place of these three: its keys are throw-away.")
    ] = None,
    openings: Annotated[Path | None, typer.Option(help="What the prosumer keeps: every interval, openable.")] = None,
    first: Annotated[int | None, typer.Option(min=0, help="First interval; the first bill.")] = None,
    last: Annotated[int | None, typer.Option(min=0, help="Last interval; the last bill.")] = None,
    group: Annotated[str, typer.Option(help="secp256k1, or alt_bn128 for settling on the ledger.")] = "secp256k1",
    min_intervals: Annotated[
        int, typer.Option(min=1, help="In how many intervals of the period a price must hold at least.")
    ] = 96,
    password_file: Annotated[Path | None, typer.Option(help="Password of the keystore; else it is asked for.")] = None,
) -> None:
    """Commit to every interval of a period and open its price-weighted sum, once."""
    with one_sentence_errors():
        from assets.commitments.codec import openings_bytes, publication_bytes
        from petra.ledger_file import LedgerFile
        from smartmeter.commitments.blinding import BlindingSecret
        from smartmeter.commitments.book import CommitmentBook
        from smartmeter.commitments.committer import Committer
        from smartmeter.commitments.price_guard import PriceGuard

        chosen = choose_group(group)
        if run is not None:
            billing, ledger, key = run / "billing.jsonl", run / "ledger.jsonl", _simulated_key(run, meter)
        elif billing is None or ledger is None or keystore is None:
            raise ValueError("give --billing, --ledger and --keystore, or the folder of a simulated --run")
        else:
            key = _signing_key(keystore, password_file)
        records = _bills(billing, meter, first, last)
        domain = LedgerFile(ledger).domain
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        secret = BlindingSecret(_blinding_secret(state / "blinding.secret"), domain, chosen, meter)
        book = CommitmentBook(state / f"commitments-{chosen.name}.sqlite", meter, domain.separator, chosen.name)
        try:
            committer = Committer(meter, key, secret, domain, chosen, book, PriceGuard(min_intervals))
            committer.commit_all(records, SHEET_INTERVALS)
            publication = committer.state(records[0].t, records[-1].t)
            out.write_bytes(publication_bytes(chosen, publication.sheets, publication.statement))
            if openings is not None:
                singles = [committer.open_interval(r.t) for r in records]
                deposits = committer.open_deposits(records[0].t, records[-1].t)
                write_secret(openings, openings_bytes(singles, deposits))
        finally:
            book.close()
    s = publication.statement.statement
    typer.echo(
        f"meter {meter} bills {format_amount(s.bill_nano)} USD for the intervals {s.first}..{s.last}; "
        f"{out} has {out.stat().st_size} bytes and shows no interval"
    )


@app.command()
def verify(
    statement: File,
    ledger: Ledger,
    gate_s: Annotated[
        int | None, typer.Option(min=0, help="Deposits count so many seconds after an interval; half an interval.")
    ] = None,
) -> None:
    """Verify a statement as the DSO does: against its commitments and the public ledger."""
    with one_sentence_errors():
        from assets.commitments.codec import read_publication
        from assets.commitments.errors import BadStatement
        from assets.commitments.statement import private_digest
        from dso.private_statements import PrivateStatements
        from petra.ledger_file import LedgerFile

        group, sheets, signed = read_publication(statement.read_bytes())
        public = LedgerFile(ledger)
        desk = PrivateStatements(public, public.grid.interval_s // 2 if gate_s is None else gate_s, group)
        s = signed.statement
        try:
            for sheet in sheets:
                desk.receive_sheet(sheet)
            desk.check(signed, nonce=s.nonce)
        except BadStatement as bad:
            typer.echo(f"REFUSED  {bad}", err=True)
            raise typer.Exit(1) from None
    typer.echo(
        f"verified: meter {s.meter} owes {format_amount(s.bill_nano)} USD for the intervals {s.first}..{s.last}; "
        f"statement {s.nonce}, 0x{private_digest(public.domain, group, s).hex()}"
    )


@app.command()
def judge(
    statement: File,
    ledger: Ledger,
    openings: Openings,
    interval: Annotated[int, typer.Option(min=0, help="The interval in dispute.")],
) -> None:
    """Judge one interval: what the meter committed to, from the prosumer's opening."""
    with one_sentence_errors():
        from assets.commitments.codec import read_openings, read_publication
        from assets.commitments.dispute import judge_interval
        from assets.commitments.errors import BadStatement
        from dso.private_statements import PrivateStatements
        from petra.ledger_file import LedgerFile

        group, sheets, signed = read_publication(statement.read_bytes())
        singles, _ = read_openings(openings.read_bytes())
        opening = next((o for o in singles if o.t == interval), None)
        sheet = next((s.sheet for s in sheets if s.sheet.first <= interval <= s.sheet.last), None)
        if opening is None or sheet is None:
            raise ValueError(f"interval {interval} is not in both files; give one of the period")
        public, s = LedgerFile(ledger), signed.statement
        try:
            PrivateStatements(public, 0, group).check_signature(signed)
            judge_interval(public.domain, group, s, sheet, opening)
        except BadStatement as bad:
            typer.echo(f"REFUSED  {bad}", err=True)
            raise typer.Exit(1) from None
    typer.echo(f"meter {s.meter} committed to a residual of {opening.residual_wh} Wh in interval {interval}")


@app.command()
def check(
    statement: File,
    ledger: Ledger,
    openings: Openings,
    billing: Annotated[Path, typer.Option(help="The home's own bills, billing.jsonl.")],
) -> None:
    """Check one's own bill interval by interval: what was committed to, billed, and added up."""
    with one_sentence_errors():
        from assets.commitments.codec import read_openings, read_publication
        from assets.commitments.errors import BadStatement
        from petra.ledger_file import LedgerFile
        from smartmeter.commitments.own_bill import check_own_bill

        group, sheets, signed = read_publication(statement.read_bytes())
        singles, deposits = read_openings(openings.read_bytes())
        if deposits is None:
            raise ValueError(f"{openings} does not open the deposits; give the file that `make` wrote")
        s = signed.statement
        records = _bills(billing, s.meter, s.first, s.last)
        domain = LedgerFile(ledger).domain
        try:
            check_own_bill(domain, group, s, [signed.sheet for signed in sheets], records, singles, deposits)
        except BadStatement as bad:
            typer.echo(f"WRONG  {bad}", err=True)
            raise typer.Exit(1) from None
    typer.echo(
        f"right: {len(records)} intervals of meter {s.meter} add up to {format_amount(s.bill_nano)} USD, "
        "each as it was committed to"
    )


def choose_group(name: str) -> "Group":
    """The group of that name; raises ``ValueError`` with the names there are."""
    from assets.commitments.groups import GROUPS

    if name not in GROUPS:
        raise ValueError(f"--group {name} is none of {', '.join(sorted(GROUPS))}")
    return GROUPS[name]


def _bills(path: Path, meter: int, first: int | None, last: int | None) -> "list[BillingRecord]":
    from smartmeter.billing import from_json

    with path.open(encoding="utf-8") as lines:
        records = [from_json(line.rstrip("\n")) for line in lines]
    low, high = 0 if first is None else first, 2**32 if last is None else last
    chosen = sorted((r for r in records if r.meter == meter and low <= r.t <= high), key=lambda r: r.t)
    if not chosen:
        raise ValueError(f"{path} has no bill of meter {meter} in the period; check --meter, --first and --last")
    return chosen


def _signing_key(keystore: Path, password_file: Path | None) -> "SigningKey":
    from eth_account import Account

    from assets.keys import SigningKey

    if password_file is None:
        password = typer.prompt("Password of the keystore", hide_input=True)
    else:
        password = password_file.read_text(encoding="utf-8").rstrip("\n")
    try:
        secret = bytes(Account.decrypt(keystore.read_text(encoding="utf-8"), password))
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"{keystore} does not open with this password, or is no Web3 keystore") from None
    return SigningKey(secret)


def _simulated_key(run: Path, meter: int) -> "SigningKey":
    """The throw-away key of a simulated home's meter, from the seed that the run publishes."""
    from assets.keys import ThrowAwayKeys

    summary = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    seed = summary.get("seed") if isinstance(summary, dict) else None
    if type(seed) is not int:
        raise ValueError(f"{run / 'summary.json'} names no seed; give the folder that petra simulate wrote")
    return ThrowAwayKeys(seed, f"home {meter} meter").fresh()


def _blinding_secret(path: Path) -> bytes:
    """The secret in ``path``, made if there is none."""
    from smartmeter.commitments.blinding import BlindingSecret

    if not path.exists():
        write_secret(path, BlindingSecret.generate())
    return path.read_bytes()


def write_secret(path: Path, content: bytes) -> None:
    """Write a file that nobody else may read."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
