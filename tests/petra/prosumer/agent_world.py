"""A microgrid in memory with agents as they are: only their neighbours' machines are played.

The ledger is the specification. Relay and bid store answer over HTTP in memory, and the bid store settles at gate
closure. The mix is one step: all who come to a session's table sign one transaction. Time passes when the world says.
"""

import asyncio
import random
from pathlib import Path
from types import SimpleNamespace

import httpx2

from assets.intervals import IntervalGrid
from assets.keys import Address, SigningKey
from assets.ledger import SpecLedger
from assets.notes import Note
from assets.orders import Fill, Side, order_digest
from assets.transactions import (
    Authorisation,
    Domain,
    FeederCapacity,
    PriceChange,
    Regulate,
    Settle,
    Signed,
    Transact,
    sign,
)
from bidstore.service.wire import hex_of, posting_from_bytes
from petra.prosumer.account import Account
from petra.prosumer.agent import Agent
from petra.prosumer.following import LedgerReader
from petra.prosumer.home import Home
from petra.prosumer.keychain import Keychain, Purpose
from petra.prosumer.schedule import Schedule
from petra.prosumer.seed import HomeSeed, SeedPhrase
from petra.prosumer.state import State
from petra.relay.wire import answer_of, signed_of
from petra.strategies.price_taker import PriceTaker
from smartmeter.identity import DepositSeed, DerivedAddresses, OwnerSeed
from smartmeter.meter import Meter
from smartmeter.standard_set import StandardSet

GRID = IntervalGrid(100_000, 60)
DOMAIN = Domain(1337, Address(bytes(19) + b"\x07"))
TIMES = Schedule(GRID, mix_after_s=12, gate_s=12, deposit_after_s=6, deadline_s=30)
DSO = SigningKey(b"\x0d" * 32)
PRICES = PriceChange(GRID.genesis_s, 240_000, 90_000)
STEP_S = 4
NOTE_W = 60


class Killed(BaseException):
    """The process ends here."""


class Memory:
    """A wallet's memory whose every write may be the last thing that the process does."""

    WRITES = frozenset(
        {
            "begin_session",
            "add_order",
            "close_order",
            "keep",
            "take",
            "close_instruction",
            "add_event",
            "note_settled",
        }
    )

    def __init__(self, state, dies=None):
        """``dies``: is asked before and after every write, and raises :class:`Killed`."""
        self._state, self._dies = state, dies or (lambda: None)

    def __getattr__(self, name):
        found = getattr(self._state, name)
        if name not in self.WRITES:
            return found

        def written(*args, **kwargs):
            self._dies()
            result = found(*args, **kwargs)
            self._dies()
            return result

        return written


class Tables:
    """Sessions that are being mixed; in place of board and engine."""

    def __init__(self):
        self.seats = {}
        self.played = []
        self.silent = False

    def player(self, home):
        async def play(own, opened):
            if self.silent:
                raise ConnectionError("no board")
            if not home.memory.begin_session(own.session.id):
                return None
            self.played.append((home.number, own.session.id))
            address = home.keychain.fresh(Purpose.MIXED, own.session.window)
            done = asyncio.get_running_loop().create_future()
            seat = (own.owner, home.keychain.key(own.owner), address, done)
            self.seats.setdefault(own.session.id, (own.session, []))[1].append(seat)
            return await done

        return SimpleNamespace(play=play)

    @property
    def waiting(self):
        return sum(not seat[3].done() for _, seats in self.seats.values() for seat in seats)

    def close(self):
        """All who have come are mixed with one another; a lone one is not."""
        for session, seats in self.seats.values():
            here = [seat for seat in seats if not seat[3].cancelled()]
            mixed = None
            if len(here) > 1:
                owners = {seat[0] for seat in here}
                inputs = tuple(n for n in session.inputs if n.note.owner in owners)
                n = inputs[0].note
                addresses = sorted(seat[2] for seat in here)
                outputs = tuple(Note(n.kind, a, n.quantity, n.start, n.end) for a in addresses)
                keys = {seat[0]: seat[1] for seat in here}
                mixed = sign(session.domain, Transact(inputs, outputs), *(keys[n.note.owner] for n in inputs))
            for seat in here:
                seat[3].set_result(mixed)
        self.seats = {}


