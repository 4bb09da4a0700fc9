"""What a worker says to Kafka, and which frames are answered once Kafka has it."""

import logging
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

from groundcam_runtime.gaps import Collected, GapCollector
from groundcam_runtime.kafka.publisher import Publisher, Record, RecordTooLargeError
from groundcam_runtime.kafka.transactions import TransactionalPublisher
from groundcam_runtime.redaction import redact
from groundcam_runtime.settings import TraceSettings
from groundcam_runtime.tracing import Header, Tracing
from groundcam_schemas import (
    JSON_CONTENT_TYPE,
    MSGPACK_CONTENT_TYPE,
    DeadLetter,
    Detections,
    FrameId,
    Gap,
    GapReason,
    Topics,
    encode,
    encode_json,
)
from groundcam_schemas.limits import MAX_TEXT
from groundcam_worker.errors import FrameError
from groundcam_worker.frame_in_flight import Item
from groundcam_worker.loop import spans
from groundcam_worker.policy.letters import LetterRecord, letter_record

log = logging.getLogger(__name__)

GAP_DELAY_S = 1.0
MAX_ANSWER_BYTES = 1_000_000


class _Kind(Enum):
    ANSWER = "answer"
    GAP = "gap"
    DEAD_LETTER = "dead letter"


@dataclass(frozen=True, slots=True)
class _Tag:
    """What a record says about which frames."""

    kind: _Kind
    items: Sequence[Item]
    smaller: Record | None = None
    """What to send in its place where Kafka refuses it: a dead letter without the message."""


