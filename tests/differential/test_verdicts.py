"""The same random transactions to the specification and to the contract: the same verdicts, the same state.

A run is a sequence of batches; most transactions are sound but for one defect drawn from a list, so that every rule is
reached. Verdicts are compared with class and arguments, and afterwards everything that either ledger can tell.
"""

from collections import Counter
from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assets.errors import REFUSALS
from assets.intervals import IntervalGrid
from assets.keys import ORDER, ZERO_ADDRESS, Address, Digest, ThrowAwayKeys
from assets.ledger import SpecLedger
from assets.notes import MAX_SPAN, IssuedNote, Kind, Note, issued
from assets.port import NoteStatus
from assets.transactions import (
    Authorisation,
    FeederCapacity,
    PriceChange,
    Regulate,
    Settlement,
    Signed,
    Transact,
    Withdraw,
    sign,
)
from contracts.ledger import EvmLedger

GENESIS_S = 1_700_000_000
METERS = (1, 2, 3)
FEEDERS = (0, 1)
INTERVALS = 6
MISSED = 6
"""How many rules a run may fail to reach by chance; tests/contracts has each of them."""

_keys = ThrowAwayKeys(7, "differential")
DSO = _keys.fresh()
METER_KEYS = {meter: _keys.fresh() for meter in METERS}
OWNERS = [_keys.fresh() for _ in range(4)]
KEY_OF = {key.address: key for key in [DSO, *METER_KEYS.values(), *OWNERS]}

EDGES = (0, 1, 2**63 - 1, 2**63, 2**64 - 1)


class Twins:
    """Both ledgers, and what a sound transaction has to know of them."""

    def __init__(self, chain, interval_s):
        grid = IntervalGrid(GENESIS_S, interval_s)
        self.evm = EvmLedger.deploy(chain, DSO.address, grid)
        self.spec = SpecLedger(self.evm.domain, grid, DSO.address, time_s=self.evm.now_s)
        self.known: list[IssuedNote] = []
        self.verdicts: Counter[str] = Counter()

    def submit(self, batch):
        """The batch to both, with the specification's clock set to the block's time."""
        on_chain = self.evm.submit(batch)
        self.spec.advance_to(on_chain[0].time_s)
        expected = self.spec.submit(batch)
        assert on_chain == expected
        for signed, receipt in zip(batch, expected, strict=True):
            self.verdicts[type(receipt.refusal).__name__ if receipt.refusal else "accepted"] += 1
            if receipt.accepted and not isinstance(signed.tx, Regulate):
                self.known.extend(issued(signed.tx.outputs, receipt.digest))

    def compare_states(self):
        state, views = self.spec.state, self.evm.views
        assert self.evm.entries() == self.spec.entries()
        for note in self.known:
            assert views.status(note.id) == self.evm.status(note.id) == self.spec.status(note.id)
        for meter in METERS:
            account = state.meters.get(meter)
            assert views.meter_nonce(meter) == self.evm.meter_nonce(meter) == self.spec.meter_nonce(meter)
            assert views.meter_limits(meter) == (account and (account.authorisation, account.banned))
            if account:
                assert views.meter_credit(meter) == (account.fa_withdrawn_nano, account.fa_settled_nano)
                assert issued_by(views.meter_issued, meter) == sums(account.issued_w)
        for feeder in FEEDERS:
            record = state.feeders.get(feeder)
            assert views.feeder_caps(feeder) == (record and record.capacity)
            if record:
                assert issued_by(views.feeder_issued, feeder) == sums(record.issued_w)
        assert views.regulation_nonce() == self.evm.regulation_nonce() == self.spec.regulation_nonce()
        for t in (0, 1, INTERVALS):
            assert views.price_at(t) == self.evm.price_at(t) == self.spec.price_at(t)


def issued_by(view, number):
    return [view(number, t) for t in range(INTERVALS)]


def sums(issued_w):
    return [(issued_w.get((Kind.EPA, t), 0), issued_w.get((Kind.ECA, t), 0)) for t in range(INTERVALS)]


# --- Sound transactions ----------------------------------------------------------------------------------

owners = st.sampled_from([key.address for key in OWNERS])
powers = st.sampled_from([900, 1800, 3600, 7200])


@st.composite
def notes(draw):
    kind = draw(st.sampled_from(list(Kind)))
    if kind == Kind.FA:
        return Note(kind, draw(owners), draw(st.sampled_from([5, 1000, 7 * 10**8])), 0, 0)
    start = draw(st.integers(0, INTERVALS - 1))
    return Note(kind, draw(owners), draw(powers), start, draw(st.integers(start, INTERVALS - 1)))


