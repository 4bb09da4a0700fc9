"""What a tracker and a notifier tell, each series once."""

from types import SimpleNamespace

from groundcam_events.health import TrackerHealth
from groundcam_events.metrics import TrackerMetrics
from groundcam_events.notify.metrics import NotifyMetrics
from groundcam_events.notify.policy.answers import Failure
from groundcam_events.settings import TrackSettings
from groundcam_runtime.metrics import Metrics
from walks import Walker, film, followed, standing


def tracker() -> Metrics:
    metrics = TrackerMetrics("1")
    driver = SimpleNamespace(partitions={0: SimpleNamespace(cameras={"gate": SimpleNamespace(open=1)})}, behind={0: 1})
    source = SimpleNamespace(heard_at=0.0, silence_s=0.0)
    metrics.watch(TrackerHealth(TrackSettings(), driver, source, None).readings)  # type: ignore[arg-type]
    metrics.took("gate", 1, 1)
    (event, *_), _camera = followed(film([Walker("person", standing(300, 400))], seconds=2, fps=5))
    metrics.told(event)
    metrics.checkpoint(0.1, 1)
    return metrics


def notifier() -> Metrics:
    metrics = NotifyMetrics("1")
    metrics.hooks(iter(["phone"]))
    metrics.failed("phone", Failure.TIMEOUT)
    metrics.undelivered("phone", "gave_up")
    metrics.delivered("phone", 0.1)
    metrics.watch(lambda: {"phone": 1}, lambda: 1)
    return metrics
