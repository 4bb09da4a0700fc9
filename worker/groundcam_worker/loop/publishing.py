"""Publications become records on Kafka, in order and within the sink's bound."""

import logging
import time
from collections import deque
from collections.abc import Iterator

from groundcam_runtime.kafka.publisher import RecordTooLargeError
from groundcam_runtime.kafka.record import Record
from groundcam_runtime.recurring import Recurring
from groundcam_runtime.redaction import redact
from groundcam_runtime.tracing import Header, Trace, Tracing
from groundcam_schemas import (
    DeadLetter,
    Detections,
    FrameRef,
    Gap,
    GapReason,
    Model,
    Reply,
    TimingsNs,
    Topics,
    detections_id,
)
from groundcam_schemas.limits import MAX_TEXT
from groundcam_worker.frames import Answered, Rejected, Replied
from groundcam_worker.loop import spans
from groundcam_worker.loop.events import Delivered
from groundcam_worker.loop.instructions import Publication, PublishAnswer, PublishGap, PublishLetter, PublishReply
from groundcam_worker.loop.ports import AnswerSink
from groundcam_worker.parse import timestamp_ns
from groundcam_worker.policy.letters import LetterRecord, letter_record

log = logging.getLogger(__name__)

MAX_ANSWER_BYTES = 1_000_000


def _about(publication: Publication) -> dict[str, object]:
    """Return what a line about a publication is about."""
    match publication:
        case PublishAnswer(answered):
            camera, record = answered.camera_id, answered.record
        case PublishLetter(rejected):
            camera, record = rejected.camera_id, rejected.record
        case PublishReply(replied):
            camera, record = replied.camera_id, replied.record
        case PublishGap(gap, _):
            return {"camera": gap.camera_id}
    return {"camera": camera, "topic": record.partition.topic, "partition": record.partition.number,
            "offset": record.offset}  # fmt: skip


