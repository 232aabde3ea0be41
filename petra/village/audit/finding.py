"""What the audit of a village says."""

from dataclasses import dataclass
from enum import Enum


class Check(Enum):
    """What is looked at; the value is what the table calls it."""

    RUN = "public files follow from one another"
    NOTES = "no note lost or doubled"
    BILLS = "every bill is right"
    TARIFF = "no honest home worse off than at the tariff"
    STATEMENTS = "statements received are the sums of bills"
    RECOVERY = "everybody recovered"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong, and whose doing it is."""

    check: Check
    culprit: str
    """Name of a process, such as ``meter3``; of several where it can be any of them."""
    text: str
    """A sentence."""


@dataclass(frozen=True, slots=True)
class Part:
    """What one check went through, and what it found."""

    check: Check
    figures: str
    """How much was looked at, in words."""
    findings: tuple[Finding, ...] = ()
