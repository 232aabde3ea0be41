"""What must hold after any sequence of valid and invalid transactions."""

import copy
from collections import Counter
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from assets.keys import ZERO_ADDRESS
from assets.ledger import LedgerState, apply, check
from assets.notes import ENERGY_KINDS, Kind, Note, epa, fa, issued
from assets.port import NoteStatus
from assets.transactions import FeederCapacity, PriceChange, Settlement, Transact, Withdraw, digest

T = 6
"""Intervals that the examples use."""


def profile(notes):
    """Power by (kind, interval), and the sum of FA under (FA, 0)."""
    total = Counter()
    for note in notes:
        for t in [0] if note.kind == Kind.FA else range(note.start, note.end + 1):
            total[int(note.kind), t] += note.quantity
    return +total


def recut(draw, notes, owners):
    """Random notes with the same profile: split and merged in power, in time and among owners."""
    left = profile(notes)
    out = []
    while left:
        kind, t = draw(st.sampled_from(sorted(left)))
        few = len(out) < 12
        quantity = draw(st.integers(1, left[kind, t])) if few else left[kind, t]
        end = t
        while kind != Kind.FA and left[kind, end + 1] >= quantity and (not few or draw(st.booleans())):
            end += 1
        for interval in range(t, end + 1):
            left[kind, interval] -= quantity
        left = +left
        owner = draw(st.sampled_from(owners))
        out.append(Note(Kind(kind), owner, quantity, t, end))
    return tuple(out)


def unspent(ledger):
    """The issued notes of the ledger that are unspent, from its entries alone."""
    created = [
        note
        for entry in ledger.entries()
        if isinstance(entry.signed.tx, Withdraw | Transact)
        for note in issued(entry.signed.tx.outputs, entry.digest)
    ]
    return [note for note in created if ledger.status(note.id) is NoteStatus.UNSPENT]


def sign_order(inputs):
    return sorted(inputs, key=lambda i: (i.note.owner, i.id))


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_splitting_and_merging_in_power_and_time_conserves_everything(new_community, data):
    community = new_community()
    keys = {key.address: key for key in community.homes}
    for meter in (1, 2):
        spans = data.draw(st.lists(st.tuples(st.integers(0, T), st.integers(0, T)), min_size=1, max_size=3))
        notes = [
            Note(kind, community.homes[meter].address, data.draw(st.integers(1, 900)), min(span), max(span))
            for kind, span in zip((Kind.EPA, Kind.ECA, Kind.EPA), spans, strict=False)
        ]
        community.issue(meter, *notes, fa(community.homes[meter].address, data.draw(st.integers(1, 1000))))
    everything = profile(i.note for i in unspent(community.ledger))
    for _ in range(3):
        available = unspent(community.ledger)
        some = data.draw(st.lists(st.sampled_from(available), min_size=1, max_size=6, unique=True))
        inputs = tuple(sign_order(some))
        outputs = recut(data.draw, [i.note for i in inputs], list(keys))
        tx = Transact(inputs, outputs)
        receipt, created = community.transact(inputs, outputs, *[keys[owner] for owner in tx.owners])
        receipt.require()
        assert profile(i.note for i in unspent(community.ledger)) == everything
        assert {community.ledger.status(i.id) for i in created} == {NoteStatus.UNSPENT}


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_outputs_with_any_other_profile_are_unbalanced(new_community, data):
    community = new_community()
    home = community.homes[0]
    inputs = community.issue(1, epa(home.address, 500, 1, 3), fa(home.address, 100))
    outputs = list(recut(data.draw, [i.note for i in inputs], [home.address]))
    at = data.draw(st.integers(0, len(outputs) - 1))
    note = outputs[at]
    changes = [note.quantity + 1, note.quantity + data.draw(st.integers(1, 2**31))]
    changes += [note.quantity - 1] if note.quantity > 1 else []
    outputs[at] = Note(note.kind, note.owner, data.draw(st.sampled_from(changes)), note.start, note.end)
    refusal = community.transact(inputs, tuple(outputs), home)[0].refusal
    assert type(refusal).__name__ == "Unbalanced"
    kind, t = refusal.args
    difference = set(profile(outputs) | profile(i.note for i in inputs))
    wrong = {k for k in difference if profile(outputs)[k] != profile(i.note for i in inputs)[k]}
    assert (kind, t) == min(wrong)


