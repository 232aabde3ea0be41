"""A village small enough for unit tests: real meters' folders, journals and books, on the ledger in memory."""

import json
from datetime import UTC, datetime

from assets.chainlog import Genesis, HashChain, encode_log
from assets.intervals import IntervalGrid
from assets.keys import Address, SigningKey
from assets.ledger import SpecLedger
from assets.notes import Kind, Note, issued
from assets.orders import Fill, Order, Side, sign_order
from assets.statement import Statement, sign_statement
from assets.transactions import (
    Authorisation,
    Domain,
    FeederCapacity,
    PriceChange,
    Regulate,
    Settle,
    Signed,
    Transact,
    Withdraw,
    sign,
)
from dso.service.store import StatementStore
from petra.village.audit.energy import Truth
from smartmeter.bookkeeper import Bookkeeper
from smartmeter.folder import MeterFolder
from smartmeter.identity import LIGHT_N, DepositSeed, OwnerSeed, save_secret
from smartmeter.journal import Journal, Reading

GRID = IntervalGrid(2_000_000_000, 3600)
DOMAIN = Domain(7, Address(b"\x01" * 20))
DSO = SigningKey(b"\x0d" * 32)
GATE_S = 1800
STEP_S = 600
DEPOSIT_S = 600
NOBODY = Address(b"\x77" * 20)

CONFIG = """
number = {number}
gate_s = {gate_s}
max_gap_ms = 700000
[ledger]
url = "http://127.0.0.1:1"
chain_id = 7
contract = "0x{contract}"
genesis_s = {genesis_s}
interval_s = {interval_s}
[standard_set]
note_power_w = 100
epa_notes = 1
eca_notes = 1
fa_notes = 1
fa_amount_nano = 30000000
[[analysers]]
name = "grid"
profile = "cvm-c5"
role = "grid"
host = "127.0.0.1"
"""


class Home:
    """A home's meter, what its simulator plays, and what its wallet would know."""

    def __init__(self, path, number: int, net_wh: list[int]) -> None:
        self.number, self.path = number, path / f"meter{number}"
        self.key, self.seed = SigningKey(bytes([number]) * 32), bytes([64 + number]) * 32
        self.owners, self.deposits = OwnerSeed(self.seed), DepositSeed(self.seed)
        rows = ["interval_start,home,load_wh,pv_wh"]
        for i, wh in enumerate(net_wh):
            at = datetime.fromtimestamp(GRID.start_s(i), UTC).replace(tzinfo=None)
            rows.append(f"{at.isoformat()},1,{max(0, wh)},{max(0, -wh)}")
        (path / "homes").mkdir(exist_ok=True)
        (path / "homes" / f"home{number}.csv").write_text("\n".join(rows) + "\n")
        self.truth = Truth(tuple(net_wh), 3600, GRID.genesis_s)
        self.path.mkdir()
        values = {"number": number, "gate_s": GATE_S, "contract": DOMAIN.contract.hex()}
        grid = {"genesis_s": GRID.genesis_s, "interval_s": GRID.interval_s}
        (self.path / "meter.toml").write_text(CONFIG.format(**values, **grid))
        (self.path / "passphrase").write_text("not a secret\n")
        save_secret(self.path / "key.json", bytes([number]) * 32, "not a secret", LIGHT_N)
        save_secret(self.path / "seed.json", self.seed, "not a secret", LIGHT_N)
        self.folder = MeterFolder(self.path)

    def start(self, ledger, journal_class=Journal) -> None:
        """The meter's process begins, or begins again."""
        config = self.folder.config
        limits = config.limits(self.folder.profiles)
        self.journal = journal_class(self.path / "journal.db", GRID, limits, config.max_gap_ms)
        self.book = self.folder.book()
        self.books = Bookkeeper(
            self.number, self.key, self.seed, DOMAIN, GRID, config.notes, GATE_S, 1, 86_400,
            self.folder.wiring, self.journal, self.book, lambda: ledger,
        )  # fmt: skip

    def stop(self) -> None:
        self.journal.close()
        self.book.close()

    def step(self, now_s: int) -> None:
        shown = zip(("import", "export"), self.truth.counted(now_s * 1000), strict=True)
        self.journal.append(
            Reading(f"grid/{counter}_energy", now_s * 1000, wh.to_bytes(4, "big"), wh) for counter, wh in shown
        )
        self.journal.use()
        self.books.step(now_s)


