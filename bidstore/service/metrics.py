"""Prometheus metrics: totals of the whole store, without any label that could tell one prosumer from another."""

from collections.abc import Mapping

try:
    from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
except ImportError as error:
    raise ImportError("the bid store's metrics need prometheus_client; run: pip install 'petra[service]'") from error

from bidstore.service.store import Status

REFUSALS = "kind of refusal, such as NoteGone"


class Metrics:
    """What one replica counted."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._accepted = Counter("bidstore_orders_accepted", "Orders taken", registry=self.registry)
        self._refused = Counter("bidstore_refused", "Requests refused", ["reason"], registry=self.registry)
        self._work = Counter("bidstore_work", "What the leader did", ["what"], registry=self.registry)
        self._orders = Gauge("bidstore_orders", "Orders in the database", ["status"], registry=self.registry)
        self._readers = Gauge("bidstore_readers", "Streams that are read", registry=self.registry)

    def accepted(self) -> None:
        """An order was taken."""
        self._accepted.inc()

    def refused(self, reason: type[Exception]) -> None:
        """A request was refused."""
        self._refused.labels(reason.__name__).inc()

    def worked(self, what: str, count: int) -> None:
        """The leader did something ``count`` times."""
        self._work.labels(what).inc(count)

    def reading(self, change: int) -> None:
        """A stream began (1) or ended (-1)."""
        self._readers.inc(change)

    def text(self, counts: Mapping[str, int]) -> bytes:
        """The exposition format; ``counts`` are the orders by status."""
        for status in Status:
            self._orders.labels(status.value).set(counts.get(status.value, 0))
        return generate_latest(self.registry)
