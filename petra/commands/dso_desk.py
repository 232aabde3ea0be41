"""The commands of the operator's desk that act on a ledger."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from assets.keys import ZERO_ADDRESS
from assets.transactions import FeederCapacity, Regulate
from dso.desk.folder import DeskFolder, address
from petra.commands.dso import app
from petra.commands.errors import one_sentence_errors

if TYPE_CHECKING:
    from contracts.ledger import EvmLedger
    from dso.desk.desk import KeySigner

__all__ = ["app"]

Folder = Annotated[Path, typer.Option("--desk", help="The desk's folder.")]
Passphrase = Annotated[
    str, typer.Option(envvar="PETRA_DSO_PASSPHRASE", prompt=True, hide_input=True, help="Of the keystore.")
]
NewPassphrase = Annotated[
    str,
    typer.Option(
        envvar="PETRA_DSO_PASSPHRASE", prompt=True, confirmation_prompt=True, hide_input=True, help="Of the keystore."
    ),
]
From = Annotated[int | None, typer.Option("--from", min=0, help="Interval from which it holds; at once.")]
DESK = Path("desk")


def open_desk(desk: Path) -> tuple[DeskFolder, "EvmLedger"]:
    from contracts import nodes
    from contracts.ledger import EvmLedger

    folder = DeskFolder.open(desk)
    return folder, EvmLedger.at(nodes.connect(folder.node), folder.contract)


def act(desk: Path, passphrase: str, tx: Regulate, done: str) -> None:
    """Do it, or write a proposal where approvals are needed."""
    folder, ledger = open_desk(desk)
    tx = folder.desk(ledger).propose(tx)
    if folder.policy.required:
        path = folder.save_proposal(ledger, tx)
        typer.echo(f"proposed; {folder.policy.required} approvals are needed: petra dso approve {path}")
        return
    _release(folder, ledger, passphrase, tx, [])
    typer.echo(done)


def _release(folder: DeskFolder, ledger: "EvmLedger", passphrase: str, tx: Regulate, given: list[bytes]) -> None:
    from dso.desk.keystore import finish_rotation

    folder.policy.require(ledger.domain, tx, given)
    signer = signer_of(folder, ledger, passphrase)
    folder.desk(ledger).release(tx, signer, given).require()
    if tx.successor != ZERO_ADDRESS:
        finish_rotation(folder.path)


def signer_of(folder: DeskFolder, ledger: "EvmLedger", passphrase: str) -> "KeySigner":
    from dso.desk.desk import KeySigner
    from dso.desk.keystore import open_desk_keys

    return KeySigner(*open_desk_keys(folder.path, passphrase, ledger.dso))


def each_once(what: str, numbers: Sequence[int]) -> None:
    """Raise ``ValueError`` for a number that is there twice: one of the two would be lost."""
    for number in numbers:
        if numbers.count(number) > 1:
            raise ValueError(f"{what} {number} is there twice; name it once")


def _when(desk: Path, interval: int | None) -> int:
    """Ledger time from which a ruling holds: the start of an interval; 0 is at once."""
    return 0 if interval is None else open_desk(desk)[1].grid.start_s(interval)


@app.command()
def init(
    passphrase: NewPassphrase,
    desk: Folder = DESK,
    node: Annotated[str, typer.Option(help="URL of the ledger's node.")] = "http://127.0.0.1:8545",
    interval_s: Annotated[int, typer.Option(min=1, help="Seconds of a delivery interval.")] = 900,
    required: Annotated[int, typer.Option(min=0, help="Approvals that a regulatory transaction needs.")] = 0,
    approver: Annotated[list[str] | None, typer.Option(help="Address of an approver; repeat it.")] = None,
    deployments: Annotated[
        Path | None, typer.Option(help="Record the ledger in this folder, for those who serve and use it.")
    ] = None,
) -> None:
    """Make a desk: a fresh key in a keystore, and a ledger deployed for it."""
    from assets.intervals import IntervalGrid
    from contracts import nodes
    from contracts.deployments import Deployment
    from contracts.ledger import EvmLedger
    from dso.desk.approvals import Policy
    from dso.desk.keystore import create_key
    from dso.desk.log import ActionLog

    with one_sentence_errors():
        policy = Policy(required, tuple(address(text) for text in approver or ()))
        w3 = nodes.connect(node)
        desk.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(desk.iterdir()):
            raise ValueError(f"{desk} is not empty; a desk is made in a folder of its own")
        key = create_key(desk / "dso.json", passphrase)
        genesis_s = int(w3.eth.get_block("latest")["timestamp"]) // interval_s * interval_s
        ledger = EvmLedger.deploy(w3, key.address, IntervalGrid(genesis_s, interval_s))
        DeskFolder(desk, node, ledger.domain.contract, interval_s // 2, policy).save()
        if deployments is not None:
            Deployment.of(w3, ledger).save(deployments)
        ActionLog(desk / "actions.jsonl").append("init", ledger.now_s, contract="0x" + ledger.domain.contract.hex())
        typer.echo(f"desk in {desk}; the ledger is 0x{ledger.domain.contract.hex()}; interval 0 began at {genesis_s}")


@app.command()
def key(passphrase: NewPassphrase, path: Annotated[Path, typer.Argument(help="A file that does not exist.")]) -> None:
    """Make a keystore, for an approver; prints its address."""
    from dso.desk.keystore import create_key

    with one_sentence_errors():
        typer.echo(f"0x{create_key(path, passphrase).address.hex()}")


@app.command()
def limits(
    passphrase: Passphrase,
    feeders: Annotated[list[str], typer.Argument(help="feeder:export_w:import_w, such as 3:4000:6000.")],
    desk: Folder = DESK,
    start: From = None,
) -> None:
    """Set the capacities of feeders."""
    with one_sentence_errors():
        try:
            capacities = tuple(FeederCapacity(*map(int, text.split(":"))) for text in feeders)
        except (ValueError, TypeError):
            raise ValueError("write feeder:export_w:import_w in whole watts, such as 3:4000:6000") from None
        each_once("feeder", [c.feeder for c in capacities])
        act(
            desk,
            passphrase,
            Regulate(0, feeders=capacities, time_s=_when(desk, start)),
            f"{len(capacities)} feeders limited",
        )


@app.command()
def authorise(
    passphrase: Passphrase,
    enrolment: Annotated[Path, typer.Argument(help="CSV: meter,key,feeder,max_epa_w,max_eca_w,credit_nano.")],
    desk: Folder = DESK,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    start: From = None,
) -> None:
    """Install meters, or change their limits, in bulk."""
    from dso.desk.enrolment import read_enrolment

    with one_sentence_errors():
        grants = read_enrolment(enrolment.read_text(encoding="utf-8").splitlines())
        if dry_run:
            folder, ledger = open_desk(desk)
            known = folder.desk(ledger).meters()
            changed = sum(g.meter in known for g in grants)
            typer.echo(f"would authorise {len(grants) - changed} new meters and change {changed}; nothing was done")
            return
        act(
            desk,
            passphrase,
            Regulate(0, authorise=grants, time_s=_when(desk, start)),
            f"{len(grants)} meters authorised",
        )


@app.command()
def ban(
    passphrase: Passphrase,
    meters: Annotated[list[int], typer.Argument(help="Meter numbers.")],
    desk: Folder = DESK,
    start: From = None,
) -> None:
    """Ban meters, or remove them: they issue no more notes; their bills stay due."""
    with one_sentence_errors():
        each_once("meter", meters)
        act(desk, passphrase, Regulate(0, ban=tuple(meters), time_s=_when(desk, start)), f"{len(meters)} meters banned")


@app.command()
def rotate(passphrase: Passphrase, desk: Folder = DESK) -> None:
    """Hand the DSO's role to a fresh key, which signs as well; the old keystore is kept under another name."""
    from dso.desk.keystore import create_key, open_key

    with one_sentence_errors():
        signer_of(*open_desk(desk), passphrase)  # a successor with another passphrase would lock the desk
        following = desk / "dso-next.json"
        fresh = open_key(following, passphrase) if following.exists() else create_key(following, passphrase)
        act(desk, passphrase, Regulate(0, successor=fresh.address), f"the DSO's key is now 0x{fresh.address.hex()}")