class SmallVillage:
    """Home 1 has 100 Wh to spare, home 2 needs as much, home 3 does not trade. Windows 1 and 2 are traded."""

    def __init__(self, path, net=((-150,) * 6, (120,) * 6, (70,) * 6)) -> None:
        self.path = path
        self.ledger = SpecLedger(DOMAIN, GRID, DSO.address, time_s=GRID.genesis_s)
        self.homes = [Home(path, number, list(wh)) for number, wh in enumerate(net, 1)]
        tx = Regulate(
            0,
            feeders=(FeederCapacity(1, 10**6, 10**6),),
            prices=(PriceChange(GRID.genesis_s, 240_000, 90_000),),
            authorise=tuple(Authorisation(h.number, h.key.address, 1, 10**6, 10**6, 10**12) for h in self.homes),
        )
        self.ledger.submit([sign(DOMAIN, tx, DSO)])[0].require()
        for home in self.homes:
            home.start(self.ledger)
        self.now_s = GRID.genesis_s
        self.deposit_to = lambda home, window, index: home.deposits.address(window, index)
        self.replaced: list[str] = []
        self.delivered = True
        self.statements: list[Statement] = []

    def play(self, hours: int) -> "SmallVillage":
        """Go on until ``hours`` after the beginning; notes are traded before delivery and deposited soon after."""
        while self.now_s < GRID.genesis_s + hours * 3600:
            self.step()
        return self

    def step(self) -> None:
        self.now_s += STEP_S
        self.ledger.advance_to(self.now_s)
        for home in self.homes:
            home.step(self.now_s)
        into, t = (self.now_s - GRID.genesis_s) % 3600, GRID.index(self.now_s)
        if into == 1200 and t + 1 in (1, 2):
            self.trade(t + 1)
        if into == DEPOSIT_S:
            self.deposit(t)

    def notes(self, home: Home, window: int):
        """The unspent notes of a window's set, with their keys."""
        for entry in self.ledger.entries():
            tx = entry.signed.tx
            if isinstance(tx, Withdraw) and (tx.meter, tx.window) == (home.number, window):
                for index, note in enumerate(issued(tx.outputs, entry.digest)):
                    if self.ledger.status(note.id).name == "UNSPENT":
                        yield index, note, home.owners.key(window, index)

    def trade(self, window: int, deliver_to=None) -> None:
        """Home 2 buys home 1's EPA note of a window at 150 000 nano per Wh."""
        seller, buyer = self.homes[:2]
        (_, sold, sold_key), *_ = self.notes(seller, window)
        mine = {Kind(n.note.kind): (n, key) for _, n, key in self.notes(buyer, window)}
        (eca, eca_key), (fa, fa_key) = mine[Kind.ECA], mine[Kind.FA]
        to = [[h.deposits.address(window, 10 + i) for i in (0, 1)] for h in (seller, buyer)]
        sell = Order(Side.SELL, sold, (), 150_000, to[0][0], to[0][1], GRID.start_s(window), 100)
        buy = Order(Side.BUY, eca, (fa,), 150_000, deliver_to or to[1][0], to[1][1], GRID.start_s(window), 100)
        fill = Fill(
            sign_order(DOMAIN, sell, sold_key), sign_order(DOMAIN, buy, eca_key, fa_key), 100, 150_000
        )  # fmt: skip
        self.ledger.submit([Signed(Settle((fill,)), ())])[0].require()

    def deposit(self, window: int) -> None:
        """Every home deposits what it still has; where ``deposit_to`` says nothing, it does not."""
        for home in self.homes:
            for index, note, key in list(self.notes(home, window)):
                to = self.deposit_to(home, window, index)
                if to is not None:
                    n = note.note
                    moved = Note(n.kind, to, n.quantity, n.start, n.end)
                    self.ledger.submit([sign(DOMAIN, Transact((note,), (moved,)), key)])[0].require()

    def state(self) -> None:
        """Every meter states what it billed."""
        for home in self.homes:
            b = home.book.bills()
            self.statements.append(
                Statement(
                    home.number, 0, b[0].t, b[-1].t,
                    sum(max(0, r.residual_wh) for r in b), sum(max(0, -r.residual_wh) for r in b),
                    sum(r.fa_withdrawn_nano for r in b), sum(r.fa_deposited_nano for r in b),
                    sum(r.bill_nano for r in b),
                )
            )  # fmt: skip

    def write(self, chaos=None):
        """Leave the folder behind as a village does; its path."""
        for home in self.homes:
            home.stop()
        (self.path / "run").mkdir()
        chain = HashChain()
        with (self.path / "run" / "ledger.jsonl").open("wb") as file:
            file.writelines(encode_log(Genesis(DOMAIN, GRID, DSO.address), self.ledger.entries(), chain))
        (self.path / "run" / "summary.json").write_text(json.dumps({"gate_s": GATE_S}))
        # What the village delivers are the intervals of which the deposit deadline has passed, as its time to end says.
        last = (self.now_s - GATE_S - GRID.genesis_s) // GRID.interval_s - 1
        options = {"homes": len(self.homes), "intervals": last, "speed": 60, "replace": self.replaced}
        state = {"options": options, "processes": [], "facts": {"delivered": self.delivered}}
        (self.path / "village.json").write_text(json.dumps(state))
        (self.path / "dso").mkdir()
        store = StatementStore(self.path / "dso" / "bills.db")
        for statement in self.statements:
            key = next(h.key for h in self.homes if h.number == statement.meter)
            store.book(sign_statement(DOMAIN, statement, key), self.now_s)
        store.close()
        if chaos is not None:
            (self.path / "chaos.json").write_text(json.dumps({"faults": chaos}))
        return self.path
