"""Whether all came out right in a village, whatever went wrong in it meanwhile.

The audit believes no process. It has the ledger, all folders with their seeds, and what the simulators truly counted.
"""

from petra.village.audit.finding import Check, Finding, Part
from petra.village.audit.village import NotAudited, audit_village

__all__ = ["Check", "Finding", "NotAudited", "Part", "audit_village"]
