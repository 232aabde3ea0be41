"""Adversaries: each gives, for every output of a mix, weights of the meters that it may belong to.

Weights need not sum to one; an adversary that has no idea weighs all inputs alike. None of them sees the truth.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import combinations
from math import comb
from typing import Protocol

from assets.keys import ZERO_ADDRESS, Address
from assets.orders import Order
from assets.transactions import NO_MEMO, Transact
from petra.privacy.view import Mix, View

Weights = dict[int, float]
Posterior = dict[Address, Weights]


class Adversary(Protocol):
    """Somebody who tries to tie mixed notes to meters."""

    @property
    def name(self) -> str:
        """As in the table."""

    def guess(self, view: View) -> Posterior:
        """Weights of meters for the outputs of all mixes that no corrupted home owns."""


def _alike(view: View, mix: Mix) -> Weights:
    return {i.meter: 1.0 for i in view.honest_inputs(mix)}


class Uniform:
    """Knows only which meters took part: the anonymity that the ledger itself shows."""

    name = "uniform"

    def guess(self, view: View) -> Posterior:
        """All inputs of the mix alike."""
        return {o.owner: _alike(view, mix) for mix in view.mixes for o in view.honest_outputs(mix)}


class OutputOrder:
    """Takes the order of a mix's outputs for that of its inputs."""

    name = "order of outputs"

    def guess(self, view: View) -> Posterior:
        """The input at the output's place."""
        return {
            o.owner: {view.honest_inputs(mix)[k].meter: 1.0} if k < len(view.honest_inputs(mix)) else _alike(view, mix)
            for mix in view.mixes
            for k, o in enumerate(view.honest_outputs(mix))
        }


class Timing:
    """First in, first out: who withdrew early deposits early."""

    name = "timing"

    def guess(self, view: View) -> Posterior:
        """Deposits are some of the homes, in the order of the withdrawals; of which, nothing is known."""
        found: Posterior = {}
        for mix in view.mixes:
            inputs = sorted(view.honest_inputs(mix), key=lambda i: i.seq)
            for o in view.honest_outputs(mix):
                found[o.owner] = _alike(view, mix)
            spends = {o.owner: view.spends.get(o.owner) for o in view.honest_outputs(mix)}
            deposited = sorted((s.rank, owner) for owner, s in spends.items() if s is not None and s.order is None)
            n, d = len(inputs), len(deposited)
            if not 0 < d <= n:
                continue
            for r, (_, owner) in enumerate(deposited):
                found[owner] = {
                    inputs[i].meter: float(comb(i, r) * comb(n - 1 - i, d - 1 - r)) for i in range(r, n - d + r + 1)
                }
        return found


def _by_amounts(view: View, mix: Mix) -> Posterior:
    """Inputs that can have made each output: of its quantity, or of its and another output's sum."""
    inputs, outputs = view.honest_inputs(mix), view.honest_outputs(mix)
    quantities = {i.quantity for i in inputs}
    if quantities == {o.quantity for o in outputs} and len(quantities) == 1:
        return {o.owner: _alike(view, mix) for o in outputs}
    sums: defaultdict[Address, set[int]] = defaultdict(set)
    for o in outputs:
        sums[o.owner].add(o.quantity)
    for a, b in combinations(outputs, 2):
        if a.quantity + b.quantity in quantities:
            sums[a.owner].add(a.quantity + b.quantity)
            sums[b.owner].add(a.quantity + b.quantity)
    found: Posterior = {}
    for o in outputs:
        fitting = {i.meter: 1.0 for i in inputs if i.quantity in sums[o.owner]}
        found[o.owner] = fitting or _alike(view, mix)
    return found


class Amounts:
    """Amounts and partial sums, and then whatever is spent together with a note that these gave away."""

    name = "amounts"

    def guess(self, view: View) -> Posterior:
        """Candidates by amounts, intersected over notes of one owner."""
        sets: Posterior = {}
        for mix in view.mixes:
            sets |= _by_amounts(view, mix)
        return _intersected(view, sets, spent_together(view))


class SpentTogether:
    """Notes of one order or transaction, and addresses that occur twice, are of one home."""

    name = "spent together"

    def guess(self, view: View) -> Posterior:
        """Candidates by participation, intersected over notes of one owner."""
        return _intersected(view, Uniform().guess(view), spent_together(view))


class Intersection:
    """The same over all windows, and taking equal limit prices of a window for one home's."""

    name = "intersection"

    def guess(self, view: View) -> Posterior:
        """Homes that were there whenever the owner was."""
        return _intersected(view, Uniform().guess(view), [*spent_together(view), *_equal_limits(view)])


class Fingerprint:
    """Numbers in an order that also are the meter's: its number, or its count of withdrawals."""

    name = "nonce fingerprint"

    def guess(self, view: View) -> Posterior:
        """The meters whose numbers occur, if any do."""
        found: Posterior = {}
        for mix in view.mixes:
            inputs = view.honest_inputs(mix)
            for o in view.honest_outputs(mix):
                spend = view.spends.get(o.owner)
                marks = {0} if spend is None or spend.order is None else {spend.order.nonce}
                same = {i.meter: 1.0 for i in inputs if {i.meter, i.nonce} & (marks - {0})}
                found[o.owner] = same or _alike(view, mix)
        return found


def addresses_of(order: Order) -> set[Address]:
    """All addresses of the one home whose order it is."""
    return {n.note.owner for n in order.notes} | {order.deliver_to, order.pay_to, order.keep_at} - {ZERO_ADDRESS}


def spent_together(view: View) -> list[set[Address]]:
    """Groups of addresses that one transaction or order shows to be one home's."""
    groups = [addresses_of(order) for order in view.orders]
    for entry in view.entries:
        tx = entry.signed.tx
        if isinstance(tx, Transact) and tx.memo == NO_MEMO:
            groups.append({i.note.owner for i in tx.inputs} | {o.owner for o in tx.outputs})
    return groups


def _equal_limits(view: View) -> Iterator[set[Address]]:
    """Orders of one side, interval and limit."""
    rows: defaultdict[tuple[int, int, int], set[Address]] = defaultdict(set)
    for order in view.orders:
        rows[order.side, order.energy.note.start, order.limit_nano_per_wh] |= addresses_of(order)
    yield from rows.values()


def _intersected(view: View, sets: Posterior, groups: Iterable[set[Address]]) -> Posterior:
    """Every group's members get the meters that are possible for all of them; no meter possible: the group is wrong."""
    together: dict[Address, Address] = {}

    def root(address: Address) -> Address:
        while together.get(address, address) != address:
            address = together[address]
        return address

    for group in groups:
        first, *others = (root(a) for a in sorted(group))
        for other in others:
            together[root(other)] = root(first)
    members: defaultdict[Address, set[Address]] = defaultdict(set)
    for address in {*sets, *together, *together.values(), *view.withdrawn}:
        members[root(address)].add(address)
    found: Posterior = {}
    for group in members.values():
        possible: set[int] | None = None
        for address in group:
            issued = view.withdrawn.get(address)
            here = {issued.meter} if issued is not None else set(sets.get(address, ()))
            if here:
                possible = here if possible is None else possible & here
        for address in group & sets.keys():
            found[address] = {m: w for m, w in sets[address].items() if m in (possible or ())} or sets[address]
    return found


@cache
def standard() -> tuple[Adversary, ...]:
    """All adversaries that need no training."""
    return Uniform(), OutputOrder(), Timing(), Amounts(), Fingerprint(), SpentTogether(), Intersection()
