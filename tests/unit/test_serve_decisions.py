"""What the HTTP service decides: whom it lets in, what it takes, and where a stream goes on."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from footage import frame, jpeg
from groundcam_runtime.records import Consumed, Partition
from groundcam_schemas import Detections, FrameRef, Gap, GapReason, Model, Object, QuestionRef, TimingsNs, encode
from groundcam_serve.admission import FIRST_S, OF_THE_DEADLINE, Admission, Refusal, Ticket
from groundcam_serve.jobs import Job, JobState, JobStore
from groundcam_serve.keys import BURST_S, EVERYBODY, Key, Rates, find, new_key, read_keys
from groundcam_serve.seen import ENTRY_BYTES, Seen
from groundcam_serve.stream import EventStream, id_of, positions_of

P0, P1 = Partition("t.detections", 0), Partition("t.detections", 1)


def taken(
    admission: Admission, pictures: int = 1, size: int = 100, timeout_s: float = 10.0, now: float = 0.0
) -> Ticket:
    ticket = admission.ask(pictures, size, timeout_s, now)
    assert isinstance(ticket, Ticket), ticket
    return ticket


def test_what_cannot_be_answered_in_time_is_refused_with_when_to_come_again() -> None:
    admission = Admission(10_000, 10**9)
    while isinstance(found := admission.ask(1, 100, 2.0, 0.0), Ticket):
        pass
    assert isinstance(found, Refusal)
    assert admission.pictures * FIRST_S == pytest.approx(2.0 * OF_THE_DEADLINE, abs=2 * FIRST_S)
    assert found.retry_after_s >= 1.0
    assert "waits 2 s" in found.reason
    taken(admission, timeout_s=60.0)


def test_a_single_request_is_taken_whatever_is_expected_of_it() -> None:
    """Or after one slow answer nobody would be let in, and nothing would be learned."""
    admission = Admission(1, 1)
    slow = taken(admission, pictures=3, size=10**9)
    admission.done(slow, 300.0, was_answered=True)
    assert admission.pictures == admission.bytes == 0
    taken(admission, timeout_s=0.001)


@pytest.mark.parametrize(("pictures", "size"), [(10, 1), (1, 1000)])
def test_pictures_and_bytes_that_wait_are_bounded(pictures: int, size: int) -> None:
    admission = Admission(10, 1000)
    first = taken(admission, pictures, size, timeout_s=600.0)
    assert isinstance(admission.ask(1, 1, 600.0, 0.0), Refusal)
    admission.done(first, 0.01, was_answered=True)
    taken(admission, 1, 1)


def test_the_estimate_follows_the_detector() -> None:
    admission = Admission(10_000, 10**9)
    for each_s in (0.5, 0.001):
        for _ in range(100):
            tickets = [taken(admission, timeout_s=10**6) for _ in range(10)]
            for ticket in tickets:
                admission.done(ticket, each_s * ticket.in_all, was_answered=True)
        taken(admission, 10, timeout_s=10**6)
        assert admission.wait_s == pytest.approx(10 * each_s, rel=0.05)
        admission = admission if each_s == 0.001 else _emptied(admission)


def _emptied(admission: Admission) -> Admission:
    admission.pictures = admission.bytes = 0
    return admission


def test_who_gives_up_teaches_nothing() -> None:
    admission = Admission(10, 1000)
    admission.done(taken(admission), 500.0, was_answered=False)
    taken(admission)
    assert admission.wait_s == FIRST_S


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 40), st.floats(0.001, 30)), max_size=200))
def test_what_is_counted_is_what_waits(steps: list[tuple[int, int, float]]) -> None:
    admission, waiting, now = Admission(100, 5000), list[Ticket](), 0.0
    for what, pictures, seconds in steps:
        now += seconds
        if what and waiting:
            admission.done(waiting.pop(pictures % len(waiting)), now, was_answered=what == 1)
        elif isinstance(found := admission.ask(pictures, pictures * 10, seconds, now), Ticket):
            waiting.append(found)
        assert admission.pictures == sum(one.pictures for one in waiting)
        assert admission.bytes == sum(one.size for one in waiting)
        assert admission.wait_s >= 0


def key_file(**changes: Any) -> str:
    entry = {"name": "wall", "sha256": "a" * 64, "scopes": ["read"], **changes}
    return json.dumps({"keys": [entry]})


def test_a_new_key_is_found_by_its_hash_and_no_other_text_is() -> None:
    secret, key = new_key("wall", ("detect",))
    other, another = new_key("gate", ("read",))
    keys = read_keys(json.dumps({"keys": [key.model_dump(mode="json"), another.model_dump(mode="json")]}))
    assert find(keys, secret) == key
    assert find(keys, other) == another
    for wrong in ("", secret[:-1], secret + "x", secret.swapcase(), key.sha256, "\udcff"):
        assert find(keys, wrong) is None
    assert secret not in str(key.model_dump())


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"scopes": ["fly"]}, "scopes"),
        ({"scopes": []}, "scopes"),
        ({"sha256": "abc"}, "sha256"),
        ({"cameras": ["a/b"]}, "cameras"),
        ({"pictures_per_s": 0}, "pictures_per_s"),
        ({"colour": "red"}, "colour"),
        ({"name": ""}, "name"),
    ],
)
def test_a_bad_key_is_named_by_its_field_and_not_shown(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says) as refused:
        read_keys(key_file(**changes))
    assert "a" * 64 not in str(refused.value)


@pytest.mark.parametrize("text", ["keys: [", "keys:", "", "- a", "keys: [{}]", "a: 1\nkeys: []"])
def test_a_file_that_is_no_list_of_keys_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=r"^(keys|it is|a)\b"):
        read_keys(text)


def test_two_keys_of_one_name_are_refused() -> None:
    one = json.loads(key_file())["keys"][0]
    with pytest.raises(ValueError, match="'wall' is there twice"):
        read_keys(json.dumps({"keys": [one, {**one, "sha256": "b" * 64}]}))


def test_scopes_and_cameras_narrow_a_key_down() -> None:
    (key,) = read_keys(key_file(cameras=["gate"]))
    assert (key.may("read"), key.may("detect")) == (True, False)
    assert (key.may_see("gate"), key.may_see("yard")) == (True, False)
    assert EVERYBODY.may("ask")
    assert EVERYBODY.may_see("yard")


def limited(rate: float) -> Key:
    return EVERYBODY.model_copy(update={"pictures_per_s": rate})


@given(st.floats(0.5, 50), st.lists(st.tuples(st.floats(0, 5), st.integers(1, 32)), min_size=1, max_size=100))
def test_a_key_has_its_rate_and_a_burst_and_is_told_when_to_come_again(
    rate: float, asks: list[tuple[float, int]]
) -> None:
    rates, key, now, used = Rates(), limited(rate), 0.0, 0
    largest = 0
    for pause, pictures in asks:
        now += pause
        wait = rates.take(key, pictures, now)
        if wait is None:
            used, largest = used + pictures, max(largest, pictures)
        else:
            assert wait > 0
            now += wait + 1e-6
            assert rates.take(key, pictures, now) is None, "it said when"
            used, largest = used + pictures, max(largest, pictures)
    assert used <= rate * now + max(1.0, rate * BURST_S) + largest + 1e-3


def test_a_key_without_a_rate_has_none_and_keys_do_not_share() -> None:
    rates = Rates()
    assert all(rates.take(EVERYBODY, 1000, 0.0) is None for _ in range(100))
    one, other = limited(1.0).model_copy(update={"name": "a"}), limited(1.0).model_copy(update={"name": "b"})
    assert [rates.take(one, 2, 0.0), rates.take(other, 2, 0.0)] == [None, None]
    assert rates.take(one, 1, 0.0) is not None


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
        else:
            store.take(answer_of(job, seq), now)
        known = store._known.values()
        assert len(known) <= 3
        assert store._bytes == sum(len(line) for one in known for line in one.lines) <= 3000
        assert set(store._through_s) == {one.id for one in known if one.state.is_through}
