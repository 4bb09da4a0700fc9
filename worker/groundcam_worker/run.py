"""Wire a worker together and run it until it is asked to stop."""

import logging
import os
import threading
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

from groundcam_runtime.health import HealthServer, Probes
from groundcam_runtime.kafka.connect import require_crc32c
from groundcam_runtime.kafka.ends import EndWatcher
from groundcam_runtime.kafka.publisher import Publisher
from groundcam_runtime.kafka.source import GroupSource
from groundcam_runtime.kafka.topic_watch import TopicWatch
from groundcam_runtime.kafka.topics import TopicAdmin
from groundcam_runtime.kafka.transactions import TransactionalPublisher
from groundcam_runtime.partitions.commit_note import take_over_note
from groundcam_runtime.rights import Role, rights
from groundcam_runtime.settings import HttpSettings, KafkaSettings, TraceSettings
from groundcam_runtime.tracing import Tracing, require_tracing
from groundcam_schemas import WorkerState
from groundcam_schemas.limits import MAX_MESSAGE_BYTES
from groundcam_worker.about import about_detector, about_worker
from groundcam_worker.checkpoints.catalogue import resolve
from groundcam_worker.detectors.fake import FakeDetector
from groundcam_worker.detectors.protocol import Detector, DetectorHooks
from groundcam_worker.gpus import Nvml
from groundcam_worker.health import WorkerHealth
from groundcam_worker.loop.decoding import Decoding, preparation
from groundcam_worker.loop.driver import Driver
from groundcam_worker.loop.inference import Inference
from groundcam_worker.loop.ports import AnswerSink
from groundcam_worker.loop.publishing import MAX_ANSWER_BYTES, Publishing
from groundcam_worker.loop.state import LoopState
from groundcam_worker.loop.telemetry import Telemetry
from groundcam_worker.loop.transactions import TransactionPlanner
from groundcam_worker.metrics import WorkerMetrics
from groundcam_worker.policy.freshness import Freshness
from groundcam_worker.policy.limits import Limits
from groundcam_worker.policy.policies import Policies
from groundcam_worker.policy.questions import Questions
from groundcam_worker.quarantine.attempt_log import AttemptLog
from groundcam_worker.quarantine.sandbox import Sandbox
from groundcam_worker.question_follower import QuestionFollower, camera_sizes
from groundcam_worker.reports import WorkerReports
from groundcam_worker.settings import WorkSettings, fake_seconds
from groundcam_worker.warm_up import warm_up

log = logging.getLogger(__name__)

HEADROOM = 512
"""Kafka counts its own bytes of a record, too."""
LEAVE_S = 5.0
HAND_OVER_S = 2.0
"""A rebalance waits so long at most for Kafka to acknowledge what was published of partitions that go."""


def load_detector(
    settings: WorkSettings,
    hooks: DetectorHooks | None = None,
    tell: Callable[..., None] = lambda _state, **_fields: None,
) -> Detector:
    """Return a detector; `tell` hears how far it is. Raises ModelError, ValueError."""
    wait_s = fake_seconds(settings.model)
    if wait_s is not None:
        return FakeDetector(wait_s)
    source = resolve(settings.model)
    # A model that cannot be fetched is told before torch is imported, which takes seconds, and gigabytes.
    from groundcam_worker.checkpoints.hub import local_folder  # noqa: PLC0415
    from groundcam_worker.checkpoints.progress import telling  # noqa: PLC0415

    tell(WorkerState.FETCHING)
    with telling(lambda part: tell(WorkerState.FETCHING, progress=part)):
        local_folder(source, check=False)
    tell(WorkerState.LOADING)
    log.info("importing torch and transformers, which takes some seconds")
    from groundcam_worker.detectors.grounding_dino.optimisations import Optimisations  # noqa: PLC0415
    from groundcam_worker.detectors.opening import open_detector  # noqa: PLC0415

    steps = Optimisations(
        settings.precision, settings.sampling, graphs=settings.cuda_graphs, compile=settings.compile
    )  # fmt: skip
    return open_detector(source, settings.device, steps, input_size=settings.input_size, hooks=hooks)


