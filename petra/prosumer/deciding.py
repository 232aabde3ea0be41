"""What a home offers for a window: the owner's instructions, or else what the strategy decides, once."""

import asyncio

from assets.orders import Side
from assets.units import energy_wh
from petra.prosumer.desk import Desk
from petra.prosumer.home import Home
from petra.prosumer.keychain import Purpose
from petra.prosumer.offering import Holdings, drafts, planned
from petra.prosumer.plans import Planned, Plans
from petra.prosumer.worker import Worker
from petra.strategy import Decision, Situation

LOOK_AHEAD_S, MOST_AHEAD = 86_400, 96
"""How far ahead prices are looked up for the strategy: seconds, and intervals."""

LOOK_BACK_S, MOST_BACK = 8 * 86_400, 768
"""How far back readings are."""


class Deciding:
    """Turns decisions into signed orders, which are the window's plan."""

    def __init__(self, home: Home, desk: Desk, plans: Plans, ledger: Worker) -> None:
        """``ledger``: where the ledger is read."""
        self._home, self._desk, self._plans = home, desk, plans
        self._ledger_thread, self._strategy_thread = ledger, Worker("strategy")

    async def decide(self, window: int) -> bool:
        """Let the strategy decide on a window, once: whoever died meanwhile, its orders are those of its plan.

        ``False`` if the ledger cannot be read: nothing is decided then, and the next look tries again.
        """
        desk = self._desk
        if self._plans.of(window) is not None or desk.now_s is None:
            return True
        if self._home.memory.instructions(window):
            self._plans.plan(window, ())  # the owner's word goes before the strategy's
            return True
        try:
            told = await self._situation(window, desk.now_s)
        except Exception as failure:  # of the node, its library
            desk.troubles.failed("ledger", failure)
            return False
        decision = None
        try:
            if told is not None and told.last_net_wh is not None:
                async with asyncio.timeout(self._home.strategy_s):
                    decision = await self._strategy_thread.do(lambda: self._home.strategy.decide(told))
            desk.troubles.works("strategy")
        except Exception as failure:  # a strategy that fails or hangs decides nothing; the owner still may
            desk.troubles.failed("strategy", failure)
        if self._plans.of(window) is None:
            self._plan(window, decision, None)
        return True

    def obey(self, t: int, now_s: int) -> None:
        """Carry out the owner's instructions for the window that is traded now; close those that came too late."""
        for given in self._home.memory.instructions():
            if given.window < t:
                self._home.memory.close_instruction(given.number, "too late")
                continue
            plan = self._plans.of(t)
            if given.window > t or plan is None or now_s >= self._home.schedule.gate_closes_s(t):
                continue
            signed = sum(p.instruction == given.number for p in plan)
            if not signed and given.notes:
                decision = Decision(Side(given.side), given.notes, given.limit_nano_per_wh)
                signed = self._plan(t, decision, given.number)
            self._home.memory.close_instruction(given.number, f"{signed} orders")

    async def _situation(self, window: int, now_s: int) -> Situation | None:
        """What the strategy is told; ``None`` if the DSO has announced no price."""
        from petra.strategies.forecast import situation_of

        h, interval_s = self._home, self._home.schedule.grid.interval_s
        ahead = max(1, min(MOST_AHEAD, LOOK_AHEAD_S // interval_s))
        prices = await self._ledger_thread.do(lambda: h.reader.prices(window, ahead))
        back = min(MOST_BACK, LOOK_BACK_S // interval_s)
        holdings = Holdings(h.account, window, ())
        return situation_of(
            window,
            net_wh={} if h.readings is None else h.readings.net_wh(window - back, now_s),
            note_wh=energy_wh(h.note_power_w, interval_s),
            sellable=holdings.sellable,
            buyable=holdings.buyable,
            price_at=prices.get,
            interval_s=interval_s,
            battery=h.battery,
            horizon_s=ahead * interval_s,
        )

    def _plan(self, window: int, decision: Decision | None, instruction: int | None) -> int:
        """Sign the orders of a decision beside those planned already; how many."""
        h, grid = self._home, self._home.schedule.grid
        before = self._plans.of(window) or ()
        named = [note.id for p in before for note in p.signed.order.notes]
        holdings = Holdings(h.account, window, named)
        orders: tuple[Planned, ...] = ()
        if decision is not None and decision.notes > 0:
            made = drafts(
                decision,
                holdings,
                grid.start_s(window),
                grid.interval_s,
                lambda: h.keychain.fresh(Purpose.DEPOSIT, window),
            )
            now_s = self._desk.now_s or 0
            orders = planned(made, window, now_s, h.schedule, h.domain, h.keychain, h.rng, instruction)
        self._plans.plan(window, (*before, *orders))
        self._desk.say("offer", window, orders=len(orders))
        return len(orders)