@st.composite
def regulations(draw, twins):
    prices = draw(st.lists(st.tuples(st.integers(0, 3), st.sampled_from([90, 240])), max_size=2))
    limits = st.sampled_from([3600, 10_000, 10**9])
    return Regulate(
        nonce=twins.spec.regulation_nonce(),
        feeders=tuple(FeederCapacity(f, draw(limits), draw(limits)) for f in FEEDERS),
        authorise=tuple(
            Authorisation(m, METER_KEYS[m].address, draw(st.sampled_from(FEEDERS)), draw(limits), draw(limits), 10**9)
            for m in draw(st.lists(st.sampled_from(METERS), max_size=3))
        ),
        prices=tuple(PriceChange(GENESIS_S + 900 * t, 240, production) for t, production in prices),
    )


@st.composite
def withdrawals(draw, twins):
    meter = draw(st.sampled_from(METERS))
    window = draw(st.integers(0, INTERVALS - 1))
    return Withdraw(
        meter, twins.spec.meter_nonce(meter), window, tuple(draw(st.lists(notes(), min_size=1, max_size=4)))
    )


@st.composite
def transfers(draw, twins):
    """Some unspent notes, and outputs that are worth the same: whole, split in power or split in time."""
    unspent = [n for n in twins.known if twins.spec.status(n.id) is NoteStatus.UNSPENT]
    if not unspent:
        return None
    inputs = draw(st.lists(st.sampled_from(unspent), min_size=1, max_size=4, unique=True))
    outputs = []
    for issued_note in inputs:
        note = replace(issued_note.note, owner=draw(owners))
        match draw(st.integers(0, 3)):
            case 0 if note.quantity % 1800 == 0 or (note.kind == Kind.FA and note.quantity > 1):
                half = note.quantity // 2
                outputs += [replace(note, quantity=half), replace(note, quantity=note.quantity - half)]
            case 1 if note.start < note.end:
                outputs += [replace(note, end=note.start), replace(note, start=note.start + 1)]
            case _:
                outputs.append(note)
    return Transact(
        tuple(inputs), tuple(draw(st.permutations(outputs))), Digest(draw(st.sampled_from([bytes(32), b"\7" * 32])))
    )


# --- Defects ---------------------------------------------------------------------------------------------


@st.composite
def spoilt_note(draw, note):
    quantity, index = st.sampled_from([*EDGES, 7]), st.sampled_from([0, 1, INTERVALS, MAX_SPAN, 2**32 - 2, 2**32 - 1])
    match draw(st.integers(0, 5)):
        case 0:
            return replace(note, kind=draw(st.sampled_from([0, 1, 2, 3, 4, 255])))
        case 1:
            return replace(note, owner=ZERO_ADDRESS)
        case 2 | 3:
            return replace(note, quantity=draw(quantity))
        case 4:
            return replace(note, start=draw(index))
        case _:
            return replace(note, end=draw(index))


@st.composite
def with_spoilt_outputs(draw, outputs):
    place = draw(st.integers(0, len(outputs) - 1))
    match draw(st.integers(0, 6)):
        case 0:
            return ()
        case 1:
            return (*outputs, draw(notes()))
        case 2:
            return outputs[:place] + outputs[place + 1 :]
        case 3:
            return outputs[:1] * 257
        case _:
            return (*outputs[:place], draw(spoilt_note(outputs[place])), *outputs[place + 1 :])


@st.composite
def spoilt_transfer(draw, tx, twins):
    place = draw(st.integers(0, len(tx.inputs) - 1))
    chosen = tx.inputs[place]
    match draw(st.integers(0, 6)):
        case 0:
            return replace(tx, inputs=())
        case 1:
            return replace(tx, inputs=(*tx.inputs, chosen))
        case 2:
            return replace(tx, inputs=(*tx.inputs, draw(st.sampled_from(twins.known))))
        case 3:
            forged = replace(chosen, note=draw(spoilt_note(chosen.note)))
            return replace(tx, inputs=(*tx.inputs[:place], forged, *tx.inputs[place + 1 :]))
        case 4:
            forged = replace(chosen, index=chosen.index + 1)
            return replace(tx, inputs=(*tx.inputs[:place], forged, *tx.inputs[place + 1 :]))
        case _:
            return replace(tx, outputs=draw(with_spoilt_outputs(tx.outputs)))


@st.composite
def spoilt_withdrawal(draw, tx):
    match draw(st.integers(0, 4)):
        case 0:
            return replace(tx, meter=draw(st.sampled_from([0, *METERS, 9, 2**32 - 1])))
        case 1:
            return replace(tx, nonce=draw(st.sampled_from([0, tx.nonce + 1, 2**64 - 1])))
        case _:
            return replace(tx, outputs=draw(with_spoilt_outputs(tx.outputs)))


