"""Recompute a run from its public files: every limit, balance, price and signature, and every bill.

Nothing is believed that can be recomputed. The simulation's secrets (``truth.jsonl``) are not needed and not read.
"""

from petra.audit.error import AuditError
from petra.audit.run import Audit, audit

__all__ = ["Audit", "AuditError", "audit"]