class Services:
    """A relay and a bid store behind a reach."""

    anonymous = False

    def __init__(self, ledger):
        self.ledger = ledger
        self.orders = {}
        self.postings = []
        self.handed = []
        self.down, self.refusing, self.refused = set(), {}, []
        self.verified = self.refusals = 0

    def verify(self):
        self.verified += 1

    def client(self):
        return httpx2.AsyncClient(transport=httpx2.MockTransport(self.answer))

    def answer(self, request):
        host, body = request.url.host, request.content
        if host in self.down:
            raise httpx2.ConnectError("down", request=request)
        if host == "relay":
            signed = signed_of(body)
            self.handed.append(signed)
            self.ledger.submit([signed])
            return httpx2.Response(202, content=answer_of({"status": "taken"}))
        if request.url.path == "/v1/challenges":
            return httpx2.Response(200, json={"challenge": hex_of(bytes(32))})
        posting, _ = posting_from_bytes(body)
        order_id = order_digest(DOMAIN, posting.signed.order)
        if host in self.refusing:
            self.refused.append(order_id)
            problem = {"type": self.refusing[host], "status": 422, "detail": "refused"}
            return httpx2.Response(422, json=problem)
        self.postings.append(order_id)
        self.orders[order_id] = posting.signed
        return httpx2.Response(200, json={"order": hex_of(order_id)})

    def clear(self, t):
        """Match what was posted for a window, and settle it."""
        of_window = [s for s in self.orders.values() if s.order.energy.note.start == t]
        of_window.sort(key=lambda s: s.order.energy.id)
        sells = [s for s in of_window if s.order.side is Side.SELL]
        buys = [s for s in of_window if s.order.side is Side.BUY]
        fills = tuple(Fill(s, b, NOTE_W, 150_000) for s, b in zip(sells, buys, strict=False))
        if fills:
            self.ledger.submit([Signed(Settle(fills), ())])


class Readings:
    """What the meter has read: the same in every interval."""

    def __init__(self, net_wh):
        self.value = net_wh

    def net_wh(self, first, now_s):
        return {} if self.value is None else {GRID.index(now_s) - 1: self.value}


