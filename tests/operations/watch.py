"""Which alerts were seen to fire and to clear, and when."""

import time
from dataclasses import dataclass, field

from installation import until
from prometheus_server import Prometheus, Series


@dataclass
class Fired:
    """One alert on its way."""

    alert: str
    namespace: str
    labels: dict[str, str]
    notes: dict[str, str]
    fired_at: float
    cleared_at: float | None = None


@dataclass
class Watch:
    """Belongs to one scenario."""

    prometheus: Prometheus
    namespace: str
    seen: dict[str, Fired] = field(default_factory=dict)

    def firing(self, alert: str, **labels: str) -> Series | None:
        wanted = {"alertname": alert, "namespace": self.namespace, **labels}
        for one in self.prometheus.alerts():
            if one["state"] == "firing" and wanted.items() <= one["labels"].items():
                return one
        return None

    def fires(self, alert: str, **labels: str) -> None:
        until(lambda: self.firing(alert, **labels), f"{alert} fires in {self.namespace}")
        found = self.firing(alert, **labels)
        assert found is not None, f"{alert} fired for less than a second"
        self.seen[alert] = Fired(alert, self.namespace, found["labels"], found["annotations"], time.time())

    def clears(self, alert: str, **labels: str) -> None:
        until(lambda: not self.firing(alert, **labels), f"{alert} clears in {self.namespace}")
        self.seen[alert].cleared_at = time.time()
