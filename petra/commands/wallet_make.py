"""``petra wallet init|restore``: a new wallet, and one from its phrase alone."""

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from petra.commands.errors import one_sentence_errors
from petra.commands.wallet_options import (
    AsJson,
    DryRun,
    Folder,
    PasswordFile,
    answer,
    passphrase,
    secret_text,
    warn_if_direct,
)

if TYPE_CHECKING:
    from assets.orders import SignedOrder
    from bidstore.posting import NoteClass
    from petra.prosumer.folder import WalletFolder
    from petra.prosumer.overview import View
    from petra.prosumer.restoring import Found
    from petra.prosumer.seed import HomeSeed, SeedPhrase

Rpc = Annotated[str, typer.Option(help="URL of a node's JSON-RPC.")]
Contract = Annotated[str | None, typer.Option(help="The ledger's contract; the one recorded by `chain deploy`.")]
Deployments = Annotated[Path, typer.Option(help="Folder of the deployments' files.")]
Meter = Annotated[Path | None, typer.Option(help="Folder of the home's meter, which may be made later.")]
Transport = Annotated[str, typer.Option(help="tor, or http: NOT ANONYMOUS.")]
SocksPort = Annotated[int, typer.Option(min=1, max=65_535, help="SOCKS port of a running tor.")]
Board = Annotated[str | None, typer.Option(help="Where mixes are played: http://….onion#0x… of its key.")]
Bidstores = Annotated[list[str] | None, typer.Option("--bidstore", help="A replica of the bid store; repeatable.")]
Relays = Annotated[list[str] | None, typer.Option("--relay", help="Who carries transactions; repeatable.")]
PollMs = Annotated[int, typer.Option(min=10, help="How often the ledger is read, milliseconds.")]
Light = Annotated[bool, typer.Option("--light", help="Cheap keystores, for tests only.")]


@dataclass(frozen=True, slots=True)
class _Services:
    transport: str
    socks_port: int
    board: str | None
    bidstores: tuple[str, ...]
    relays: tuple[str, ...]
    poll_ms: int