def run(
    settings: WorkSettings,
    kafka: KafkaSettings,
    http: HttpSettings,
    trace: TraceSettings,
    version: str,
    stop: threading.Event,
    wake: threading.Event | None = None,
) -> bool:
    """Work until `stop` is set; return whether everything that was begun is finished.

    Raises KafkaProblem, ModelError, QuestionError, DetectorLostError, SourceLostError.
    """
    require_crc32c()
    require_tracing(trace)
    wake = wake or threading.Event()
    topics = kafka.topics
    metrics = WorkerMetrics(version)
    worker_health = WorkerHealth(about_worker(settings, kafka, version))
    probes = Probes(worker_health.stuck, worker_health.not_ready, worker_health.started, worker_health.report)
    nvml = Nvml()
    metrics.watch(worker_health.state, nvml.read)
    metrics.capacity(settings.batch_size)
    with ExitStack() as stack:
        health = stack.enter_context(HealthServer(http.host, http.port, metrics, probes, http.names))
        if health.port:
            log.info("metrics and health on http://%s:%d", http.host, health.port)
        _require_topics(settings, kafka)
        _say_if_dry(settings)
        reports = stack.enter_context(WorkerReports(kafka, settings.group, settings.model))
        questions = settings.questions()
        hooks = _detector_hooks(metrics, nvml, settings.batch_size)
        detector = _ready_detector(settings, kafka, hooks, questions, (reports, worker_health), stack)
        limits = limits_of(settings, detector.device, len(os.sched_getaffinity(0)))
        if stop.is_set():
            return True
        source = GroupSource(
            kafka,
            _read_by_the_group(settings, kafka),
            group_id=settings.group,
            instance_id=settings.instance_id,
            session_timeout_s=settings.session_timeout_s,
            max_records=8 * settings.batch_size,
            max_bytes=settings.max_queued_bytes // 2,
            read_committed=settings.transactional,
            take_over=take_over_note,
            hand_over_s=0.0 if settings.transactional else min(HAND_OVER_S, settings.session_timeout_s / 4),
            on_event=wake.set,
        )
        state = LoopState(
            Policies(
                questions,
                Freshness(settings.max_age_s, settings.max_age_by_camera),
                limits,
                never_stale=frozenset([topics.recordings]),
                requests=topics.requests,
                by_transactions=settings.transactional,
            )
        )
        tracing = Tracing(trace, "groundcam-worker", version)
        stack.callback(tracing.close)
        largest, largest_answer = _largest_records(kafka)
        sink = _sink(settings, kafka, TransactionPlanner(source, state), largest, wake)
        publishing = Publishing(
            sink, topics, version, detector.model,
            as_json=settings.json_answers, tracing=tracing, max_answer_bytes=largest_answer,
            max_letter_bytes=largest,
        )  # fmt: skip
        stack.callback(publishing.close)
        stack.callback(source.close, LEAVE_S)
        attempt_log = AttemptLog(kafka, settings.group)
        stack.callback(attempt_log.close)
        # What a sandbox is asked has ended a process: it is asked of the network as it is.
        sandbox = Sandbox(partial(load_detector, settings.model_copy(update={"compile": False})), settings.max_pixels)
        stack.callback(sandbox.close)
        driver = Driver(
            state,
            source,
            Decoding(preparation(detector, settings.max_pixels), limits.decode_threads, wake.set),
            Inference(detector, wake.set),
            publishing,
            Telemetry(metrics),
            wake,
            attempt_log=attempt_log,
            sandbox=sandbox,
        )
        source.start()
        ends = EndWatcher(kafka, _read_by_the_group(settings, kafka))
        stack.callback(ends.close)
        ends.start()
        watch = stack.enter_context(TopicWatch(kafka, _topics(settings, kafka)))
        worker_health.begin(driver, ends.behind, lambda: watch.refusal)
        reports.ready(lambda: {"partitions": len(state.assignment), "reason": worker_health.not_ready()})
        log.info("waiting for frames as a member of %s", settings.group)
        finished = driver.run(stop.is_set, settings.drain_timeout_s)
        if finished:
            source.finish()
        return finished


def _say_if_dry(settings: WorkSettings) -> None:
    if fake_seconds(settings.model) is not None:
        log.info("%s is a dry run, whose answers are invented; its group is %s", settings.model, settings.group)


