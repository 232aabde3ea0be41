"""What is left of a village, or what it has by now: ledger, bills, statements, and who owns which address."""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from assets.keys import Address
from assets.port import Entry
from assets.transactions import Settle, Withdraw, outputs_of
from petra.prosumer.keychain import Keychain, Place
from petra.prosumer.records import OrderRecord
from petra.village.layout import Layout
from petra.village.options import ANVIL
from petra.village.ports import pick_ports
from petra.village.state import VillageState
from smartmeter.billing import BillingRecord

if TYPE_CHECKING:
    from contracts.ledger import EvmLedger

NOBODY = 0
"""Stands for the home of an address that no wallet of the village knows."""


@contextmanager
def ledger_of(layout: Layout, state: VillageState) -> Iterator["EvmLedger"]:
    """The village's ledger: on its node, or, if that is down, on a fresh anvil with a copy of what it kept.

    Raises ``ValueError`` or ``OSError`` that says what is missing.
    """
    from contracts import anvil, deployments, nodes
    from contracts.anvil_state import AnvilState

    recorded = None
    if "chain_id" in state.facts:
        recorded = deployments.load(int(state.facts["chain_id"]), layout.deployments)
    if recorded is None:
        raise ValueError(f"the village in {layout.folder} never had a ledger; see {layout.folder / 'supervisor.log'}")
    rpc = str(state.facts["rpc"])
    if nodes.answers(rpc):
        yield recorded.open(nodes.connect(rpc))
        return
    if state.options.chain != ANVIL:
        raise ValueError(f"no node answers at {nodes.public_url(rpc)}; start it, the ledger is there")
    if not layout.chain_state.exists():
        raise ValueError(f"{layout.chain_state} is missing: the chain is lost; nothing can be reported")
    with tempfile.TemporaryDirectory(prefix="petra-village-chain-") as aside:
        kept = AnvilState(Path(aside) / "state.json")
        original = AnvilState(layout.chain_state)
        shutil.copyfile(original.path, kept.path)
        if original.copy.exists():
            shutil.copyfile(original.copy, kept.copy)
        kept.restore()
        options = ["--no-mining", "--load-state", str(kept.path)]
        child, url = anvil.start(Path(aside) / "anvil.log", pick_ports(1)[0], options)
        try:
            yield recorded.open(nodes.connect(url))
        finally:
            child.stop()


def bills_of(layout: Layout, state: VillageState) -> tuple[int, list[BillingRecord]]:
    """How many intervals from 0 on every meter has billed, and their bills, by interval and then home."""
    from smartmeter.folder import MeterFolder

    by_home: list[list[BillingRecord]] = []
    for home in range(1, state.options.homes + 1):
        folder = layout.of(f"meter{home}")
        book = MeterFolder(folder).book()
        try:
            by_home.append(book.bills())
        finally:
            book.close()
    intervals = min(_whole(records) for records in by_home)
    return intervals, [records[t] for t in range(intervals) for records in by_home]


def _whole(records: Sequence[BillingRecord]) -> int:
    """How many intervals from 0 on have a bill."""
    return next((t for t, record in enumerate(records) if record.t != t), len(records))


def covered(entries: Sequence[Entry], intervals: int) -> list[Entry]:
    """The ledger up to the first trade of an interval that is not billed yet: later ones are of another report."""
    for entry in entries:
        tx = entry.signed.tx
        if isinstance(tx, Settle) and any(fill.sell.order.energy.note.start >= intervals for fill in tx.fills):
            return list(entries[: entry.seq])
    return list(entries)


@dataclass(frozen=True, slots=True)
class HomeSecrets:
    """What a wallet's folder tells whoever has its passphrase, which a village's folder has."""

    home: int
    orders: tuple[OrderRecord, ...]
    keychain: Keychain


class _NoNumbers:
    """A report hands out no address."""

    def take(self, name: str, at_least: int, below: int) -> int | None:
        raise AssertionError("a report hands out no address")


def secrets_of(layout: Layout, home: int) -> HomeSecrets:
    """Open one wallet's folder. Its state is read from a copy: the wallet may be at work."""
    from petra.prosumer.folder import WalletFolder
    from petra.prosumer.state import State

    name = f"wallet{home}"
    folder = WalletFolder(layout.of(name))
    seed = folder.secrets(layout.read_passphrase(name))
    orders: tuple[OrderRecord, ...] = ()
    if (folder.path / "state.db").exists():
        state = State(folder.path / "state.db", seed.state_secret)
        try:
            orders = tuple(state.orders())
        finally:
            state.close()
    return HomeSecrets(home, orders, Keychain(seed, _NoNumbers()))


def owners(
    homes: Sequence[HomeSecrets], entries: Sequence[Entry], interval_s: int
) -> dict[Address, tuple[int, Place | None]]:
    """The home behind every address on the ledger, and what it is for; :data:`NOBODY` where no wallet knows it."""
    windows = {e.signed.tx.window for e in entries if isinstance(e.signed.tx, Withdraw)}
    for one in homes:
        one.keychain.watch(sorted(windows))
    found: dict[Address, tuple[int, Place | None]] = {}

    def know(address: Address) -> None:
        for one in homes:
            place = one.keychain.seen(address)
            if place is not None:
                found[address] = one.home, place
                return
        found.setdefault(address, (NOBODY, None))

    for entry in entries:
        tx = entry.signed.tx
        for note in outputs_of(tx, interval_s):
            if note.owner not in found:
                know(note.owner)
        if isinstance(tx, Settle):
            for fill in tx.fills:
                for order in (fill.sell.order, fill.buy.order):
                    for address in (order.deliver_to, order.pay_to):
                        if address not in found:
                            know(address)
    return found
