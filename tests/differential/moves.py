"""Random moves on a ledger: sound transactions, and the defects that spoil them.

Most moves are sound but for one defect drawn from a list, so that every rule is reached.
"""

from dataclasses import replace

from hypothesis import strategies as st

from assets.errors import EncodingError
from assets.keys import ORDER, ZERO_ADDRESS, Address, Digest, ThrowAwayKeys
from assets.notes import MAX_SPAN, Kind, Note
from assets.orders import MAX_FILLS, Fill, Order, Side, SignedOrder, sign_order
from assets.transactions import (
    Authorisation,
    Cancel,
    FeederCapacity,
    PriceChange,
    Regulate,
    Settle,
    Settlement,
    Signed,
    Transact,
    Withdraw,
    sign,
)

GENESIS_S = 1_700_000_000
METERS = (1, 2, 3)
FEEDERS = (0, 1)
INTERVALS = 6

_keys = ThrowAwayKeys(7, "differential")
DSOS = [_keys.fresh() for _ in range(3)]
METER_KEYS = {meter: _keys.fresh() for meter in METERS}
OWNERS = [_keys.fresh() for _ in range(4)]
KEY_OF = {key.address: key for key in [*DSOS, *METER_KEYS.values(), *OWNERS]}

EDGES = (0, 1, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1)


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
def rulings(draw, twins):
    prices = draw(st.lists(st.tuples(st.integers(0, 3), st.sampled_from([90, 240])), max_size=2))
    limits = st.sampled_from([3600, 10_000, 10**9])
    later_s = draw(st.sampled_from([0, 0, 0, twins.spec.now_s + 200, twins.spec.now_s + 1500]))
    successor = draw(st.sampled_from([Address(ZERO_ADDRESS)] * 5 + [key.address for key in DSOS]))
    return Regulate(
        time_s=later_s,
        successor=successor,
        ban=tuple(draw(st.lists(st.sampled_from(METERS), max_size=1))) if draw(st.integers(0, 3)) == 0 else (),
        nonce=twins.spec.regulation_nonce(),
        feeders=tuple(FeederCapacity(f, draw(limits), draw(limits)) for f in FEEDERS),
        authorise=tuple(
            Authorisation(m, METER_KEYS[m].address, draw(st.sampled_from(FEEDERS)), draw(limits), draw(limits), 10**9)
            for m in draw(st.lists(st.sampled_from(METERS), max_size=3))
        ),
        prices=tuple(PriceChange(GENESIS_S + 900 * t, 240, production) for t, production in prices),
    )


@st.composite
def mixes(draw, twins):
    """Equal notes to as many owners, under a transcript."""
    by_class = {}
    for note in twins.unspent():
        by_class.setdefault(note.note.note_class, []).append(note)
    if not by_class:
        return None
    equal = draw(st.sampled_from(sorted(by_class.values(), key=len)[-3:]))
    inputs = draw(st.permutations(equal))[:20]
    return Transact(tuple(inputs), tuple(replace(n.note, owner=draw(owners)) for n in inputs), Digest(b"\7" * 32))


def addresses():
    return st.sampled_from([key.address for key in OWNERS])


@st.composite
def fills(draw, twins):
    """An EPA note and an ECA note of one span, money, and two orders that meet."""
    unspent = twins.unspent()
    supply = [n for n in unspent if n.note.kind == Kind.EPA]
    money = [n for n in unspent if n.note.kind == Kind.FA]
    pairs = [
        (e, d)
        for e in supply
        for d in unspent
        if d.note.kind == Kind.ECA and (d.note.start, d.note.end) == (e.note.start, e.note.end)
    ]
    if not pairs or not money:
        return None
    energy, demand = draw(st.sampled_from(pairs))
    offered = tuple(draw(st.lists(st.sampled_from(money), min_size=1, max_size=3, unique=True)))
    power_w = min(energy.note.quantity, demand.note.quantity)
    if draw(st.booleans()) and power_w % 1800 == 0:
        power_w //= 2
    price = draw(st.integers(1, 3))
    return Fill(
        order(draw, twins, Side.SELL, energy, (), price - draw(st.integers(0, 1)), power_w),
        order(draw, twins, Side.BUY, demand, offered, price + draw(st.integers(0, 1)), power_w),
        power_w,
        price,
    )


def order(draw, twins, side, energy, money, limit, power_w):
    least_w = draw(st.sampled_from([1, power_w, energy.note.quantity]))
    least_w = min(least_w, power_w)
    late = draw(st.integers(0, 12)) == 0
    unsigned = Order(
        side=side,
        energy=energy,
        money=money,
        limit_nano_per_wh=limit,
        deliver_to=draw(addresses()),
        pay_to=draw(addresses()),
        expires_s=twins.spec.now_s + (0 if late else 1000),
        least_w=least_w,
        keep_at=draw(addresses()),
        nonce=draw(st.integers(0, 4)),
    )
    return signed_order(twins, unsigned)


