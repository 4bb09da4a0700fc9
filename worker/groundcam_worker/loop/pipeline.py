"""The loop: take frames, decode, batch, detect, publish, and commit what Kafka has.

One thread runs it and owns all of its state. What waits runs elsewhere and wakes it: the source and the
publisher on Kafka's threads, JPEGs in a pool, the detector on one thread with one batch ahead of it.
"""

import logging
import threading
import time
from collections.abc import Callable
from functools import partial

from groundcam_runtime.partitions.assignment import Assignment
from groundcam_runtime.pictures.image import Image
from groundcam_runtime.records import Assigned, Consumed, Gone
from groundcam_schemas import GapReason
from groundcam_worker.detectors.protocol import Detector
from groundcam_worker.errors import BadPictureError, FatalFrameError, FrameError, SourceLostError
from groundcam_worker.frame_in_flight import NS, Item
from groundcam_worker.jpeg import decode_jpeg
from groundcam_worker.loop import spans
from groundcam_worker.loop.admission import AdmissionQueue
from groundcam_worker.loop.inference import Answer, Engine
from groundcam_worker.loop.intake import Intake
from groundcam_worker.loop.outbox import Outbox
from groundcam_worker.loop.ports import Source
from groundcam_worker.metrics import WorkerMetrics
from groundcam_worker.ordered_executor import OrderedExecutor
from groundcam_worker.policy.answers import objects_of
from groundcam_worker.policy.freshness import Freshness
from groundcam_worker.policy.limits import Limits
from groundcam_worker.policy.picture_budget import PictureBudget
from groundcam_worker.policy.questions import Questions
from groundcam_worker.quarantine.quarantine import WITHOUT_SANDBOX, Quarantine
from groundcam_worker.quarantine.sandbox import NoSandboxError, Sandbox

log = logging.getLogger(__name__)

MAX_SLEEP_S = 0.5


