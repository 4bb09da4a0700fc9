"""Judge from the topics alone whether every frame was accounted for.

It shares nothing with the worker's bookkeeping: it reads what producers numbered and what was said of it, and
puts each frame into exactly one class: detected, else dead-lettered, else in a gap, else missing.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from groundcam.intervals import Intervals
from groundcam_runtime.kafka.reader import Reader
from groundcam_runtime.records import Consumed
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import (
    DeadLetter,
    Detections,
    Frame,
    FrameId,
    Gap,
    SchemaError,
    Topics,
    decode,
    decode_answer,
    raw_frame_id,
)

UNKNOWN_CAMERA = "?"
SHOWN = 10


@dataclass(slots=True)
class RunReport:
    """What became of one run of one camera."""

    camera_id: str
    run_id: str
    published: int = 0
    detected: int = 0
    dead_lettered: int = 0
    in_gaps: int = 0
    repeated: int = 0
    missing: int = 0
    missing_seqs: list[int] = field(default_factory=list)
    """The first of them."""
    gaps_by_reason: dict[str, int] = field(default_factory=dict)
    conflicting_ids: int = 0
    """Frames whose repeats carry another id although question and model are the same."""


@dataclass(slots=True)
class _Run:
    numbered_to: int = -1
    """Every frame up to this one was numbered by the sampler, whether or not it came to Kafka."""
    published: set[int] = field(default_factory=set)
    detected: Counter[int] = field(default_factory=Counter)
    ids: dict[int, set[tuple[str, str]]] = field(default_factory=dict)
    dead: set[int] = field(default_factory=set)
    gaps: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    """Ranges by reason."""


class Auditor:
    """Takes records in any order; `report` judges."""

    def __init__(self, topics: Topics, *, whole: bool = True) -> None:
        """`whole` is False when Kafka has deleted the beginning: then a run is judged from what is left of it."""
        self._whole = whole
        self._topics = topics
        self._runs: dict[tuple[str, str], _Run] = {}
        self._frame_at: dict[tuple[str, int, int], FrameId] = {}
        self._dead_at: set[tuple[str, int, int]] = set()
        self.unreadable = 0

    def take(self, record: Consumed) -> None:
        """Take one record of the frames, recordings, detections or dead-letters topic."""
        topic = record.partition.topic
        if topic in (self._topics.frames, self._topics.recordings):
            self._frame(record)
        elif topic == self._topics.dead_letters:
            self._dead_letter(record)
        elif topic == self._topics.detections:
            self._answer(record)

    def report(self) -> list[RunReport]:
        """Judge every run."""
        for place in self._dead_at:
            if place in self._frame_at:
                frame = self._frame_at[place]
                self._run(frame.camera_id, frame.run_id).dead.add(frame.seq)
        return [
            _judge(camera_id, run_id, run, whole=self._whole) for (camera_id, run_id), run in sorted(self._runs.items())
        ]

    def _run(self, camera_id: str, run_id: str) -> _Run:
        return self._runs.setdefault((camera_id, run_id), _Run())

    def _frame(self, record: Consumed) -> None:
        """Numbers within a run have no holes, but for messages without a number of their own."""
        place = (*record.partition, record.offset)
        try:
            frame = decode(Frame, record.value or b"")
        except SchemaError:
            camera_id = (record.key or b"").decode("utf-8", "replace") or UNKNOWN_CAMERA
            frame_id = raw_frame_id(camera_id, record.partition.topic, record.partition.number, record.offset)
        else:
            frame_id = FrameId(frame.camera_id, frame.run_id, frame.seq)
            run = self._run(frame.camera_id, frame.run_id)
            run.numbered_to = max(run.numbered_to, frame.seq)
        self._frame_at[place] = frame_id
        self._run(frame_id.camera_id, frame_id.run_id).published.add(frame_id.seq)

    def _dead_letter(self, record: Consumed) -> None:
        try:
            letter = DeadLetter.from_headers(record.headers)
        except SchemaError:
            self.unreadable += 1
            return
        self._dead_at.add((letter.topic, letter.partition, letter.offset))
        if letter.seq is not None and letter.run_id:
            self._run(letter.camera_id, letter.run_id).dead.add(letter.seq)

    def _answer(self, record: Consumed) -> None:
        kind = dict(record.headers).get("content-type", b"").decode("utf-8", "replace")
        try:
            answer = decode_answer(record.value or b"", kind)
        except SchemaError:
            self.unreadable += 1
            return
        if isinstance(answer, Gap):
            self._gap(answer)
        else:
            self._detections(answer)

    def _gap(self, gap: Gap) -> None:
        run = self._run(gap.camera_id, gap.run_id)
        if gap.first_seq is None or gap.last_seq is None:
            return  # a time without frames has none to account for
        run.gaps.setdefault(gap.reason.value, []).append((gap.first_seq, gap.last_seq))
        if not gap.run_id.startswith("@"):
            run.numbered_to = max(run.numbered_to, gap.last_seq)

    def _detections(self, answer: Detections) -> None:
        run = self._run(answer.camera_id, answer.frame.run_id)
        run.detected[answer.frame.seq] += 1
        asked = f"{answer.question.version}/{answer.model.name}/{answer.model.revision}"
        run.ids.setdefault(answer.frame.seq, set()).add((asked, answer.id))
        if not answer.frame.run_id.startswith("@"):
            run.numbered_to = max(run.numbered_to, answer.frame.seq)


def _judge(camera_id: str, run_id: str, run: _Run, *, whole: bool) -> RunReport:
    published, answered = Intervals.of_numbers(run.published), Intervals.of_numbers(run.detected)
    dead_lettered = Intervals.of_numbers(run.dead)
    gaps = {reason: Intervals.of(ranges) for reason, ranges in run.gaps.items()}
    accounted = published | answered | dead_lettered
    for one in gaps.values():
        accounted |= one
    start = 0 if whole or not accounted.ranges else accounted.ranges[0][0]
    expected = published | Intervals.of([(start, run.numbered_to)] if run.numbered_to >= start else [])
    detected = expected & answered
    dead = (expected & dead_lettered) - detected
    left = expected - detected - dead
    by_reason = {}
    for reason, one in sorted(gaps.items()):
        if found := len(left & one):
            by_reason[reason] = found
        left -= one
    # Each pair is (what was asked of which model, id): two ids of one such pair contradict each other.
    conflicting = sum(len({asked for asked, _ in pairs}) < len(pairs) for pairs in run.ids.values())
    return RunReport(
        camera_id=camera_id,
        run_id=run_id,
        published=len(run.published),
        detected=len(detected),
        dead_lettered=len(dead),
        in_gaps=sum(by_reason.values()),
        repeated=sum(times - 1 for times in run.detected.values()),
        missing=len(left),
        missing_seqs=left.first_numbers(SHOWN),
        gaps_by_reason=by_reason,
        conflicting_ids=conflicting,
    )


def audit(settings: KafkaSettings) -> list[RunReport]:
    """Read the topics from end to end and judge. Raises KafkaProblem."""
    topics = settings.topics
    names = [topics.frames, topics.recordings, topics.detections, topics.dead_letters]
    with Reader(settings, names, start="beginning") as reader:
        # Frames are gone after minutes, as they should be; what was published about them is what counts.
        auditor = Auditor(topics, whole=not reader.has_lost_the_beginning_of(topics.detections))
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
        ):
            setattr(total, name, getattr(total, name) + getattr(one, name))
    return total
