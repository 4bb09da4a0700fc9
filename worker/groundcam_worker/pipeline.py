"""The loop: take frames, decode, batch, detect, publish, and commit what Kafka has.

One thread runs it and owns all of its state. What waits runs elsewhere and wakes it: the source and the
publisher on Kafka's threads, JPEGs in a pool, the detector on one thread with one batch ahead of it.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial

from groundcam_runtime.metrics import WorkerMetrics
from groundcam_runtime.records import Assigned, Consumed, Gone, Partition
from groundcam_schemas import GapReason
from groundcam_worker.answers import objects_of
from groundcam_worker.batcher import Batcher
from groundcam_worker.detector import Detection, Detector, Image, detect_each
from groundcam_worker.errors import BadPictureError, FrameError, SourceLostError, UnansweredError
from groundcam_worker.freshness import Freshness
from groundcam_worker.intake import place_of, read_frame
from groundcam_worker.item import NS, Item
from groundcam_worker.offsets import OffsetLedger
from groundcam_worker.outbox import Outbox
from groundcam_worker.pictures import decode_jpeg
from groundcam_worker.questions import Questions
from groundcam_worker.source import Source
from groundcam_worker.stage import Stage

log = logging.getLogger(__name__)

RUNNING_AND_NEXT = 2
"""Batches at the detector: the one that runs, and one prefetched so that it never waits for us."""
MAX_SLEEP_S = 0.5
HEAD = 8
"""So close to the end of its partition a frame's delay is that of its way here, not of a backlog."""