def random_note(draw, owners):
    kind = draw(st.sampled_from(list(Kind)))
    start = 0 if kind == Kind.FA else draw(st.integers(0, T))
    end = 0 if kind == Kind.FA else start + draw(st.integers(0, 2))
    return Note(kind, draw(st.sampled_from(owners)), draw(st.sampled_from([1, 300, 700, 1000, 2500])), start, end)


def spoiled(draw, note):
    """``note`` with one malformed field, or with more than anybody may have."""
    changes = [{"kind": 0}, {"kind": 4}, {"owner": ZERO_ADDRESS}, {"quantity": 5000}, {"quantity": 0}]
    if note.kind in ENERGY_KINDS:  # money with a span has no encoding, so that nobody can even sign it
        changes.append({"end": note.start + 1024})
    return replace(note, **draw(st.sampled_from(changes)))


def random_withdrawal(draw, community):
    flaw = draw(st.sampled_from([None, None, None, "notes", "note", "nonce", "key", "meter"]))
    meter = 9 if flaw == "meter" else draw(st.sampled_from([1, 2, 3]))
    owners = [key.address for key in community.homes]
    notes = [random_note(draw, owners) for _ in range(0 if flaw == "notes" else draw(st.integers(1, 3)))]
    if flaw == "note":
        notes[-1] = spoiled(draw, notes[-1])
    nonce = community.ledger.meter_nonce(meter) + (flaw == "nonce")
    key = community.meters[meter] if flaw not in ("key", "meter") else community.homes[0]
    return community.withdraw(meter, *notes, nonce=nonce, key=key)[0]


def random_transfer(draw, community):
    flaw = draw(st.sampled_from([None, None, None, "inputs", "spent", "twice", "unknown", "outputs", "note", "keys"]))
    keys = {key.address: key for key in community.homes}
    available = unspent(community.ledger)
    chosen = draw(st.lists(st.sampled_from(available), min_size=1, max_size=4, unique=True)) if available else []
    chosen = [] if flaw == "inputs" else chosen
    chosen += [replace(chosen[-1], index=99)] if flaw == "unknown" and chosen else []
    chosen += chosen[-1:] if flaw == "twice" else []
    chosen += [i for e in community.ledger.entries() if isinstance(e.signed.tx, Transact) for i in e.signed.tx.inputs][
        : flaw == "spent"
    ]
    inputs = tuple(sign_order(chosen))
    outputs = recut(draw, [i.note for i in inputs], list(keys))
    outputs += (random_note(draw, list(keys)),) if flaw == "outputs" else ()
    outputs = (*outputs[:-1], spoiled(draw, outputs[-1])) if flaw == "note" and outputs else outputs
    signers = [keys[owner] for owner in Transact(inputs, outputs).owners]
    if flaw == "keys" and signers:
        signers[-1:] = draw(st.sampled_from([[], [community.dso], [signers[-1]] * 2]))
    return community.transact(inputs, outputs, *signers)[0]


def random_regulation(draw, community):
    flaw = draw(
        st.sampled_from([None, None, None, "feeder", "grant", "ban", "settle", "price", "past", "nonce", "key"])
    )
    now = community.ledger.now_s
    outstanding = community.state.meters[1].fa_outstanding_nano
    production = draw(st.sampled_from([1, 90_000]))
    consumption = production - 1 if flaw == "price" else draw(st.sampled_from([90_000, 240_000]))
    time_s = now - 1 if flaw == "past" else now + draw(st.sampled_from([0, 3600, 9000]))
    return community.regulate(
        feeders=(FeederCapacity(7, 2**32 if flaw == "feeder" else draw(st.sampled_from([2000, 6000])), 6000),),
        authorise=(community.grant(2, max_epa_w=2**32 if flaw == "grant" else draw(st.sampled_from([1000, 5000]))),),
        ban=(9,) if flaw == "ban" else draw(st.sampled_from([(), (), (3,)])),
        settle=(Settlement(1, outstanding + (flaw == "settle")),) if outstanding or flaw == "settle" else (),
        prices=(PriceChange(time_s, consumption, production),),
        nonce=community.ledger.regulation_nonce() + (flaw == "nonce"),
        key=community.homes[0] if flaw == "key" else community.dso,
    )


