"""The state of a tracker, for probes, metrics and the status page."""

import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

from groundcam_events.driver import Driver
from groundcam_events.metrics import MOST_CAMERAS, OTHERS
from groundcam_events.settings import TrackSettings
from groundcam_runtime.kafka.source import GroupSource
from groundcam_runtime.kafka.topic_watch import TopicWatch
from groundcam_runtime.metrics import Reading

STUCK_S = 60.0


class TrackerHealth:
    """Asked on the server's threads."""

    def __init__(self, settings: TrackSettings, driver: Driver, source: GroupSource, watch: TopicWatch) -> None:
        self._settings, self._driver, self._source, self._watch = settings, driver, source, watch
        self._since = time.time()

    def stuck(self) -> str | None:
        """Liveness: an absent broker is no reason for a restart, a loop that makes no progress is."""
        now = time.monotonic()
        for what, at in (("the loop", self._driver.ticked_at), ("the Kafka consumer", self._source.polled_at)):
            if now - at > STUCK_S:
                return f"{what} has made no progress for {now - at:.0f} s"
        return None

    def not_ready(self) -> str | None:
        """Readiness: Kafka answers, and there is something to do."""
        silent_s = time.monotonic() - self._source.heard_at
        if silent_s > self._source.silence_s:
            return f"Kafka has not answered for {silent_s:.0f} s"
        if refusal := self._watch.refusal:
            return refusal
        if not self._driver.is_ready:
            return "the cameras' states cannot be read yet"
        return None if self._driver.partitions else "no partition is assigned to this tracker"

    def report(self) -> dict[str, Any]:
        """For people."""
        partitions = {
            str(number): {"cameras": len(one.cameras), "next_offset": one.next_offset}
            for number, one in sorted(dict(self._driver.partitions).items())
        }
        counts = self._open_objects()
        return {
            "group": self._settings.group,
            "running_for_s": round(time.time() - self._since),
            "not_ready": self.not_ready(),
            "partitions": partitions,
            "cameras": len(counts),
            "open_objects": {name: count for name, count in sorted(counts) if count},
        }

    def _open_objects(self) -> list[tuple[str, int]]:
        counts: Counter[str] = Counter()
        for tracker in list(self._driver.partitions.values()):
            for name, one in list(tracker.cameras.items()):
                counts[name if name in counts or len(counts) < MOST_CAMERAS else OTHERS] += one.open
        return list(counts.items())

    def readings(self) -> Iterator[Reading]:
        """For a scrape."""
        open_objects = self._open_objects()
        yield Reading(
            "open_objects", "Objects that are told of and have not ended", ("camera",),
            [((name,), float(count)) for name, count in open_objects],
        )  # fmt: skip
        behind = dict(self._driver.behind)
        yield Reading(
            "behind_answers", "Answers that came after the newest one that was taken", ("partition",),
            [((str(number),), float(count)) for number, count in sorted(behind.items())],
        )  # fmt: skip
        yield Reading("tracker_ready", "1 when this tracker works", (), [((), float(self.not_ready() is None))])
