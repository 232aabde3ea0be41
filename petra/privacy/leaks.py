"""Planted leaks: a real run, changed in one thing that a careless implementation would do.

The signatures of a changed run do not fit any more; adversaries do not look at them. A measurement that does not catch
each of these is worthless, and says so.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from assets.hashing import keccak
from assets.keys import Address
from assets.notes import IssuedNote, Note
from assets.orders import Fill, Order, SignedOrder
from assets.port import Entry
from assets.transactions import NO_MEMO, Settle, Signed, Transact, Transaction, Withdraw
from petra.privacy.view import Record, View


@dataclass(frozen=True, slots=True)
class Leak:
    """A mistake, and the adversary that must notice it."""

    name: str
    caught_by: str
    plant: Callable[[Record], Record]


def _relabelled(record: Record, names: Mapping[Address, Address]) -> list[Entry]:
    """The entries with some addresses replaced everywhere."""

    def address(a: Address) -> Address:
        return names.get(a, a)

    def note(n: Note) -> Note:
        return replace(n, owner=address(n.owner))

    def issued(i: IssuedNote) -> IssuedNote:
        return replace(i, note=note(i.note))

    def order(s: SignedOrder) -> SignedOrder:
        o = s.order
        changed = replace(
            o,
            energy=issued(o.energy),
            money=tuple(map(issued, o.money)),
            deliver_to=address(o.deliver_to),
            pay_to=address(o.pay_to),
            keep_at=address(o.keep_at),
        )
        return replace(s, order=changed)

    def changed(tx: Transaction) -> Transaction:
        match tx:
            case Withdraw():
                return replace(tx, outputs=tuple(map(note, tx.outputs)))
            case Transact():
                return replace(tx, inputs=tuple(map(issued, tx.inputs)), outputs=tuple(map(note, tx.outputs)))
            case Settle():
                return replace(tx, fills=tuple(replace(f, sell=order(f.sell), buy=order(f.buy)) for f in tx.fills))
        return tx

    return [_with(entry, changed(entry.signed.tx)) for entry in record.entries]


def _with(entry: Entry, tx: Transaction) -> Entry:
    return replace(entry, signed=Signed(tx, entry.signed.signatures))


def _is_mix(tx: Transaction) -> bool:
    return isinstance(tx, Transact) and tx.memo != NO_MEMO


def _is_deposit(tx: Transaction) -> bool:
    return isinstance(tx, Transact) and tx.memo == NO_MEMO


def _renumbered(entries: Sequence[Entry]) -> list[Entry]:
    return [replace(entry, seq=seq) for seq, entry in enumerate(entries)]


def _changed(record: Record, change: Callable[[Transaction], Transaction]) -> Record:
    return replace(record, entries=[_with(entry, change(entry.signed.tx)) for entry in record.entries])


def no_cover(record: Record) -> Record:
    """Homes that trade nothing in a window do not withdraw, mix and deposit in it."""
    view, truth = View(record.entries), record.truth
    active = {(mix.window, truth[o.owner]) for mix in view.mixes for o in mix.outputs if _traded(view, o.owner)}
    window_of = {note.owner: row.window for mix in view.mixes for row in mix.inputs for note in (row,)}
    window_of |= {o.owner: mix.window for mix in view.mixes for o in mix.outputs}

    def stays(owner: Address) -> bool:
        return owner not in window_of or (window_of[owner], truth[owner]) in active

    def kept() -> Iterator[Entry]:
        for entry in record.entries:
            tx = entry.signed.tx
            if isinstance(tx, Withdraw) and (tx.window, tx.meter) not in active:
                continue
            if isinstance(tx, Transact):
                if _is_deposit(tx) and not all(stays(i.note.owner) for i in tx.inputs):
                    continue
                if _is_mix(tx):
                    inputs = tuple(i for i in tx.inputs if stays(i.note.owner))
                    if not inputs:
                        continue
                    outputs = tuple(o for o in tx.outputs if stays(o.owner))
                    entry = _with(entry, replace(tx, inputs=inputs, outputs=outputs))
            yield entry

    return replace(record, entries=_renumbered(list(kept())))


def _traded(view: View, owner: Address) -> bool:
    spend = view.spends.get(owner)
    return spend is not None and spend.order is not None


def reused_address(record: Record) -> Record:
    """Mixed notes go to addresses that got a withdrawal of an earlier window."""
    view, truth = View(record.entries), record.truth
    used = {(row.meter, row.window): row.owner for row in view.withdrawn.values()}
    names = {}
    for mix in view.mixes:
        for o in mix.outputs:
            before = used.get((truth[o.owner], mix.window - 1))
            if before is not None:
                names[o.owner] = before
    return replace(record, entries=_relabelled(record, names))


def sorted_outputs(record: Record) -> Record:
    """A mix's outputs stand in the order of its inputs."""
    truth = record.truth

    def change(tx: Transaction) -> Transaction:
        if isinstance(tx, Transact) and _is_mix(tx):
            of_home = {truth[o.owner]: o for o in tx.outputs}
            return replace(tx, outputs=tuple(of_home[truth[i.note.owner]] for i in tx.inputs))
        return tx

    return _changed(record, change)


