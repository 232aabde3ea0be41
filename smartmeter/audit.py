"""Recomputing what a meter did from its raw readings, and handing it to an auditor."""

import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from assets.codec import canonical, signed_to_json
from smartmeter.billing import BillMismatch, recompute, to_json
from smartmeter.book import Book
from smartmeter.journal import Journal
from smartmeter.wiring import Wiring


@dataclass(frozen=True, slots=True)
class Findings:
    """What a recomputation found."""

    readings: int
    bills: int
    net_wh: int
    """Net energy of all bills."""
    problems: tuple[str, ...]


def verify_meter(journal: Journal, book: Book, wiring: Wiring) -> Findings:
    """Recompute the journal from its raw readings, and the bills from both; say what does not follow."""
    problems = []
    again, same = journal.replayed()
    if not same:
        problems.append("the journal's counters do not follow from its raw readings; it was changed")
    bills, base_wh = book.bills(), 0
    for before, after in pairwise(bills):
        if after.t != before.t + 1:
            problems.append(f"interval {before.t + 1} has no bill")
    for record in bills:
        try:
            recompute(record)
        except BillMismatch as mismatch:
            problems.append(str(mismatch))
        base_wh += record.measured_wh
        total_wh = wiring.net_total_wh(again, record.t + 1)
        if total_wh is not None and record.quality < 2 and total_wh != base_wh:
            problems.append(f"up to interval {record.t}, {base_wh} Wh are billed and {total_wh} Wh were counted")
    if base_wh != book.base_wh:
        problems.append(f"the bills have {base_wh} Wh, the book {book.base_wh} Wh")
    return Findings(len(again.raw()), len(bills), base_wh, tuple(problems))


def export_meter(journal: Journal, book: Book, out: Path) -> dict[str, int]:
    """Write ``billing.jsonl``, ``withdrawals.jsonl`` and ``readings.jsonl`` into ``out``; how many lines each has."""
    out.mkdir(mode=0o700, parents=True, exist_ok=True)
    lines = {
        "billing": [to_json(record) for record in book.bills()],
        "withdrawals": [
            canonical({"fate": i.fate.value, "reason": i.reason, "signed": signed_to_json(i.signed)}).decode()
            for i in book.issues()
        ],
        "readings": [
            json.dumps(
                {
                    "counter": r.counter,
                    "time_ms": r.time_ms,
                    "words": r.words.hex(),
                    "raw_wh": r.raw_wh,
                    "step_wh": r.step_wh,
                }
            )
            for r in journal.raw()
        ],
    }
    for name, content in lines.items():
        (out / f"{name}.jsonl").write_text("".join(line + "\n" for line in content), encoding="utf-8")
    return {name: len(content) for name, content in lines.items()}