def _ready_detector(
    settings: WorkSettings,
    kafka: KafkaSettings,
    hooks: DetectorHooks,
    questions: Questions,
    tell: tuple[WorkerReports, WorkerHealth],
    stack: ExitStack,
) -> Detector:
    """Return the detector, warmed up for the questions in force, which are followed from now on. Raises as `run`."""
    reports, health = tell
    detector = load_detector(settings, hooks, reports.now)
    reports.now(WorkerState.WARMING_UP, model=detector.model, device=detector.device, precision=detector.precision)
    health.loaded(about_detector(detector), questions.all)
    prompts = QuestionFollower(kafka, questions, detector.check, judged=reports.judged)
    stack.callback(prompts.close)
    sizes = {*settings.warm_sizes, *camera_sizes(kafka)}
    warm_up(detector, questions, sorted(sizes), settings.batch_size)
    prompts.start()
    return detector


def _sink(
    settings: WorkSettings, kafka: KafkaSettings, planner: TransactionPlanner, largest: int, wake: threading.Event
) -> AnswerSink:
    """Return what sends the answers, by transactions if so set. Raises KafkaProblem."""
    if settings.transactional:
        return TransactionalPublisher(
            kafka,
            f"{settings.group}-{settings.instance_id}",
            max_waiting_bytes=settings.max_answer_bytes,
            max_record_bytes=largest,
            plan=planner.plan,
            committed=planner.committed,
            on_change=wake.set,
        )
    return Publisher(
        kafka,
        max_waiting_bytes=settings.max_answer_bytes,
        max_record_bytes=largest,
        client_id="groundcam-worker",
        on_change=wake.set,
    )


def limits_of(settings: WorkSettings, device: str = "cpu", cores: int = 1) -> Limits:
    """Return the bounds of memory and time from the settings, for a detector on a device, cpu or cuda."""
    # On a GPU a detector takes hundreds of frames a second; on a CPU it needs the cores itself.
    threads = settings.decode_threads or (max(Limits().decode_threads, min(8, cores)) if device == "cuda" else None)
    return Limits(
        batch_size=settings.batch_size,
        batch_wait_s=settings.batch_wait_s,
        calm_s=settings.max_age_s or Limits().calm_s,
        decode_threads=threads or Limits().decode_threads,
        max_pixels=settings.max_pixels,
        max_waiting_bytes=settings.max_queued_bytes // 2,
        max_picture_bytes=settings.max_picture_bytes,
        request_share=settings.request_share,
    )


def _detector_hooks(metrics: WorkerMetrics, nvml: Nvml, batch_size: int) -> DetectorHooks:
    def new_shape(width: int, height: int) -> None:
        metrics.new_shape()
        log.info("pictures come that are scaled to %dx%d, which was not warmed up: see work.warm_sizes", width, height)

    def ceiling(pictures: int) -> None:
        metrics.capacity(min(pictures, batch_size))

    return DetectorHooks(new_shape, metrics.error, ceiling, nvml.only)


def _read_by_the_group(settings: WorkSettings, kafka: KafkaSettings) -> list[str]:
    topics = kafka.topics
    return [topics.frames, topics.recordings, *([topics.requests] if settings.request_share else [])]


def _topics(settings: WorkSettings, kafka: KafkaSettings) -> list[str]:
    """Return what a worker cannot do without."""
    topics = kafka.topics
    written = [topics.detections, topics.dead_letters, *([topics.replies] if settings.request_share else [])]
    return [*_read_by_the_group(settings, kafka), *written, topics.prompts, topics.attempts]


def _require_topics(settings: WorkSettings, kafka: KafkaSettings) -> None:
    """Raise KafkaProblem, with one sentence that names every topic and every right that is missing."""
    admin = TopicAdmin(kafka)
    try:
        needed = rights(Role.WORKER, kafka.topics, settings.group)
        unused = () if settings.request_share else (kafka.topics.requests, kafka.topics.replies)
        admin.require_rights([right for right in needed if right.name not in unused])
        admin.require(_topics(settings, kafka))
    finally:
        admin.close()


def _largest_records(kafka: KafkaSettings) -> tuple[int, int]:
    """Return what the largest record of ours, and the largest answer, may be. Raises KafkaProblem."""
    admin = TopicAdmin(kafka)
    try:
        largest = admin.max_message_bytes(kafka.topics.dead_letters) or MAX_ANSWER_BYTES
        answers = admin.max_message_bytes(kafka.topics.detections) or MAX_ANSWER_BYTES
        # Whatever the topic takes: readers refuse what is larger than a message may be.
        return largest, min(largest, answers, MAX_MESSAGE_BYTES) - HEADROOM
    finally:
        admin.close()