class PlayedHome:
    """One home: a meter that the world plays, and a wallet whose process may end and begin again."""

    def __init__(self, world, number, net_wh, strategy=None):
        self.world, self.number, self.net_wh = world, number, net_wh
        self.seed = HomeSeed(SeedPhrase(bytes([number]) * 32))
        self.key = SigningKey(bytes([200 + number]) * 32)
        addresses = DerivedAddresses(DepositSeed(self.seed.meter_seed))
        self.meter = Meter(number, self.key, addresses, DOMAIN, GRID, world.notes, TIMES.deadline_s)
        addresses.watch(range(8))
        self.state = State(Path(":memory:"), self.seed.state_secret)
        self.strategy, self.readings = strategy or PriceTaker(), Readings(net_wh)
        self.told, self.deaths, self.agent, self.memory = [], 0, None, None

    def start(self, dies=None, ledger=None):
        self.memory = Memory(self.state, dies)
        self.keychain = Keychain(self.seed, self.memory, self.state.restored_window)
        home = Home(
            domain=DOMAIN,
            schedule=TIMES,
            keychain=self.keychain,
            account=Account(self.keychain, GRID),
            memory=self.memory,
            reader=LedgerReader(lambda: ledger or self.world.ledger),
            reach=self.world.services,
            mixing=self.world.tables.player(self),
            bidstores=("http://bidstore", "http://other"),
            relays=("http://relay",),
            strategy=self.strategy,
            readings=self.readings,
            battery=None,
            note_power_w=NOTE_W,
            poll_s=0.01,
            tell=lambda level, event, **facts: self.told.append((level, event, facts)),
            rng=random.Random(self.number),
            clock=lambda: float(self.world.ledger.now_s),
            spread_s=0.0,
            repost_s=0.0,
            strategy_s=1.0,
        )
        self.agent = Agent(home)

    async def kill(self):
        """End the process: nothing that it was doing goes on."""
        tasks = list(self.agent._desk.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.agent = None

    @property
    def events(self):
        return [(e.kind, e.facts.get("window")) for e in self.state.events()]

    @property
    def troubles(self):
        return {e.facts["part"] for e in self.state.events() if e.kind == "trouble"}


class World:
    """All homes, their ledger and their services."""

    def __init__(self, *nets_wh, notes=1, ledger=SpecLedger):
        """``notes``: how many of each kind a home is issued."""
        self.notes = StandardSet(NOTE_W, notes, notes, notes, 10**6)
        self.ledger = ledger(DOMAIN, GRID, DSO.address, GRID.genesis_s - 60)
        self.services, self.tables = Services(self.ledger), Tables()
        self.homes = [PlayedHome(self, number, net_wh) for number, net_wh in enumerate(nets_wh, 1)]
        grants = tuple(Authorisation(h.number, h.key.address, 1, 10**6, 10**6, 10**12) for h in self.homes)
        tx = Regulate(0, feeders=(FeederCapacity(1, 10**7, 10**7),), authorise=grants, prices=(PRICES,))
        self.submit(tx, DSO)
        self.withdrawn, self.cleared = set(), set()

    def submit(self, tx, *keys):
        return self.ledger.submit([sign(DOMAIN, tx, *keys)])[0].require()

    def start(self):
        for home in self.homes:
            home.start()

    async def end(self):
        """End all processes."""
        for home in self.homes:
            if home.agent is not None:
                await home.kill()

    async def to(self, at_s, each=None, windows=range(2, 4), step_s=STEP_S):
        """Let time pass to ``at_s``; ``each`` is called after every step."""
        while self.ledger.now_s < at_s:
            self.ledger.advance_to(min(at_s, self.ledger.now_s + step_s))
            now_s = self.ledger.now_s
            for t in windows:
                if t not in self.withdrawn and GRID.start_s(t) - 60 < now_s:
                    self.withdrawn.add(t)
                    self.withdraw(t)
                if t not in self.cleared and TIMES.gate_closes_s(t) <= now_s:
                    self.cleared.add(t)
                    self.services.clear(t)
            await self.look()
            if each is not None:
                each(self)

    def withdraw(self, t):
        for home in self.homes:
            owners = OwnerSeed(home.seed.meter_seed).owners(t, self.notes.count)
            self.ledger.submit([home.meter.withdraw(t, self.ledger.meter_nonce(home.number), owners)])[0].require()

    async def look(self):
        """Every agent looks at the ledger once, and does what is due; the dead come back at the next look."""
        for home in self.homes:
            if home.agent is None:
                home.start()
            else:
                await self._or_dies(home, home.agent.tick())
        refusals = self.services.refusals
        while self.services.refusals - refusals < 20:  # who waits for a way goes on waiting while time passes
            running = [(h, t) for h in self.homes if h.agent for t in list(h.agent._desk.tasks)]
            if len(running) == self.tables.waiting:
                if not running:
                    return
                self.tables.close()
            for home, task in running:
                if task.done() and not task.cancelled() and isinstance(task.exception(), Killed):
                    await home.kill()
            await asyncio.sleep(0.0005)

    async def _or_dies(self, home, work):
        try:
            await work
        except Killed:
            home.deaths += 1
            await home.kill()

    def bills(self, t):
        """What the meters bill, which needs the deadline to be over."""
        found = []
        for home in self.homes:
            home.meter.follow(self.ledger.entries(home.meter.cursor), self.ledger.now_s)
            home.meter.record_reading(t, home.net_wh or 0)
            found.append(home.meter.bill(t, self.ledger.price_at(t)))
        return found

    def check(self, t):
        """Every note of a window came back to a meter that counts it."""
        bills = self.bills(t)
        assert all(not home.meter.refused_deposits for home in self.homes)
        assert sum(b.epa_withdrawn_wh for b in bills) == sum(b.epa_deposited_wh for b in bills) > 0
        assert sum(b.eca_withdrawn_wh for b in bills) == sum(b.eca_deposited_wh for b in bills) > 0
        assert sum(b.fa_withdrawn_nano for b in bills) == sum(b.fa_deposited_nano for b in bills) > 0
        return bills

    def mixes(self):
        found = [e.signed.tx for e in self.ledger.entries() if isinstance(e.signed.tx, Transact)]
        return [tx for tx in found if len(tx.inputs) > 1]