def _own_amount(record: Record, owner: Address) -> int:
    return 1 + record.homes.index(record.truth[owner])


def distinct_amount(record: Record) -> Record:
    """Every home's notes have an amount of its own."""

    def change(tx: Transaction) -> Transaction:
        def note(n: Note) -> Note:
            return replace(n, quantity=n.quantity + 1000 * _own_amount(record, n.owner))

        if isinstance(tx, Withdraw):
            return replace(tx, outputs=tuple(map(note, tx.outputs)))
        if isinstance(tx, Transact) and _is_mix(tx):
            inputs = tuple(replace(i, note=note(i.note)) for i in tx.inputs)
            return replace(tx, inputs=inputs, outputs=tuple(map(note, tx.outputs)))
        return tx

    return _changed(record, change)


def change_output(record: Record) -> Record:
    """Inputs are larger than the mixed note, the rest returns as change, and is deposited together with the note."""
    truth: dict[Address, int] = dict(record.truth)

    def change_of(owner: Address) -> Address:
        address = Address(keccak(b"planted change" + owner)[12:])
        truth[address] = truth[owner]
        return address

    def larger(n: Note) -> Note:
        return replace(n, quantity=n.quantity + 1000 * _own_amount(record, n.owner))

    mixed = {o.owner for mix in View(record.entries).mixes for o in mix.outputs}

    def alter(tx: Transaction) -> Transaction:
        if isinstance(tx, Withdraw):
            return replace(tx, outputs=tuple(map(larger, tx.outputs)))
        if isinstance(tx, Transact) and _is_mix(tx):
            inputs = tuple(replace(i, note=larger(i.note)) for i in tx.inputs)
            change = tuple(
                replace(o, owner=change_of(o.owner), quantity=1000 * _own_amount(record, o.owner)) for o in tx.outputs
            )
            return replace(tx, inputs=inputs, outputs=tx.outputs + change)
        if isinstance(tx, Transact) and tx.inputs[0].note.owner in mixed:
            first = tx.inputs[0]
            note = replace(first.note, owner=change_of(first.note.owner), quantity=1)
            return replace(tx, inputs=(*tx.inputs, replace(first, note=note)))
        return tx

    changed = _changed(record, alter)
    return replace(changed, truth=truth)


def immediate_deposit(record: Record) -> Record:
    """Every home deposits as soon as it can, in the order in which homes withdrew."""
    entries, truth = list(record.entries), record.truth
    at = 0
    while at < len(entries):
        end = at
        while end < len(entries) and _is_deposit(entries[end].signed.tx):
            end += 1
        entries[at:end] = sorted(entries[at:end], key=lambda e: truth[_first_owner(e)])
        at = end + 1
    return replace(record, entries=_renumbered(entries))


def _first_owner(entry: Entry) -> Address:
    assert isinstance(entry.signed.tx, Transact)
    return entry.signed.tx.inputs[0].note.owner


def numbered_orders(record: Record) -> Record:
    """A wallet numbers its orders by its meter."""

    def order(s: SignedOrder) -> SignedOrder:
        number: Order = replace(s.order, nonce=record.truth[s.order.energy.note.owner] % 256)
        return replace(s, order=number)

    def fill(f: Fill) -> Fill:
        return replace(f, sell=order(f.sell), buy=order(f.buy))

    def change(tx: Transaction) -> Transaction:
        return replace(tx, fills=tuple(map(fill, tx.fills))) if isinstance(tx, Settle) else tx

    return _changed(record, change)


LEAKS = (
    Leak("no cover behaviour", "uniform", no_cover),
    Leak("reused address", "spent together", reused_address),
    Leak("sorted outputs", "order of outputs", sorted_outputs),
    Leak("change output", "amounts", change_output),
    Leak("distinct amount", "amounts", distinct_amount),
    Leak("immediate deposit", "timing", immediate_deposit),
    Leak("numbered orders", "nonce fingerprint", numbered_orders),
)
"""All that the measurement is tried on."""