Answers = list[tuple[Detection, ...] | UnansweredError]


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
        batch_size: int,
        batch_wait_s: float,
        max_age_s: float,
        never_stale: frozenset[str] = frozenset(),
        decode_threads: int = 2,
        max_pixels: int = 33_177_600,
    ) -> None:
        """`never_stale` names the topics of which every frame counts. `wake` is set by source and publisher."""
        self._source = source
        self._detector = detector
        self._outbox = outbox
        self._questions = questions
        self._metrics = metrics
        self._wake = wake
        self._batcher: Batcher[Item] = Batcher(batch_size, batch_wait_s)
        self._freshness = Freshness(max_age_s)
        self._never_stale = never_stale
        self._max_pixels = max_pixels
        # Enough decoded pictures for the next batch while two are at the detector.
        self._window = 2 * batch_size
        self._max_unanswered = max(1024, 64 * batch_size)
        self._ledgers: dict[Partition, OffsetLedger] = {}
        self._decoding: Stage[Item, Image] = Stage("decode", decode_threads, wake)
        self._detecting: Stage[list[Item], Answers] = Stage("detect", 1, wake)
        self.ticked_at = time.monotonic()
        self.detecting_since: float | None = None

    @property
    def assigned(self) -> int:
        """How many partitions are ours."""
        return len(self._ledgers)

    @property
    def polled_at(self) -> float:
        """When the source last listened (monotonic)."""
        return self._source.polled_at

    def run(self, stop: Callable[[], bool], drain_timeout_s: float) -> bool:
        """Work until `stop`, then finish what was begun; return whether all of it was.

        Raises DetectorLostError and SourceLostError.
        """
        while not stop():
            self._turn(taking=True)
        log.info("stopping: finishing what was begun")
        self._source.pause()
        deadline = time.monotonic() + drain_timeout_s
        while not self._is_idle and time.monotonic() < deadline:
            self._turn(taking=False)
        self._decoding.shutdown()
        self._detecting.shutdown()
        return self._is_idle

    @property
    def _is_idle(self) -> bool:
        waiting = len(self._decoding) + len(self._batcher) + len(self._detecting)
        return waiting == 0 and self._outbox.is_empty

    @property
    def _has_room(self) -> bool:
        """Pictures in memory are bounded, and so is what waits for Kafka's acknowledgement."""
        unanswered = sum(ledger.open_count for ledger in self._ledgers.values())
        pictures = len(self._decoding) + len(self._batcher)
        return pictures < self._window and unanswered < self._max_unanswered and not self._outbox.is_blocked

    def _turn(self, *, taking: bool) -> None:
        """Do everything that can be done now, then sleep until something happens."""
        self._wake.clear()
        if taking and self._source.failure:
            raise SourceLostError(self._source.failure)
        self._settle(everything=not taking)
        self._collect_results()
        self._collect_pictures()
        if taking:
            self._take()
        self._start_batches(everything=not taking)
        self.ticked_at = now = time.monotonic()
        deadlines = [self._outbox.deadline]
        if len(self._detecting) < RUNNING_AND_NEXT:
            deadlines.append(self._batcher.deadline)
        ends = [deadline for deadline in deadlines if deadline is not None]
        self._wake.wait(max(0.0, min([MAX_SLEEP_S, *(end - now for end in ends)])))

    def _take(self) -> None:
        """Take frames while there is room for their pictures and Kafka takes what we say."""
        while self._has_room:
            event = self._source.take()
            if event is None:
                return
            match event:
                case Consumed():
                    self._begin(event)
                case Assigned():
                    self._ledgers |= {partition: OffsetLedger() for partition in event.partitions}
                    self._metrics.assigned(self.assigned)
                case Gone():
                    for partition in event.partitions:
                        self._ledgers.pop(partition, None)
                    self._metrics.assigned(self.assigned)

    def _begin(self, record: Consumed) -> None:
        """Read a record, and send it on to where it belongs."""
        ledger = self._ledgers.get(record.partition)
        if ledger is None:
            return  # it came just before its partition left: the next owner reads it
        if record.offset < ledger.next_offset:
            # The topic was made anew, or its log was cut: what came before is not there to be committed.
            log.warning("%s[%d] went back to offset %d", *record.partition, record.offset)
            ledger = self._ledgers[record.partition] = OffsetLedger()
        ledger.begin(record.offset)
        item = Item(record, ledger, id=place_of(record))
        try:
            item.incoming = incoming = read_frame(record)
        except FrameError as error:
            self._put_aside(item, error)
            return
        item.id = incoming.id
        self._metrics.consumed(item.camera)
        camera_id, run_id, _ = incoming.id
        captured = incoming.captured_at_ns
        if record.behind <= HEAD:
            self._freshness.arrived(camera_id, run_id, captured, consumed_at_ns=record.consumed_at_ns)
        now_ns = time.time_ns()
        sheddable = record.partition.topic not in self._never_stale
        if sheddable and self._freshness.is_stale(camera_id, run_id, captured, now_ns=now_ns):
            self._skip(item, GapReason.STALE)
            return
        asked = self._questions.for_frame(camera_id, incoming.question)
        if asked is None:
            self._skip(item, GapReason.NO_QUESTION)
            return
        item.question, item.ask = asked
        item.decoding_at_ns = now_ns
        self._metrics.stage("queue", (now_ns - record.consumed_at_ns) / NS)
        self._decoding.start(item, partial(decode_jpeg, incoming.jpeg, self._max_pixels))

    def _collect_pictures(self) -> None:
        """Move decoded pictures into batches, in the order in which their frames came."""
        for item, future in self._decoding.finished():
            item.decoded_at_ns = time.time_ns()
            try:
                item.image = image = future.result()
                shape = self._detector.input_shape(image.shape[1], image.shape[0])
            except FrameError as error:
                self._put_aside(item, error)
                continue
            except Exception as error:  # noqa: BLE001 - what a processor says of a picture one pixel high
                self._put_aside(item, BadPictureError(f"{type(error).__name__}: {error}"))
                continue
            self._metrics.stage("decode", (item.decoded_at_ns - item.decoding_at_ns) / NS)
            self._batcher.push(item, shape=shape, camera_id=item.camera, now=time.monotonic())

    def _start_batches(self, *, everything: bool) -> None:
        """Keep the detector busy with one batch ahead of it."""
        while len(self._detecting) < RUNNING_AND_NEXT:
            items = self._batcher.pop(now=time.monotonic())
            # While the detector has nothing to do, waiting for more frames would only cost time.
            if items is None and (everything or not self._detecting):
                items = self._batcher.pop_any()
            if items is None:
                return
            mine = [item for item in items if self._is_mine(item)]
            if not mine:
                continue
            now_ns = time.time_ns()
            self._metrics.batch(len(mine))
            for item in mine:
                item.batched_at_ns = now_ns
                self._metrics.stage("batch", (now_ns - item.decoded_at_ns) / NS)
            self._detecting.start(mine, partial(self._detect, mine))

    def _detect(self, items: Sequence[Item]) -> Answers:
        """On the detector's thread."""
        images = [item.image for item in items if item.image is not None]
        asks = [item.ask for item in items if item.ask is not None]
        started = self.detecting_since = time.monotonic()
        try:
            answers = detect_each(self._detector, images, asks)
        finally:
            self.detecting_since = None
        seconds = time.monotonic() - started
        now_ns = time.time_ns()
        for item in items:
            item.inferred_at_ns = now_ns
            self._metrics.stage("detect", seconds)
        return answers

    def _collect_results(self) -> None:
        """Publish what was found, in the order of the batches. Raises DetectorLostError."""
        for items, future in self._detecting.finished():
            for item, answer in zip(items, future.result(), strict=True):
                if not self._is_mine(item) or item.image is None or item.ask is None or item.incoming is None:
                    continue
                height, width = item.image.shape[:2]
                item.image = None
                if isinstance(answer, UnansweredError):
                    self._put_aside(item, answer)
                    continue
                item.objects = objects_of(answer, item.ask, (width, height), item.incoming.source_size)
                self._outbox.answer(item, item.detections(self._detector.model, time.time_ns()))
                item.forget_payload()

    def _settle(self, *, everything: bool) -> None:
        """Commit the unbroken prefix of what Kafka has."""
        offsets: dict[Partition, int] = {}
        now_ns = time.time_ns()
        for item in self._outbox.poll(time.monotonic(), everything=everything):
            if not self._is_mine(item):
                continue
            committable = item.ledger.finish(item.record.offset)
            if committable is not None:
                offsets[item.record.partition] = committable
            if item.inferred_at_ns and item.incoming is not None:
                self._metrics.stage("publish", (now_ns - item.inferred_at_ns) / NS)
                age_s = (now_ns - item.incoming.captured_at_ns) / NS
                self._metrics.answered(item.camera, len(item.objects), age_s)
        if offsets:
            self._source.commit(offsets)
            for partition, frames in list(self._source.lag.items()):
                self._metrics.lag(partition.topic, partition.number, frames)

    def _put_aside(self, item: Item, error: FrameError) -> None:
        where = item.record
        log.warning(
            "dead letter: %s[%d]@%d of camera %s: %s: %s",
            *where.partition, where.offset, item.camera, type(error).__name__, error,
        )  # fmt: skip
        self._metrics.dropped(item.camera, GapReason.DEAD_LETTERED)
        item.inferred_at_ns = 0
        self._outbox.dead_letter(item, error)

    def _skip(self, item: Item, reason: GapReason) -> None:
        self._metrics.dropped(item.camera, reason)
        self._outbox.gap(item, reason, time.monotonic())
        item.forget_payload()

    def _is_mine(self, item: Item) -> bool:
        return self._ledgers.get(item.record.partition) is item.ledger