def init(
    folder: Folder,
    rpc: Rpc,
    contract: Contract = None,
    deployments: Deployments = Path("deployments"),
    meter: Meter = None,
    transport: Transport = "tor",
    socks_port: SocksPort = 9050,
    board: Board = None,
    bidstore: Bidstores = None,
    relay: Relays = None,
    poll_ms: PollMs = 5_000,
    phrase_file: Annotated[
        Path | None, typer.Option(help="Write the phrase to this new file instead of printing it.")
    ] = None,
    password_file: PasswordFile = None,
    light: Light = False,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Make a wallet: a seed phrase, shown once, and a configuration. Then give the meter its part of the seed."""
    with one_sentence_errors():
        from petra.prosumer.seed import SeedPhrase

        services = _Services(transport, socks_port, board, tuple(bidstore or ()), tuple(relay or ()), poll_ms)
        text = _configuration(folder, rpc, contract, deployments, meter, services)
        if meter is not None and (meter / "seed.json").exists():
            raise ValueError(
                f"{meter} has a seed of its own; make the wallet first, then the meter: petra meter init --seed-from"
            )
        if dry_run:
            _check(folder, text)
            answer(as_json, {"config": text}, [f"would make a wallet in {folder} with this configuration:", "", text])
            return
        phrase, word = SeedPhrase.generate(), passphrase(password_file, confirm=True)
        if phrase_file is not None:
            _write_new(phrase_file, phrase.reveal() + "\n")
        try:
            made = _make(folder, text, phrase, word, light)
        except BaseException:
            if phrase_file is not None:
                phrase_file.unlink()
            raise
    value: dict[str, Any] = {"folder": str(folder), "meter_seed": str(made.meter_seed_file)}
    lines = [f"wallet: {folder}; the meter's part of the seed: petra meter init --seed-from {made.meter_seed_file}"]
    if phrase_file is not None:
        value["phrase_file"] = str(phrase_file)
        lines.append(f"its seed phrase is in {phrase_file}: whoever has it has everything; keep it elsewhere")
    else:
        value["phrase"] = phrase.reveal()
        lines += [
            "",
            "Write these 24 words down, on paper, in this order. They are shown once; whoever has them has everything.",
            "",
            *_numbered(phrase.reveal().split()),
        ]
    answer(as_json, value, lines)


def restore(
    folder: Folder,
    rpc: Rpc,
    contract: Contract = None,
    deployments: Deployments = Path("deployments"),
    meter: Meter = None,
    transport: Transport = "tor",
    socks_port: SocksPort = 9050,
    board: Board = None,
    bidstore: Bidstores = None,
    relay: Relays = None,
    poll_ms: PollMs = 5_000,
    phrase_file: Annotated[Path | None, typer.Option(help="File with the seed phrase; else it is asked for.")] = None,
    password_file: PasswordFile = None,
    light: Light = False,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Make a wallet anew from its phrase; find its notes, deposits and pending offers in what is public."""
    with one_sentence_errors():
        from petra.prosumer.seed import HomeSeed, SeedPhrase

        services = _Services(transport, socks_port, board, tuple(bidstore or ()), tuple(relay or ()), poll_ms)
        text = _configuration(folder, rpc, contract, deployments, meter, services)
        if phrase_file is not None:
            phrase = SeedPhrase.parse(secret_text(phrase_file, "the seed phrase"))
        else:
            phrase = SeedPhrase.parse(typer.prompt("Seed phrase (24 words)", hide_input=True))
        if dry_run:
            import secrets
            import tempfile

            nobody_knows = secrets.token_hex(32)  # a process that is killed leaves the folder behind
            with tempfile.TemporaryDirectory(prefix="petra-wallet-") as aside:
                trial = _make(Path(aside) / "wallet", text, phrase, nobody_knows, light=True)
                value, lines = _find(trial, HomeSeed(phrase))
            answer(as_json, value, [f"would make a wallet in {folder}, and find:", *lines])
            return
        word = passphrase(password_file, confirm=True)
        if meter is not None:
            _compare_seeds(meter, phrase, word)
        made = _make(folder, text, phrase, word, light)
        try:
            with made.locked():
                value, lines = _find(made, HomeSeed(phrase))
        except BaseException:
            made.discard()  # half a restore would be taken for a whole one
            raise
    answer(as_json, {"folder": str(folder)} | value, [f"wallet: {folder}", *lines])


def _find(folder: "WalletFolder", secrets: "HomeSeed") -> tuple[dict[str, Any], list[str]]:
    """Follow the whole ledger, then read the public book; what was found, for machines and for people."""
    from petra.onion.errors import NotTor
    from petra.prosumer import overview
    from petra.prosumer.budget import Observer
    from petra.prosumer.daemon import schedule_of
    from petra.prosumer.readings import Readings
    from petra.prosumer.restoring import last_touched

    config = folder.config
    state = folder.state(secrets)
    try:
        ledger = folder.ledger()
        now_s, entries = ledger.now_s, ledger.entries()
        meter = folder.meter_path
        schedule = schedule_of(config, None if meter is None else Readings(meter, config.ledger.grid))
        state.note_restore(last_touched(schedule, now_s))
        keychain = folder.keychain(secrets, state)
        account, observer = folder.account(keychain), Observer(config.ledger.grid)
        account.follow(entries)
        observer.follow(entries)
        seen = overview.View(account, keychain, observer, state, now_s, entries, ledger.price_at)
        try:
            found = _search_book(folder, seen)
            if found is None:
                told = "the public book was not read: no bid store is configured"
            else:
                told = f"public book: {found.orders} pending offers of the home among {found.read} orders read"
        except (OSError, ValueError, NotTor) as failure:  # the ledger's part is found all the same
            found, told = None, f"the public book could not be read ({failure}); restore again for pending offers"
        state.add_event("restored", now_s, notes=len(account.holdings()), offers=found.orders if found else None)
        value = overview.as_json(seen, False) | {"book_read": found is not None}
        ever = f"found {len(account.holdings())} notes that ever were the home's"
        return value, [ever, told, *overview.lines(seen, False)]
    finally:
        state.close()


def _search_book(folder: "WalletFolder", seen: "View") -> "Found | None":
    import asyncio
    from random import SystemRandom

    from bidstore.service.client import HttpClient, Refused, Unreachable
    from petra.prosumer.daemon import schedule_of
    from petra.prosumer.reach import Unserved, first_that_answers, open_reach
    from petra.prosumer.restoring import find_orders, open_classes

    config = folder.config
    if not config.bidstores:
        return None
    reach = open_reach(config.transport, config.socks_port)
    reach.verify()
    warn_if_direct(config.transport)
    classes = open_classes(seen.account, config.standard_set.note_power_w, schedule_of(config, None), seen.now_s)

    async def book(note_class: "NoteClass") -> "tuple[SignedOrder, ...]":
        async def at(url: str) -> "tuple[SignedOrder, ...]":
            async with reach.client() as http:
                return await HttpClient(url, http).open_orders(note_class)

        try:
            return await first_that_answers(config.bidstores, at, (Unreachable, Refused), SystemRandom())
        except Unserved as failure:
            raise ValueError(str(failure)) from None

    domain = config.ledger.domain
    return asyncio.run(find_orders(classes, book, domain, seen.account, seen.keychain, seen.state))


def _configuration(
    folder: Path,
    rpc: str,
    contract: str | None,
    deployments: Path,
    meter: Path | None,
    services: _Services,
) -> str:
    """The text of a configuration for the ledger that the node has."""
    from contracts import deployments as files
    from contracts import nodes
    from contracts.ledger import EvmLedger
    from petra.commands.meter_run import _address
    from petra.prosumer.ledger import ReadOnly
    from petra.prosumer.template import wallet_toml
    from petra.standard import GUESS, announced_set
    from smartmeter.config import FILE as METER_FILE
    from smartmeter.config import load as load_meter

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
        address = _address(contract or "")
        block = recorded.block if recorded is not None and recorded.contract == address else 0
    ledger = EvmLedger.at(w3, address, ReadOnly(), since_block=block)
    notes, meaning = announced_set(ledger)
    known = load_meter(meter) if meter is not None and (meter / METER_FILE).exists() else None
    if known is None and meaning == GUESS:
        typer.echo(f"[standard_set] fa_amount_nano: {GUESS}; give what the home's meter has", err=True)
    return wallet_toml(
        url=rpc,
        domain=ledger.domain,
        since_block=block,
        grid=ledger.grid,
        notes=notes if known is None else known.notes,
        lead=1 if known is None else known.standard_set.lead,
        meter=None if meter is None else os.path.relpath(meter, folder),
        **asdict(services),
    )


def _make(folder: Path, text: str, phrase: "SeedPhrase", word: str, light: bool) -> "WalletFolder":
    from petra.prosumer.folder import WalletFolder
    from smartmeter.identity import LIGHT_N, STANDARD_N

    return WalletFolder.create(folder, text, phrase, word, LIGHT_N if light else STANDARD_N)


def _check(folder: Path, text: str) -> None:
    from petra.prosumer.config import FILE, parse

    if (folder / FILE).exists():
        raise ValueError(f"{folder} has a wallet already; choose another folder")
    parse(text.encode(), folder / FILE)


def _compare_seeds(meter: Path, phrase: "SeedPhrase", word: str) -> None:
    """Refuse a meter whose seed is another phrase's; one that another passphrase keeps cannot be compared."""
    from petra.prosumer.seed import HomeSeed
    from smartmeter.identity import KeystoreError, load_secret

    try:
        seed = load_secret(meter / "seed.json", word)
    except KeystoreError:
        return
    if seed != HomeSeed(phrase).meter_seed:
        raise ValueError(f"the meter in {meter} has the seed of another phrase; give the home's meter, or its phrase")


def _write_new(path: Path, text: str) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise ValueError(f"{path} exists; a phrase never replaces a file, choose another name") from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())


def _numbered(words: list[str]) -> list[str]:
    return ["  ".join(f"{i + 1:2} {words[i]:<10}" for i in range(row, row + 6)).rstrip() for row in range(0, 24, 6)]
