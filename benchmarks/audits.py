"""Auditing the ledger of a simulated run from its file, beside the signature checks alone."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from assets.chainlog import Genesis, HashChain, encode_log
from assets.port import Entry
from benchmarks import bare
from benchmarks.row import Reference, Row
from benchmarks.sizes import Sizes
from benchmarks.timer import again, medians_s
from dso.tariff import Tariff
from petra.audit.ledger import replay_ledger
from petra.homes.profile import HomeProfile, Profiles
from petra.scenario import Scenario, default_scenario
from petra.simulation import simulate


def rows(sizes: Sizes) -> list[Row]:
    """A run on the specification, its ledger written and replayed."""
    scenario = small_scenario(sizes.audited_homes, sizes.audited_intervals)
    run = simulate(scenario, lambda _: None)
    ledger, entries = run.grid.ledger, run.entries
    signed = [bare.recoverable(entry.digest, s) for entry in entries for s in entry.signed.signatures]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.jsonl"
        head = _write(path, Genesis(ledger.domain, ledger.grid, ledger.dso), entries)
        replay_s, signatures_s = medians_s(
            sizes.runs, again(replay_ledger, path, scenario.gate_s, head), again(bare.recover_all, signed)
        )
    reference = Reference("coincurve, their signatures", len(entries) / signatures_s)
    return [Row(f"audit of {len(entries)} entries", len(entries) / replay_s, "entries/s", sizes.runs, reference)]


def _write(path: Path, genesis: Genesis, entries: Sequence[Entry]) -> str:
    """Write the log; its head, as ``summary.json`` publishes it."""
    chain = HashChain()
    path.write_bytes(b"".join(encode_log(genesis, entries, chain)))
    return "0x" + chain.head.hex()


def small_scenario(homes: int, intervals: int) -> Scenario:
    """Every second home has energy to sell."""
    profiles = tuple(
        HomeProfile(
            home=number,
            load_wh=tuple(700 + 31 * number + 7 * t for t in range(intervals)),
            generation_wh=tuple(0 if number % 2 else 1500 + 13 * number for _ in range(intervals)),
        )
        for number in range(1, homes + 1)
    )
    source = Profiles(start=datetime(2026, 3, 1, 10), interval_s=3600, homes=profiles, source="benchmarks")
    return default_scenario(source, 1, "spec", Tariff.parse("0.24/0.09"))
