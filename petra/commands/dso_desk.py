"""The commands of the operator's desk that act on a ledger."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from assets.transactions import FeederCapacity, Regulate
from dso.desk.folder import DeskFolder, address
from petra.commands.dso import app
from petra.commands.errors import one_sentence_errors

if TYPE_CHECKING:
    from contracts.ledger import EvmLedger

__all__ = ["app"]

Folder = Annotated[Path, typer.Option("--desk", help="The desk's folder.")]
Passphrase = Annotated[
    str, typer.Option(envvar="PETRA_DSO_PASSPHRASE", prompt=True, hide_input=True, help="Of the keystore.")
]
DESK = Path("desk")


def _open(desk: Path) -> tuple[DeskFolder, "EvmLedger"]:
    from contracts import nodes
    from contracts.ledger import EvmLedger

    folder = DeskFolder.open(desk)
    return folder, EvmLedger.at(nodes.connect(folder.node), folder.contract)


def _act(desk: Path, passphrase: str, tx: Regulate, done: str) -> None:
    """Do it, or write a proposal where approvals are needed."""
    folder, ledger = _open(desk)
    tx = folder.desk(ledger).propose(tx)
    if folder.policy.required:
        path = folder.save_proposal(ledger, tx)
        typer.echo(f"proposed; {folder.policy.required} approvals are needed: petra dso approve {path}")
        return
    _release(folder, ledger, passphrase, tx, [])
    typer.echo(done)


def _release(folder: DeskFolder, ledger: "EvmLedger", passphrase: str, tx: Regulate, given: list[bytes]) -> None:
    from dso.desk.desk import KeySigner
    from dso.desk.keystore import open_key

    folder.policy.require(ledger.domain, tx, given)
    signer = KeySigner(open_key(folder.path / "dso.json", passphrase))
    folder.desk(ledger).release(tx, signer, given).require()


@app.command()
def init(
    passphrase: Passphrase,
    desk: Folder = DESK,
    node: Annotated[str, typer.Option(help="URL of the ledger's node.")] = "http://127.0.0.1:8545",
    interval_s: Annotated[int, typer.Option(min=1, help="Seconds of a delivery interval.")] = 900,
    required: Annotated[int, typer.Option(min=0, help="Approvals that a regulatory transaction needs.")] = 0,
    approver: Annotated[list[str] | None, typer.Option(help="Address of an approver; repeat it.")] = None,
) -> None:
    """Make a desk: a fresh key in a keystore, and a ledger deployed for it."""
    from assets.intervals import IntervalGrid
    from contracts import nodes
    from contracts.ledger import EvmLedger
    from dso.desk.approvals import Policy
    from dso.desk.keystore import create_key
    from dso.desk.log import ActionLog

    with one_sentence_errors():
        policy = Policy(required, tuple(address(text) for text in approver or ()))
        w3 = nodes.connect(node)
        desk.mkdir(parents=True, exist_ok=True)
        key = create_key(desk / "dso.json", passphrase)
        genesis_s = int(w3.eth.get_block("latest")["timestamp"]) // interval_s * interval_s
        ledger = EvmLedger.deploy(w3, key.address, IntervalGrid(genesis_s, interval_s))
        DeskFolder(desk, node, ledger.domain.contract, interval_s // 2, policy).save()
        ActionLog(desk / "actions.jsonl").append("init", ledger.now_s, contract="0x" + ledger.domain.contract.hex())
        typer.echo(f"desk in {desk}; the ledger is 0x{ledger.domain.contract.hex()}; interval 0 began at {genesis_s}")


@app.command()
def key(passphrase: Passphrase, path: Annotated[Path, typer.Argument(help="A file that does not exist.")]) -> None:
    """Make a keystore, for an approver; prints its address."""
    from dso.desk.keystore import create_key

    with one_sentence_errors():
        typer.echo(f"0x{create_key(path, passphrase).address.hex()}")


@app.command()
def limits(
    passphrase: Passphrase,
    feeders: Annotated[list[str], typer.Argument(help="feeder:export_w:import_w, such as 3:4000:6000.")],
    desk: Folder = DESK,
) -> None:
    """Set the capacities of feeders."""
    with one_sentence_errors():
        try:
            capacities = tuple(FeederCapacity(*map(int, text.split(":"))) for text in feeders)
        except (ValueError, TypeError):
            raise ValueError("write feeder:export_w:import_w in whole watts, such as 3:4000:6000") from None
        _act(desk, passphrase, Regulate(0, feeders=capacities), f"{len(capacities)} feeders limited")


@app.command()
def authorise(
    passphrase: Passphrase,
    enrolment: Annotated[Path, typer.Argument(help="CSV: meter,key,feeder,max_epa_w,max_eca_w,credit_nano.")],
    desk: Folder = DESK,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
) -> None:
    """Install meters, or change their limits, in bulk."""
    from dso.desk.enrolment import read_enrolment

    with one_sentence_errors():
        grants = read_enrolment(enrolment.read_text(encoding="utf-8").splitlines())
        if dry_run:
            folder, ledger = _open(desk)
            known = folder.desk(ledger).meters()
            changed = sum(g.meter in known for g in grants)
            typer.echo(f"would authorise {len(grants) - changed} new meters and change {changed}; nothing was done")
            return
        _act(desk, passphrase, Regulate(0, authorise=grants), f"{len(grants)} meters authorised")


@app.command()
def ban(
    passphrase: Passphrase, meters: Annotated[list[int], typer.Argument(help="Meter numbers.")], desk: Folder = DESK
) -> None:
    """Remove meters: they issue no more notes; their bills stay due."""
    with one_sentence_errors():
        _act(desk, passphrase, Regulate(0, ban=tuple(meters)), f"{len(meters)} meters banned")


@app.command()
def price(
    passphrase: Passphrase,
    tariff: Annotated[str, typer.Argument(help="[interval:]sells/buys in USD per kWh, with commas.")],
    desk: Folder = DESK,
    openadr: Annotated[Path | None, typer.Option(help="Also write the next day as an OpenADR 3 event.")] = None,
) -> None:
    """Publish prices ahead of the intervals that they are for."""
    from dso.openadr import price_event
    from dso.tariff import Tariff

    with one_sentence_errors():
        _, ledger = _open(desk)
        changes = Tariff.parse(tariff).price_changes(ledger.grid)
        _act(desk, passphrase, Regulate(0, prices=changes), f"{len(changes)} prices published")
        if openadr is not None:
            first = ledger.grid.index(ledger.now_s) + 1
            day = range(first, first + 86_400 // ledger.grid.interval_s)
            known = [found for t in day if (found := ledger.price_at(t)) is not None]
            if len(known) < len(day):
                raise ValueError("not every interval of the next day has a price; publish one for each first")
            event = price_event(ledger.grid, "petra", first, known, "USD")
            openadr.write_text(json.dumps(event, indent=2) + "\n", encoding="utf-8")


@app.command()
def approve(
    passphrase: Passphrase,
    proposal: Path,
    keystore: Annotated[Path, typer.Option(help="The approver's.")],
    desk: Folder = DESK,
) -> None:
    """Approve a proposal with an approver's key."""
    from dso.desk.approvals import approve as approval
    from dso.desk.folder import add_approval, read_proposal
    from dso.desk.keystore import open_key

    with one_sentence_errors():
        _, ledger = _open(desk)
        add_approval(proposal, approval(ledger.domain, read_proposal(proposal), open_key(keystore, passphrase)))
        typer.echo(f"approved; when enough have: petra dso release {proposal}")


