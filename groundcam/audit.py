"""Judge from the topics alone whether every frame, and every picture of a request, was accounted for.

It shares nothing with the worker's bookkeeping: it reads what producers numbered and what was said of it, and
puts each frame into exactly one class: detected, else dead-lettered, else in a gap, else in flight, else missing.
"""

import time
from collections.abc import Iterable
from hashlib import sha256
from sys import intern

from groundcam.number_set import NumberSet
from groundcam.run_account import RunAccount, RunReport
from groundcam_runtime.kafka.reader import Reader
from groundcam_runtime.records import NS_PER_MS, Consumed, Partition
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import (
    DeadLetter,
    Detections,
    Frame,
    FrameId,
    Gap,
    Reply,
    SchemaError,
    Topics,
    decode,
    decode_answer,
    raw_frame_id,
)
from groundcam_schemas.limits import MAX_CAMERA_ID, MAX_TEXT

__all__ = ["Auditor", "RunReport", "audit", "totals"]

UNKNOWN_CAMERA = "?"
OTHERS = "(others)"
MOST_RUNS = 200_000
"""Real ones are cameras times restarts; whoever may write to a topic can invent any number."""
MOST_PARTITIONS = 10_000
"""Of a topic, which dead letters may speak of."""


class Auditor:
    """Takes records in any order and any number of times; `report` judges."""

    def __init__(
        self,
        topics: Topics,
        *,
        whole: bool = True,
        frames_whole: bool = True,
        young_ms: range = range(0),
        since_ms: int | None = None,
        most_runs: int = MOST_RUNS,
    ) -> None:
        """`whole` is False when Kafka has deleted the first answers: then a run is judged from what is left of it.

        `frames_whole` is the same of frames. A frame whose record is of a time in `young_ms` may still be on its way.
        With `since_ms`, frames that were captured and appended before are not judged.
        """
        self._whole = whole
        self._frames_whole = frames_whole
        self._young_ms = young_ms
        self._since_ms = since_ms
        self._topics = topics
        self._asked = (topics.frames, topics.recordings, topics.requests)
        self._most_runs = most_runs
        self._runs: dict[tuple[str, str], RunAccount] = {}
        self._dead_at: dict[Partition, NumberSet] = {}
        self.unreadable = 0
        self.not_judged = 0
        """Records of runs that came when there were `most_runs` already."""

    def take(self, record: Consumed) -> None:
        """Take one record of the topics of frames, requests, answers and dead letters."""
        topic = record.partition.topic
        if topic in self._asked:
            self._frame(record)
        elif topic == self._topics.replies:
            self._reply(record)
        elif topic == self._topics.dead_letters:
            self._dead_letter(record)
        elif topic == self._topics.detections:
            self._answer(record)

    def report(self) -> list[RunReport]:
        """Judge every run; where there was no room for more of them, the last report says so."""
        judged = (
            run.judge(
                camera_id, run_id, self._dead_at, whole=self._whole, frames_whole=self._frames_whole,
                only_of_interest=self._since_ms is not None,
            )
            for (camera_id, run_id), run in sorted(self._runs.items())
        )  # fmt: skip
        reports = [report for report in judged if report is not None]
        return [*reports, RunReport(OTHERS, "", not_judged=self.not_judged)] if self.not_judged else reports

    def _run(self, camera_id: str, run_id: str) -> RunAccount | None:
        run = self._runs.get((camera_id, run_id))
        if run is None:
            if len(self._runs) >= self._most_runs:
                self.not_judged += 1
                return None
            run = self._runs[camera_id, intern(run_id)] = RunAccount()
        return run

    def _frame(self, record: Consumed) -> None:
        """Numbers within a run have no holes, but for messages without a number of their own."""
        try:
            frame = decode(Frame, record.value or b"")
        except SchemaError:
            frame_id = raw_frame_id(_camera_of(record.key or b""), *record.partition, record.offset)
            numbered_to = -1
        else:
            frame_id = FrameId(frame.camera_id, frame.run_id, frame.seq)
            numbered_to = frame.seq
        if run := self._run(frame_id.camera_id, frame_id.run_id):
            is_young = record.timestamp_ms in self._young_ms
            run.publish(frame_id.seq, record.partition, record.offset, is_young=is_young)
            run.number_to(numbered_to, is_young=is_young)
            self._date(run, frame_id.seq, record.timestamp_ms)

    def _dead_letter(self, record: Consumed) -> None:
        try:
            letter = DeadLetter.from_headers(record.headers)
        except SchemaError:
            self.unreadable += 1
            return
        place = Partition(letter.topic, letter.partition)
        if place.topic in self._asked and place.number < MOST_PARTITIONS:
            self._dead_at.setdefault(place, NumberSet()).add(letter.offset)
        if letter.seq is not None and letter.run_id and (run := self._run(letter.camera_id, letter.run_id)):
            run.dead_letter(letter.seq)
            self._date(run, letter.seq, letter.timestamp_ms)

    def _answer(self, record: Consumed) -> None:
        try:
            answer = decode_answer(record.value or b"")
        except SchemaError:
            self.unreadable += 1
            return
        if isinstance(answer, Gap):
            self._gap(answer, record.timestamp_ms)
        else:
            self._detections(answer, record.timestamp_ms)

    def _reply(self, record: Consumed) -> None:
        """A request's problem is its gap: the service numbers its pictures as a producer its frames."""
        try:
            reply = decode(Reply, record.value or b"")
        except SchemaError:
            self.unreadable += 1
            return
        if reply.answer is not None:
            self._detections(reply.answer, record.timestamp_ms)
        elif run := self._run(reply.camera_id, reply.run_id):
            run.skip(str(reply.problem), reply.seq, reply.seq)
            run.number_to(reply.seq, is_young=record.timestamp_ms in self._young_ms)
            self._date(run, reply.seq, record.timestamp_ms)

    def _date(self, run: RunAccount, seq: int, time_ms: int) -> None:
        if self._since_ms is not None:
            run.date(seq, is_of_interest=time_ms >= self._since_ms)

    def _gap(self, gap: Gap, told_ms: int) -> None:
        run = self._run(gap.camera_id, gap.run_id)
        if run is None or gap.first_seq is None or gap.last_seq is None:
            return  # a time without frames has none to account for
        run.skip(gap.reason.value, gap.first_seq, gap.last_seq)
        if not _is_raw(gap.run_id):
            run.number_to(gap.last_seq, is_young=told_ms in self._young_ms)
        # When the others were captured nobody says; those that are on Kafka have a time of their own.
        self._date(run, gap.last_seq, told_ms)

    def _detections(self, answer: Detections, told_ms: int) -> None:
        if run := self._run(answer.camera_id, answer.frame.run_id):
            run.detect(answer)
            if not _is_raw(answer.frame.run_id):
                run.number_to(answer.frame.seq, is_young=told_ms in self._young_ms)
            self._date(run, answer.frame.seq, answer.captured_at_ns // NS_PER_MS)


def _is_raw(run_id: str) -> bool:
    """Whether the numbers are offsets, of which a camera has only some."""
    return run_id.startswith("@")


def _camera_of(key: bytes) -> str:
    """Return whose a message is that cannot be read. No message can name a camera that has a longer key."""
    if len(key) > MAX_TEXT:
        return f"{key[:MAX_CAMERA_ID].decode('utf-8', 'replace')}... ({len(key)} bytes, {sha256(key).hexdigest()[:16]})"
    return key.decode("utf-8", "replace") or UNKNOWN_CAMERA


def audit(settings: KafkaSettings, *, grace_s: float = 0.0, since_ms: int | None = None) -> list[RunReport]:
    """Read the topics from end to end and judge. Raises KafkaProblem.

    Frames that are not accounted for and lie on Kafka for less than `grace_s` are in flight. Of frames that were
    captured and appended before `since_ms` nothing is said.
    """
    topics = settings.topics
    frames = [topics.frames, topics.recordings, topics.requests]
    answers = [topics.detections, topics.replies, topics.dead_letters]
    with Reader(settings, [*frames, *answers], start="beginning") as reader:
        # Kafka's clock may be ahead of ours; a time far ahead is an invented one, and excuses nothing.
        now_ms, grace_ms = int(time.time() * 1000), int(grace_s * 1000)
        # Frames are gone after minutes, as they should be; what was published about them is what counts.
        auditor = Auditor(
            topics,
            whole=not reader.has_lost_the_beginning_of(topics.detections),
            frames_whole=not any(map(reader.has_lost_the_beginning_of, frames)),
            young_ms=range(now_ms - grace_ms, now_ms + grace_ms),
            since_ms=since_ms,
        )
        for record in reader.to_the_end():
            auditor.take(record)
    return auditor.report()


def totals(reports: Iterable[RunReport]) -> RunReport:
    """Add all runs up."""
    total = RunReport("total", "")
    for one in reports:
        for name in (
            "published",
            "detected",
            "dead_lettered",
            "in_gaps",
            "repeated",
            "missing",
            "conflicting_ids",
            "not_judged",
            "in_flight",
            "expired",
            "missing_expired",
            "begun_later",
        ):
            setattr(total, name, getattr(total, name) + getattr(one, name))
    return total
