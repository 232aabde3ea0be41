"""The bookkeeper: follows the ledger, issues the standard set, and bills. One step at a time, each repeatable."""

import logging
from collections.abc import Callable

from assets.errors import BadNonce
from assets.intervals import IntervalGrid
from assets.keys import Signer
from assets.port import Ledger
from assets.statement import deposit_deadline_s
from assets.transactions import Domain, PriceChange
from contracts.errors import Reorganised
from smartmeter.billing import BillingRecord
from smartmeter.book import Book, Fate
from smartmeter.flags import Flag, Quality
from smartmeter.identity import DepositSeed, DerivedAddresses, OwnerSeed
from smartmeter.journal import Journal
from smartmeter.meter import Meter
from smartmeter.standard_set import StandardSet
from smartmeter.tally import TallyState
from smartmeter.wiring import Wiring

log = logging.getLogger("petra.meter")

LOOK_BACK = 96
"""For how many intervals before the next bill deposits are still recognised, and refused with a reason."""

PATIENCE_S = 600
"""How long after its deadline a bill waits for analysers that it does not depend on."""

LOOK_AHEAD = 4
"""For how many intervals beyond those with notes deposit addresses are watched."""


class Bookkeeper:
    """What a meter does with the ledger.

    Whatever happens to the process, the next one goes on from the book: signed withdrawals are sent again as they are,
    entries are counted once, and a bill is made once.
    """

    def __init__(
        self,
        number: int,
        key: Signer,
        seed: bytes,
        domain: Domain,
        grid: IntervalGrid,
        notes: StandardSet,
        gate_s: int,
        lead: int,
        missing_after_s: int,
        wiring: Wiring,
        journal: Journal,
        book: Book,
        open_ledger: Callable[[], Ledger],
    ) -> None:
        self._number, self._grid, self._notes, self._gate_s = number, grid, notes, gate_s
        self._lead, self._missing_after_s = lead, missing_after_s
        self._wiring, self._journal, self._book = wiring, journal, book
        self._open_ledger = open_ledger
        self._ledger: Ledger | None = None
        self._owners = OwnerSeed(seed)
        self._accepted: set[int] = set()
        """Windows whose withdrawal the ledger took since it was last read."""
        self._secrets = (key, seed, domain)
        self._reload()

    def _reload(self) -> None:
        """The meter as the book has it; a step that failed half-way leaves nothing behind."""
        key, seed, domain = self._secrets
        self._addresses = DerivedAddresses(DepositSeed(seed))
        self.meter = Meter(self._number, key, self._addresses, domain, self._grid, self._notes, self._gate_s)
        state = self._book.tally()
        if state is not None:
            self.meter.restore(state)

    def step(self, now_s: int) -> list[BillingRecord]:
        """Read the ledger on, issue what is due at ``now_s``, and make the bills that have become final.

        Raises :class:`~contracts.errors.NodeError` or ``ConnectionError`` if the ledger cannot be reached; the next
        step goes on from there.
        """
        self._book.start(self._present(now_s))
        if self._ledger is None:
            self._ledger = self._open_ledger()
        made = self.follow(self._ledger, now_s)
        self.issue(self._ledger, now_s)
        return made

    def follow(self, ledger: Ledger, now_s: int) -> list[BillingRecord]:
        """Count what the ledger recorded meanwhile, and bill what is final; both are stored together."""
        try:
            return self._follow(ledger, now_s)
        except BaseException:
            self._reload()
            raise

    def _follow(self, ledger: Ledger, now_s: int) -> list[BillingRecord]:
        self._watch(now_s)
        ledger_s = ledger.now_s
        try:
            entries = ledger.entries(self.meter.cursor)
        except Reorganised:
            log.warning("the chain dropped entries that were counted; counting again from the first")
            self.meter.restore(TallyState(0, 0, (), (), (), ()))
            with self._book.change():  # the ledger says so once, whether or not it answers next
                self._book.store_tally(self.meter.state(), ())
                self._book.doubt_issues(self._book.next_bill or 0)
            entries = ledger.entries(0)
        self._accepted.clear()
        self.meter.follow(entries, ledger_s)
        made = []
        with self._book.change():
            for issue in self._book.pending():
                if issue.window in self.meter.issued_windows:
                    self._book.settle_issue(issue.window, Fate.RECORDED)
                elif self.meter.is_final(issue.window):
                    self._book.settle_issue(issue.window, Fate.EXPIRED, "its window closed before it was recorded")
            while (record := self._bill_next()) is not None:
                made.append(record)
            self.meter.forget_before(self._book.next_bill or 0)
            self._book.store_tally(self.meter.state(), self.meter.refused_deposits)
        return made

    def issue(self, ledger: Ledger, now_s: int) -> None:
        """Issue the standard set of every window that is due, and send again what has no verdict yet."""
        first = self._present(now_s) + 1
        for window in range(first, first + self._lead):
            self._send(ledger)
            if not self._book.pending() and self._may_issue(window):
                owners = self._owners.owners(window, self._notes.count)
                self._book.add_issue(self.meter.withdraw(window, ledger.meter_nonce(self._number), owners))
        self._send(ledger)

    def _may_issue(self, window: int) -> bool:
        """Whether a window's notes are due: none were signed, it is open, and the DSO has named its price."""
        done = self._book.has_issue(window) or window in self.meter.issued_windows
        return not done and not self.meter.is_final(window) and self.meter.price_at(window) is not None

    def _send(self, ledger: Ledger) -> None:
        """Send what has no verdict. What a node took is recorded once it is read: until then it may be lost again."""
        for issue in self._book.pending():
            if issue.window in self._accepted:
                continue
            (receipt,) = ledger.submit([issue.signed])
            if receipt.accepted:
                self._accepted.add(issue.window)
            elif isinstance(receipt.refusal, BadNonce):
                log.info("a withdrawal was on the ledger before it was sent again; the next reading of it will tell")
            else:
                self._book.settle_issue(issue.window, Fate.REFUSED, str(receipt.refusal))
                log.warning("the ledger refused the notes of a window: %s", type(receipt.refusal).__name__)

    def _bill_next(self) -> BillingRecord | None:
        while (t := self._book.next_bill) is not None and self.meter.is_final(t):
            if (price := self.meter.price_at(t)) is not None:
                return self._bill(t, price)
            self._book.skip(t)  # nobody can name a price for the past: it lies before the first
        return None

    def _bill(self, t: int, price: PriceChange) -> BillingRecord | None:
        """The bill of ``t``, which is final; ``None`` while its readings are waited for."""
        base_wh = self._book.base_wh
        energy, total_wh = self._wiring.energy(self._journal, t), self._wiring.net_total_wh(self._journal, t + 1)
        waited_s = self.meter.ledger_time_s - deposit_deadline_s(self._grid, t, self._gate_s)
        if energy is None and waited_s >= PATIENCE_S:
            energy = self._wiring.energy(self._journal, t, billed_only=True)
        if energy is not None and total_wh is not None:
            quality, flags, net_wh = energy.quality, energy.flags, total_wh - base_wh
            if net_wh != energy.net_wh:
                flags |= Flag.CARRIED
                quality = max(quality, Quality.ESTIMATED)
        elif waited_s >= self._missing_after_s or self._wiring.begins_after(self._journal, self._grid.end_s(t)):
            quality, flags, net_wh, total_wh = Quality.MISSING, Flag(0), 0, base_wh
        else:
            return None
        self.meter.record_reading(t, net_wh, quality, flags)
        record = self.meter.bill(t, price)
        self._book.add_bill(record, total_wh)
        return record

    def _present(self, now_s: int) -> int:
        return self._grid.index(max(now_s, self._grid.genesis_s))

    def _watch(self, now_s: int) -> None:
        t = self._present(now_s)
        due = self._book.next_bill
        first = max(0, min(t, t if due is None else due) - LOOK_BACK)
        self._addresses.forget_before(first)
        self._addresses.watch(range(first, t + self._lead + LOOK_AHEAD))