def signed_order(twins, unsigned):
    """The order with its owners' signatures; raises ``EncodingError`` for one that no ledger can be asked about."""
    return sign_order(twins.evm.domain, unsigned, *[KEY_OF.get(owner, OWNERS[0]) for owner in unsigned.owners])


@st.composite
def settlements(draw, twins):
    chosen = [draw(fills(twins)) for _ in range(draw(st.integers(1, 4)))]
    chosen = [fill for fill in chosen if fill is not None]
    if not chosen:
        return None
    spoilt = []
    for fill in chosen:
        try:
            spoilt.append(draw(spoilt_fill(fill, twins)) if draw(st.integers(0, 2)) == 0 else fill)
        except EncodingError:
            twins.verdicts["EncodingError"] += 1
    match draw(st.integers(0, 25)):
        case 0:
            return Settle(())
        case 1:
            return Settle(tuple(spoilt[:1] * (MAX_FILLS + 1)))
    return Settle(tuple(spoilt))


@st.composite
def spoilt_fill(draw, fill, twins):
    signed = fill.sell if draw(st.booleans()) else fill.buy
    name = "sell" if signed is fill.sell else "buy"
    sound = signed.order
    match draw(st.integers(0, 9)):
        case 0:
            return replace(fill, power_w=draw(st.sampled_from([0, 7, fill.power_w + 3600, 2**32 - 1])))
        case 1:
            return replace(fill, price_nano_per_wh=draw(st.sampled_from([0, 9, 2**62, 2**64 - 1])))
        case 2:
            changed = replace(sound, limit_nano_per_wh=draw(st.sampled_from([0, 2**64 - 1])))
        case 3:
            changed = replace(sound, **{draw(st.sampled_from(["deliver_to", "pay_to", "keep_at"])): ZERO_ADDRESS})
        case 4:
            changed = replace(sound, energy=draw(st.sampled_from(twins.known)))
        case 5:
            changed = replace(sound, least_w=2**32 - 1)
        case 6 if sound.side is Side.BUY:
            changed = replace(sound, money=tuple(draw(st.lists(st.sampled_from(twins.known), max_size=3))))
        case 7:
            forged = replace(sound.energy, index=sound.energy.index + draw(st.sampled_from([1, 16])))
            changed = replace(sound, energy=forged)
        case 8:
            changed = replace(sound, deliver_to=draw(addresses()))
            return replace(fill, **{name: SignedOrder(changed, signed.signatures)})
        case _:
            signatures = draw(spoilt_signatures(signed.signatures))
            return replace(fill, **{name: SignedOrder(sound, signatures)})
    return replace(fill, **{name: signed_order(twins, changed)})


@st.composite
def cancellations(draw, twins):
    return Cancel(draw(addresses()), draw(st.sampled_from([0, 1, 1 << 3, 1 << 255, 2**256 - 1])))


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
    unspent = twins.unspent()
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
    limit = st.sampled_from([0, 5000, 2**32 - 1, 2**32, 2**63])
    match draw(st.integers(0, 7)):
        case 7:
            return replace(tx, time_s=draw(st.sampled_from([1, GENESIS_S - 2_000_000])))
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
            standing = account.ruling.at(twins.spec.now_s) if account else None
            signers = (standing.authorisation.key if standing else METER_KEYS[1].address,)
        case Transact():
            signers = tx.owners
        case Settle():
            signers = ()
        case Cancel():
            signers = (tx.owner,)
        case Regulate():
            signers = (twins.spec.dso, *([] if tx.successor == ZERO_ADDRESS else [tx.successor]))
    return sign(twins.evm.domain, tx, *[KEY_OF.get(address, OWNERS[0]) for address in signers])


@st.composite
def submissions(draw, twins, kind):
    """A transaction of one kind, half of them spoilt; ``None`` where the ledger has nothing to make it of."""
    tx = draw(kind(twins))
    if tx is None:
        return None
    if draw(st.booleans()):
        match tx:
            case Withdraw():
                tx = draw(spoilt_withdrawal(tx))
            case Transact():
                tx = draw(spoilt_transfer(tx, twins))
            case Regulate():
                tx = draw(spoilt_regulation(tx))
    try:
        signed = signed_rightly(twins, tx)
    except EncodingError:  # no ledger can be asked about it
        twins.verdicts["EncodingError"] += 1
        return None
    if signed.signatures and draw(st.integers(0, 5)) == 5:
        signed = Signed(tx, draw(spoilt_signatures(signed.signatures)))
    return signed
