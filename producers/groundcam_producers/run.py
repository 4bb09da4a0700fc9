"""Wire a producer together and run it until it is asked to stop."""

import logging
import os
import threading
import time
from typing import Any

from groundcam_producers.metrics import ProducerMetrics
from groundcam_producers.placement import place
from groundcam_producers.readiness import none_plays, playing
from groundcam_producers.settings import ProduceSettings
from groundcam_producers.supervisor import Supervisor
from groundcam_producers.task import BATCH_OVERHEAD_BYTES, CameraTask
from groundcam_producers.twin_watch import TwinWatch, name_of_this_producer
from groundcam_runtime.health import HealthServer, Probes
from groundcam_runtime.kafka.connect import require_crc32c
from groundcam_runtime.kafka.publisher import Publisher
from groundcam_runtime.kafka.topic_watch import TopicWatch
from groundcam_runtime.kafka.topics import TopicAdmin
from groundcam_runtime.settings import HttpSettings, KafkaSettings, LogSettings, TraceSettings
from groundcam_runtime.tracing import require_tracing

log = logging.getLogger(__name__)

DEFAULT_RECORD_BYTES = 1_000_000
STUCK_S = 60.0


def run(
    settings: ProduceSettings,
    kafka: KafkaSettings,
    http: HttpSettings,
    log_settings: LogSettings,
    trace: TraceSettings,
    version: str,
    stop: threading.Event,
) -> bool:
    """Produce until `stop` is set or every file has ended; return whether every camera could be played.

    Raises KafkaProblem, SettingError.
    """
    require_crc32c()
    require_tracing(trace)
    metrics, probes = ProducerMetrics(version), _Probes(settings, kafka, version)
    # Before Kafka is queried: one that does not answer shall not make this process invisible.
    checks = Probes(probes.stuck, probes.idle, probes.started, probes.report, probes.ready_text)
    with HealthServer(http.host, http.port, metrics, checks, http.names):
        metrics.cameras(settings.own_cameras)
        producer = name_of_this_producer()
        tasks = _tasks(settings, kafka, log_settings, trace, version, producer)
        twins = probes.twins = TwinWatch(kafka, producer, stop)
        statuses = Publisher(
            kafka, max_waiting_bytes=1_000_000, max_record_bytes=100_000, client_id="groundcam-produce"
        )  # fmt: skip
        supervisor = probes.supervisor = Supervisor(
            tasks,
            metrics,
            statuses,
            settings.hang_s,
            is_job=settings.is_job,
            secret_variables=[one.password_env for one in settings.cameras.values() if one.password_env],
        )
        try:
            with probes.watch, twins:
                supervisor.run(stop)
        finally:
            statuses.close(1.0)
    return stop.is_set() or not supervisor.failed


def _tasks(
    settings: ProduceSettings,
    kafka: KafkaSettings,
    log_settings: LogSettings,
    trace: TraceSettings,
    version: str,
    producer: str,
) -> dict[str, CameraTask]:
    """Place the cameras on partitions. Raises KafkaProblem."""
    topics = kafka.topics
    topic = topics.recordings if settings.every_frame else topics.frames
    admin = TopicAdmin(kafka)
    try:
        partitions = admin.require([topic, topics.detections, topics.cameras])[topic]
        limit = admin.max_message_bytes(topic) or DEFAULT_RECORD_BYTES
    finally:
        admin.close()
    places = place(settings.cameras, partitions) if settings.partitioner == "balanced" else {}
    tasks = {}
    for name, one in settings.own_cameras.items():
        tasks[name] = CameraTask(
            camera_id=name,
            camera=one,
            produce=settings,
            kafka=kafka,
            log=log_settings,
            trace=trace,
            version=version,
            topic=topic,
            partition=places.get(name),
            max_record_bytes=limit - BATCH_OVERHEAD_BYTES,
            away_since_ns=None,
            is_job=settings.is_job,
            producer=producer,
            environment={key: value for key, value in os.environ.items() if key == one.password_env},
        )
        where = f"partition {places[name]}" if name in places else "the partition of its key"
        log.info("camera %s: %s to %s, %s", name, one.public_url, topic, where, extra={"camera": name})
    if settings.shard:
        log.info("shard %d of %d: %d of %d cameras", *settings.shard, len(tasks), len(settings.cameras))
    return tasks


class _Probes:
    """What a producer reports of itself to probes."""

    def __init__(self, settings: ProduceSettings, kafka: KafkaSettings, version: str) -> None:
        self._about = {
            "version": version,
            "kafka": kafka.bootstrap_servers,
            "topics": kafka.topic_prefix + "*",
            "shard": "{}/{}".format(*settings.shard) if settings.shard else None,
        }
        self._is_job = settings.is_job
        self.supervisor: Supervisor | None = None
        self.twins: TwinWatch | None = None
        topics = kafka.topics
        played = topics.recordings if settings.every_frame else topics.frames
        self.watch = TopicWatch(kafka, [played, topics.detections, topics.cameras])

    def started(self) -> str | None:
        return None if self.supervisor else "Kafka is being asked for the topics"

    def stuck(self) -> str | None:
        age_s = time.monotonic() - self.supervisor.ticked_at if self.supervisor else 0.0
        return f"the supervisor has stood still for {age_s:.0f} s" if age_s > STUCK_S else None

    def idle(self) -> str | None:
        if self.supervisor is None:
            return self.started()
        if not self.supervisor.is_at_work:
            return "no camera process runs"
        return self.watch.trouble or none_plays(self.supervisor.states, self.supervisor.ended, is_job=self._is_job)

    def ready_text(self) -> str:
        told = playing(self.supervisor.states, self.supervisor.ended) if self.supervisor else None
        return f"ok: {told}" if told else "ok"

    def report(self) -> dict[str, Any]:
        cameras = self.supervisor.report() if self.supervisor else {}
        for name, camera in cameras.items():
            camera["twin"] = self.twins.twin_of(name) if self.twins else None
        return {**self._about, "cameras": cameras}
