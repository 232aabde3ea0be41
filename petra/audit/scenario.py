"""What ``summary.json`` says about how the run was made, against the ledger."""

from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import NoReturn

from assets.counted import RECOVER, SIGN, CountedDomain
from assets.notes import MAX_NOTES, Kind
from petra.audit.error import AuditError
from petra.audit.ledger import Replay
from petra.audit.summary import Summary
from petra.counted_mix import NAME as COUNTED_TRANSPORT
from petra.counted_mix import mix_operations
from petra.crypto import COUNTED, COUNTED_BANNER
from petra.knowledge import Learnt
from petra.summary import STAGES
from petra.transports import NAMES as TRANSPORTS
from smartmeter.standard_set import StandardSet

TOTALS = (
    *("measured_import_wh", "measured_export_wh", "residual_wh", "traded_wh", "trades"),
    *("sum_bills_nano", "sum_bills_without_trading_nano"),
)
SCENARIO = ("scenario", "seed", "ledger", "homes", "start", "intervals", "interval_s", "gate_s")
SECTIONS = ("standard_set", "conservation", "mix", "learnt", "ledger_stats", "ledger_head", "seconds", "transport")
CONSERVATION = ("epa_outstanding_wh", "eca_outstanding_wh", "fa_outstanding_nano", "dso_shortfall_nano")

LATEST_GATE_S = 366 * 86_400
"""No market closes earlier before delivery, in seconds."""

PARTIES = 4
"""Observers beside the homes: readers of the ledger, the board, the bid store and the DSO."""


def audit_shape(summary: Summary) -> None:
    """All figures are there and no other, each of its type; what follows from other files is computed elsewhere."""
    counted = summary.has("crypto")
    summary.require_fields(*SCENARIO, *TOTALS, *SECTIONS, *(["crypto"] if counted else []))
    for name in ("scenario", "ledger", "ledger_head"):
        summary.text(name)
    for name in ("seed", "homes", "intervals", "interval_s", "gate_s"):
        summary.number(name)
    if summary.number("gate_s") > LATEST_GATE_S:
        _refuse(f"gate_s is more than {LATEST_GATE_S} seconds before delivery")
    summary.section("conservation").require_fields(*CONSERVATION)
    summary.section("mix").require_fields("sessions", "peers_min", "peers_max")
    transport = summary.section("transport")
    transport.require_fields("name", "anonymous")
    names = (COUNTED_TRANSPORT,) if counted else TRANSPORTS
    if transport.text("name") not in names:
        _refuse(f"transport.name is none of {', '.join(names)}")
    transport.require("anonymous", transport.text("name") == "tor")
    stats = summary.section("ledger_stats")
    stats.require_fields("transactions", "gas_total")
    if summary.text("ledger") == "spec":
        stats.require("gas_total", 0)
    stats.number("gas_total")
    seconds = summary.section("seconds")
    seconds.require_fields(*STAGES)
    for stage in STAGES:
        seconds.require_duration(stage)
    _audit_learnt(summary)


def _audit_learnt(summary: Summary) -> None:
    rows = summary.sections("learnt")
    if len(rows) != PARTIES + summary.number("homes"):
        _refuse(f"learnt has {len(rows)} rows; expected {PARTIES}, and one for each of the homes")
    counts = [f.name for f in fields(Learnt) if f.name != "observer"]
    for row in rows:
        row.require_fields("observer", *counts)
        row.text("observer")
        for name in counts:
            if name.startswith("smallest_"):
                row.require_number_or_null(name)
            else:
                row.number(name)


def audit_start(summary: Summary, replay: Replay) -> datetime:
    """The start of interval 0: the ledger's, which on a node may be later (its clock had passed the scenario's)."""
    start = summary.start()
    start_s = (start.replace(tzinfo=UTC) - datetime.fromtimestamp(0, UTC)) // timedelta(seconds=1)
    genesis_s = replay.state.grid.genesis_s
    if start_s > genesis_s or (summary.text("ledger") in ("spec", "evm") and start_s != genesis_s):
        _refuse(f"start is {start.isoformat()}, but interval 0 of the ledger starts at {genesis_s} (Unix)")
    try:
        start + timedelta(seconds=summary.number("intervals") * replay.state.grid.interval_s)
    except OverflowError:
        _refuse("start and intervals lead beyond the year 9999")
    return start


def audit_mixes(summary: Summary, replay: Replay) -> None:
    """Number and sizes of the mixes are those of the ledger."""
    peers = replay.mix_peers
    computed = {"sessions": len(peers), "peers_min": min(peers, default=0), "peers_max": max(peers, default=0)}
    summary.section("mix").require_all(computed)


def audit_crypto(summary: Summary, replay: Replay) -> None:
    """Whether cryptography was executed is what the ledger says; what mixes would have taken follows from their sizes.

    Only the run itself knows how often the rest was counted, and what an operation costs.
    """
    counted = isinstance(replay.state.domain, CountedDomain)
    if counted != summary.has("crypto"):
        was = "counted" if counted else "executed"
        _refuse(f"crypto is {'missing' if counted else 'there'}, but that of the ledger was {was}")
    if not counted:
        return
    crypto = summary.section("crypto")
    crypto.require_fields("mode", "statement", "cpu_s", "operations")
    crypto.require("mode", COUNTED)
    crypto.require("statement", COUNTED_BANNER)
    crypto.require_duration("cpu_s")
    claimed: dict[str, int] = {}
    for row in crypto.sections("operations"):
        row.require_fields("operation", "count", "unit_us", "cpu_s")
        row.require_duration("cpu_s")
        claimed[row.text("operation")] = row.number("count")
    for operation, count in mix_operations(replay.mix_peers).items():
        shared = operation in (SIGN, RECOVER)
        if claimed.get(operation, 0) < count or (not shared and claimed.get(operation) != count):
            _refuse(f"{operation!r} was counted {claimed.get(operation, 0)} times, but the mixes take {count}")


def audit_standard_set(summary: Summary, replay: Replay) -> None:
    """Every meter issued the standard set and nothing else, in every withdrawal."""
    section = summary.section("standard_set")
    names = [f.name for f in fields(StandardSet)]
    section.require_fields(*names)
    power_w, epa_notes, eca_notes, fa_notes, amount_nano = (section.number(name) for name in names)
    if epa_notes + eca_notes + fa_notes > MAX_NOTES:
        _refuse("standard_set has more notes than a withdrawal can")
    notes = [(Kind.EPA, power_w)] * epa_notes + [(Kind.ECA, power_w)] * eca_notes + [(Kind.FA, amount_nano)] * fa_notes
    if any(issued != tuple(notes) for issued in replay.note_sets):
        _refuse("standard_set is not what the meters withdrew on the ledger")


def _refuse(reason: str) -> NoReturn:
    raise AuditError("summary.json", 1, reason)