@app.command()
def price(
    passphrase: Passphrase,
    tariff: Annotated[str | None, typer.Argument(help="[interval:]sells/buys in USD per kWh, with commas.")] = None,
    desk: Folder = DESK,
    table: Annotated[Path | None, typer.Option(help="Time-of-use CSV: days,from,consumption,production.")] = None,
    days: Annotated[int, typer.Option(min=1, max=31, help="Of a table: days from the next midnight on.")] = 7,
    utc_offset: Annotated[int, typer.Option(min=-840, max=840, help="Of a table: local time less UTC, minutes.")] = 0,
    openadr: Annotated[Path | None, typer.Option(help="Also write the next day as an OpenADR 3 event.")] = None,
) -> None:
    """Publish prices ahead of the intervals that they are for."""
    from dso.openadr import price_event
    from dso.tariff import Tariff
    from dso.tou import TimeOfUse

    with one_sentence_errors():
        _, ledger = open_desk(desk)
        if (tariff is None) == (table is None):
            raise ValueError("give a tariff such as 1:0.24/0.09, or --table with a time-of-use table")
        if table is not None:
            tou = TimeOfUse.read(table.read_text(encoding="utf-8").splitlines())
            changes = tou.price_changes(ledger.now_s, days, utc_offset * 60)
        else:
            changes = Tariff.parse(tariff or "").price_changes(ledger.grid)
        act(desk, passphrase, Regulate(0, prices=changes), f"{len(changes)} prices published")
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
        folder, ledger = open_desk(desk)
        approver = open_key(keystore, passphrase)
        if approver.address not in folder.policy.approvers:
            raise ValueError(f"{keystore.name} is no approver's of this desk; give the keystore of one")
        add_approval(proposal, approval(ledger.domain, read_proposal(proposal), approver))
        typer.echo(f"approved; when enough have: petra dso release {proposal}")


