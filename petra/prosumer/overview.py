"""How a wallet stands: what the ledger says about its notes, what it has offered, and what an observer knows of it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from assets.notes import IssuedNote, Kind
from assets.port import Entry
from assets.transactions import PriceChange
from petra.prosumer.account import Account, Holding
from petra.prosumer.budget import Observer, describe, in_words
from petra.prosumer.folder import WalletFolder
from petra.prosumer.keychain import Keychain, Purpose
from petra.prosumer.records import OrderFate, OrderRecord
from petra.prosumer.seed import HomeSeed
from petra.prosumer.state import State

LOOK_BACK = 96
"""For how many intervals before the present one notes are looked for, unless all are asked for."""


@dataclass(frozen=True, slots=True)
class View:
    """A wallet and the ledger at one moment."""

    account: Account
    keychain: Keychain
    observer: Observer
    state: State
    now_s: int
    """Ledger time."""
    entries: Sequence[Entry]
    """The whole ledger."""
    price_at: Callable[[int], PriceChange | None]
    """The DSO's prices of an interval."""

    @property
    def spendable(self) -> list[Holding]:
        """Unspent notes that the wallet can move, oldest first: their places in this list are their numbers, from 1."""
        held = self.account.holdings()
        return [h for h in held if h.spent_by is None and h.place.purpose is not Purpose.DEPOSIT]

    def chosen(self, numbers: list[int]) -> list[IssuedNote]:
        """The notes with these numbers. Raises ``ValueError`` for a number that no note has."""
        notes = self.spendable
        for number in numbers:
            if not 1 <= number <= len(notes):
                raise ValueError(f"there is no note {number}; petra wallet status shows notes 1 to {len(notes)}")
        return [notes[number - 1].note for number in numbers]


@contextmanager
def view(folder: WalletFolder, secrets: HomeSeed, everything: bool = False) -> Iterator[View]:
    """Look at the ledger once, beside a running agent or without one."""
    state = folder.state(secrets)
    try:
        with folder.ledger_beside() as ledger:
            now_s = ledger.now_s
            entries = ledger.entries()
            yield _seen(folder, secrets, state, everything, now_s, entries, ledger.price_at)
    finally:
        state.close()


def _seen(
    folder: WalletFolder,
    secrets: HomeSeed,
    state: State,
    everything: bool,
    now_s: int,
    entries: Sequence[Entry],
    price_at: Callable[[int], PriceChange | None],
) -> View:
    grid = folder.config.ledger.grid
    present = grid.index(max(now_s, grid.genesis_s))
    keychain = folder.keychain(secrets, state)
    account = folder.account(keychain, 0 if everything else max(0, present - LOOK_BACK))
    observer = Observer(grid)
    account.follow(entries)
    observer.follow(entries)
    return View(account, keychain, observer, state, now_s, entries, price_at)


def as_json(view: View, running: bool) -> dict[str, Any]:
    """The whole of it, for machines."""
    return {
        "ledger": {"time_s": view.now_s, "entries": view.account.cursor},
        "running": running,
        "windows": [_window(view, window) for window in view.account.windows],
        "notes": [_note(view, number, h) for number, h in enumerate(view.spendable, 1)],
        "offers": [_order(order) for order in view.state.orders()],
        "instructions": [
            {
                "number": i.number,
                "window": i.window,
                "side": i.side.name.lower(),
                "notes": i.notes,
                "limit_nano_per_wh": i.limit_nano_per_wh,
            }
            for i in view.state.instructions()
        ],
        "budget": budget(view),
    }


def budget(view: View) -> list[str]:
    """The privacy budget in words: what is known of the notes that the wallet can move, window by window."""
    said = []
    for window in sorted({h.place.window for h in view.spendable}):
        notes = [h.note for h in view.spendable if h.place.window == window]
        said.append(f"window {window}:")
        for name in dict.fromkeys(describe(note) for note in notes):
            same = [note for note in notes if describe(note) == name]
            sizes = sorted({size for note in same for size in view.observer.exposure([note]).sets})
            said.append(f"  {len(same)} × {name}: " + ", ".join(_size(size) for size in sizes))
        if len(notes) > 1:
            said.append("  " + in_words(view.observer.exposure(notes))[-1])
    return said


def lines(view: View, running: bool) -> list[str]:
    """The same for people."""
    said = [
        f"ledger: {view.account.cursor} entries, time {view.now_s}",
        "agent: running" if running else "agent: not running; start it with petra wallet run",
    ]
    for window in view.account.windows:
        w = _window(view, window)
        parts = [
            f"{purpose.value} {_counts(w[purpose.value])}" for purpose in Purpose if any(w[purpose.value].values())
        ]
        said.append(f"window {window}: " + ("; ".join(parts) or "everything spent"))
    if not view.account.windows:
        said.append("no notes yet: the home's meter has issued none to this wallet")
    for number, h in enumerate(view.spendable, 1):
        size = view.observer.exposure([h.note]).sets[0]
        said.append(f"  note {number}: {describe(h.note)}, {h.place.purpose.value}, {_size(size)}")
    for order in view.state.orders():
        if order.fate is OrderFate.OPEN:
            said.append(
                f"pending: {order.side.name.lower()} {order.power_w} W in window {order.window} "
                f"at {order.limit_nano_per_wh} nano per Wh"
            )
    for i in view.state.instructions():
        what = f"{i.side.name.lower()} {i.notes} notes in window {i.window} at {i.limit_nano_per_wh} nano per Wh"
        said.append(f"to be offered: {what}")
    told = budget(view)
    return [*said, "privacy budget:", *(f"  {line}" for line in told)] if told else said


def _window(view: View, window: int) -> dict[str, Any]:
    return {"window": window} | {
        purpose.value: {
            kind.name: sum(n.note.quantity for n in view.account.notes(purpose, window, kind)) for kind in Kind
        }
        for purpose in Purpose
    }


def _counts(amounts: dict[str, int]) -> str:
    units = {"EPA": "W", "ECA": "W", "FA": "nano"}
    return ", ".join(f"{name} {amount} {units[name]}" for name, amount in amounts.items() if amount)


def _note(view: View, number: int, held: Holding) -> dict[str, Any]:
    n = held.note.note
    return {
        "number": number,
        "kind": Kind(n.kind).name,
        "quantity": n.quantity,
        "window": held.place.window,
        "purpose": held.place.purpose.value,
        "homes": view.observer.exposure([held.note]).sets[0],
    }


def _order(order: OrderRecord) -> dict[str, Any]:
    return {
        "window": order.window,
        "side": order.side.name.lower(),
        "power_w": order.power_w,
        "limit_nano_per_wh": order.limit_nano_per_wh,
        "fate": order.fate.value,
        "price_nano_per_wh": order.price_nano_per_wh,
        "posted_ms": order.posted_ms,
        "posted_s": order.posted_s,
        "closed_ms": order.closed_ms,
        "closed_s": order.closed_s,
    }


def _size(size: int) -> str:
    if size == 0:
        return "of unknown origin"
    return "known to be your home's" if size == 1 else f"one of {size} homes"
