"""Checking what a meter published: sheets when they come, the statement at the end of the period.

Every check raises :class:`~assets.commitments.errors.BadStatement` with the name of the field; nothing returns a flag.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from assets.commitments.errors import BadStatement
from assets.commitments.group import Group, NoPoint
from assets.commitments.sheet import Sheet, SignedSheet, sheet_digest
from assets.commitments.statement import PrivateStatement, SignedPrivateStatement, Total, totals_of
from assets.commitments.tariff import Prices, levels
from assets.keys import Address
from assets.transactions import Domain


@dataclass(frozen=True, slots=True)
class Expected:
    """What the verifier knows of a statement from the ledger and from the statements before, not from the meter."""

    domain: Domain
    group: Group
    meter: int
    key: Address
    """The meter's key as the ledger authorises it."""
    nonce: int
    """How many private statements of the meter were booked."""
    first: int | None
    """Where the last period ended, plus one; ``None`` if any period may come."""
    prices: Prices
    """The ledger's prices of the period."""
    fa_withdrawn_nano: int
    """What the ledger shows as issued on the bills of the period."""


def verify_sheet(signed: SignedSheet, domain: Domain, group: Group, key: Address) -> None:
    """A sheet carries its meter's signature for this ledger and group.

    Raises :class:`BadStatement` for the field ``signature``. That its points are points is checked with the statement.
    """
    if signed.signer(domain, group) != key:
        why = "the sheet was not signed, as it stands, with the key that the ledger authorises"
        raise BadStatement(signed.sheet.meter, "signature", why)


def verify_statement(signed: SignedPrivateStatement, sheets: Sequence[Sheet], expected: Expected) -> None:
    """The bill of ``signed`` is the price-weighted sum of what the ``sheets`` commit to, and of FA.

    The sheets must be all those that the statement names, in the order of their intervals. Raises
    :class:`BadStatement` naming the first field that does not hold. The signature comes last, so that whatever a relay
    changed is named itself; it is blamed only where all numbers agree with one another and with the ledger.
    """
    s = signed.statement
    _check_header(s, expected)
    _check_sheets(s, sheets, expected)
    _check_sums(s, sheets, expected.group)
    if signed.signer(expected.domain, expected.group) == expected.key:
        return
    why = "the statement was not signed, as it stands, with the key that the ledger authorises"
    raise BadStatement(s.meter, "signature", why)


def verify_opening(statement: PrivateStatement, group: Group) -> None:
    """The bill follows from the totals: the one equation of the statement, and what the contract checks too.

    Raises :class:`BadStatement`.
    """
    s = statement
    if s.blinding >= group.order:
        raise BadStatement(s.meter, "blinding", f"expected a number below the order of {group.name}")
    terms = [(-1, s.fa_deposited)]
    for total in s.totals:
        terms.append((total.level.consumption_nano_per_wh, total.imported))
        terms.append((-total.level.production_nano_per_wh, total.exported))
    try:
        weighted = group.weighted_sum(terms)
    except NoPoint as error:
        raise BadStatement(s.meter, "fa_deposited or totals", str(error)) from None
    if weighted != group.commit(s.bill_nano - s.fa_withdrawn_nano, s.blinding):
        why = "the commitments, weighted with the prices, do not open to this bill"
        raise BadStatement(s.meter, "bill_nano, blinding or fa_deposited", why)


def _check_header(s: PrivateStatement, expected: Expected) -> None:
    if s.meter != expected.meter:
        raise BadStatement(s.meter, "meter", f"expected a statement of meter {expected.meter}")
    if s.nonce != expected.nonce:
        raise BadStatement(s.meter, "nonce", f"expected {expected.nonce}, got {s.nonce}: replayed, or one is missing")
    if expected.first is not None and s.first != expected.first:
        raise BadStatement(s.meter, "first", f"the period should start at {expected.first}, it starts at {s.first}")
    if not _covers(expected.prices, s.first, s.last):
        raise BadStatement(s.meter, "prices", f"the ledger has not a price for every interval of {s.first}..{s.last}")
    if s.prices != expected.prices:
        raise BadStatement(s.meter, "prices", f"not the ledger's prices of {s.first}..{s.last}")
    if s.fa_withdrawn_nano != expected.fa_withdrawn_nano:
        why = f"the ledger shows {expected.fa_withdrawn_nano}, the statement {s.fa_withdrawn_nano}"
        raise BadStatement(s.meter, "fa_withdrawn_nano", why)


def _covers(prices: Prices, first: int, last: int) -> bool:
    """Whether the runs follow one another from ``first`` to ``last``: an interval without a price would be free."""
    following = first
    for run in prices:
        if run.first != following or run.last < run.first:
            return False
        following = run.last + 1
    return following == last + 1


def _check_sheets(s: PrivateStatement, sheets: Sequence[Sheet], expected: Expected) -> None:
    following = s.first
    for sheet in sheets:
        if sheet.meter != s.meter:
            raise BadStatement(s.meter, "sheets", f"the sheet of {sheet.first}..{sheet.last} is meter {sheet.meter}'s")
        if sheet.first != following:
            which = "missing" if sheet.first > following else "committed twice"
            raise BadStatement(s.meter, "sheets", f"interval {min(sheet.first, following)} is {which}")
        following = sheet.last + 1
    if following != s.last + 1:
        which = f"{following} is missing" if following <= s.last else f"{s.last + 1} lies after the period"
        raise BadStatement(s.meter, "sheets", f"interval {which}")
    if len(s.sheets) != len(sheets):
        raise BadStatement(s.meter, "sheets", f"the statement names {len(s.sheets)} sheets, {len(sheets)} are there")
    for sheet, digest in zip(sheets, s.sheets, strict=True):
        if sheet_digest(expected.domain, expected.group, sheet) != digest:
            why = f"the commitments of {sheet.first}..{sheet.last} are not those that the statement names"
            raise BadStatement(s.meter, "sheets", why)


def _check_sums(s: PrivateStatement, sheets: Sequence[Sheet], group: Group) -> None:
    if tuple(total.level for total in s.totals) != levels(s.prices):
        raise BadStatement(s.meter, "totals", "not one for each pair of prices, lowest first")
    try:
        right = totals_of(group, tuple(sheets), s.prices)
    except NoPoint as error:
        raise BadStatement(s.meter, "sheets", str(error)) from None
    for stated, summed in zip(s.totals, right, strict=True):
        if stated != summed:
            raise BadStatement(s.meter, "totals", f"the commitments do not add up to the total at {_at(stated)}")
    verify_opening(s, group)


def _at(total: Total) -> str:
    return f"{total.level.consumption_nano_per_wh}/{total.level.production_nano_per_wh} nano per Wh"
