"""The specification and the contract side by side, and what must hold of both after every step."""

from collections import Counter, defaultdict

from assets.errors import EncodingError
from assets.intervals import IntervalGrid
from assets.keys import recover_address
from assets.ledger import SpecLedger
from assets.notes import IssuedNote, Kind, issued
from assets.orders import order_digest
from assets.port import NoteStatus
from assets.transactions import Settle, Transact, Withdraw, digest, inputs_of, outputs_of
from contracts.ledger import EvmLedger
from tests.differential.moves import DSOS, FEEDERS, GENESIS_S, INTERVALS, METERS, OWNERS


class Twins:
    """Both ledgers; every batch goes to both and must get the same verdicts."""

    def __init__(self, chain, interval_s):
        grid = IntervalGrid(GENESIS_S, interval_s)
        self.evm = EvmLedger.deploy(chain, DSOS[0].address, grid)
        self.spec = SpecLedger(self.evm.domain, grid, DSOS[0].address, time_s=self.evm.now_s)
        self.known: list[IssuedNote] = []
        self.verdicts: Counter[str] = Counter()
        self.sent = []
        self.withdrawn_nano = 0

    def unspent(self):
        return [n for n in self.known if self.spec.status(n.id) is NoteStatus.UNSPENT]

    def advance(self, seconds):
        self.evm.advance_to(self.evm.now_s + seconds)
        self.spec.advance_to(self.evm.now_s)

    def submit(self, batch):
        """The batch to both, with the specification's clock set to the block's time."""
        try:
            on_chain = self.evm.submit(batch)
        except EncodingError:
            self.verdicts["EncodingError"] += 1
            before = len(self.spec.entries())
            try:
                self.spec.submit(batch)
            except EncodingError:
                assert len(self.spec.entries()) == before
                return
            raise AssertionError("only the contract's encoding refuses this") from None
        self.spec.advance_to(on_chain[0].time_s)
        expected = self.spec.submit(batch)
        assert on_chain == expected
        for signed, receipt in zip(batch, expected, strict=True):
            self.sent.append((signed, receipt))
            for refusal in receipt.fills or (receipt.refusal,):
                self.verdicts[type(refusal).__name__ if refusal else "accepted"] += 1
        self._follow()

    def _follow(self):
        """Take up the new entries, as the contract's log gives them, and check each on its own."""
        seen = self.seen if hasattr(self, "seen") else 0
        for entry in self.evm.entries(seen):
            self.known.extend(issued(outputs_of(entry.signed.tx, self.evm.grid.interval_s), entry.digest))
            assert_owners_signed(self.evm.domain, entry)
            if isinstance(entry.signed.tx, Withdraw):
                self._assert_limits(entry.signed.tx)
                self.withdrawn_nano += sum(n.quantity for n in entry.signed.tx.outputs if n.kind == Kind.FA)
        self.seen = len(self.evm.entries())

    def _assert_limits(self, tx):
        """After a withdrawal no sum of its meter or feeder exceeds what is in force."""
        state = self.spec.state
        account = state.meters[tx.meter]
        grant = account.ruling.at(state.time_s).authorisation
        feeder = state.feeders[account.feeder]
        capacity = feeder.ruling.at(state.time_s)
        for note in tx.outputs:
            if note.kind == Kind.FA:
                assert account.fa_outstanding_nano <= grant.credit_nano
                continue
            limit, cap = {
                Kind.EPA: (grant.max_epa_w, capacity.export_w),
                Kind.ECA: (grant.max_eca_w, capacity.import_w),
            }[note.kind]
            for t in range(note.start, note.end + 1):
                assert account.issued_w[note.kind, t] <= limit
                assert feeder.issued_w[note.kind, t] <= cap

    def assert_conserved(self):
        """What is unspent is what was issued, in every interval; no note is created or spent twice."""
        state = self.spec.state
        unspent_w, unspent_nano = defaultdict(int), 0
        for note in self.unspent():
            if note.note.kind == Kind.FA:
                unspent_nano += note.note.quantity
                continue
            for t in range(note.note.start, note.note.end + 1):
                unspent_w[int(note.note.kind), t] += note.note.quantity
        issued_w = defaultdict(int)
        for account in state.meters.values():
            for place, power_w in account.issued_w.items():
                issued_w[place] += power_w
        assert {k: v for k, v in unspent_w.items() if v} == {k: v for k, v in issued_w.items() if v}
        assert unspent_nano == self.withdrawn_nano
        ids = [note.id for note in self.known]
        assert len(ids) == len(set(ids))
        spent = [note.id for entry in self.spec.entries() for note in inputs_of(entry.signed.tx)]
        assert len(spent) == len(set(spent))

    def compare_states(self):
        """Everything that either ledger can tell."""
        state, views = self.spec.state, self.evm.views
        assert self.evm.entries() == self.spec.entries()
        for note in self.known:
            path = self.evm._groups.path(note)
            assert views.status(note, path) == self.evm.status(note.id) == self.spec.status(note.id)
        for owner in OWNERS:
            assert views.cancelled(owner.address) == state.cancelled.get(owner.address, 0)
        now_s = self.spec.now_s
        for meter in METERS:
            account = state.meters.get(meter)
            assert views.meter_nonce(meter) == self.evm.meter_nonce(meter) == self.spec.meter_nonce(meter)
            if account:
                standing = account.ruling.at(now_s)
                assert views.meter_limits(meter) == (standing and (standing.authorisation, standing.banned))
                assert views.meter_outstanding(meter) == account.fa_outstanding_nano
                assert issued_by(views.meter_issued, meter) == sums(account.issued_w)
        for feeder in FEEDERS:
            record = state.feeders.get(feeder)
            if record and (capacity := record.ruling.at(now_s)):
                assert views.feeder_caps(feeder) == capacity
                assert issued_by(views.feeder_issued, feeder) == sums(record.issued_w)
        assert views.regulation_nonce() == self.evm.regulation_nonce() == self.spec.regulation_nonce()
        assert views.dso() == self.evm.dso == self.spec.dso
        for t in (0, 1, INTERVALS):
            assert views.price_at(t) == self.evm.price_at(t) == self.spec.price_at(t)


def assert_owners_signed(domain, entry):
    """Every note that moved was signed for by its owner's key; reckoned from the log, not by either ledger."""
    tx = entry.signed.tx
    if isinstance(tx, Transact):
        signers = {recover_address(digest(domain, tx), s) for s in entry.signed.signatures}
        assert {note.note.owner for note in tx.inputs} <= signers
    if isinstance(tx, Settle):
        for signed in (order for fill in tx.fills for order in (fill.sell, fill.buy)):
            signers = {recover_address(order_digest(domain, signed.order), s) for s in signed.signatures}
            assert {note.note.owner for note in signed.order.notes} <= signers


def issued_by(view, number):
    return [view(number, t) for t in range(INTERVALS)]


def sums(issued_w):
    return [(issued_w.get((Kind.EPA, t), 0), issued_w.get((Kind.ECA, t), 0)) for t in range(INTERVALS)]