class Publishing:
    """Encodes, traces and sends. Belongs to the loop's thread."""

    def __init__(
        self,
        sink: AnswerSink,
        topics: Topics,
        version: str,
        model: Model,
        *,
        as_json: bool,
        tracing: Tracing,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
        max_letter_bytes: int = MAX_ANSWER_BYTES,
    ) -> None:
        """`max_answer_bytes` is what the detections topic takes: larger answers become gaps.

        `max_letter_bytes` is what the dead-letters topic takes: larger messages leave a letter without their value.
        """
        self._sink = sink
        self._recurring = Recurring(log)
        self._topics = topics
        self._version = version
        self._model = model
        self._as_json = as_json
        self._tracing = tracing
        self._max_answer_bytes = max_answer_bytes
        self._max_letter_bytes = max_letter_bytes
        self._unsent: deque[tuple[Record, Publication]] = deque()
        self._refused: list[Delivered] = []
        self._traces: dict[Publication, tuple[list[Trace], int]] = {}
        self._smaller: dict[Publication, Record] = {}
        """What to send in the place of a dead letter that Kafka refuses: one without the message."""

    @property
    def is_blocked(self) -> bool:
        """Backpressure: Kafka takes less than there is to publish, so no more frames should be taken."""
        return bool(self._unsent) or self._sink.is_full

    @property
    def waiting_bytes(self) -> int:
        """Bytes that Kafka has not acknowledged."""
        return self._sink.waiting_bytes

    def close(self) -> None:
        """Send nothing more."""
        self._sink.close()

    def publish(self, publication: Publication) -> None:
        """Send, or keep until there is room."""
        now_ns = time.time_ns()
        match publication:
            case PublishAnswer(answered):
                headers = self._trace(publication, [spans.begin(self._tracing, answered, "detected", now_ns)], now_ns)
                record = self._answer_record(self._detections(answered, now_ns), headers)
                if record.size > self._max_answer_bytes:
                    # The broker would refuse it, and kafka-python's producer would not survive that.
                    too_large = f"{record.size} bytes, more than {self._max_answer_bytes}"
                    self._refuse(publication, RecordTooLargeError(too_large))
                    return
            case PublishReply(replied):
                about = replied.answered or replied
                trace = spans.begin(self._tracing, about, replied.problem or "detected", now_ns)
                record = self._reply_record(replied, now_ns, self._trace(publication, [trace], now_ns))
                if record.size > self._max_answer_bytes and replied.answered:
                    self._refuse(publication, RecordTooLargeError(f"{record.size} bytes"))
                    return
            case PublishGap(gap, frames):
                traces = [spans.begin(self._tracing, one, one.reason.value, now_ns) for one in frames]
                self._trace(publication, traces, now_ns)
                record = self._answer_record(gap)
            case PublishLetter(rejected):
                outcome = GapReason.DEAD_LETTERED.value
                self._trace(publication, [spans.begin(self._tracing, rejected, outcome, now_ns)], now_ns)
                letter = self._letter(rejected)
                whole, smallest = (letter_record(letter, rejected.record, n) for n in (self._max_letter_bytes, 0))
                record = self._letter_record(whole)
                # The limit may have been lowered since it was read, and no gap can report a frame of an unknown camera.
                if smallest.size < whole.size:
                    self._smaller[publication] = self._letter_record(smallest)
        if self._unsent or not self._sink.has_room(record.size):
            self._unsent.append((record, publication))
        else:
            self._send(record, publication)

    def poll(self) -> Iterator[Delivered]:
        """Yield what Kafka has, or will never take. Raises TransactionLostError."""
        for delivery in self._sink.poll():
            smaller = self._smaller.pop(delivery.tag, None)
            if smaller is not None and delivery.error is not None:
                self._recurring.error(
                    "dead letters that are sent without their message",
                    "Kafka refuses a dead letter, which is sent without its message: %s",
                    delivery.error, **_about(delivery.tag),
                )  # fmt: skip
                self._send(smaller, delivery.tag)
            else:
                yield self._delivered(delivery.tag, delivery.error, dropped=delivery.dropped)
        while self._unsent and self._sink.has_room(self._unsent[0][0].size):
            self._send(*self._unsent.popleft())
        refused, self._refused = self._refused, []
        yield from refused

    def _send(self, record: Record, publication: Publication) -> None:
        try:
            self._sink.send(record, publication)
        except RecordTooLargeError as error:
            smaller = self._smaller.pop(publication, None)
            if smaller is None:
                self._refuse(publication, error)
            else:
                self._send(smaller, publication)

    def _refuse(self, publication: Publication, error: RecordTooLargeError) -> None:
        self._refused.append(self._delivered(publication, error))

    def _delivered(self, publication: Publication, error: BaseException | None, *, dropped: bool = False) -> Delivered:
        if error is not None:
            what = type(publication).__name__.removeprefix("Publish").lower()
            self._recurring.error(
                f"refused by Kafka: {what}", "Kafka refuses a record (%s): %s", what, error, **_about(publication)
            )
        traces, began_ns = self._traces.pop(publication, ([], 0))
        for trace in traces:
            spans.finish(trace, began_ns, time.time_ns())
        return Delivered(publication, error, dropped)

    def _trace(self, publication: Publication, traces: list[Trace], now_ns: int) -> tuple[Header, ...]:
        if not self._tracing.is_on:
            return ()
        self._traces[publication] = traces, now_ns
        return traces[0].headers if traces else ()

    def _detections(self, answered: Answered, now_ns: int) -> Detections:
        frame, record, stamps = answered.id, answered.record, answered.stamps
        width, height = answered.source_size
        return Detections(
            id=detections_id(frame, answered.reference.version, self._model.name, self._model.revision),
            camera_id=frame.camera_id,
            frame=FrameRef(
                run_id=frame.run_id,
                seq=frame.seq,
                topic=record.partition.topic,
                partition=record.partition.number,
                offset=record.offset,
            ),
            captured_at_ns=answered.captured_at_ns,
            source_width=width,
            source_height=height,
            question=answered.reference,
            model=self._model,
            objects=answered.objects,
            timings_ns=TimingsNs(
                captured=answered.captured_at_ns,
                published_to_kafka=timestamp_ns(record),
                consumed=record.consumed_at_ns,
                batched=stamps.batched,
                inferred=stamps.inferred,
                published=now_ns,
            ),
        )

    def _answer_record(self, answer: Detections | Gap, context: tuple[Header, ...] = ()) -> Record:
        return Record.of(self._topics.detections, answer, answer.camera_id, as_json=self._as_json, headers=context)

    def _reply_record(self, replied: Replied, now_ns: int, context: tuple[Header, ...]) -> Record:
        (camera_id, run_id, seq), to = replied.id, replied.reply_to.to
        answer = self._detections(replied.answered, now_ns) if replied.answered else None
        detail = redact(replied.detail)[:MAX_TEXT]
        reply = Reply(
            to=to, camera_id=camera_id, run_id=run_id, seq=seq, answer=answer, problem=replied.problem, detail=detail
        )
        return Record.of(self._topics.replies, reply, to, headers=context)

    def _letter(self, rejected: Rejected) -> DeadLetter:
        record, error = rejected.record, rejected.error
        return DeadLetter(
            topic=record.partition.topic,
            partition=record.partition.number,
            offset=record.offset,
            timestamp_ms=max(-1, record.timestamp_ms),
            error_class=type(error).__name__,
            error_text=redact(str(error))[:MAX_TEXT],
            attempts=rejected.attempts,
            worker_version=self._version,
            camera_id=rejected.camera_id,
            run_id=rejected.id.run_id if rejected.id else "",
            seq=rejected.id.seq if rejected.id else None,
        )

    def _letter_record(self, letter: LetterRecord) -> Record:
        return Record(self._topics.dead_letters, letter.value, letter.key, headers=letter.headers)
