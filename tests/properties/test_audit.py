"""The auditor says what a plain one says that remembers every frame, whatever came and in whatever order."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundcam import packed_rows, run_account
from groundcam.audit import Auditor, RunReport
from groundcam_runtime.records import Consumed, Partition
from groundcam_schemas import (
    DeadLetter,
    Detections,
    Frame,
    FrameId,
    FrameRef,
    Gap,
    GapReason,
    Model,
    QuestionRef,
    SchemaError,
    TimingsNs,
    Topics,
    decode,
    decode_answer,
    detections_id,
    encode,
)

TOPICS = Topics()
JPEG = bytes.fromhex("ffd8ffe000104a46494600010100000100010000ffd9")
STAMPS = TimingsNs(**dict.fromkeys(TimingsNs.model_fields, 0))

# Few names and numbers, so that many things are said of the same frame.
cameras = st.sampled_from(["gate", "gate", "gate", "yard"])
runs = st.sampled_from(["r1", "r1", "r1", f"@{TOPICS.frames}/0", f"@{TOPICS.recordings}/1"])
few = st.sampled_from([0, 1, 1023, 1024])
seqs = few | few | few | st.integers(0, 5000)
frame_topics = st.sampled_from([TOPICS.frames, TOPICS.recordings])
partitions = st.integers(0, 1)
offsets = st.integers(0, 4) | st.sampled_from([1022, 1023, 1024])


@st.composite
def frames(draw: st.DrawFn) -> list[Consumed]:
    """Frames, plain pictures and nonsense, each on a place of its own, which other topics may speak of."""
    places = draw(st.lists(st.tuples(frame_topics, partitions, offsets), unique=True, max_size=12))
    found = []
    for topic, partition, offset in places:
        value = draw(st.sampled_from([JPEG, b"nonsense", None]))
        if draw(st.booleans()):
            value = encode(
                Frame(
                    camera_id=draw(cameras), run_id=draw(runs), seq=draw(seqs), captured_at_ns=0, width=8, height=8,
                    source_width=8, source_height=8, data=JPEG,
                )
            )  # fmt: skip
        key = draw(st.sampled_from([b"gate", b"yard", b"", None, b"\xff\x1b[2J"]))
        found.append(Consumed(Partition(topic, partition), offset, 0, key, value, (), 0))
    return found


@st.composite
def answers(draw: st.DrawFn) -> Consumed:
    camera_id, run_id, seq, version = draw(cameras), draw(runs), draw(seqs), draw(st.sampled_from(["v1", "v2"]))
    contract = detections_id(FrameId(camera_id, run_id, seq), version, "m", "")
    answer = Detections(
        id=draw(st.sampled_from([contract, "one", "another"])), camera_id=camera_id,
        frame=FrameRef(run_id=run_id, seq=seq, topic=TOPICS.frames, partition=0, offset=0), captured_at_ns=0,
        source_width=8, source_height=8, question=QuestionRef(id="*", version=version, classes=("a",)),
        model=Model(name="m"), timings_ns=STAMPS,
    )  # fmt: skip
    return on(TOPICS.detections, encode(answer))


@st.composite
def gaps(draw: st.DrawFn) -> Consumed:
    first = draw(seqs)
    ranges = {"first_seq": first, "last_seq": first + draw(st.integers(0, 3) | st.integers(0, 3000))}
    given = draw(st.sampled_from([ranges, {"from_ns": 1, "to_ns": 2}]))
    reason = draw(st.sampled_from([GapReason.STALE, GapReason.DEAD_LETTERED, GapReason.UNDECODABLE]))
    return on(TOPICS.detections, encode(Gap(camera_id=draw(cameras), run_id=draw(runs), reason=reason, **given)))


@st.composite
def letters(draw: st.DrawFn) -> Consumed:
    identity: dict[str, Any] = draw(
        st.just({}) | st.fixed_dictionaries({"camera_id": cameras, "run_id": runs, "seq": seqs})
    )
    letter = DeadLetter(
        topic=draw(frame_topics), partition=draw(partitions), offset=draw(offsets), timestamp_ms=0,
        error_class="E", **identity,
    )  # fmt: skip
    return on(TOPICS.dead_letters, b"bytes", tuple(letter.headers()))


def on(topic: str, value: bytes, headers: tuple[tuple[str, bytes], ...] = ()) -> Consumed:
    return Consumed(Partition(topic, 0), 0, 0, None, value, headers, 0)


nonsense = st.just(on(TOPICS.detections, b"nonsense"))
anything = answers() | answers() | gaps() | letters() | nonsense
said = st.lists(anything, max_size=8) | st.lists(anything, min_size=30, max_size=50)


class PlainAuditor:
    """Remembers everything, and counts."""

    def __init__(self, records: Iterable[Consumed]) -> None:
        self.numbered_to: Counter[FrameId] = Counter()
        self.published: dict[tuple[str, str], set[int]] = defaultdict(set)
        self.answers: dict[tuple[str, str], list[Detections]] = defaultdict(list)
        self.dead: dict[tuple[str, str], set[int]] = defaultdict(set)
        self.gaps: dict[tuple[str, str], dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
        self.last: dict[tuple[str, str], int] = defaultdict(lambda: -1)
        self.runs: set[tuple[str, str]] = set()
        at: dict[tuple[str, int, int], FrameId] = {}
        places = set()
        for record in records:
            if record.partition.topic in (TOPICS.frames, TOPICS.recordings):
                at[(*record.partition, record.offset)] = self.frame(record)
            elif record.partition.topic == TOPICS.dead_letters:
                letter = DeadLetter.from_headers(record.headers)
                places.add((letter.topic, letter.partition, letter.offset))
                if letter.seq is not None:
                    self.run(letter.camera_id, letter.run_id)
                    self.dead[letter.camera_id, letter.run_id].add(letter.seq)
            else:
                self.answer(record)
        for place in places & at.keys():
            camera_id, run_id, seq = at[place]
            self.dead[camera_id, run_id].add(seq)

    def run(self, camera_id: str, run_id: str) -> tuple[str, str]:
        self.runs.add((camera_id, run_id))
        return camera_id, run_id

    def frame(self, record: Consumed) -> FrameId:
        try:
            frame = decode(Frame, record.value or b"")
        except SchemaError:
            camera_id = (record.key or b"").decode("utf-8", "replace") or "?"
            found = FrameId(camera_id, "@{}/{}".format(*record.partition), record.offset)
        else:
            found = FrameId(frame.camera_id, frame.run_id, frame.seq)
            run = self.run(frame.camera_id, frame.run_id)
            self.last[run] = max(self.last[run], frame.seq)
        self.published[self.run(found.camera_id, found.run_id)].add(found.seq)
        return found

    def answer(self, record: Consumed) -> None:
        try:
            answer = decode_answer(record.value or b"")
        except SchemaError:
            return
        if isinstance(answer, Detections):
            run, last = self.run(answer.camera_id, answer.frame.run_id), answer.frame.seq
            self.answers[run].append(answer)
        else:
            run = self.run(answer.camera_id, answer.run_id)
            if answer.first_seq is None or answer.last_seq is None:
                return
            last = answer.last_seq
            self.gaps[run][answer.reason.value] |= set(range(answer.first_seq, last + 1))
        if not run[1].startswith("@"):
            self.last[run] = max(self.last[run], last)

    def report(self, run: tuple[str, str], *, whole: bool) -> RunReport:
        published, dead, gaps = self.published[run], self.dead[run], self.gaps[run]
        times = Counter(answer.frame.seq for answer in self.answers[run])
        accounted = published | dead | times.keys() | set().union(*gaps.values())
        start = 0 if whole else min(accounted, default=0)
        expected = published | set(range(start, self.last[run] + 1))
        detected = expected & times.keys()
        dead_lettered = (expected & dead) - detected
        left = expected - detected - dead_lettered
        by_reason = {}
        for reason in sorted(gaps):
            if found := len(left & gaps[reason]):
                by_reason[reason] = found
            left -= gaps[reason]
        ids: dict[tuple[int, str], set[str]] = defaultdict(set)
        for one in self.answers[run]:
            ids[one.frame.seq, one.question.version].add(one.id)
        return RunReport(
            *run, len(published), len(detected), len(dead_lettered), sum(by_reason.values()),
            sum(times.values()) - len(times), len(left), sorted(left)[:10], by_reason,
            len({seq for (seq, _), different in ids.items() if len(different) > 1}),
            expired=len((detected | dead_lettered) - published),
            begun_later=int(start > 0),
        )  # fmt: skip


@settings(max_examples=200)
@given(st.data(), frames(), said, st.booleans(), st.integers(1, 5), st.integers(1, 4))
def test_it_says_what_a_plain_auditor_says(
    data: st.DataObject, published: list[Consumed], said: list[Consumed], whole: bool, rows: int, portion: int
) -> None:
    """In any order of topics and records, some of them twice; with portions small enough to fill up."""
    once = published + said
    again = data.draw(st.lists(st.sampled_from(once), max_size=6)) if once else []
    records = data.draw(st.permutations(once + again))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packed_rows, "ROWS", rows)
        patch.setattr(run_account, "PORTION", portion)
        auditor = Auditor(TOPICS, whole=whole)
        for record in records:
            auditor.take(record)
        reports = auditor.report()
        assert auditor.report() == reports, "judging changes nothing"
    plain = PlainAuditor(records)
    assert reports == [plain.report(run, whole=whole) for run in sorted(plain.runs)]
