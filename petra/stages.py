"""The stages of :mod:`petra.cycle`: how each is played when all parties live in one process."""

from collections.abc import Sequence
from functools import partial

from assets.hashing import keccak
from assets.notes import Kind
from assets.orders import Fill, Order, Side
from assets.transactions import PriceChange, Signed, Transact, Withdraw
from assets.units import energy_wh
from mixer.choice import engine_for
from mixer.engine import Rules
from mixer.follower import Seat
from petra.boards import MixLog
from petra.inbox import BID_STORE
from petra.membership import MIN_PEERS, mix_sessions
from petra.microgrid import Home, Microgrid
from petra.strategy import Situation
from petra.trade import Trade, trades_of
from petra.transports import Table
from petra.wallet import Purpose
from smartmeter.billing import BillingRecord


def withdrawals(grid: Microgrid, t: int) -> list[Signed[Withdraw]]:
    """Every home's standard set for interval ``t``, one fresh address for each note."""
    return [_withdrawal(grid, home, t) for home in grid.homes]


def _withdrawal(grid: Microgrid, home: Home, t: int) -> Signed[Withdraw]:
    owners = [home.wallet.fresh_address(Purpose.WITHDRAWN, t) for _ in range(grid.standard_set.count)]
    return home.meter.withdraw(t, grid.ledger.meter_nonce(home.number), owners)


def mixes(grid: Microgrid, t: int) -> list[Signed[Transact]]:
    """Run all mix sessions of interval ``t``; every wallet plays its own peer."""
    sessions = mix_sessions(grid.ledger.domain, grid.latest, t)
    wallets = {
        note.note.owner: home.wallet
        for home in grid.homes
        for kind in Kind
        for note in home.wallet.notes(Purpose.WITHDRAWN, t, kind)
    }
    rules = Rules(minimum=MIN_PEERS, timeout_s=grid.transport.step_s)
    tables = [
        Table(
            session,
            engine_for(session.size),
            rules,
            tuple(
                Seat(wallet.key(owner), partial(wallet.fresh_address, Purpose.MIXED, t))
                for owner, wallet in ((owner, wallets[owner]) for owner in session.owners)
            ),
        )
        for session in sessions
    ]
    grid.transport.follow(grid.ledger)
    mixed = []
    for played in grid.transport.mix(tables):
        if played.mixed is not None:
            mixed.append(played.mixed)
        if played.mixed is not None and played.log:
            grid.mix_logs.append(MixLog(played.session, tuple(entry.data for entry in played.log), played.mixed))
    return mixed


def post_orders(grid: Microgrid, t: int, prices: PriceChange) -> None:
    """Every wallet orders what its strategy decides on, each note in an order of its own, and may then go offline."""
    orders = {order.energy.id: (home, order) for home in grid.homes for order in _orders(grid, home, t, prices)}
    for note_id in sorted(orders):  # posted home by home, the sequence would tell which orders are of one home
        home, order = orders[note_id]
        posting = home.wallet.post(order, grid.bidstore.challenge())
        grid.bidstore.post(grid.inboxes.deliver(BID_STORE, posting))


def _orders(grid: Microgrid, home: Home, t: int, prices: PriceChange) -> list[Order]:
    production = home.wallet.notes(Purpose.MIXED, t, Kind.EPA)
    consumption = home.wallet.notes(Purpose.MIXED, t, Kind.ECA)
    money = home.wallet.notes(Purpose.MIXED, t, Kind.FA)
    decision = home.strategy.decide(
        Situation(
            t=t,
            last_net_wh=home.last_net_wh(t),
            note_wh=energy_wh(grid.standard_set.note_power_w, grid.ledger.grid.interval_s),
            sellable=len(production),
            buyable=min(len(consumption), len(money)),
            consumption_nano_per_wh=prices.consumption_nano_per_wh,
            production_nano_per_wh=prices.production_nano_per_wh,
        )
    )
    if decision is None:
        return []
    energy = production if decision.side is Side.SELL else consumption
    return [
        Order(
            side=decision.side,
            energy=energy[i],
            money=() if decision.side is Side.SELL else (money[i],),
            limit_nano_per_wh=decision.limit_nano_per_wh,
            deliver_to=home.deposit_address(t),
            pay_to=home.deposit_address(t),
            expires_s=grid.ledger.grid.end_s(t),
            least_w=energy[i].note.power_w,
        )
        for i in range(decision.notes)
    ]


def tie_break(grid: Microgrid, t: int) -> bytes:
    """Seed of the auction's tie-break: from the run's seed, so that all ledgers give the same bills."""
    return keccak(f"petra tie-break/{grid.seed}/{t}".encode())


def settle(grid: Microgrid, fills: Sequence[Fill]) -> tuple[Trade, ...]:
    """The bid store carries its matches to the ledger; raises when any of them is refused."""
    receipts = grid.bidstore.settle(fills)
    grid.follow()
    for receipt in receipts:
        for refusal in (receipt.refusal, *receipt.fills):
            if refusal is not None:
                raise refusal
    return tuple(trades_of(grid.latest, grid.ledger.grid.interval_s))


def deposits(grid: Microgrid, t: int) -> list[Signed[Transact]]:
    """Every mixed note that was not traded goes to a fresh address of its home's meter."""
    moves = [
        home.wallet.move(note, home.deposit_address(t))
        for home in grid.homes
        for kind in Kind
        for note in home.wallet.notes(Purpose.MIXED, t, kind)
    ]
    # Home by home, the public ledger would show whose each mixed note is; the order of ids shows nothing.
    return sorted(moves, key=lambda move: move.tx.inputs[0].id)


def bill(home: Home, t: int, prices: PriceChange | None) -> BillingRecord:
    """The home's meter reads its register and bills the interval."""
    if prices is None:
        raise ValueError(f"the DSO has announced no price for interval {t}")
    home.meter.record_reading(t, home.net_wh[t])
    return home.meter.bill(t, prices)