@app.command()
def release(passphrase: Passphrase, proposal: Path, desk: Folder = DESK) -> None:
    """Sign and submit a proposal that has its approvals."""
    from dso.desk.folder import approvals, read_proposal

    with one_sentence_errors():
        folder, ledger = _open(desk)
        _release(folder, ledger, passphrase, read_proposal(proposal), approvals(proposal))
        typer.echo("released")


@app.command()
def meters(desk: Folder = DESK) -> None:
    """Every meter: feeder, limits, banned or not."""
    with one_sentence_errors():
        folder, ledger = _open(desk)
        for meter, standing in folder.desk(ledger).meters().items():
            grant = standing.authorisation
            state = "BANNED" if standing.banned else f"EPA {grant.max_epa_w} W, ECA {grant.max_eca_w} W"
            typer.echo(f"meter {meter} on feeder {grant.feeder}: {state}")


@app.command("audit")
def audit_log(desk: Folder = DESK) -> None:
    """Verify the desk's log, and that every regulatory transaction on the ledger is on it."""
    from dso.desk.log import ActionLog

    with one_sentence_errors():
        _, ledger = _open(desk)
        log = ActionLog(desk / "actions.jsonl")
        released = {action.get("digest") for action in log.actions if action["action"] == "release"}
        regulated = ["0x" + e.digest.hex() for e in ledger.entries() if isinstance(e.signed.tx, Regulate)]
        unlogged = [message for message in regulated if message not in released]
        if unlogged:
            typer.echo(f"AUDIT FAILED  the ledger has {unlogged[0]}, which this desk never released", err=True)
            raise typer.Exit(1)
        typer.echo(f"{len(log.actions)} actions, {len(regulated)} on the ledger; head 0x{log.head.hex()}")


@app.command()
def bills(
    desk: Folder = DESK, as_json: Annotated[bool, typer.Option("--json", help="JSON instead of CSV.")] = False
) -> None:
    """The statements received, as CSV or JSON."""
    from dataclasses import asdict

    from dso.service.store import FIELDS, StatementStore

    with one_sentence_errors():
        DeskFolder.open(desk)
        rows = [asdict(signed.statement) for signed, _ in StatementStore(desk / "bills.db").booked()]
        if as_json:
            typer.echo(json.dumps(rows))
            return
        typer.echo(",".join(FIELDS))
        for row in rows:
            typer.echo(",".join(str(value) for value in row.values()))


@app.command()
def backup(to: Annotated[Path, typer.Argument(help="A file that does not exist.")], desk: Folder = DESK) -> None:
    """Copy the statements received, while the service runs. To restore, put the copy back as bills.db."""
    from dso.service.store import StatementStore

    with one_sentence_errors():
        DeskFolder.open(desk)
        StatementStore(desk / "bills.db").backup(to)


@app.command()
def serve(desk: Folder = DESK, port: Annotated[int, typer.Option(min=1, max=65535)] = 8700) -> None:
    """Take in statements over HTTP on loopback; makes tokens at the first start and prints them once."""
    import secrets

    from dso.service.app import Role, create_app, token_hash
    from dso.service.intake import Intake
    from dso.service.store import StatementStore

    with one_sentence_errors():
        try:
            import uvicorn
        except ImportError as error:
            raise ImportError("the service needs uvicorn; run: pip install 'petra[service]'") from error
        folder, ledger = _open(desk)
        path = desk / "tokens.json"
        if not path.exists():
            fresh = {role: secrets.token_urlsafe(32) for role in Role}
            path.touch(0o600)
            path.write_text(json.dumps({token_hash(token): role.value for role, token in fresh.items()}) + "\n")
            for role, token in fresh.items():
                typer.echo(f"{role.value} token: {token}")
        tokens = {known: Role(role) for known, role in json.loads(path.read_text()).items()}
        intake = Intake(ledger, StatementStore(desk / "bills.db"), folder.gate_s)
        uvicorn.run(create_app(intake, tokens), port=port, log_level="warning")
