"""What is to be settled on the ledger: FA on bills that were received and paid, less what is settled already."""

from collections import Counter
from collections.abc import Iterable, Sequence

from assets.port import Entry
from assets.transactions import Regulate, Settlement


def settlements_due(
    entries: Iterable[Entry], billed_nano: Iterable[tuple[int, int]], meters: Sequence[int] = ()
) -> tuple[Settlement, ...]:
    """Settlements that free the credit of ``meters`` (all of them by default) as far as they were billed.

    ``billed_nano``: meter and FA withdrawn of each statement booked. Asked again after the settlement, nothing is due:
    the ledger itself says what was settled, so nobody can settle twice by mistake.
    """
    due: Counter[int] = Counter()
    for meter, amount_nano in billed_nano:
        due[meter] += amount_nano
    for entry in entries:
        if isinstance(entry.signed.tx, Regulate):
            for settlement in entry.signed.tx.settle:
                due[settlement.meter] -= settlement.amount_nano
    wanted = set(meters)
    return tuple(
        Settlement(meter, amount_nano)
        for meter, amount_nano in sorted(due.items())
        if amount_nano > 0 and (not wanted or meter in wanted)
    )
