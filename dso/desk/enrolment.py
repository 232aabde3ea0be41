"""Bulk enrolment of meters from CSV: ``meter,key,feeder,max_epa_w,max_eca_w,credit_nano``."""

import csv
import re
from collections.abc import Iterable

from assets.keys import ZERO_ADDRESS, Address
from assets.notes import MAX_QUANTITY
from assets.transactions import Authorisation

COLUMNS = ("meter", "key", "feeder", "max_epa_w", "max_eca_w", "credit_nano")
_KEY = re.compile(r"0x[0-9a-fA-F]{40}", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,19}", re.ASCII)


def read_enrolment(lines: Iterable[str]) -> tuple[Authorisation, ...]:
    """All authorisations of a CSV file. Raises one ``ValueError`` that lists every bad line; nothing is half read."""
    rows = csv.reader(lines)
    if tuple(next(rows, ())) != COLUMNS:
        raise ValueError(f"the first line of an enrolment is {','.join(COLUMNS)}")
    grants: dict[int, Authorisation] = {}
    wrong = []
    for number, row in enumerate(rows, start=2):
        try:
            grant = _grant(row)
            if grant.meter in grants:
                raise ValueError(f"meter {grant.meter} is there twice")
            grants[grant.meter] = grant
        except ValueError as error:
            wrong.append(f"line {number}: {error}")
    if wrong:
        raise ValueError("; ".join(wrong))
    if not grants:
        raise ValueError("the enrolment has no meters")
    return tuple(grants.values())


def _grant(row: list[str]) -> Authorisation:
    if len(row) != len(COLUMNS):
        raise ValueError(f"{len(row)} columns instead of {len(COLUMNS)}")
    if not _KEY.fullmatch(row[1]) or (key := Address(bytes.fromhex(row[1][2:]))) == ZERO_ADDRESS:
        raise ValueError("the key is an address, 0x and 40 hexadecimal digits")
    numbers = {}
    for name, text in zip(COLUMNS, row, strict=True):
        if name != "key":
            largest = 2**32 - 1 if name in ("meter", "feeder") else MAX_QUANTITY
            if not _NUMBER.fullmatch(text) or int(text) > largest:
                raise ValueError(f"{name} is a whole number from 0 to {largest}")
            numbers[name] = int(text)
    return Authorisation(key=key, **numbers)
