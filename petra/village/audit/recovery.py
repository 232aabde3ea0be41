"""(e) How long it took until whoever was hit did its job again, from ``chaos.json``."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from petra.village.audit.finding import Check, Finding, Part


@dataclass(frozen=True, slots=True)
class Happened:
    """A fault that was injected. Times in real seconds since chaos began."""

    fault: str
    victim: str
    role: str
    at_s: float
    healed_s: float
    recovered_s: float | None
    """``None``: it did not do its job again as long as anybody looked."""
    restarts: int
    """How often the supervisor started it meanwhile."""
    text: str
    simulated_ms: tuple[int, int]
    """When it was injected and healed by the village's clock."""
    skew_ms: int = 0
    """By how much the victim's clock was set, for a clock's fault."""


def audit_recovery(happened: Iterable[Happened]) -> Part:
    """Everybody that was hit recovered."""
    faults = list(happened)
    findings = tuple(
        Finding(Check.RECOVERY, h.victim, f"did not recover from: {h.text}") for h in faults if h.recovered_s is None
    )
    times_s = [h.recovered_s - h.healed_s for h in faults if h.recovered_s is not None]
    figures = f"{len(faults)} faults"
    if times_s:
        figures += f", recovered after {median(times_s):.1f} s (median), {max(times_s):.1f} s at most"
    return Part(Check.RECOVERY, figures, findings)
