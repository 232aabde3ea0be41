"""The gas that a relay is sent with suffices, whatever is in it, and is not absurdly much."""

from dataclasses import replace

import pytest

from assets.notes import MAX_SPAN, issued
from assets.transactions import Authorisation, Cancel, FeederCapacity, PriceChange, Settle, Signed, sign
from contracts import encoding, gas


def used(world, batch):
    before = world.ledger.gas_used_total
    receipts = world.ledger.submit(batch)
    calls = [encoding.encode(signed, world.ledger._groups) for signed in batch]
    carried = sum(gas.of_call(signed, call) for signed, call in zip(batch, calls, strict=True))
    return receipts, world.ledger.gas_used_total - before, gas.of_relay(carried, sum(map(len, calls)))


def holds(world, batch, slack=3.5):
    receipts, spent, bound = used(world, batch)
    assert [r.refusal for r in receipts] == [None] * len(batch)
    assert spent < bound < slack * spent + 100_000
    return receipts


@pytest.fixture
def wide(world):
    """A world whose limits bind nothing."""
    grants = [Authorisation(m, k.address, 0, 2**32 - 1, 2**32 - 1, 2**60) for m, k in world.meters.items()]
    world.submit(world.regulate(feeders=(FeederCapacity(0, 2**32 - 1, 2**32 - 1),), authorise=tuple(grants))).require()
    return world


def test_the_bound_holds_for_withdrawals(wide):
    holds(wide, [wide.withdraw(wide.fa())])
    holds(wide, [wide.withdraw(wide.epa(1, 0, MAX_SPAN - 1))])
    holds(wide, [wide.withdraw(*[wide.epa(n + 1, n, n) for n in range(100)])])


def test_the_bound_holds_for_a_mix_and_for_single_moves(wide):
    notes = [wide.epa(5) for _ in range(40)]
    (receipt,) = holds(wide, [wide.withdraw(*notes)], slack=5)
    inputs = issued(tuple(notes), receipt.digest)
    keys = [wide.alice]
    holds(wide, [wide.transact(inputs[:20], notes[:20], *keys)])
    holds(wide, [wide.transact([i], [i.note], *keys) for i in inputs[20:]])


def test_the_bound_holds_for_the_hardest_balance(wide):
    """128 notes that all start and end elsewhere: the search for places is quadratic."""
    notes = [wide.epa(1, n * 3, n * 3 + 1 + n % 2) for n in range(128)]
    receipt = wide.submit(wide.withdraw(*notes)).require()
    holds(wide, [wide.transact(issued(tuple(notes), receipt.digest), reversed(notes), wide.alice)])


def test_the_bound_holds_for_settlements_and_cancellations(wide):
    markets = [wide.market(power_w=100 + n) for n in range(3)]
    allowed = {"least_w": 1, "keep_at": wide.bob.address}
    holds(wide, [Signed(Settle((wide.fill(markets[0], power_w=50, sell=allowed, buy=allowed),)), ())])
    holds(wide, [Signed(Settle(tuple(wide.fill(m) for m in markets[1:])), ())])
    holds(wide, [sign(wide.domain, Cancel(wide.alice.address, 1), wide.alice)])


def test_the_bound_holds_for_regulations(wide):
    grants = tuple(Authorisation(100 + n, wide.bob.address, 0, 1, 1, 1) for n in range(20))
    prices = tuple(PriceChange(wide.GENESIS_S + n, 3, 2) for n in range(20))
    holds(wide, [wide.regulate(authorise=grants)])
    holds(wide, [wide.regulate(prices=prices, ban=tuple(g.meter for g in grants))], slack=5)


def test_the_bound_holds_for_regulations_with_a_time(wide):
    later = {"time_s": wide.GENESIS_S + 10_000}
    grants = tuple(Authorisation(100 + n, wide.bob.address, 0, 1, 1, 1) for n in range(100))
    wide.submit(wide.regulate(authorise=grants)).require()
    holds(wide, [wide.regulate(ban=tuple(g.meter for g in grants), **later)])
    holds(wide, [wide.regulate(feeders=tuple(FeederCapacity(50 + n, 9, 9) for n in range(100)), **later)])
    others = tuple(replace(g, meter=g.meter + 100) for g in grants)
    wide.submit(wide.regulate(authorise=others)).require()
    holds(wide, [wide.regulate(authorise=tuple(replace(g, max_epa_w=2) for g in others), **later)])


def test_the_bound_holds_for_refusals(wide):
    refused = [wide.withdraw(wide.epa(), meter=77), wide.withdraw(), wide.withdraw(wide.epa(), nonce=9)]
    receipts, spent, bound = used(wide, refused)
    assert not any(r.accepted for r in receipts)
    assert spent < bound