class Pipeline:
    """Answers frames until it is told to stop."""

    def __init__(
        self,
        source: Source,
        detector: Detector,
        outbox: Outbox,
        questions: Questions,
        metrics: WorkerMetrics,
        wake: threading.Event,
        *,
        assignment: Assignment,
        limits: Limits,
        freshness: Freshness,
        quarantine: Quarantine,
        sandbox: Sandbox,
        never_stale: frozenset[str] = frozenset(),
    ) -> None:
        """`never_stale` names the topics of which every frame counts. `wake` is set by source and publisher."""
        self.source = source
        self._detector = detector
        self._outbox = outbox
        self._questions = questions
        self._metrics = metrics
        self._wake = wake
        self._limits = limits
        self._freshness = freshness
        self._assignment = assignment
        self._reception = Intake(assignment, freshness, metrics, never_stale, limits.max_pixels)
        self._quarantine = quarantine
        self._lobby = AdmissionQueue(
            quarantine, self._keep, lambda item: self._reception.is_stale(item, time.time_ns()), calm_s=limits.calm_s
        )
        self._pictures = PictureBudget(limits.pictures, limits.max_picture_bytes)
        self._decoding: OrderedExecutor[Item, Image] = OrderedExecutor("decode", limits.decode_threads, wake)
        self.engine = Engine(
            detector, sandbox, metrics, wake,
            batch_size=limits.batch_size, batch_wait_s=limits.batch_wait_s, keep=self._keep,
        )  # fmt: skip
        self.ticked_at = time.monotonic()

    @property
    def assigned(self) -> int:
        """How many partitions are ours."""
        return len(self._assignment)

    @property
    def waiting_bytes(self) -> int:
        """Bytes of frames that wait to be decoded."""
        return self._lobby.bytes

    def run(self, stop: Callable[[], bool], drain_timeout_s: float) -> bool:
        """Work until `stop`, then finish what was begun; return whether all of it was.

        Raises DetectorLostError and SourceLostError.
        """
        while not stop():
            self._turn(taking=True)
        log.info("stopping: finishing what was begun")
        self.source.pause()
        deadline = time.monotonic() + drain_timeout_s
        while not self._is_idle and time.monotonic() < deadline:
            self._turn(taking=False)
        for one in (self._decoding, self.engine, self._quarantine):
            one.shutdown()
        return self._is_idle

    @property
    def _is_idle(self) -> bool:
        """Nothing is in work, and Kafka has everything. What only waits to be decoded, the next worker reads."""
        return not self._pictures and not self._lobby.is_busy and self._outbox.is_empty

    @property
    def _has_room(self) -> bool:
        """What waits in memory is bounded, and so is what waits for Kafka's acknowledgement."""
        return (
            self._lobby.bytes < self._limits.max_waiting_bytes
            and self._assignment.open_count < self._limits.unanswered
            and not self._outbox.is_blocked
        )

    def _turn(self, *, taking: bool) -> None:
        """Do everything that can be done now, then sleep until something happens."""
        self._wake.clear()
        if taking and self.source.failure:
            raise SourceLostError(self.source.failure)
        self._settle(everything=not taking)
        self._collect_answers()
        self._collect_pictures()
        if taking:
            self._take()
        self._admit(another=taking)
        self.engine.start(everything=not taking)
        self.ticked_at = now = time.monotonic()
        deadlines = self._outbox.deadline, self.engine.deadline, self._lobby.deadline if taking else None
        ends = [end for end in deadlines if end is not None]
        self._wake.wait(max(0.0, min([MAX_SLEEP_S, *(end - now for end in ends)])))

    def _take(self) -> None:
        """Take frames while there is room for them and Kafka takes what we say."""
        while self._has_room:
            event = self.source.take()
            if event is None:
                return
            match event:
                case Consumed():
                    self._begin(event)
                case Assigned():
                    self._reception.recall(event)
                    self.source.commit(self._assignment.arrive(event), written=True)
                    self._quarantine.expect_marks()
                    self._metrics.assigned(self.assigned)
                case Gone():
                    self._assignment.leave(event)
                    self._lobby.forget_strangers()
                    self._metrics.assigned(self.assigned)

    def _begin(self, record: Consumed) -> None:
        """Read a record, and let it wait for its turn."""
        received = self._reception.receive(record)
        if received is None:
            return  # it came just before its partition left: the next owner reads it
        item = received.item
        if received.expired is not None and item.id is not None:
            self._metrics.dropped(item.camera, GapReason.EXPIRED, len(received.expired))
            self._outbox.expired(item.id, received.expired, time.monotonic())
        if received.error is not None:
            self._put_aside(item, received.error)
        else:
            self._lobby.push(received)

    def _admit(self, *, another: bool) -> None:
        """Decode what there is room for, and skip what is too old."""
        if another:
            for item in self._lobby.shed():
                self._skip(item, GapReason.STALE)
        while admitted := self._lobby.next(self._pictures, another=another):
            item = admitted
            deaths = item.attempts - 1
            if not self._ask(item):
                continue
            if deaths >= WITHOUT_SANDBOX:
                self._put_aside(item, FatalFrameError(f"it ended the process {deaths} times, alone in it"))
            elif deaths:
                self._pictures.hold(item, item.picture_bytes)
                self.engine.try_apart(item)
            else:
                self._decode(item)

    def _ask(self, item: Item) -> bool:
        """Find the question for a frame; without one, or when it is no longer ours, it goes no further."""
        if item.incoming is None or not self._keep(item):
            return False
        if self._reception.is_stale(item, time.time_ns()):
            self._skip(item, GapReason.STALE)
            return False
        asked = self._questions.for_frame(item.camera, item.incoming.question)
        if asked is None:
            self._skip(item, GapReason.NO_QUESTION)
            return False
        item.question, item.ask = asked
        self._metrics.asked(item.camera, item.question.version)
        return True

    def _decode(self, item: Item) -> None:
        if item.incoming is None:
            raise RuntimeError("a frame that was not read: this is a bug")
        item.decoding_at_ns = time.time_ns()
        self._metrics.stage("queue", (item.decoding_at_ns - item.record.consumed_at_ns) / NS)
        self._pictures.hold(item, item.picture_bytes)
        self._decoding.start(item, partial(decode_jpeg, item.incoming.jpeg, self._limits.max_pixels))

    def _collect_pictures(self) -> None:
        """Hand decoded pictures to the detector, in the order in which their frames were admitted."""
        for item, future in self._decoding.finished():
            item.decoded_at_ns = time.time_ns()
            try:
                item.image = future.result()
                self.engine.push(item)
            except FrameError as error:
                self._put_aside(item, error)
            except Exception as error:  # noqa: BLE001 - what a processor says of a picture one pixel high
                self._put_aside(item, BadPictureError(f"{type(error).__name__}: {error}"))
            else:
                self._metrics.stage("decode", (item.decoded_at_ns - item.decoding_at_ns) / NS)

    def _collect_answers(self) -> None:
        """Publish what was found, in the order of the batches. Raises DetectorLostError."""
        for item, answer in self.engine.finished():
            if isinstance(answer, NoSandboxError):
                log.warning("a frame that has ended a process is tried without a witness: %s", answer)
                self._decode(item)
            elif isinstance(answer, FrameError):
                self._metrics.error("frame")
                self._put_aside(item, answer)
            elif self._keep(item):
                self._publish(item, answer)

    def _publish(self, item: Item, answer: Answer) -> None:
        if item.ask is None or item.incoming is None:
            raise RuntimeError("an answer without a frame or a question: this is a bug")
        item.objects = objects_of(answer, item.ask, item.picture_size, item.incoming.source_size)
        if item.decoding_at_ns:
            self._freshness.took((item.inferred_at_ns - item.decoding_at_ns) / NS)
        self._release(item)
        self._outbox.answer(item, item.detections(self._detector.model, time.time_ns()))
        item.forget_payload()

    def _settle(self, *, everything: bool) -> None:
        """Commit the unbroken prefix of what Kafka has."""
        now_ns = time.time_ns()
        finished = self._outbox.poll(time.monotonic(), everything=everything)
        for item in finished:
            spans.finish(item, now_ns)
        answered = [item for item in finished if self._assignment.is_ours(item.claim)]
        for item in answered:
            if item.inferred_at_ns and item.incoming is not None:
                self._metrics.stage("publish", (now_ns - item.inferred_at_ns) / NS)
                age_s = (now_ns - item.incoming.captured_at_ns) / NS if item.sheddable else None
                self._metrics.answered(item.camera, len(item.objects), age_s)
        positions = {} if self._outbox.commits_offsets else self._assignment.finish(item.claim for item in answered)
        if positions:
            self.source.commit(positions)

    def _put_aside(self, item: Item, error: FrameError) -> None:
        if not self._keep(item):
            return
        where = item.record
        log.warning(
            "dead letter: %s[%d]@%d of camera %s: %s: %s",
            *where.partition, where.offset, item.camera, type(error).__name__, error,
        )  # fmt: skip
        self._release(item)
        self._metrics.dropped(item.camera, GapReason.DEAD_LETTERED)
        item.inferred_at_ns = 0
        self._outbox.dead_letter(item, error)
        item.forget_payload()

    def _skip(self, item: Item, reason: GapReason) -> None:
        if not self._keep(item):
            return
        self._release(item)
        self._metrics.dropped(item.camera, reason)
        self._outbox.gap(item, reason, time.monotonic())
        item.forget_payload()

    def _keep(self, item: Item) -> bool:
        """Whether a frame is still ours. What is not is forgotten: the next owner answers it."""
        if self._assignment.is_ours(item.claim):
            return True
        self._release(item)
        return False

    def _release(self, item: Item) -> None:
        item.image = None
        self._pictures.release(item)
        self._lobby.done(item)
