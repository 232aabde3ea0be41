"""Cutting matched fills into settlements that one transaction can carry."""

from collections.abc import Iterator, Sequence

from assets.orders import MAX_FILLS, Fill

CALL_BYTES = 120_000
"""Most calldata of one transaction: nodes refuse transactions of more than 128 KiB."""

FILL_BYTES = 256
"""Calldata of a fill without its notes, rounded up (``tests/contracts/test_settlements.py`` holds both bounds)."""

NOTE_BYTES = 272
"""Calldata of a note of a fill, rounded up: its fields, its path in the deepest group, its owner's signature."""


def batches(fills: Sequence[Fill]) -> Iterator[tuple[Fill, ...]]:
    """``fills`` in order, cut into the fewest consecutive batches of which each fits a transaction."""
    batch: list[Fill] = []
    free = CALL_BYTES
    for fill in fills:
        size = FILL_BYTES + NOTE_BYTES * (len(fill.sell.order.notes) + len(fill.buy.order.notes))
        if batch and (size > free or len(batch) == MAX_FILLS):
            yield tuple(batch)
            batch, free = [], CALL_BYTES
        batch.append(fill)
        free -= size
    if batch:
        yield tuple(batch)