@st.composite
def spoilt_regulation(draw, tx):
    edge, meter = st.sampled_from(EDGES), st.sampled_from([*METERS, 9])
    limit = st.sampled_from([0, 5000, 2**63 - 1, 2**63])
    match draw(st.integers(0, 6)):
        case 0:
            return replace(tx, nonce=tx.nonce + 1)
        case 1:
            return replace(tx, feeders=(FeederCapacity(draw(st.sampled_from(FEEDERS)), draw(edge), draw(edge)),))
        case 2:
            key = draw(st.sampled_from([ZERO_ADDRESS, METER_KEYS[1].address]))
            feeder = draw(st.sampled_from([*FEEDERS, 5]))
            return replace(
                tx, authorise=(Authorisation(1, Address(key), feeder, draw(limit), draw(limit), draw(limit)),)
            )
        case 3:
            return replace(tx, ban=tuple(draw(st.lists(meter, min_size=1, max_size=2))))
        case 4:
            amount = st.sampled_from([*EDGES, 5, 1000])
            settlements = draw(st.lists(st.builds(Settlement, meter, amount), min_size=1, max_size=3))
            return replace(tx, settle=tuple(settlements))
        case 5:
            return replace(
                tx, prices=(*tx.prices, PriceChange(GENESIS_S - 2_000_000, 240, draw(st.sampled_from([90, 241]))))
            )
        case _:
            time_s = st.sampled_from([0, GENESIS_S, 2**64 - 1])
            return replace(tx, prices=(*tx.prices, PriceChange(draw(time_s), draw(edge), draw(edge))))


@st.composite
def spoilt_signatures(draw, signatures):
    place = draw(st.integers(0, len(signatures) - 1)) if signatures else 0
    good = signatures[place] if signatures else OWNERS[0].sign(b"\1" * 32)
    s = int.from_bytes(good[32:64], "big")
    mirrored = good[:32] + ((ORDER - s) % ORDER).to_bytes(32, "big") + bytes([55 - good[64]])
    bad = draw(
        st.sampled_from(
            [
                mirrored,  # the same signature with a high s
                good[:64] + bytes([good[64] - 27]),
                good[:64] + bytes([55 - good[64]]),
                good[:64],
                good + b"\0",
                b"",
                bytes(65),
                bytes(64) + b"\x1b",
                ORDER.to_bytes(32, "big") + good[32:],
                b"\xff" * 32 + good[32:],
                good[:32] + bytes(32) + good[64:],
                OWNERS[0].sign(b"\1" * 32),
            ]
        )
    )
    return draw(
        st.sampled_from(
            [
                (*signatures[:place], bad, *signatures[place + 1 :]),
                (*signatures[:place], bad, *signatures[place + 1 :]),
                signatures[:-1],
                (*signatures, good),
                tuple(reversed(signatures)),
            ]
        )
    )


def signed_rightly(twins, tx):
    match tx:
        case Withdraw():
            account = twins.spec.state.meters.get(tx.meter)
            signers = (account.authorisation.key if account else METER_KEYS[1].address,)
        case Transact():
            signers = tx.owners
        case Regulate():
            signers = (DSO.address,)
    return sign(twins.evm.domain, tx, *[KEY_OF.get(address, OWNERS[0]) for address in signers])


@st.composite
def submissions(draw, twins):
    kind = draw(st.sampled_from([withdrawals, withdrawals, transfers, transfers, transfers, regulations]))
    tx = draw(kind(twins)) or draw(withdrawals(twins))
    if draw(st.booleans()):
        match tx:
            case Withdraw():
                tx = draw(spoilt_withdrawal(tx))
            case Transact():
                tx = draw(spoilt_transfer(tx, twins))
            case Regulate():
                tx = draw(spoilt_regulation(tx))
    signed = signed_rightly(twins, tx)
    if draw(st.integers(0, 5)) == 5:
        signed = Signed(tx, draw(spoilt_signatures(signed.signatures)))
    return signed


# --- The runs --------------------------------------------------------------------------------------------

total: Counter[str] = Counter()


def play(chain, data, steps):
    twins = Twins(chain, data.draw(st.sampled_from([3600, 900, 4])))
    start = Regulate(
        0,
        feeders=tuple(FeederCapacity(f, 20_000, 20_000) for f in FEEDERS),
        authorise=tuple(Authorisation(m, METER_KEYS[m].address, m % 2, 9000, 9000, 10**9) for m in METERS),
        prices=(PriceChange(GENESIS_S, 240, 90),),
    )
    twins.submit([signed_rightly(twins, start)])
    for _ in range(steps):
        twins.submit(data.draw(st.lists(submissions(twins), min_size=1, max_size=6)))
    twins.compare_states()
    total.update(twins.verdicts)


def test_both_ledgers_give_the_same_verdicts_and_reach_the_same_state(chain):
    total.clear()

    @settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None)
    @given(data=st.data())
    def compare(data):
        play(chain, data, steps=8)

    compare()
    assert total["accepted"] > 100
    assert len(set(REFUSALS) - set(total)) <= MISSED, f"never reached: {set(REFUSALS) - set(total)}"