class Outbox:
    """Sends detections, gaps and dead letters in order, within the publisher's bound."""

    def __init__(
        self,
        publisher: Publisher | TransactionalPublisher,
        topics: Topics,
        version: str,
        *,
        as_json: bool,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
        max_letter_bytes: int = MAX_ANSWER_BYTES,
        tracing: Tracing | None = None,
    ) -> None:
        """`max_answer_bytes` is what the detections topic takes: larger answers become gaps.

        `max_letter_bytes` is what the dead-letters topic takes: of larger messages only what is known is put aside.
        """
        self._max_answer_bytes = max_answer_bytes
        self._max_letter_bytes = max_letter_bytes
        self._tracing = tracing or Tracing(TraceSettings(), "", version)
        self._publisher = publisher
        self._topics = topics
        self._version = version
        self._as_json = as_json
        self._gaps = GapCollector(GAP_DELAY_S)
        self._unsent: deque[tuple[Record, _Tag]] = deque()
        self._answered: list[Item] = []

    @property
    def commits_offsets(self) -> bool:
        """Whether what is sent brings the offsets along."""
        return self._publisher.commits_offsets

    @property
    def is_blocked(self) -> bool:
        """Whether Kafka takes less than there is to say: no more frames should be taken."""
        return bool(self._unsent) or self._publisher.is_full

    @property
    def waiting_bytes(self) -> int:
        """Bytes that Kafka has not acknowledged."""
        return self._publisher.waiting_bytes

    @property
    def is_empty(self) -> bool:
        """Whether Kafka has everything."""
        waiting = self._unsent or self._answered or self._publisher.unfinished
        return not waiting and self._gaps.deadline is None

    @property
    def deadline(self) -> float | None:
        """When gaps will be due."""
        return self._gaps.deadline

    def close(self) -> None:
        """Send nothing more."""
        self._publisher.close()

    def answer(self, item: Item, detections: Detections) -> None:
        """Say what was found, after the gaps of the same camera."""
        for collected in self._gaps.take(item.camera):
            self._send_gap(collected)
        self._begin_trace(item, "detected")
        record, tag = self._answer_record(detections, item.trace.headers), _Tag(_Kind.ANSWER, [item])
        if record.size > self._max_answer_bytes:
            # The broker would refuse it, and kafka-python's producer would not survive that.
            error = RecordTooLargeError(f"{record.size} bytes, more than {self._max_answer_bytes}")
            item.trace.end(item.said_at_ns, **{"groundcam.outcome": GapReason.TOO_LARGE.value})
            self._settle(tag, error, time.monotonic())
        else:
            self._send(record, tag)

    def gap(self, item: Item, reason: GapReason, now: float) -> None:
        """Say that nobody looked at a frame: soon, together with its neighbours."""
        if item.id is None:
            raise RuntimeError("a gap of an unknown camera: this is a bug")
        self._begin_trace(item, reason.value)
        self._gaps.add(item.id, reason, now=now, tag=item)

    def expired(self, frame: FrameId, numbers: range, now: float) -> None:
        """Say that Kafka deleted frames of this frame's run before anybody read them; before the frame's answer."""
        first = FrameId(frame.camera_id, frame.run_id, numbers.start)
        self._gaps.add(first, GapReason.EXPIRED, now=now, count=len(numbers))

    def dead_letter(self, item: Item, error: FrameError) -> None:
        """Put a message aside as it came, or without its value where that is too large."""
        record = item.record
        letter = DeadLetter(
            topic=record.partition.topic,
            partition=record.partition.number,
            offset=record.offset,
            timestamp_ms=max(-1, record.timestamp_ms),
            error_class=type(error).__name__,
            error_text=redact(str(error))[:MAX_TEXT],
            attempts=item.attempts,
            worker_version=self._version,
            camera_id=item.camera,
            run_id=item.id.run_id if item.id else "",
            seq=item.id.seq if item.id else None,
        )
        self._begin_trace(item, GapReason.DEAD_LETTERED.value)
        whole, smallest = (letter_record(letter, record, limit) for limit in (self._max_letter_bytes, 0))
        # The limit may have been lowered since it was read, and an unknown camera has no gap that would account for it.
        smaller = self._letter(smallest) if smallest.size < whole.size else None
        self._send(self._letter(whole), _Tag(_Kind.DEAD_LETTER, [item], smaller))

    def poll(self, now: float, *, everything: bool = False) -> list[Item]:
        """Move on; return the frames that are answered now. `everything` sends gaps that could still wait."""
        for collected in list(self._gaps.all() if everything else self._gaps.due(now)):
            self._send_gap(collected)
        for delivery in self._publisher.poll():
            self._settle(delivery.tag, delivery.error, now)
        while self._unsent and self._publisher.has_room(self._unsent[0][0].size):
            self._hand_over(*self._unsent.popleft())
        answered, self._answered = self._answered, []
        return answered

    def is_answer(self, tag: _Tag) -> bool:
        """Whether a tag is that of detections."""
        return tag.kind is _Kind.ANSWER

    def answered_by(self, tag: _Tag) -> Sequence[Item]:
        """Return the frames that will be answered once Kafka has what was sent under a tag."""
        if tag.kind is _Kind.DEAD_LETTER:
            return [item for item in tag.items if item.id is None]
        return tag.items

    def _settle(self, tag: _Tag, error: BaseException | None, now: float) -> None:
        """A frame is answered by detections or by a gap; a dead letter is told to subscribers as a gap too."""
        if error is not None:
            log.error("Kafka refuses a %s: %s", tag.kind.value, error)
            if tag.smaller is not None:
                self._send(tag.smaller, replace(tag, smaller=None))
                return
        answered = self.answered_by(tag) if error is None else [item for item in tag.items if item.id is None]
        reason = GapReason.DEAD_LETTERED if error is None else GapReason.TOO_LARGE
        self._answered += answered
        for item in tag.items:
            if item not in answered and item.id is not None:
                self._gaps.add(item.id, reason, now=now, tag=item)

    def _send_gap(self, collected: Collected) -> None:
        self._send(self._answer_record(collected.gap), _Tag(_Kind.GAP, collected.tags))

    def _begin_trace(self, item: Item, outcome: str) -> None:
        item.said_at_ns = time.time_ns()
        item.trace = spans.begin(self._tracing, item, outcome, item.said_at_ns)

    def _answer_record(self, answer: Detections | Gap, context: tuple[Header, ...] = ()) -> Record:
        kind, value = (
            (JSON_CONTENT_TYPE, encode_json(answer)) if self._as_json else (MSGPACK_CONTENT_TYPE, encode(answer))
        )
        headers = (("content-type", kind.encode()), *context)
        return Record(self._topics.detections, value, answer.camera_id, headers=headers)

    def _letter(self, letter: LetterRecord) -> Record:
        return Record(self._topics.dead_letters, letter.value, letter.key, headers=letter.headers)

    def _send(self, record: Record, tag: _Tag) -> None:
        if self._unsent or not self._publisher.has_room(record.size):
            self._unsent.append((record, tag))
        else:
            self._hand_over(record, tag)

    def _hand_over(self, record: Record, tag: _Tag) -> None:
        try:
            self._publisher.send(record, tag)
        except RecordTooLargeError as error:
            self._settle(tag, error, time.monotonic())
