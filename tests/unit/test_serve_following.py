"""Where a stream of the HTTP service goes on, what was seen lately, and what became of a film."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from footage import frame, jpeg
from groundcam_runtime.records import Consumed, Partition
from groundcam_schemas import Detections, FrameRef, Gap, GapReason, Model, Object, QuestionRef, TimingsNs, encode
from groundcam_serve.following.seen import ENTRY_BYTES, Seen
from groundcam_serve.following.stream import EventStream, id_of, positions_of
from groundcam_serve.jobs.store import Job, JobState, JobStore

P0, P1 = Partition("t.detections", 0), Partition("t.detections", 1)


def detections(camera: str, seq: int, *labels: str, captured_ns: int = 0) -> Detections:
    objects = tuple(Object(label=one, class_id=index, score=0.5, box=(0, 0, 5, 5)) for index, one in enumerate(labels))
    times = TimingsNs(captured=1, published_to_kafka=2, consumed=3, batched=4, inferred=5, published=6)
    return Detections(
        id=f"{camera}-{seq}", camera_id=camera, frame=FrameRef(run_id="r", seq=seq, topic="f", partition=0, offset=seq),
        captured_at_ns=captured_ns or seq, source_width=10, source_height=10,
        question=QuestionRef(id="*", version="v", classes=labels or ("person",)), model=Model(name="m"),
        objects=objects, timings_ns=times,
    )  # fmt: skip


def record(partition: Partition, offset: int, message: Any) -> Consumed:
    return Consumed(partition, offset, 0, b"", message if isinstance(message, bytes) else encode(message), (), 0)


GAP = Gap(camera_id="gate", run_id="r", reason=GapReason.STALE, first_seq=1, last_seq=2)


def test_an_event_has_its_place_its_kind_and_the_message() -> None:
    stream = EventStream(None, None)
    stream.begin({P0: 5, P1: 7}, {})
    event = stream.take(record(P0, 5, detections("gate", 1, "person")))
    assert event is not None
    lines = event.decode().split("\n")
    assert lines[:2] == ["id: 0:6,1:7", "event: detections"]
    assert json.loads(lines[2].removeprefix("data: "))["camera_id"] == "gate"
    assert lines[3:] == ["", ""]
    assert (stream.take(record(P1, 7, GAP)) or b"").decode().startswith("id: 0:6,1:8\nevent: gap\n")


def test_what_is_not_asked_for_or_repeated_is_left_out_and_its_place_is_passed() -> None:
    stream = EventStream({"gate"}, {"dog"})
    stream.begin({P0: 0}, {})
    left_out = [detections("yard", 1, "dog"), detections("gate", 1, "person"), b"junk"]
    assert [stream.take(record(P0, offset, one)) for offset, one in enumerate(left_out)] == [None] * 3
    assert stream.take(record(P0, 3, detections("gate", 2, "dog")))
    assert stream.take(record(P0, 4, detections("gate", 2, "dog"))) is None, "a redelivery"
    assert stream.place() == b"id: 0:5\n\n"
    assert stream.take(record(P0, 5, GAP)), "not looked is told whatever is looked for"


def test_what_kafka_deleted_before_it_was_read_is_told_once() -> None:
    stream = EventStream(None, None)
    stream.begin({P0: 3, P1: 50}, {P0: 10, P1: 0})
    (lost,) = stream.lost()
    assert b'event: lost\ndata: {"partition": 0, "from": 3, "to": 9}' in lost
    assert list(stream.lost()) == []
    assert stream.place() == b"id: 0:10,1:50\n\n"


@given(st.dictionaries(st.integers(0, 999), st.integers(0, 2**63 - 1), max_size=50))
def test_a_place_is_read_as_it_was_written(places: dict[int, int]) -> None:
    known = {Partition("t", number): offset for number, offset in places.items()}
    assert positions_of(id_of(known), "t") == known


@pytest.mark.parametrize("text", ["x", "0", "0:", ":1", "0:-1", "0:1;1:2", f"0:{2**63}", "0:1\n", "٣:1", "0:1," * 2000])
def test_a_place_that_is_none_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match="is not like 0:12,1:34"):
        positions_of(text, "t")


def test_the_newest_and_those_of_a_time_are_found_by_when_they_were_captured() -> None:
    seen = Seen(10**6, 100)
    for seq in (1, 3, 2, 5, 4):
        seen.take(record(P0, seq, detections("gate", seq)))
    newest = seen.newest("gate")
    assert newest is not None
    assert newest.captured_at_ns == 5
    assert [one.captured_at_ns for one in seen.between("gate", 2, 4, 2)] == [3, 4]
    assert seen.newest("yard") is None
    assert seen.between("yard", 0, 10, 5) == []


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 3)), max_size=120))
def test_what_was_seen_is_bounded_and_the_newest_of_who_speaks_is_kept(steps: list[tuple[str, int]]) -> None:
    one = len(encode(detections("a", 100))) + ENTRY_BYTES
    seen = Seen(10 * one, 4)
    for seq, (camera, kind) in enumerate(steps, 100):
        seen.take(record(P0, seq, GAP if kind == 0 else detections(camera, seq)))
        kept = list(seen._cameras.values())
        assert sum(len(answer.answer) + ENTRY_BYTES for line in kept for answer in line) == seen._bytes <= 10 * one
        assert all(0 < len(line) <= 4 for line in kept)
        newest = seen.newest(camera)
        assert kind == 0 or (newest is not None and newest.captured_at_ns == seq)
        assert all(a.captured_at_ns < b.captured_at_ns for line in kept for a, b in pairwise(line))


def test_a_frame_without_an_answer_is_nothing_seen() -> None:
    seen = Seen(10**6, 10)
    seen.take(record(P0, 0, encode(frame("gate", 1, jpeg()))))
    assert seen.newest("gate") is None


def answer_of(job: Job, seq: int) -> Detections:
    return detections(job.camera_id, seq, "person")


def test_a_job_is_answered_once_something_was_said_of_each_frame() -> None:
    store, job = JobStore(3, 10**6, 60.0), Job("aa", "wall", 0.0)
    assert store.add(job, 0.0)
    assert (job.progress, job.is_answered) == (None, False)
    for seq in (0, 1, 1, 3):
        assert store.take(answer_of(job, seq), 1.0) is job
    job.frames = 5
    assert (job.progress, len(job.lines)) == (0.6, 3), "a redelivery is no line"
    gap = Gap(camera_id=job.camera_id, run_id="r", reason=GapReason.UNDECODABLE, first_seq=2, last_seq=4)
    store.take(gap, 2.0)
    assert job.is_answered
    assert store.take(detections("gate", 1), 0.0) is None
    assert store.take(detections("job-bb", 1), 0.0) is None


def test_a_job_is_its_owners_alone_and_kept_for_a_while_once_it_is_through() -> None:
    store, job = JobStore(3, 10**6, 60.0), Job("aa", "wall", 0.0)
    store.add(job, 0.0)
    assert store.find("aa", "gate", 1.0) is None
    assert store.find("aa", "wall", 10**6) is job, "it is at work"
    store.end(job, JobState.DONE, 100.0)
    store.end(job, JobState.FAILED, 101.0, "too late")
    assert (job.state, job.reason) == (JobState.DONE, "")
    assert store.of("wall", 160.0) == [job]
    assert store.of("wall", 160.1) == []
    assert store._bytes == 0


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 5), st.integers(0, 30)), max_size=150))
def test_jobs_and_their_results_are_bounded(steps: list[tuple[int, int, int]]) -> None:
    store, jobs = JobStore(3, 3000, 50.0), [Job(f"{number:02}", "wall", 0.0) for number in range(6)]
    for now, (what, which, seq) in enumerate(steps):
        job = jobs[which]
        if what == 0 and job.id not in store._known and not job.state.is_through:
            store.add(job, now)
        elif what == 1 and job.id in store._known:
            store.end(job, JobState.DONE, now)
        elif what == 2:
            store.forget(job)
            jobs[which] = Job(f"{now:03}", "wall", 0.0)  # one that was forgotten does not come back
        else:
            store.take(answer_of(job, seq), now)
        known = store._known.values()
        assert len(known) <= 3
        assert store._bytes == sum(len(line) for one in known for line in one.lines) <= 3000
        assert set(store._through_s) == {one.id for one in known if one.state.is_through}
