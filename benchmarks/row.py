"""One row of the table: a measurement, and the reference that it is compared with."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reference:
    """Something to compare with, in the unit of the row."""

    name: str
    value: float


@dataclass(frozen=True, slots=True)
class Row:
    """What was measured in one run of the benchmarks."""

    measured: str
    value: float
    """Median of the timed runs."""
    unit: str
    """A cost, such as ``µs``, or a rate per second, ending in ``/s``."""
    runs: int
    """How often it was timed; 1 for what is the same every time, such as gas."""
    reference: Reference | None = None
    """Measured in the same run, or computed from what was; ``None`` where nothing comparable exists."""

    @property
    def is_rate(self) -> bool:
        """Whether more is better."""
        return self.unit.endswith("/s")

    @property
    def ratio(self) -> float | None:
        """How many times the reference's cost was paid, for costs and rates alike: above 1 is slower or dearer."""
        if self.reference is None:
            return None
        if self.is_rate:
            return self.reference.value / self.value
        return self.value / self.reference.value