@app.command()
def release(passphrase: Passphrase, proposal: Path, desk: Folder = DESK) -> None:
    """Sign and submit a proposal that has its approvals."""
    from dso.desk.folder import approvals, read_proposal

    with one_sentence_errors():
        folder, ledger = open_desk(desk)
        _release(folder, ledger, passphrase, read_proposal(proposal), approvals(proposal))
        typer.echo("released")


@app.command()
def meters(desk: Folder = DESK) -> None:
    """Every meter: feeder, limits, banned or not."""
    with one_sentence_errors():
        folder, ledger = open_desk(desk)
        for meter, standing in folder.desk(ledger).meters().items():
            grant = standing.authorisation
            state = "BANNED" if standing.banned else f"EPA {grant.max_epa_w} W, ECA {grant.max_eca_w} W"
            typer.echo(f"meter {meter} on feeder {grant.feeder}: {state}")


@app.command("audit")
def audit_log(desk: Folder = DESK) -> None:
    """Verify the desk's log, and that every regulatory transaction on the ledger is on it."""
    from dso.desk.log import ActionLog

    with one_sentence_errors():
        _, ledger = open_desk(desk)
        log = ActionLog(desk / "actions.jsonl")
        released = {action.get("digest") for action in log.actions if action["action"] == "release"}
        regulated = ["0x" + e.digest.hex() for e in ledger.entries() if isinstance(e.signed.tx, Regulate)]
        unlogged = [message for message in regulated if message not in released]
        if unlogged:
            typer.echo(f"AUDIT FAILED  the ledger has {unlogged[0]}, which this desk never released", err=True)
            raise typer.Exit(1)
        typer.echo(f"{len(log.actions)} actions, {len(regulated)} on the ledger; head 0x{log.head.hex()}")
