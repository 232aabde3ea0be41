"""The home's side by itself: follows the ledger, and does what the schedule has due, until told to stop.

Every part may fail without the others: then its notes are not mixed, or not sold, or go back later, and the home deals
with the DSO for that interval. Whatever must not be done twice is on the disk before it is done the first time, so the
process may be killed at any instant.
"""

import asyncio

from assets.notes import Kind
from petra.prosumer.carrying import Carrier
from petra.prosumer.deciding import Deciding
from petra.prosumer.depositing import SPENDABLE, Depositing, owned_windows, unmixed_windows
from petra.prosumer.desk import Desk
from petra.prosumer.fates import Fates
from petra.prosumer.following import News
from petra.prosumer.home import Home
from petra.prosumer.joining import Joining
from petra.prosumer.members import Members
from petra.prosumer.plans import Plans
from petra.prosumer.posting import Posting
from petra.prosumer.returning import Returning
from petra.prosumer.schedule import Known, Stage, Step, due
from petra.prosumer.way import Way
from petra.prosumer.worker import Worker

GAP = 10
"""Looks at the ledger that are more than this part of an interval apart have an outage between them."""

SETTLED_AFTER = 96
"""A window this many intervals ago, of which the home has no money left, is not looked at after the next start."""


class Agent:
    """One home's agent. :meth:`run` it."""

    def __init__(self, home: Home) -> None:
        h = self._home = home
        self._account, self._schedule, self._memory = h.account, h.schedule, h.memory
        self._desk = desk = Desk(h.tell, h.memory)
        self._ledger_thread = Worker("ledger")
        self._members, self._plans, self._fates = Members(), Plans(h.memory), Fates(h.domain, h.memory)
        way = Way(h.reach, h.clock, h.repost_s)
        self._carrier = Carrier(h.domain, h.relays, h.reach, h.rng, desk.troubles, h.clock, h.spread_s)
        self._joining = Joining(h, desk, way, self._members, self._carrier)
        self._deciding = Deciding(h, desk, self._plans, self._ledger_thread)
        self._posting = Posting(h, desk, way, self._plans, self._fates)
        depositing = Depositing(h.domain, h.schedule, h.account, h.keychain, self._plans, h.rng)
        self._returning = Returning(desk, way, depositing, self._carrier)
        self._begun: set[Step] = set()
        self._settled_at = -1
        self._was_late = False

    @property
    def now_s(self) -> int | None:
        """Ledger time as last read."""
        return self._desk.now_s

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
            await self._desk.clear()

    async def tick(self) -> None:
        """Look at the ledger once, and begin what is due."""
        troubles = self._desk.troubles
        try:
            news = await self._ledger_thread.do(self._home.reader.read)
        except Exception as failure:  # of the node, its library, the disk: read again at the next look
            troubles.failed("ledger", failure)
            return
        troubles.works("ledger")
        try:
            self._take(news)
        except Exception as failure:  # some of the news was taken in, and some was not
            self._home.reader.start_over()
            troubles.failed("wallet", failure)
            return
        try:
            self._act(news.now_s)
        except Exception as failure:  # of the disk, for one: what was not noted is not done, and is due again
            troubles.failed("wallet", failure)
        else:
            troubles.works("wallet")

    def _take(self, news: News) -> None:
        """Take in what the ledger has recorded since the last look."""
        if news.again:
            self._home.tell("info", "ledger read" if self.now_s is None else "ledger read again")
            self._account.restart()
            self._members.restart()
            self._fates.restart()
        if self.now_s is not None:
            self._postpone(self.now_s, news.now_s)
        self._desk.now_s = news.now_s
        self._desk.looks += 1
        self._account.follow(news.entries)
        self._members.follow(news.entries)
        self._members.forget_before(self._schedule.next_window(news.now_s))
        self._fates.follow(news.entries)
        self._fates.expire(news.now_s)

    def _postpone(self, last_s: int, now_s: int) -> None:
        """After an outage of the ledger, let what became due unseen have other moments.

        Where every look comes late, what is due would never be done: then it is not said to be an outage.
        """
        late = now_s - last_s > self._schedule.grid.interval_s // GAP
        if late and not self._was_late:
            self._posting.postpone_missed(now_s)
            self._returning.postpone_missed(now_s)
        self._was_late = late

    def _act(self, now_s: int) -> None:
        """Begin what is due."""
        known = Known(self._begun, unmixed_windows(self._account), owned_windows(self._account))
        over = []
        for step in due(self._schedule, now_s, known):
            if step.stage is Stage.DEPOSIT:
                self._joining.end(step.window)
                over.append(step.window)
                continue
            self._begun.add(step)
            if step.window <= self._memory.restored_window:
                continue  # what a lost wallet did there is not known
            if step.stage is Stage.MIX:
                self._joining.begin(step.window)
            else:
                self._desk.start("strategy", self._decide(step))
        self._returning.look(over, now_s)
        t = self._schedule.next_window(now_s)
        if t != self._settled_at:
            self._posting.forget()
        self._deciding.obey(t, now_s)
        self._posting.look(t, now_s)
        self._joining.look()
        self._note_settled(t, now_s)
        self._begun = {step for step in self._begun if step.window >= t - 1}
        self._carrier.forget()

    async def _decide(self, step: Step) -> None:
        if not await self._deciding.decide(step.window):
            self._begun.discard(step)

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


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    """Wait, unless told to stop."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
