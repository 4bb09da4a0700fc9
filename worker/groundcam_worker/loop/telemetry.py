"""Metrics and log lines, from the instructions of the state machine and their outcomes."""

import logging
from collections import OrderedDict

from groundcam_worker.errors import FrameError
from groundcam_worker.frames import NS, Admitted, Decoded, Instant
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
        self._odd_since: OrderedDict[tuple[str, str], float] = OrderedDict()

    def note(self, instruction: Instruction, now: Instant) -> None:
        """Count what is about to be done."""
        match instruction:
            case FrameArrived(camera_id, size):
                self._metrics.consumed(camera_id, size)
            case FramesDropped(camera_id, reason, count):
                self._metrics.dropped(camera_id, reason, count)
            case DelayLearned(camera_id, run_id, delay_s):
                self._metrics.clock(camera_id, delay_s)
                self._judge_clock(camera_id, run_id, delay_s, now.s)
            case Decode(admitted) | Isolate(admitted) if not admitted.is_retry:
                self._admitted(admitted)
            case Begin(batch):
                self._metrics.batch(len(batch.jobs))
                for job in batch.jobs:
                    if isinstance(job.origin, Decoded):
                        decoded = job.origin
                        self._metrics.stage("decode", (decoded.at_ns - decoded.admitted.at_ns) / NS)
                        self._metrics.stage("batch", (batch.at_ns - decoded.at_ns) / NS)
            case PublishLetter(rejected):
                where = rejected.record
                log.warning(
                    "dead letter: %s[%d]@%d of camera %s: %s: %s",
                    *where.partition, where.offset, rejected.camera_id, type(rejected.error).__name__, rejected.error,
                )  # fmt: skip
            case _:
                pass

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
        if isinstance(delivered.publication, PublishAnswer) and delivered.error is None and not delivered.dropped:
            answered = delivered.publication.answered
            self._metrics.stage("publish", (now.ns - answered.stamps.inferred) / NS)
            age_s = (now.ns - answered.captured_at_ns) / NS if answered.is_live else None
            self._metrics.answered(answered.camera_id, len(answered.objects), age_s)

    def assigned(self, partitions: int) -> None:
        """Note how many partitions this worker has, after some came or left."""
        self._metrics.assigned(partitions)

    def _admitted(self, admitted: Admitted) -> None:
        self._metrics.asked(admitted.frame.id.camera_id, admitted.reference.version)
        self._metrics.stage("queue", (admitted.at_ns - admitted.frame.record.consumed_at_ns) / NS)

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
            camera_id, abs(delay_s), "old" if delay_s > 0 else "ahead",
        )  # fmt: skip
