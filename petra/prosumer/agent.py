"""The home's side by itself: follows the ledger, and does what the schedule has due, until told to stop.

Every part may fail without the others: then its notes are not mixed, or not sold, or go back later, and the home deals
with the DSO for that interval. Whatever must not be done twice is on the disk before it is done the first time, so the
process may be killed at any instant.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from functools import partial
from random import Random, SystemRandom
from typing import Any, Protocol

from assets.keys import Digest
from assets.notes import IssuedNote, Kind, NoteId
from assets.orders import Side, order_digest
from assets.transactions import Domain, Signed, Transact
from assets.units import energy_wh
from petra.homes.profile import Battery
from petra.prosumer.account import Account
from petra.prosumer.carrying import Carrier
from petra.prosumer.depositing import SPENDABLE, Depositing, owned_windows, unmixed_windows
from petra.prosumer.fates import Fates, OrderBook
from petra.prosumer.following import LedgerReader, News
from petra.prosumer.keychain import Keychain, Purpose
from petra.prosumer.members import Members
from petra.prosumer.mixing import Mixing, OwnSession, Sessions, own_sessions
from petra.prosumer.moments import Moments
from petra.prosumer.offering import Holdings, Posting, drafts, planned
from petra.prosumer.plans import Drawer, Planned, Plans
from petra.prosumer.reach import Reach
from petra.prosumer.readings import Readings
from petra.prosumer.records import Instruction
from petra.prosumer.schedule import Known, Schedule, Stage, Step, due
from petra.prosumer.troubles import Troubles
from petra.prosumer.worker import Worker
from petra.strategy import Decision, Situation, Strategy

LOOK_AHEAD_S, MOST_AHEAD = 86_400, 96
"""How far ahead prices are looked up for the strategy: seconds, and intervals."""

LOOK_BACK_S, MOST_BACK = 8 * 86_400, 768
"""How far back readings are."""

SETTLED_AFTER = 96
"""A window this many intervals ago, of which the home has no money left, is not looked at after the next start."""

GAP = 10
"""Looks at the ledger that are more than this part of an interval apart have an outage between them."""

VERIFIED_S = 30
"""Real seconds for which a way to the services counts as verified."""

TRY_AGAIN = frozenset({"ChallengeUnknown", "RateLimited", "NoteGone", "Busy"})
"""Refusals of a bid store that may not be repeated: one that is behind the ledger does not know a note yet."""

TAKEN = frozenset({"OrderKnown"})
"""Refusals that say that the very same order was taken before."""

Tell = Callable[..., None]
"""Says an event and its facts; they name nobody."""


class Memory(Sessions, OrderBook, Drawer, Protocol):
    """What a wallet must not forget: :class:`petra.prosumer.state.State`."""

    @property
    def restored_window(self) -> int:
        """The last window that a lost wallet may have mixed or traded in."""

    @property
    def settled_below(self) -> int:
        """Windows below this one need not be looked at."""

    def note_settled(self, below: int) -> None:
        """Windows below this one need not be looked at again."""

    def instructions(self, window: int | None = None) -> list[Instruction]:
        """Instructions of the owner that wait."""

    def close_instruction(self, number: int, outcome: str) -> None:
        """Say what was done about an instruction."""

    def add_event(self, kind: str, ledger_s: int | None = None, **facts: int | str | bool | None) -> object:
        """Note what happened."""


@dataclass(slots=True)
class Home:
    """Everything that an agent works with."""

    domain: Domain
    schedule: Schedule
    keychain: Keychain
    account: Account
    memory: Memory
    reader: LedgerReader
    reach: Reach
    mixing: Mixing | None
    """``None`` without a board."""
    bidstores: tuple[str, ...]
    relays: tuple[str, ...]
    strategy: Strategy
    readings: Readings | None
    battery: Battery | None
    note_power_w: int
    poll_s: float
    tell: Tell
    rng: Random = field(default_factory=SystemRandom)
    clock: Callable[[], float] = time.monotonic
    """Real seconds."""
    spread_s: float = 0.5
    """Real seconds over which requests are spread that are due at one look at the ledger."""
    strategy_s: float = 30.0
    """Real seconds that the strategy may take to decide."""
    repost_s: float = 2.0
    """Real seconds after which an order is posted again that no replica answered for."""


class Agent:
    """One home's agent. :meth:`run` it."""

    def __init__(self, home: Home) -> None:
        h = self._home = home
        self._account, self._schedule, self._memory = h.account, h.schedule, h.memory
        self.troubles = Troubles(self._trouble)
        self._members, self._plans = Members(), Plans(h.memory)
        self._fates = Fates(h.domain, h.memory)
        self._carrier = Carrier(h.domain, h.relays, h.reach, h.rng, self.troubles, h.clock, h.spread_s)
        self._mixing = h.mixing
        self._depositing = Depositing(h.domain, h.schedule, h.account, h.keychain, self._plans, h.rng)
        self._posting = Posting(h.domain, h.bidstores, h.reach, h.keychain, h.rng, h.spread_s)
        self._ledger_thread, self._strategy_thread = Worker("ledger"), Worker("strategy")
        self._verifying_thread = Worker("way")
        self._verifying, self._verified_until = asyncio.Lock(), float("-inf")
        self._unverified: tuple[float, Exception | None] = (0.0, None)
        self._tasks: set[asyncio.Task[None]] = set()
        self._mixes: dict[int, set[asyncio.Task[None]]] = {}
        self._to_record: list[tuple[NoteId, Signed[Transact]]] = []
        self._going_back: set[NoteId] = set()
        self._begun: set[Step] = set()
        self._moments: Moments[Digest] = Moments()
        self._settled_at = -1
        self._busy: set[Digest] = set()
        self._taken: set[Digest] = set()
        self._late: set[NoteId] = set()
        self._returning: set[int] = set()
        self.now_s: int | None = None
        """Ledger time as last read."""

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set."""
        try:
            while not stop.is_set():
                looking = asyncio.ensure_future(self.tick())
                stopping = asyncio.ensure_future(stop.wait())
                await asyncio.wait([looking, stopping], return_when=asyncio.FIRST_COMPLETED)
                stopping.cancel()
                if stop.is_set() and not looking.done():
                    looking.cancel()
                    await asyncio.wait([looking])
                    break
                looking.result()
                await _pause(stop, self._home.poll_s)
        finally:
            for task in self._tasks:
                task.cancel()
            if self._tasks:
                await asyncio.wait(self._tasks)

    async def tick(self) -> None:
        """Look at the ledger once, and begin what is due."""
        try:
            news = await self._ledger_thread.do(self._home.reader.read)
        except Exception as failure:  # of the node, its library, the disk: read again at the next look
            self.troubles.failed("ledger", failure)
            return
        self.troubles.works("ledger")
        try:
            self._take(news)
        except Exception as failure:  # some of the news was taken in, and some was not
            self._home.reader.start_over()
            self.troubles.failed("wallet", failure)
            return
        try:
            self._act(news.now_s)
        except Exception as failure:  # of the disk, for one: what was not noted is not done, and is due again
            self.troubles.failed("wallet", failure)
        else:
            self.troubles.works("wallet")

    # --- The ledger ---------------------------------------------------------------------------------------

    def _take(self, news: News) -> None:
        if news.again:
            self._home.tell("info", "ledger read" if self.now_s is None else "ledger read again")
            self._account.restart()
            self._members.restart()
            self._fates.restart()
        if self.now_s is not None:
            self._postpone(self.now_s, news.now_s)
        self.now_s = news.now_s
        self._account.follow(news.entries)
        self._members.follow(news.entries)
        self._members.forget_before(self._schedule.next_window(news.now_s))
        self._fates.follow(news.entries)
        self._fates.expire(news.now_s)
        self._to_record = [(note, mix) for note, mix in self._to_record if self._is_owned(note)]

    def _postpone(self, last_s: int, now_s: int) -> None:
        """Choose other moments for what became due unseen: it would go out together, and be known to be one home's.

        Not if the next look may be too late for it.
        """
        gap_s = now_s - last_s
        if gap_s <= self._schedule.grid.interval_s // GAP:
            return
        left_s = self._schedule.gate_closes_s(self._schedule.next_window(now_s)) - now_s
        for order in self._moments.postpone(now_s) if left_s > 2 * gap_s else ():
            self._try_again(order, now_s)
        self._depositing.postpone_missed(now_s)

    def _is_owned(self, note: NoteId) -> bool:
        held = self._account.holding(note)
        return held is not None and held.spent_by is None

    # --- What is due --------------------------------------------------------------------------------------

    def _act(self, now_s: int) -> None:
        known = Known(self._begun, unmixed_windows(self._account), owned_windows(self._account))
        for step in due(self._schedule, now_s, known):
            if step.stage is Stage.DEPOSIT:
                self._deposit(step.window, now_s)
                continue
            self._begun.add(step)
            if step.window <= self._memory.restored_window:
                continue  # what a lost wallet did there is not known
            if step.stage is Stage.MIX:
                self._begin_mixes(step.window)
            else:
                self._start("strategy", self._decide(step.window))
        t = self._schedule.next_window(now_s)
        if t != self._settled_at:
            self._moments.clear()  # of orders that have expired
        self._obey(t, now_s)
        self._post_due(t, now_s)
        for _, mix in self._to_record:
            if self._carrier.wants(mix):
                self._start("relay", self._record(mix))
        self._note_settled(t, now_s)
        self._begun = {step for step in self._begun if step.window >= t - 1}
        self._carrier.forget()

    def _note_settled(self, t: int, now_s: int) -> None:
        """Once an interval, see how far back the next start has to look: deriving years of addresses takes minutes."""
        if t == self._settled_at:
            return
        held = (w for w in owned_windows(self._account) if self._is_worth_something(w, now_s))
        below = min([t - SETTLED_AFTER, *held])
        if below > self._memory.settled_below:
            self._memory.note_settled(below)
        self._settled_at = t

    def _is_worth_something(self, window: int, now_s: int) -> bool:
        money = any(self._account.notes(purpose, window, Kind.FA) for purpose in SPENDABLE)
        return money or now_s < self._schedule.overdue_s(window)

    def _start(self, part: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Do something beside everything else; whatever it raises is a trouble of that part alone."""

        async def guarded() -> None:
            try:
                await work
            except Exception as failure:  # the boundary between parts
                self.troubles.failed(part, failure)

        task = asyncio.create_task(guarded())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _record(self, mixed: Signed[Transact]) -> None:
        """Hand a mix in, as its other members do."""
        await self._verify()
        await self._carrier.carry(mixed)

    async def _verify(self) -> None:
        """See to it that the way is what it is said to be; what was found holds for half a minute."""
        async with self._verifying:
            now = self._home.clock()
            if now < self._unverified[0] and self._unverified[1] is not None:
                raise self._unverified[1]  # whoever waited meanwhile need not ask again
            if now < self._verified_until:
                return
            try:
                await self._verifying_thread.do(self._home.reach.verify)
            except Exception as failure:
                self._unverified = self._home.clock() + self._home.repost_s, failure
                raise
            self._verified_until = self._home.clock() + VERIFIED_S

    # --- Mixing -------------------------------------------------------------------------------------------

    def _begin_mixes(self, window: int) -> None:
        """Play every session that a note of the home is in, all at the same time."""
        sessions = self._members.sessions(self._home.domain, window, self._schedule.mix_s(window))
        own = own_sessions(sessions, self._home.keychain)
        if not own and not self._account.notes(Purpose.WITHDRAWN, window):
            return
        self._say("mix", window, sessions=len(own))
        if own and self._mixing is None:
            self.troubles.failed("board", ValueError("no board is configured"))
            return
        tasks = {self._start("board", self._mix(session)) for session in own}
        self._mixes[window] = tasks

    async def _mix(self, own: OwnSession) -> None:
        assert self._mixing is not None
        window = own.session.window

        def in_time() -> bool:
            return self.now_s is not None and self.now_s < self._schedule.offer_by_s(window)

        while True:
            try:
                await self._verify()
                break
            except Exception:  # a machine that is busy, or a tor that starts anew
                if not in_time():
                    raise
            await asyncio.sleep(self._home.repost_s)
        mixed = await self._mixing.play(own, in_time)
        if mixed is not None:
            own_note = next(n.id for n in own.session.inputs if n.note.owner == own.owner)
            self._to_record.append((own_note, mixed))
            await self._record(mixed)
            self.troubles.works("board")

    # --- Offering -----------------------------------------------------------------------------------------

    async def _decide(self, window: int) -> None:
        """Let the strategy decide on a window, once: whoever died meanwhile, its orders are those of its plan."""
        if self._plans.of(window) is not None or self.now_s is None:
            return
        if self._memory.instructions(window):
            self._plans.plan(window, ())  # the owner's word goes before the strategy's
            return
        try:
            told = await self._situation(window, self.now_s)
        except Exception as failure:  # the ledger cannot be read: the next look tries again
            self._begun.discard(Step(Stage.OFFER, window))
            self.troubles.failed("ledger", failure)
            return
        decision = None
        try:
            if told is not None and told.last_net_wh is not None:
                async with asyncio.timeout(self._home.strategy_s):
                    decision = await self._strategy_thread.do(lambda: self._home.strategy.decide(told))
            self.troubles.works("strategy")
        except Exception as failure:  # a strategy that fails or hangs decides nothing; the owner still may
            self.troubles.failed("strategy", failure)
        if self._plans.of(window) is None:
            self._plan(window, decision, None)

    async def _situation(self, window: int, now_s: int) -> Situation | None:
        """What the strategy is told; ``None`` if the DSO has announced no price."""
        from petra.strategies.forecast import situation_of

        h, interval_s = self._home, self._schedule.grid.interval_s
        ahead = max(1, min(MOST_AHEAD, LOOK_AHEAD_S // interval_s))
        prices = await self._ledger_thread.do(lambda: h.reader.prices(window, ahead))
        back = min(MOST_BACK, LOOK_BACK_S // interval_s)
        holdings = Holdings(self._account, window, ())
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
        before = self._plans.of(window) or ()
        named = [note.id for p in before for note in p.signed.order.notes]
        holdings = Holdings(self._account, window, named)
        keychain, grid = self._home.keychain, self._schedule.grid
        orders: tuple[Planned, ...] = ()
        if decision is not None and decision.notes > 0:
            made = drafts(
                decision,
                holdings,
                grid.start_s(window),
                grid.interval_s,
                lambda: keychain.fresh(Purpose.DEPOSIT, window),
            )
            now_s = self.now_s or 0
            rng = self._home.rng
            orders = planned(made, window, now_s, self._schedule, self._home.domain, keychain, rng, instruction)
        self._plans.plan(window, (*before, *orders))
        self._say("offer", window, orders=len(orders))
        return len(orders)

    def _obey(self, t: int, now_s: int) -> None:
        """Carry out the owner's instructions for the window that is traded now; close those that came too late."""
        for given in self._memory.instructions():
            if given.window < t:
                self._memory.close_instruction(given.number, "too late")
                continue
            plan = self._plans.of(t)
            if given.window > t or plan is None or now_s >= self._schedule.gate_closes_s(t):
                continue
            signed = sum(p.instruction == given.number for p in plan)
            if not signed and given.notes:
                decision = Decision(Side(given.side), given.notes, given.limit_nano_per_wh)
                signed = self._plan(t, decision, given.number)
            self._memory.close_instruction(given.number, f"{signed} orders")

    def _post_due(self, t: int, now_s: int) -> None:
        if now_s >= self._schedule.gate_closes_s(t):
            return
        for order in self._plans.of(t) or ():
            order_id = order_digest(self._home.domain, order.signed.order)
            moment_s = self._moments.of(order_id, partial(self._moment_s, order.moment_s, t, now_s))
            if moment_s <= now_s and order_id not in self._busy | self._taken and self._fates.is_open(order_id):
                self._busy.add(order_id)
                self._start("bidstore", self._post(order, order_id, t))

    def _moment_s(self, planned_s: int, t: int, now_s: int) -> int:
        """The moments of a wallet that was away are over, all of them: it would post its orders at one time."""
        if planned_s >= now_s:
            return planned_s
        return self._schedule.order_moment_s(t, now_s, self._home.rng)

    async def _post(self, order: Planned, order_id: Digest, window: int) -> None:
        from bidstore.service.client import Refused

        try:
            await self._verify()
            self._fates.begin(order_id, order.signed.order, window, self.now_s or 0)
            await self._posting.post(order.signed)
            self._taken.add(order_id)
            self.troubles.works("bidstore")
        except Refused as refusal:
            if refusal.reason in TAKEN:
                self._taken.add(order_id)
            elif refusal.reason in TRY_AGAIN:
                await asyncio.sleep(self._home.repost_s)
                self._try_again(order_id, self.now_s or 0)
            else:
                self._fates.refused(order_id, self.now_s or 0, refusal.reason)
                self.troubles.failed("bidstore", refusal)
        except Exception:
            await asyncio.sleep(self._home.repost_s)
            self._try_again(order_id, self.now_s or 0)
            raise
        finally:
            self._busy.discard(order_id)

    def _try_again(self, order_id: Digest, now_s: int) -> None:
        """At a moment of its own: at the end of an outage, orders of one home would come together."""
        t = self._schedule.next_window(now_s)
        self._moments.change(order_id, self._schedule.retry_moment_s(t, now_s, self._home.rng))

    # --- Depositing ---------------------------------------------------------------------------------------

    def _deposit(self, window: int, now_s: int) -> None:
        for task in self._mixes.pop(window, ()):
            task.cancel()  # a note that goes back is not mixed any more
        moves = self._depositing.due(window, now_s, lambda note: self._too_late(note, window))
        if moves and window not in self._returning:
            self._returning.add(window)
            self._say("deposit", window)
        for signed in moves:
            if signed.tx.inputs[0].id not in self._going_back and self._carrier.wants(signed):
                self._going_back.add(signed.tx.inputs[0].id)
                self._start("deposit", self._return(signed))

    async def _return(self, signed: Signed[Transact]) -> None:
        note, taken = signed.tx.inputs[0].id, False
        try:
            await self._verify()
            taken = await self._carrier.carry(signed, "deposit")
        finally:
            self._going_back.discard(note)
            if not taken:
                self._depositing.postpone(note)

    def _too_late(self, note: IssuedNote, window: int) -> None:
        if note.id not in self._late:
            self._late.add(note.id)
            self._say("note too late to count", window, note=Kind(note.note.kind).name)

    # --- Telling ------------------------------------------------------------------------------------------

    def _say(self, event: str, window: int | None = None, **facts: int | str) -> None:
        """Tell what is done: the stage alone in the log, the facts in the wallet's own encrypted history."""
        named = {} if window is None else {"window": window}
        self._home.tell("info", event, **named)
        self._memory.add_event(event, self.now_s, **named, **facts)

    def _trouble(self, level: str, part: str, what: str) -> None:
        self._home.tell(level, "trouble", part=part, what=what)
        try:
            self._memory.add_event("trouble", self.now_s, part=part, what=what)
        except Exception:  # the disk is full, which may be the trouble
            self._home.tell("warning", "trouble", part="state", what="cannot be written")


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    """Wait, unless told to stop."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
