"""Wire a producer together and run it until it is asked to stop."""

import logging
import os
import threading
import time
from contextlib import nullcontext
from typing import Any

from groundcam_producers.changes import need_restart
from groundcam_producers.metrics import ProducerMetrics
from groundcam_producers.readiness import none_plays, playing
from groundcam_producers.roster import Order, Roster
from groundcam_producers.settings import ProduceSettings
from groundcam_producers.settings_watch import Loaded, Reading, SettingsWatch
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
    reading: Reading | None = None,
) -> bool:
    """Produce until `stop` is set or every file has ended; return whether every camera could be played.

    Whenever `reading` has changed, cameras come and go with it. Raises KafkaProblem, SettingError.
    """
    require_crc32c()
    require_tracing(trace)
    metrics, probes = ProducerMetrics(version), _Probes(settings, kafka, version)
    # Before Kafka is queried: one that does not answer shall not make this process invisible.
    checks = Probes(probes.stuck, probes.idle, probes.started, probes.report, probes.ready_text)
    with HealthServer(http.host, http.port, metrics, checks, http.names):
        metrics.cameras(settings.own_cameras)
        producer = name_of_this_producer()
        roster = _roster(settings, kafka, log_settings, trace, version, producer)
        twins = probes.twins = TwinWatch(kafka, producer, stop, as_json=settings.json_reports)
        statuses = Publisher(
            kafka, max_waiting_bytes=1_000_000, max_record_bytes=100_000, client_id="groundcam-produce"
        )  # fmt: skip
        supervisor = probes.supervisor = Supervisor(
            roster.tasks,
            metrics,
            statuses,
            settings.hang_s,
            is_job=settings.is_job,
            secret_variables=settings.password_variables,
        )
        sections = {"kafka": kafka, "http": http, "log": log_settings, "trace": trace}

        def take(loaded: Loaded) -> None:
            order, waits = roster.change(loaded.produce)
            waits += [path for name, old in sections.items() for path in need_restart(name, old, getattr(loaded, name))]
            _tell(order, waits)
            supervisor.change(order)

        probes.settings_watch = SettingsWatch(reading, take) if reading else None
        try:
            with probes.watch, twins, probes.settings_watch or nullcontext():
                supervisor.run(stop)
        finally:
            statuses.close(1.0)
    return stop.is_set() or not supervisor.failed


def _roster(
    settings: ProduceSettings,
    kafka: KafkaSettings,
    log_settings: LogSettings,
    trace: TraceSettings,
    version: str,
    producer: str,
) -> Roster:
    """Place the cameras on partitions. Raises KafkaProblem."""
    topics = kafka.topics
    topic = topics.recordings if settings.every_frame else topics.frames
    admin = TopicAdmin(kafka)
    try:
        partitions = admin.require([topic, topics.detections, topics.cameras])[topic]
        limit = admin.max_message_bytes(topic) or DEFAULT_RECORD_BYTES
    finally:
        admin.close()

    # Read once: where processes are started it is without passwords for a moment.
    environment = dict(os.environ)

    def task(name: str, produce: ProduceSettings, partition: int | None, is_job: bool) -> CameraTask:
        camera = produce.cameras[name]
        return CameraTask(
            camera_id=name,
            camera=camera,
            produce=produce,
            kafka=kafka,
            log=log_settings,
            trace=trace,
            version=version,
            topic=topic,
            partition=partition,
            max_record_bytes=limit - BATCH_OVERHEAD_BYTES,
            away_since_ns=None,
            is_job=is_job,
            producer=producer,
            environment={key: value for key, value in environment.items() if key == camera.password_env},
        )

    roster = Roster(settings, partitions, task)
    for name, one in roster.tasks.items():
        log.info("camera %s: %s", name, _where(one), extra={"camera": name})
    if settings.shard:
        log.info("shard %d of %d: %d of %d cameras", *settings.shard, len(roster.tasks), len(settings.cameras))
    return roster


def _where(task: CameraTask) -> str:
    """Return in words where a camera's frames come from, and where they go."""
    partition = "the partition of its key" if task.partition is None else f"partition {task.partition}"
    return f"{task.camera.public_url} to {task.topic}, {partition}"


def _tell(order: Order, waits: list[str]) -> None:
    """Say in the log what changes, camera by camera."""
    changes, tasks = order.changes, order.tasks
    for name in changes.removed:
        log.info("camera %s: it is removed, and sends what it has", name, extra={"camera": name})
    for name in changes.added:
        log.info("camera %s: it is new, %s", name, _where(tasks[name]), extra={"camera": name})
    for name in changes.reopened:
        log.info("camera %s: it is opened anew, %s", name, _where(tasks[name]), extra={"camera": name})
    for name in changes.retuned:
        log.info("camera %s: from now on %s", name, tasks[name].tuning, extra={"camera": name})
    if not (changes.removed or changes.added or changes.reopened or changes.retuned or waits):
        log.info("the settings were read again, and nothing changes for the cameras here")
    for path in waits:
        log.warning("%s has changed, which needs a restart: it stays as it was", path)


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
        self.settings_watch: SettingsWatch | None = None
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
        fault = self.settings_watch.fault if self.settings_watch else None
        cameras = self.supervisor.report() if self.supervisor else {}
        for name, camera in cameras.items():
            camera["twin"] = self.twins.twin_of(name) if self.twins else None
        return {**self._about, "fault_in_settings": fault, "cameras": cameras}
