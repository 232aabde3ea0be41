"""(a) Where every note that was ever issued is now, from the public ledger and the homes' seeds."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from assets.intervals import IntervalGrid
from assets.keys import Address
from assets.notes import IssuedNote, Kind, NoteId, issued
from assets.orders import Fill
from assets.port import Entry
from assets.statement import first_open_interval
from assets.transactions import Settle, Transaction, Withdraw, inputs_of, outputs_of
from assets.units import energy_wh
from petra.village.audit.finding import Check, Finding, Part
from smartmeter.billing import BillingRecord

UNIT = {Kind.EPA: "Wh of EPA", Kind.ECA: "Wh of ECA", Kind.FA: "nano of FA"}


class Owner(NamedTuple):
    """Whose an address is."""

    home: int
    window: int
    """Delivery interval that the address was made for."""
    is_deposit: bool
    """Whether it is the meter's."""


OwnerOf = Callable[[Address], Owner | None]

Quantities = Counter[tuple[Kind, int]]
"""Wh or nano-units by kind and delivery interval (of FA: the window of its address)."""


@dataclass(slots=True)
class Whereabouts:
    """Where all notes are after the last entry."""

    issued: Quantities = field(default_factory=Counter)
    deposited: Quantities = field(default_factory=Counter)
    """At a meter's addresses in time; one of these is what trading delivered to."""
    late: Quantities = field(default_factory=Counter)
    """At a meter's addresses after the deadline: spent, and worth nothing."""
    held: Quantities = field(default_factory=Counter)
    """Unspent at addresses of wallets."""
    lost: Quantities = field(default_factory=Counter)
    """At addresses that are nobody's."""
    holders: Counter[int] = field(default_factory=Counter)
    """Notes that homes hold unspent though nobody counts them any more."""
    late_homes: Counter[int] = field(default_factory=Counter)
    """Notes that homes deposited too late."""
    credited: Counter[tuple[int, Kind, int]] = field(default_factory=Counter)
    """What bills owe each home for, by home, kind and interval: notes that came to its meter in time and stayed."""
    respent: Counter[int] = field(default_factory=Counter)
    """Notes that homes took away again from their meter's addresses."""
    losers: Counter[str] = field(default_factory=Counter)
    """Notes sent to nobody, by the wallet (or wallets) that did so."""
    traded_wh: Counter[tuple[int, int]] = field(default_factory=Counter)
    """Energy that a home bought less what it sold, by home and interval."""
    paid_nano: Counter[tuple[int, int]] = field(default_factory=Counter)
    """What a home paid for that, less what it was paid."""


def trace(entries: Iterable[Entry], owner_of: OwnerOf, grid: IntervalGrid, gate_s: int) -> Whereabouts:
    """Follow every note through the whole ledger. ``owner_of`` knows the addresses of all homes."""
    found, unspent, now_s = Whereabouts(), dict[NoteId, tuple[IssuedNote, int, int, str]](), 0
    for entry in entries:
        tx, now_s = entry.signed.tx, entry.time_s
        outputs = issued(outputs_of(tx, grid.interval_s), entry.digest)
        window = _window(tx, owner_of)
        if isinstance(tx, Withdraw):
            for note in outputs:
                _add(found.issued, note, window, grid)
        elif isinstance(tx, Settle):
            _count_trades(found, tx, owner_of, grid)
        for spent in inputs_of(tx):
            unspent.pop(spent.id, None)
            if (taken_from := owner_of(spent.note.owner)) is not None and taken_from.is_deposit:
                found.respent[taken_from.home] += 1
        for note in outputs:
            owner = owner_of(note.note.owner)
            sender = "" if owner else _sender(tx, note, owner_of, grid)
            unspent[note.id] = (note, entry.time_s, window if owner is None else owner.window, sender)
    for note, time_s, window, sender in unspent.values():
        owner = owner_of(note.note.owner)
        if owner is None:
            _add(found.lost, note, window, grid)
            found.losers[sender] += 1
        elif not owner.is_deposit:
            _add(found.held, note, window, grid)
            if window < first_open_interval(grid, now_s, gate_s):
                found.holders[owner.home] += 1
        else:
            _split_deposit(found, note, window, time_s, grid, gate_s, owner.home)
    return found


def audit_notes(found: Whereabouts) -> Part:
    """The balance of every kind and interval, and who sent notes to nobody."""
    findings = []
    for kind, t in sorted({*found.issued, *found.deposited, *found.late, *found.held, *found.lost}):
        key = kind, t
        there = found.deposited[key] + found.late[key] + found.held[key] + found.lost[key]
        if kind != Kind.FA and there != found.issued[key]:
            text = f"interval {t}: {found.issued[key]} {UNIT[kind]} were issued and {there} are there"
            findings.append(Finding(Check.NOTES, "the ledger", text))
    totals = {name: _sums(getattr(found, name)) for name in ("issued", "deposited", "late", "held", "lost")}
    there = sum(totals[name][Kind.FA] for name in ("deposited", "late", "held", "lost"))
    if there != totals["issued"][Kind.FA]:
        text = f"{totals['issued'][Kind.FA]} nano of FA were issued and {there} are there"
        findings.append(Finding(Check.NOTES, "the ledger", text))
    for loser, count in sorted(found.losers.items()):
        text = f"sent {count} notes to addresses that are no home's; their value is lost"
        findings.append(Finding(Check.NOTES, loser, text))
    for home, count in sorted(found.respent.items()):
        text = f"spent {count} notes that it had deposited: its meter credited them, and they were used again"
        findings.append(Finding(Check.NOTES, f"wallet{home}", text))
    figures = "; ".join(
        f"{kind.name} "
        + ", ".join(f"{totals[name][kind]} {name}" for name in totals if totals[name][kind] or name == "issued")
        for kind in Kind
    )
    for what, homes in (("forgotten in", found.holders), ("too late from", found.late_homes)):
        if homes:
            figures += f"; {what} " + ", ".join(f"wallet{home} ({count})" for home, count in sorted(homes.items()))
    return Part(Check.NOTES, figures, tuple(findings))


