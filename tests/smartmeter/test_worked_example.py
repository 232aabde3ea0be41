"""docs/meter.md, "From registers to a settled bill, by hand", number by number."""

from pathlib import Path

import pytest

from assets.commitments.groups import GROUPS
from assets.intervals import IntervalGrid
from smartmeter.billing import bill_interval
from smartmeter.journal import CounterLimits, Journal, Reading
from smartmeter.profile import COUNTERS, built_in
from smartmeter.wiring import Mounted, Role, Wiring

HOUR_S = 3600
CONSUMPTION, PRODUCTION = 240_000, 90_000
REGISTERS = {
    "10:00": ((0x4640, 0x0000), (0x42C8, 0x0000)),
    "11:00": ((0x4640, 0x0100), (0x42C8, 0x0000)),
    "12:00": ((0x4640, 0x0100), (0x42C8, 0x4000)),
}
SHOWN_WH = {"10:00": (12_288_000, 100_000), "11:00": (12_288_250, 100_000), "12:00": (12_288_250, 100_125)}


@pytest.mark.parametrize("name", sorted(GROUPS))
def test_from_registers_to_a_settled_bill(name: str, tmp_path: Path) -> None:
    sdm630 = built_in()["sdm630"]
    wiring = Wiring([Mounted("grid", Role.GRID)], HOUR_S)
    limits = dict.fromkeys(wiring.counters, CounterLimits(25_000))
    journal = Journal(tmp_path / "journal.db", IntervalGrid(10 * HOUR_S, HOUR_S), limits, HOUR_S * 1000)
    for at, (imported, exported) in REGISTERS.items():
        memory = dict(zip(range(0x48, 0x4C), imported + exported, strict=True))
        shown = tuple(int(sdm630.value(counter, memory)) for counter in COUNTERS)
        assert shown == SHOWN_WH[at]
        for counter, wh in zip(wiring.counters, shown, strict=True):
            journal.append([Reading(counter, int(at[:2]) * HOUR_S * 1000, b"", wh)])
    journal.use()
    energies = [wiring.energy(journal, t) for t in (0, 1)]
    assert [e.net_wh for e in energies if e] == [250, -125]

    first, second = (
        bill_interval(
            meter=3,
            t=t,
            measured_wh=measured_wh,
            epa_withdrawn_wh=200,
            epa_deposited_wh=epa_wh,
            eca_withdrawn_wh=200,
            eca_deposited_wh=eca_wh,
            fa_withdrawn_nano=1_000,
            fa_deposited_nano=fa_nano,
            consumption_nano_per_wh=CONSUMPTION,
            production_nano_per_wh=PRODUCTION,
        )
        for t, measured_wh, epa_wh, eca_wh, fa_nano in ((0, 250, 300, 100, 400), (1, -125, 200, 200, 1_000))
    )
    assert (first.matched_wh, first.residual_wh, first.bill_nano) == (100, 150, 36_000_600)
    assert (second.matched_wh, second.residual_wh, second.bill_nano) == (0, -125, -11_250_000)
    assert first.bill_nano + second.bill_nano == 24_750_600

    curve = GROUPS[name]
    assert CONSUMPTION * (1 + 2) - PRODUCTION * (3 + 4) - 5 == 89_995
    terms = [
        *((CONSUMPTION, curve.commit(150, 1)), (CONSUMPTION, curve.commit(0, 2))),
        *((-PRODUCTION, curve.commit(0, 3)), (-PRODUCTION, curve.commit(125, 4))),
        (-1, curve.commit(1_400, 5)),
    ]
    assert 24_750_600 - 2_000 == 24_748_600
    assert curve.weighted_sum(terms) == curve.commit(24_748_600, 89_995)
