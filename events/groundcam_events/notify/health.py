"""The notifier's state, for probes and people. A webhook that is down makes it neither dead nor not ready."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from groundcam_events.notify.hook import Hook
from groundcam_events.notify.notifier import Notifier
from groundcam_runtime.health import Probes

STUCK_S = 60.0


def probes(
    notifier: Callable[[], Notifier | None], hooks: Mapping[str, Hook], about: Mapping[str, Any],
    refusal: Callable[[], str | None],
) -> Probes:  # fmt: skip
    """Return the probes; `notifier` is there once it has begun, and `refusal` says why Kafka does not let it work."""

    def live() -> str | None:
        one, now_s = notifier(), time.monotonic()
        if one is None:
            return None
        for what, at in (("the loop", one.ticked_at), ("the Kafka consumer", one.source.polled_at)):
            if now_s - at > STUCK_S:
                return f"{what} has stood still for {now_s - at:.0f} s"
        return None

    def ready() -> str | None:
        one = notifier()
        if one is None:
            return "it is starting"
        silent_s = time.monotonic() - one.source.heard_at
        if silent_s > one.source.silence_s:
            return f"Kafka has not answered for {silent_s:.0f} s"
        if (why := refusal() or one.kafka_trouble) is not None:
            return why
        return None if one.partitions else "no partition is assigned to this notifier"

    def report() -> dict[str, object]:
        one = notifier()
        return {
            **about,
            "partitions": one.partitions if one else 0,
            "unsettled_events": one.unsettled if one else 0,
            "hooks": {name: {"queued": hook.queued, "trouble": hook.trouble} for name, hook in hooks.items()},
        }

    return Probes(live, ready, lambda: None if notifier() else "it is starting", report)
