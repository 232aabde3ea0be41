"""(b) Bills against what the simulators truly counted, and against the ledger.

A counter never falls. So what a reading shows lies between what the device had counted a little before and a little
after the reading's time, however the energy was spread; and what is billed up to an interval's border lies between
what it had counted at the readings on both sides of it. ``slack_ms`` is how far a reading's time may be off: a device
answers within a moment, which an accelerated clock makes longer. A meter whose clock was skewed may be off by that much
more.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from assets.intervals import IntervalGrid
from assets.notes import Kind
from assets.port import Entry
from petra.village.audit.finding import Check, Finding
from smartmeter.billing import BillingRecord
from smartmeter.flags import Quality
from smartmeter.identity import DepositSeed, DerivedAddresses
from smartmeter.journal import Reading
from smartmeter.simulator import played
from smartmeter.tally import Tally

LOOK_AHEAD = 4
"""Windows beyond the last bill whose addresses are watched."""


@dataclass(frozen=True, slots=True)
class Truth:
    """What a simulator plays."""

    net_wh: tuple[int, ...]
    """Net consumption in each of its intervals."""
    interval_s: int
    start_s: int
    """When playing begins, Unix seconds of the village's clock; the counters stand at 0 until then."""

    def counted(self, time_ms: int) -> tuple[int, int]:
        """Wh drawn and fed in by then."""
        return played(self.net_wh, self.interval_s, max(0, time_ms - self.start_s * 1000) / 1000)


@dataclass(frozen=True, slots=True)
class Skew:
    """That a process's clock was wrong for a while. Milliseconds of the village's clock."""

    since_ms: int
    until_ms: int
    by_ms: int
    """Positive: it was fast."""


@dataclass(frozen=True, slots=True)
class MeterEvidence:
    """What a meter left behind."""

    name: str
    number: int
    bills: tuple[BillingRecord, ...]
    readings: tuple[Reading, ...]
    """Raw, of one analyser, in the order of storing."""
    problems: tuple[str, ...]
    """What recomputing the journal and the bills from raw readings found."""
    truth: Truth
    skews: tuple[Skew, ...] = ()


def audit_energy(meter: MeterEvidence, grid: IntervalGrid, slack_ms: int) -> list[Finding]:
    """What of a meter's readings and bills cannot be, as far as energy goes."""
    findings = [
        Finding(Check.BILLS, meter.name, f"recomputed from its readings: {problem}") for problem in meter.problems
    ]
    return [*findings, *_readings(meter, slack_ms), *_totals(meter, grid, slack_ms)]


def _readings(meter: MeterEvidence, slack_ms: int) -> list[Finding]:
    """Every reading is what its device showed at about that time."""
    wrong = []
    for r in meter.readings:
        way = 0 if r.counter.endswith("/import_energy") else 1
        early_ms, late_ms = _when(meter, r.time_ms, slack_ms)
        low, high = meter.truth.counted(early_ms)[way] - r.step_wh, meter.truth.counted(late_ms)[way] + r.step_wh
        if not low <= r.raw_wh <= high:
            wrong.append(f"{r.counter} was read as {r.raw_wh} Wh at {r.time_ms} ms; it showed {low} to {high} Wh")
    if not wrong:
        return []
    text = f"{len(wrong)} of {len(meter.readings)} readings are not what the device showed; the first: {wrong[0]}"
    return [Finding(Check.BILLS, meter.name, text)]


def _totals(meter: MeterEvidence, grid: IntervalGrid, slack_ms: int) -> list[Finding]:
    """The bills up to each border add up to what the device counted from the first reading to there."""
    times = sorted({r.time_ms for r in meter.readings})
    if not meter.bills or not times:
        return [] if not meter.bills else [Finding(Check.BILLS, meter.name, "it billed and never read a counter")]
    step = 2 * max(r.step_wh for r in meter.readings)
    first_low, first_high = _net(meter, times[0], times[0], slack_ms)
    for bill, billed_wh in zip(meter.bills, accumulate(b.measured_wh for b in meter.bills), strict=True):
        if bill.quality >= Quality.MISSING and bill.t != meter.bills[0].t:
            continue  # nothing was known at its end; what the counters showed later stands on a later bill
        border_ms = grid.end_s(bill.t) * 1000
        before, after = bisect_right(times, border_ms) - 1, bisect_left(times, border_ms)
        if before < 0 or after >= len(times):
            continue
        low, high = _net(meter, times[before], times[after], slack_ms)
        low, high = low - first_high - step, high - first_low + step
        if not low <= billed_wh <= high:
            text = (
                f"interval {bill.t}: {billed_wh} Wh are billed up to its end, and the device counted "
                f"{low} to {high} Wh since the first reading"
            )
            return [Finding(Check.BILLS, meter.name, text)]
    return []


def _net(meter: MeterEvidence, from_ms: int, to_ms: int, slack_ms: int) -> tuple[int, int]:
    """The least and the most that the device may have counted, net, at some moment between two readings."""
    early, late = (
        meter.truth.counted(t) for t in (_when(meter, from_ms, slack_ms)[0], _when(meter, to_ms, slack_ms)[1])
    )
    return early[0] - late[1], late[0] - early[1]


def _when(meter: MeterEvidence, time_ms: int, slack_ms: int) -> tuple[int, int]:
    """Between which times of the village something happened that the meter says was at ``time_ms``."""
    skews = [s.by_ms for s in meter.skews if s.since_ms - abs(s.by_ms) <= time_ms <= s.until_ms + abs(s.by_ms)]
    return time_ms - max(0, *skews, 0) - slack_ms, time_ms - min(0, *skews, 0) + slack_ms


def audit_against_ledger(
    meter: MeterEvidence, entries: Sequence[Entry], grid: IntervalGrid, gate_s: int, seed: bytes
) -> list[Finding]:
    """What of a meter's bills does not follow from the ledger, counted anew with the home's seed."""
    if not meter.bills:
        return []
    addresses = DerivedAddresses(DepositSeed(seed))
    addresses.watch(range(meter.bills[-1].t + LOOK_AHEAD))
    tally = Tally(meter.number, grid, gate_s, addresses)
    tally.follow(entries)
    for bill in meter.bills:
        t, price = bill.t, tally.price_at(bill.t)
        if price is None:
            return [Finding(Check.BILLS, meter.name, f"interval {t} is billed, and the ledger has no price for it")]
        for name, computed in (
            ("epa_withdrawn_wh", tally.withdrawn_wh[Kind.EPA, t]),
            ("epa_deposited_wh", tally.deposited_wh[Kind.EPA, t]),
            ("eca_withdrawn_wh", tally.withdrawn_wh[Kind.ECA, t]),
            ("eca_deposited_wh", tally.deposited_wh[Kind.ECA, t]),
            ("fa_withdrawn_nano", tally.fa_withdrawn_nano[t]),
            ("fa_deposited_nano", tally.fa_deposited_nano[t]),
            ("consumption_nano_per_wh", price.consumption_nano_per_wh),
            ("production_nano_per_wh", price.production_nano_per_wh),
        ):
            if getattr(bill, name) != computed:
                text = f"interval {t}: {name} is {getattr(bill, name)}, but the ledger gives {computed}"
                return [Finding(Check.BILLS, meter.name, text)]
    return []