STEPS = [random_withdrawal, random_withdrawal, random_transfer, random_transfer, random_regulation]


def assert_sound(community):
    """Nothing was created or destroyed, and every account adds up."""
    state = community.state
    issued_w = Counter()
    for account in state.meters.values():
        issued_w.update(account.issued_w)
        assert 0 <= account.fa_outstanding_nano <= account.ruling.latest.authorisation.credit_nano
    for entry in community.ledger.entries():
        if isinstance(entry.signed.tx, Withdraw):
            issued_w[int(Kind.FA), 0] += sum(n.quantity for n in entry.signed.tx.outputs if n.kind == Kind.FA)
    assert profile(i.note for i in unspent(community.ledger)) == +issued_w
    by_feeder = {feeder: Counter() for feeder in state.feeders}
    for account in state.meters.values():
        by_feeder[account.feeder].update(account.issued_w)
    assert {f: +Counter(account.issued_w) for f, account in state.feeders.items()} == {
        f: +total for f, total in by_feeder.items()
    }
    assert all(p.consumption_nano_per_wh >= p.production_nano_per_wh for p in state.prices)


@given(data=st.data())
@settings(max_examples=80, deadline=None)
def test_a_refusal_changes_nothing_and_whatever_is_accepted_keeps_the_books_balanced(new_community, data):
    community = new_community()
    community.issue(1, epa(community.homes[0].address, 700, 0, 2), fa(community.homes[1].address, 300))
    past_prices = {}
    for _ in range(10):
        before, count = copy.deepcopy(community.state), len(community.ledger.entries())
        receipt = data.draw(st.sampled_from(STEPS))(data.draw, community)
        if receipt.accepted:
            assert len(community.ledger.entries()) == count + 1
        else:
            assert community.state == before
            assert len(community.ledger.entries()) == count
        assert_sound(community)
        assert all(community.ledger.price_at(t) == price for t, price in past_prices.items())
        community.ledger.advance_to(community.ledger.now_s + data.draw(st.sampled_from([0, 900, 3600])))
        grid = community.ledger.grid
        started = range(grid.index(community.ledger.now_s - 1) + 1 if community.ledger.now_s > grid.genesis_s else 0)
        past_prices = {t: community.ledger.price_at(t) for t in started}
    replayed = LedgerState(community.ledger.domain, community.ledger.grid, community.dso.address, 0)
    for entry in community.ledger.entries():
        replayed.time_s = entry.time_s
        check(replayed, entry.signed, entry.digest)
        apply(replayed, entry.signed.tx, entry.digest)
        assert entry.digest == digest(replayed.domain, entry.signed.tx)
    replayed.time_s = community.ledger.now_s
    assert replayed == community.state, "the public entries are enough to know the state"


@given(
    withdrawals=st.lists(
        st.tuples(
            st.sampled_from([1, 2, 3]),
            st.sampled_from(ENERGY_KINDS),
            st.integers(1, 4500),
            st.integers(0, 3),
            st.integers(0, 2),
        ),
        max_size=12,
    )
)
@settings(max_examples=60, deadline=None)
def test_no_sequence_of_withdrawals_exceeds_a_limit_and_no_lawful_one_is_refused(new_community, withdrawals):
    community = new_community()
    home = community.homes[0].address
    limit = {Kind.EPA: 3000, Kind.ECA: 4000}
    cap = {(7, Kind.EPA): 5000, (7, Kind.ECA): 6000, (8, Kind.EPA): 2000, (8, Kind.ECA): 2000}
    by_meter, by_feeder = Counter(), Counter()
    for meter, kind, power, start, length in withdrawals:
        feeder = 8 if meter == 3 else 7
        span = range(start, start + length + 1)
        lawful = all(
            by_meter[meter, kind, t] + power <= limit[kind] and by_feeder[feeder, kind, t] + power <= cap[feeder, kind]
            for t in span
        )
        receipt, _ = community.withdraw(meter, Note(kind, home, power, start, start + length))
        assert receipt.accepted == lawful
        if lawful:
            for t in span:
                by_meter[meter, kind, t] += power
                by_feeder[feeder, kind, t] += power
