"""A tracker process: everything is connected here, and closed in the other order."""

import logging
import threading
from contextlib import ExitStack

from groundcam_events.checkpoint import Checkpoints
from groundcam_events.driver import Driver
from groundcam_events.health import TrackerHealth
from groundcam_events.kept_states import KeptStates
from groundcam_events.metrics import TrackerMetrics
from groundcam_events.outbox import Outbox
from groundcam_events.picture_taker import PictureTaker
from groundcam_events.settings import TrackSettings
from groundcam_events.transactions import CheckpointPlanner
from groundcam_events.zones_follower import ZonesFollower
from groundcam_runtime.health import HealthServer, Probes
from groundcam_runtime.kafka.beginning import begin_at_the_end
from groundcam_runtime.kafka.publisher import Publisher
from groundcam_runtime.kafka.source import GroupSource
from groundcam_runtime.kafka.topic_watch import TopicWatch
from groundcam_runtime.kafka.topics import MIB, TopicAdmin
from groundcam_runtime.kafka.transactions import TransactionalPublisher
from groundcam_runtime.partitions.commit_note import take_over_note
from groundcam_runtime.rights import Role, rights
from groundcam_runtime.settings import HttpSettings, KafkaSettings

log = logging.getLogger(__name__)

LEAVE_S = 5.0
DRAIN_S = 10.0
HAND_OVER_S = 5.0
LATEST_S = 1.0
"""With transactions an event is seen once its checkpoint is written."""
MOST_WAITING_BYTES = 16 * MIB
MOST_RECORD_BYTES = 4 * MIB
MOST_RECORDS = 2000
MOST_BYTES = 32 * MIB


def topics_of(settings: TrackSettings, kafka: KafkaSettings) -> list[str]:
    """Return the topics that a tracker needs."""
    topics = kafka.topics
    needed = [topics.detections, topics.events, topics.objects, topics.tracks, topics.zones]
    return [*needed, *([topics.pictures] if settings.pictures else [])]


def run(
    settings: TrackSettings,
    kafka: KafkaSettings,
    http: HttpSettings,
    version: str,
    stop: threading.Event,
    wake: threading.Event,
) -> bool:
    """Track until `stop` is set; return whether all states are kept. Raises KafkaProblem."""
    topics = kafka.topics
    metrics = TrackerMetrics(version)
    with ExitStack() as stack:
        _require(settings, kafka)
        if not settings.from_beginning and begin_at_the_end(kafka, settings.group, [topics.detections]):
            log.info("the group %s is new: what lies on Kafka already is not told of", settings.group)
        zones = ZonesFollower(kafka)
        stack.callback(zones.close)
        source = GroupSource(
            kafka,
            [topics.detections],
            group_id=settings.group,
            instance_id=settings.instance_id,
            session_timeout_s=settings.session_timeout_s,
            max_records=MOST_RECORDS,
            max_bytes=MOST_BYTES,
            read_committed=True,
            by_transactions=settings.transactional,
            take_over=take_over_note,
            hand_over_s=0.0 if settings.transactional else min(HAND_OVER_S, settings.session_timeout_s / 4),
            on_event=wake.set,
        )
        checkpoints = Checkpoints(by_transactions=settings.transactional)
        publisher = _publisher(settings, kafka, CheckpointPlanner(topics.detections, source, checkpoints), wake)
        stack.callback(publisher.close)
        stack.callback(source.close, LEAVE_S)
        pictures = PictureTaker(kafka, metrics, settings.picture_bytes) if settings.pictures else None
        if pictures:
            stack.callback(pictures.close)
        outbox = Outbox(publisher, topics, most_bytes=MOST_WAITING_BYTES // 2, as_json=settings.json_events)
        driver = Driver(
            topics.detections,
            source,
            outbox,
            checkpoints,
            KeptStates(kafka, by_transactions=settings.transactional),
            zones.get,
            settings.rules(),
            metrics,
            wake,
            checkpoint_s=min(settings.checkpoint_s, LATEST_S) if settings.transactional else settings.checkpoint_s,
            tells=pictures.hear if pictures else lambda _event: None,
        )
        watch = stack.enter_context(TopicWatch(kafka, topics_of(settings, kafka)))
        state = TrackerHealth(settings, driver, source, watch)
        metrics.watch(state.readings)
        probes = Probes(state.stuck, state.not_ready, lambda: None, state.report)
        health = stack.enter_context(HealthServer(http.host, http.port, metrics, probes, http.names))
        if health.port:
            log.info("metrics and health on http://%s:%d", http.host, health.port)
        source.start()
        log.info("waiting for detections as a member of %s", settings.group)
        finished = driver.run(stop.is_set, DRAIN_S)
        if finished:
            source.finish()
        return finished


def _publisher(
    settings: TrackSettings, kafka: KafkaSettings, planner: CheckpointPlanner, wake: threading.Event
) -> Publisher | TransactionalPublisher:
    """Return what sends, by transactions if so set. Raises KafkaProblem."""
    if settings.transactional:
        return TransactionalPublisher(
            kafka,
            transactional_id(settings),
            max_waiting_bytes=MOST_WAITING_BYTES,
            max_record_bytes=MOST_RECORD_BYTES,
            plan=planner.plan,
            committed=planner.committed,
            on_change=wake.set,
        )
    return Publisher(
        kafka,
        max_waiting_bytes=MOST_WAITING_BYTES,
        max_record_bytes=MOST_RECORD_BYTES,
        client_id="groundcam-tracker",
        linger_ms=5,
        on_change=wake.set,
    )


def transactional_id(settings: TrackSettings) -> str:
    """Return the name by which a tracker ends its predecessor."""
    return f"{settings.group}-{settings.instance_id}"


def _require(settings: TrackSettings, kafka: KafkaSettings) -> None:
    """Raise KafkaProblem, with one sentence that names every topic and every right that is missing."""
    admin = TopicAdmin(kafka)
    try:
        unused = () if settings.pictures else (kafka.topics.pictures, kafka.topics.frames, kafka.topics.recordings)
        name = transactional_id(settings) if settings.transactional else None
        needed = rights(Role.TRACKER, kafka.topics, settings.group, name)
        admin.require_rights([right for right in needed if right.name not in unused])
        admin.require(topics_of(settings, kafka))
        counts = admin.partitions()
        detections, events = counts[kafka.topics.detections], counts[kafka.topics.events]
        if detections != events:
            log.warning(
                "%s has %d partitions and %s %d: a camera's events lie in another partition than its detections;"
                " `groundcam topics ensure --partitions %d --repartition` evens that out",
                kafka.topics.detections, detections, kafka.topics.events, events, max(detections, events),
            )  # fmt: skip
    finally:
        admin.close()
