"""The files of a home: ``meter.toml`` and ``wallet.toml``, whose packages read them themselves."""

from collections.abc import Iterator
from pathlib import Path

from assets.errors import FractionalEnergy
from assets.units import energy_wh
from petra.config.check import contract_problems, url_problems
from petra.config.secrets import private_file, writable
from smartmeter.config import LedgerConfig
from smartmeter.standard_set import StandardSet


def check_meter(path: Path, online: bool) -> Iterator[str]:
    """What is wrong with a meter's folder."""
    from smartmeter.config import FILE, load

    folder = path.parent
    if path.name != FILE:
        yield f"{path}: a meter's file is called {FILE}; rename it"
        return
    try:
        config = load(folder)
        config.wiring(config.profiles())
    except ValueError as error:
        yield str(error)
        return
    found = [*private_file("key.json", folder / "key.json", made=False)]
    found += private_file("seed.json", folder / "seed.json", made=False)
    found += [
        f"analysers: {a.name} has neither host nor serial; give one"
        for a in config.analysers
        if not (a.host or a.serial)
    ]
    if config.report is not None:
        found += url_problems("report.url", config.report.url)
        found += private_file("report.token_file", folder / config.report.token_file, made=False)
    if not writable(folder / "journal.db"):
        found.append(f"{folder} cannot be written; let the meter's user write there")
    found += _ledger(config.ledger, config.notes, online)
    for problem in found:
        yield f"{path}: {problem}"


def check_wallet(path: Path, online: bool) -> Iterator[str]:
    """What is wrong with a wallet's folder."""
    from petra.prosumer.config import FILE, load

    folder = path.parent
    if path.name != FILE:
        yield f"{path}: a wallet's file is called {FILE}; rename it"
        return
    try:
        config = load(folder)
    except ValueError as error:
        yield str(error)
        return
    urls = [("board", config.board.partition("#")[0])] if config.board else []
    urls += [("bidstores", url) for url in config.bidstores] + [("relays", url) for url in config.relays]
    found = [problem for field, url in urls for problem in url_problems(field, url)]
    if config.board is not None:
        from mixer.boardservice.client import parse_board

        try:
            parse_board(config.board)
        except ValueError as error:
            found.append(f"board: {error}")
    if config.transport == "tor":
        found += [
            f"{field}: {url} is no onion service, and the wallet goes by Tor; give its .onion address"
            for field, url in urls
            if ".onion" not in url
        ]
    if config.meter is not None and not (folder / config.meter / "meter.toml").is_file():
        found.append(f"meter: {folder / config.meter} has no meter.toml; name the folder of the home's meter")
    if not writable(folder / "state.db"):
        found.append(f"{folder} cannot be written; let the wallet's user write there")
    found += _ledger(config.ledger, config.notes, online)
    for problem in found:
        yield f"{path}: {problem}"


def _ledger(ledger: LedgerConfig, notes: StandardSet, online: bool) -> Iterator[str]:
    yield from url_problems("ledger.url", ledger.url)
    if online:
        found = list(contract_problems("ledger", ledger.url, ledger.chain_id, bytes.fromhex(ledger.contract[2:])))
        yield from found or _money(ledger, notes)


def _money(ledger: LedgerConfig, notes: StandardSet) -> Iterator[str]:
    """Whether an FA note pays for an energy note at all: the DSO itself pays a seller its production price."""
    from contracts import nodes
    from contracts.errors import NodeError
    from contracts.ledger import EvmLedger
    from petra.prosumer.ledger import ReadOnly

    domain = ledger.domain
    try:
        at = EvmLedger.at(nodes.connect(ledger.url), domain.contract, ReadOnly(), ledger.since_block)
        price = at.price_at(at.grid.index(max(at.now_s, at.grid.genesis_s)) + 1)
    except (NodeError, ConnectionError) as error:
        yield f"ledger: {error}"
        return
    try:
        energy = energy_wh(notes.note_power_w, ledger.interval_s)
    except FractionalEnergy as error:
        yield f"standard_set: {error}"
        return
    if price is not None and notes.fa_amount_nano <= energy * price.production_nano_per_wh:
        least = energy * price.consumption_nano_per_wh
        yield (
            f"standard_set: at today's price no home can buy: one FA note pays no more for the {energy} Wh of an "
            f"energy note than the DSO does; give all homes fa_amount_nano = {least}"
        )
