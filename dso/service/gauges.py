"""What the service shows Prometheus of ledger and books. No number tells a meter, and no two scrapes tell a bill."""

from typing import TYPE_CHECKING

from contracts.errors import NodeError, NodeUnreachable
from dso.service.intake import Intake
from dso.service.private_intake import PrivateIntake

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry


class Gauges:
    """Gauges that are read anew for every scrape."""

    def __init__(self, registry: "CollectorRegistry") -> None:
        from prometheus_client import Gauge

        self._stored = Gauge("petra_dso_statements_stored", "Statements on disk, by kind", ["kind"], registry=registry)
        self._faults = Gauge("petra_dso_meters_at_fault", "Meters by what they did", ["fault"], registry=registry)
        self._meters = Gauge("petra_dso_meters", "Meters installed, by standing", ["standing"], registry=registry)
        self._regulations = Gauge("petra_dso_regulations", "Regulatory transactions on the ledger", registry=registry)
        self._feeder = Gauge(
            "petra_dso_feeder_capacity_watts", "Capacity in force", ["feeder", "direction"], registry=registry
        )
        self._price = Gauge("petra_dso_price_nano_per_wh", "Price in force", ["price"], registry=registry)
        self._time = Gauge("petra_dso_ledger_time_seconds", "Ledger time, Unix seconds", registry=registry)
        self._up = Gauge("petra_dso_ledger_up", "Whether the ledger's node answers", registry=registry)

    def read(self, intake: Intake, private: PrivateIntake | None) -> None:
        """Set all gauges; those of the ledger stay as they were while its node does not answer."""
        plain, hidden = intake.statements(), [] if private is None else private.statements()
        self._stored.labels("plain").set(len(plain))
        self._stored.labels("private").set(len(hidden))
        other = {} if private is None else private.faults()
        for fault, meters in intake.faults().items():
            self._faults.labels(fault).set(len({*meters, *other.get(fault, [])}))
        try:
            now = intake.in_force()
        except (NodeError, NodeUnreachable):
            self._up.set(0)
            return
        self._up.set(1)
        self._time.set(now.ledger_s)
        self._meters.labels("authorised").set(sum(not s.banned for s in now.meters.values()))
        self._meters.labels("banned").set(sum(s.banned for s in now.meters.values()))
        self._regulations.set(now.regulations)
        for capacity in now.feeders:
            self._feeder.labels(str(capacity.feeder), "export").set(capacity.export_w)
            self._feeder.labels(str(capacity.feeder), "import").set(capacity.import_w)
        if now.price is not None:
            self._price.labels("consumption").set(now.price.consumption_nano_per_wh)
            self._price.labels("production").set(now.price.production_nano_per_wh)