def audit_credits(found: Whereabouts, bills: Mapping[int, Iterable[BillingRecord]]) -> list[Finding]:
    """Bills, by home, that credit other deposits than lie at the meter's addresses; counted without the meter's code.

    Where a home took deposits away again, that is found elsewhere.
    """
    findings = []
    for home, records in sorted(bills.items()):
        if home in found.respent:
            continue
        for r in records:
            for kind, billed in (
                (Kind.EPA, r.epa_deposited_wh),
                (Kind.ECA, r.eca_deposited_wh),
                (Kind.FA, r.fa_deposited_nano),
            ):
                there = found.credited[home, kind, r.t]
                if billed != there:
                    text = f"interval {r.t}: {billed} {UNIT[kind]} are credited, and {there} came to the meter in time"
                    findings.append(Finding(Check.BILLS, f"meter{home}", text))
    return findings


def _sums(quantities: Quantities) -> Counter[Kind]:
    sums: Counter[Kind] = Counter()
    for (kind, _), quantity in quantities.items():
        sums[kind] += quantity
    return sums


def _add(to: Quantities, note: IssuedNote, window: int, grid: IntervalGrid) -> None:
    n = note.note
    if n.kind == Kind.FA:
        to[Kind.FA, window] += n.amount_nano
        return
    for t in range(n.start, n.end + 1):
        to[Kind(n.kind), t] += energy_wh(n.power_w, grid.interval_s)


def _split_deposit(
    found: Whereabouts, note: IssuedNote, window: int, time_s: int, grid: IntervalGrid, gate_s: int, home: int
) -> None:
    n, first_open = note.note, first_open_interval(grid, time_s, gate_s)
    if n.kind == Kind.FA:
        in_time = window >= first_open
        (found.deposited if in_time else found.late)[Kind.FA, window] += n.amount_nano
        if in_time:
            found.credited[home, Kind.FA, window] += n.amount_nano
        else:
            found.late_homes[home] += 1
        return
    for t in range(n.start, n.end + 1):
        wh = energy_wh(n.power_w, grid.interval_s)
        (found.deposited if t >= first_open else found.late)[Kind(n.kind), t] += wh
        if t >= first_open:
            found.credited[home, Kind(n.kind), t] += wh
    if n.start < first_open:
        found.late_homes[home] += 1


def _window(tx: Transaction, owner_of: OwnerOf) -> int:
    if isinstance(tx, Withdraw):
        return tx.window
    places = (owner_of(note.note.owner) for note in inputs_of(tx))
    return next((owner.window for owner in places if owner is not None), 0)


def _count_trades(found: Whereabouts, tx: Settle, owner_of: OwnerOf, grid: IntervalGrid) -> None:
    for fill in tx.fills:
        t, energy = fill.sell.order.energy.note.start, fill.energy_wh(grid.interval_s)
        for order, sign in ((fill.sell.order, -1), (fill.buy.order, 1)):
            owner = owner_of(order.energy.note.owner)
            if owner is not None:
                found.traded_wh[owner.home, t] += sign * energy
                found.paid_nano[owner.home, t] += sign * energy * fill.price_nano_per_wh


def _sender(tx: Transaction, note: IssuedNote, owner_of: OwnerOf, grid: IntervalGrid) -> str:
    """Who sent a note to nobody: whoever named its address, or of a mix those who got less than they gave."""
    if isinstance(tx, Withdraw):
        return f"meter{tx.meter}"
    if isinstance(tx, Settle):
        return next((_named(fill, note.note.owner, owner_of) for fill in tx.fills if _names(fill, note)), "somebody")
    gave = Counter(owner.home for i in inputs_of(tx) if (owner := owner_of(i.note.owner)) is not None)
    got = Counter(o.home for n in outputs_of(tx, grid.interval_s) if (o := owner_of(n.owner)) is not None)
    return " or ".join(f"wallet{home}" for home in sorted(gave - got)) or "somebody"


def _names(fill: Fill, note: IssuedNote) -> bool:
    address = note.note.owner
    return any(address in (o.deliver_to, o.pay_to, o.keep_at) for o in (fill.sell.order, fill.buy.order))


def _named(fill: Fill, address: Address, owner_of: OwnerOf) -> str:
    for order in (fill.sell.order, fill.buy.order):
        if address in (order.deliver_to, order.pay_to, order.keep_at):
            owner = owner_of(order.energy.note.owner)
            return "somebody" if owner is None else f"wallet{owner.home}"
    return "somebody"
