"""However many notes orders spend, a settlement fits the transaction that carries it."""

from assets.keys import ThrowAwayKeys
from assets.notes import Kind, Note
from assets.orders import MAX_FILLS, MAX_MONEY, Fill, Order, Side, sign_order
from assets.transactions import Settle, Signed
from contracts import encoding
from contracts.settlements import CALL_BYTES, FILL_BYTES, NOTE_BYTES, batches


def with_money(world, count):
    """A fill whose buyer pays with ``count`` notes of an owner and a full group each."""
    keys = [ThrowAwayKeys(5, f"money {n}").fresh() for n in range(count)]
    (energy,) = world.issue(world.epa(1000, 2, 3))
    (demand,) = world.issue(world.eca(1000, 2, 3, owner=world.bob), meter=world.OTHER_METER)
    money = [world.issue(*[Note(Kind.FA, k.address, n, 0, 0) for n in range(1, 17)])[15] for k in keys]
    carol, expires_s = world.carol.address, world.GENESIS_S + 10**6
    order = Order(Side.BUY, demand, tuple(money), 2, carol, carol, expires_s, 1000)
    return Fill(world.order(Side.SELL, energy, limit=1), sign_order(world.domain, order, world.bob, *keys), 1000, 2)


def size(world, fills):
    world.ledger.entries()
    return len(encoding.encode(Signed(Settle(tuple(fills)), ()), world.ledger._groups))


def test_the_bound_holds_for_the_largest_and_the_smallest_fill(world):
    largest = with_money(world, MAX_MONEY)
    assert size(world, [largest] * 28) - size(world, [largest] * 27) <= FILL_BYTES + NOTE_BYTES * (2 + MAX_MONEY)
    small = world.fill(world.market())
    assert size(world, [small] * 28) - size(world, [small] * 27) <= FILL_BYTES + NOTE_BYTES * 3


def test_fills_are_cut_into_settlements_that_fit(world):
    large, small = with_money(world, MAX_MONEY), world.fill(world.market())
    fills = [large] * 64 + [small] * 130
    cut = list(batches(fills))
    assert [fill for batch in cut for fill in batch] == fills
    assert all(size(world, batch) <= CALL_BYTES and len(batch) <= MAX_FILLS for batch in cut)
    assert len(cut) <= 7
    assert list(batches([])) == []
