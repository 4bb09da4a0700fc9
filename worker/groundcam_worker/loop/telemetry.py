"""Metrics and log lines, from the instructions of the state machine and their outcomes."""

import logging
from collections import OrderedDict
from collections.abc import Callable

from groundcam_runtime.recurring import Recurring
from groundcam_worker.errors import FrameError
from groundcam_worker.frames import NS, Decoded, Instant
from groundcam_worker.loop.events import BatchDone, Delivered
from groundcam_worker.loop.instructions import (
    Begin,
    Decode,
    DelayLearned,
    FrameArrived,
    FramesDropped,
    Instruction,
    Isolate,
    PublishAnswer,
    PublishLetter,
    PublishReply,
)
from groundcam_worker.metrics import WorkerMetrics

log = logging.getLogger(__name__)

CLOCK_AHEAD_S = -1.0
CLOCK_BEHIND_S = 10.0
CLOCK_FOR_S = 10.0
"""Frames that for so long seem to come from the future, or so late at their best, come from a clock that is wrong."""
REMEMBERED_RUNS = 1000


class Telemetry:
    """Counts and reports. Belongs to the loop's thread."""

    def __init__(self, metrics: WorkerMetrics) -> None:
        self._metrics = metrics
        self._recurring = Recurring(log)
        self._odd_since: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._counts: dict[type, Callable[..., None]] = {
            FrameArrived: self._arrived, FramesDropped: self._dropped, DelayLearned: self._learned,
            Decode: self._admitted, Isolate: self._admitted, Begin: self._begun, PublishLetter: self._rejected,
        }  # fmt: skip

    def note(self, instruction: Instruction, now: Instant) -> None:
        """Count what is about to be done."""
        count = self._counts.get(type(instruction))
        if count is not None:
            count(instruction, now)

    def _arrived(self, arrived: FrameArrived, _now: Instant) -> None:
        self._metrics.consumed(arrived.camera_id, arrived.size)

    def _dropped(self, dropped: FramesDropped, _now: Instant) -> None:
        self._metrics.dropped(dropped.camera_id, dropped.reason, dropped.count)

    def _learned(self, learned: DelayLearned, now: Instant) -> None:
        self._metrics.clock(learned.camera_id, learned.delay_s)
        self._judge_clock(learned.camera_id, learned.run_id, learned.delay_s, now.s)

    def _admitted(self, instruction: Decode | Isolate, _now: Instant) -> None:
        admitted = instruction.admitted
        if not admitted.is_retry:
            self._metrics.stage("queue", (admitted.at_ns - admitted.frame.record.consumed_at_ns) / NS)
        if not admitted.is_retry and admitted.frame.reply_to is None:
            self._metrics.asked(admitted.frame.id.camera_id, admitted.reference.version, admitted.reference.classes)

    def _begun(self, begin: Begin, _now: Instant) -> None:
        batch = begin.batch
        self._metrics.batch(len(batch.jobs))
        for job in batch.jobs:
            if isinstance(job.origin, Decoded):
                decoded = job.origin
                self._metrics.stage("decode", (decoded.at_ns - decoded.admitted.at_ns) / NS)
                self._metrics.stage("batch", (batch.at_ns - decoded.at_ns) / NS)

    def _rejected(self, letter: PublishLetter, _now: Instant) -> None:
        rejected = letter.rejected
        (topic, partition), offset = rejected.record.partition, rejected.record.offset
        kind = type(rejected.error).__name__
        self._recurring.warning(
            f"dead letters with {kind}",
            "dead letter: %s[%d]@%d of camera %s: %s: %s",
            topic, partition, offset, rejected.camera_id, kind, rejected.error,
            camera=rejected.camera_id, topic=topic, partition=partition, offset=offset,
        )  # fmt: skip

    def batch_done(self, done: BatchDone) -> None:
        """Count a batch's time, and the frames that the detector failed on."""
        self._metrics.detected(done.seconds)
        for result in done.results:
            self._metrics.stage("detect", done.seconds)
            if isinstance(result, FrameError):
                self._metrics.error("frame")

    def tried(self, result: object) -> None:
        """Count a frame that the detector failed on in the sandbox."""
        if isinstance(result, FrameError):
            self._metrics.error("frame")

    def delivered(self, delivered: Delivered, now: Instant) -> None:
        """Count an answer that Kafka has. Recordings have no age: they are old by nature."""
        if delivered.error is not None or delivered.dropped:
            return
        if isinstance(delivered.publication, PublishReply):
            replied = delivered.publication.replied
            self._metrics.replied(replied.problem or "answered")
        elif isinstance(delivered.publication, PublishAnswer):
            answered = delivered.publication.answered
            self._metrics.stage("publish", (now.ns - answered.stamps.inferred) / NS)
            age_s = (now.ns - answered.captured_at_ns) / NS if answered.is_live else None
            self._metrics.answered(answered.camera_id, (found.label for found in answered.objects), age_s)

    def assigned(self, partitions: int) -> None:
        """Note how many partitions this worker has, after some came or left."""
        self._metrics.assigned(partitions)

    def _judge_clock(self, camera_id: str, run_id: str, delay_s: float, now_s: float) -> None:
        """Warn once of a run whose clock has been wrong for a while."""
        run = camera_id, run_id
        if CLOCK_AHEAD_S <= delay_s <= CLOCK_BEHIND_S:
            self._odd_since.pop(run, None)
            return
        since_s = self._odd_since.setdefault(run, now_s)
        if len(self._odd_since) > REMEMBERED_RUNS:
            self._odd_since.popitem(last=False)
        if now_s - since_s < CLOCK_FOR_S:
            return
        self._odd_since[run] = float("inf")  # once is enough
        log.warning(
            "camera %s: its frames seem %.0f s %s when they come: a clock is wrong, its or ours; ages allow for it",
            camera_id, abs(delay_s), "old" if delay_s > 0 else "ahead", extra={"camera": camera_id},
        )  # fmt: skip
