"""The demo's decisions: scenes, scores, counts, and answers joined with their pictures."""

import tracemalloc
from collections.abc import Iterator

import numpy as np
import pytest
from rich.console import Console

from footage import frame, jpeg
from groundcam.audit import RunReport
from groundcam.demo.board import board
from groundcam.demo.scene import RGB, SCENES, Known, Scene
from groundcam.demo.score import Score, iou, score
from groundcam.demo.tally import CameraTally, milliseconds, quantile, summary, together
from groundcam.frame_join import FrameJoin, JoinedFrame
from groundcam.offline.thinning import Thinning
from groundcam_runtime.records import Consumed, Partition
from groundcam_schemas import (
    JSON_CONTENT_TYPE,
    CameraState,
    CameraStatus,
    Detections,
    FrameRef,
    Gap,
    GapReason,
    Model,
    Object,
    QuestionRef,
    TimingsNs,
    Topics,
    encode,
    encode_json,
)

TOPICS = Topics()


def found(label: str, box: tuple[float, float, float, float], value: float = 0.9) -> Object:
    return Object(label=label, class_id=0, score=value, box=box)


def answer(seq: int, captured_at_ns: int = 1_000_000_000, camera_id: str = "gate") -> Detections:
    times = TimingsNs(
        captured=captured_at_ns, published_to_kafka=captured_at_ns, consumed=captured_at_ns, batched=captured_at_ns,
        inferred=captured_at_ns, published=captured_at_ns,
    )  # fmt: skip
    return Detections(
        id=f"id{seq}", camera_id=camera_id, frame=FrameRef(run_id="run-1", seq=seq, topic="t", partition=0, offset=seq),
        captured_at_ns=captured_at_ns, source_width=640, source_height=480,
        question=QuestionRef(id="*", version="v", classes=("star",)), model=Model(name="m"),
        objects=(found("star", (1, 1, 9, 9)),), timings_ns=times,
    )  # fmt: skip


def record(topic: str, value: bytes, at_ns: int = 1_200_000_000, key: bytes = b"gate", offset: int = 0) -> Consumed:
    return Consumed(Partition(topic, 0), offset, 1, key, value, (), at_ns)


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.camera_id)
def test_a_scene_knows_where_its_objects_are(scene: Scene) -> None:
    """In the middle of a box is its object's colour, and just outside of all boxes there is none of it."""
    for time_s in (0.0, 3.7, 11.1):
        picture = scene.picture(time_s).astype(int)
        assert picture.shape == (scene.height, scene.width, 3)
        for known in scene.objects(time_s):
            x1, y1, x2, y2 = known.box
            assert 0 <= x1 < x2 <= scene.width
            assert 0 <= y1 < y2 <= scene.height
            middle = picture[round((y1 + y2) / 2), round((x1 + x2) / 2)]
            assert np.abs(middle - RGB[known.colour]).max() <= 2
            like = np.abs(picture - RGB[known.colour]).max(-1) <= 12
            inside = like[int(y1) : int(y2) + 1, int(x1) : int(x2) + 1]
            columns, rows = np.flatnonzero(inside.any(0)), np.flatnonzero(inside.any(1))
            assert abs((columns[-1] - columns[0] + 1) - (x2 - x1)) <= 5
            assert abs((rows[-1] - rows[0] + 1) - (y2 - y1)) <= 5  # the tips of a star are thin


def test_a_film_begins_again_without_a_jump() -> None:
    scene = SCENES[0]
    for one, other in zip(scene.objects(1.5), scene.objects(1.5 + scene.period_s), strict=True):
        assert one.box == pytest.approx(other.box)


def test_objects_of_a_scene_do_not_touch() -> None:
    for scene in SCENES:
        for time_s in np.arange(0, scene.period_s, 0.5):
            boxes = [known.box for known in scene.objects(float(time_s))]
            assert all(iou(a, b) == 0 for index, a in enumerate(boxes) for b in boxes[:index])


def test_the_score_counts_labels_places_and_repeats() -> None:
    known = [Known("red", "star", (0, 0, 10, 10)), Known("blue", "star", (20, 0, 30, 10)),
             Known("red", "cross", (0, 20, 10, 30))]  # fmt: skip
    labels = ["red star", "blue shape"]
    assert score([], known, labels) == Score(0, 0, 2)
    assert score([found("red star", (0, 0, 10, 10)), found("blue shape", (20, 1, 30, 11))], known, labels) == Score(
        2, 2, 2
    )
    twice = [found("red star", (0, 0, 10, 10)), found("red star", (0, 0, 10, 9), 0.5)]
    assert score(twice, known, labels) == Score(1, 2, 2), "a second box on the same object is wrong"
    assert score([found("blue shape", (0, 0, 10, 10))], known, labels).right == 0, "the wrong name"
    assert score([found("red star", (5, 5, 15, 15))], known, labels).right == 0, "the wrong place"
    assert (Score(1, 2, 4).precision, Score(1, 2, 4).recall) == (0.5, 0.25)
    assert (Score().precision, Score().recall) == (None, None)


def test_quantiles_are_by_nearest_rank() -> None:
    values = [float(number) for number in range(1, 101)]
    assert [quantile(values, part) for part in (0.5, 0.95, 0.99)] == [50.0, 95.0, 99.0]
    assert quantile([7.0], 0.99) == 7.0
    assert milliseconds([]) == {"p50": None, "p95": None, "p99": None}


def test_the_summary_has_the_fields_that_it_promises() -> None:
    tally = CameraTally("star")
    for seq in range(11):
        joined = JoinedFrame(answer(seq, 1_000_000_000 + seq * 100_000_000), b"", 0, 1_250_000_000 + seq * 100_000_000)
        tally.see(joined, Score(1, 1, 1))
    report = RunReport("gate", "", published=12, detected=11, in_gaps=1)
    figures = summary(tally, report, 1_000_000_000, 2_000_000_000)
    assert tally.rate_between(0, 4_000_000_000) == 11 / 4, "a camera that falls silent gets less"
    assert figures == {
        "frames_published": 12, "frames_detected": 11, "frames_in_gaps": 1, "dead_letters": 0,
        "messages_received": 11, "detections": 11, "fps": 10.0, "precision": 1.0, "recall": 1.0,
        "latency_ms": {"p50": 250.0, "p95": 250.0, "p99": 250.0},
    }  # fmt: skip
    both = together([tally, tally])
    assert (both.frames, both.labels["star"], both.score) == (22, 22, Score(22, 22, 22))


def test_an_answer_and_its_picture_meet_in_any_order() -> None:
    picture, said = encode(frame("gate", 4, jpeg())), encode(answer(4))
    for first, second in (("frames", "detections"), ("detections", "frames")):
        values = {"frames": picture, "detections": said}
        frame_join = FrameJoin(TOPICS)
        assert frame_join.take(record(getattr(TOPICS, first), values[first])) is None
        joined = frame_join.take(record(getattr(TOPICS, second), values[second]))
        assert isinstance(joined, JoinedFrame)
        assert joined.jpeg == jpeg()
        assert joined.latency_s == pytest.approx(0.2)
        assert frame_join.take(record(TOPICS.detections, said)) is None, "a repeat is dropped"


def test_gaps_and_states_pass_and_nonsense_is_left_out() -> None:
    frame_join = FrameJoin(TOPICS)
    gap = Gap(camera_id="gate", run_id="r", reason=GapReason.STALE, first_seq=0, last_seq=3)
    status = CameraStatus(camera_id="gate", state=CameraState.ONLINE, since_ns=1, url="clip.mp4")
    assert frame_join.take(record(TOPICS.detections, encode(gap))) == gap
    assert frame_join.take(record(TOPICS.cameras, encode(status))) == status
    for topic in (TOPICS.frames, TOPICS.detections, TOPICS.cameras):
        assert frame_join.take(record(topic, b"\xc1 no message")) is None


def test_a_plain_jpeg_meets_its_answer_by_its_place() -> None:
    said = answer(7).model_copy(
        update={"frame": FrameRef(run_id=f"@{TOPICS.frames}/0", seq=7, topic=TOPICS.frames, partition=0, offset=7)}
    )
    frame_join = FrameJoin(TOPICS)
    assert frame_join.take(record(TOPICS.frames, jpeg(), offset=7)) is None
    assert isinstance(frame_join.take(record(TOPICS.detections, encode(said))), JoinedFrame)


def test_what_waits_for_its_other_half_is_bounded() -> None:
    frame_join = FrameJoin(TOPICS, most_bytes=10 * len(jpeg()))
    for seq in range(50):
        frame_join.take(record(TOPICS.frames, encode(frame("gate", seq, jpeg()))))
    assert frame_join.take(record(TOPICS.detections, encode(answer(30)))) is None, "its picture is gone"
    assert frame_join.take(record(TOPICS.detections, encode(answer(45)))) is not None


@pytest.mark.parametrize(
    "what", ["tiny frames", "plain JPEGs with long keys", "answers of 900 objects", "empty answers"]
)
def test_the_memory_of_what_waits_is_bounded_whatever_it_is(what: str) -> None:
    """Tens of thousands of tiny frames, or a few thousand large answers, once took many times what was allowed."""
    most_bytes = 1_000_000
    frame_join = FrameJoin(TOPICS, most_bytes=most_bytes)
    objects = (found("star", (1, 1, 9, 9)),) * (900 if what == "answers of 900 objects" else 0)

    def records() -> Iterator[Consumed]:
        for seq in range(5_000 if not objects else 40):
            if what == "tiny frames":
                yield record(TOPICS.frames, encode(frame("gate", seq, b"0123456789")))
            elif what == "plain JPEGs with long keys":
                yield record(TOPICS.frames, b"\xff\xd8\xff", key=b"x" * 2000, offset=seq)
            else:
                yield record(TOPICS.detections, encode(answer(seq).model_copy(update={"objects": objects})))

    tracemalloc.start()
    try:
        assert not any(map(frame_join.take, records()))
        waiting = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    kept = frame_join._frames, frame_join._answers
    assert all(one.bytes <= most_bytes for one in kept)
    assert waiting < 1.2 * most_bytes
    assert sum(map(len, kept)) > 10, "as many as there is room for"


def test_an_answer_that_waited_comes_out_as_it_came_in_either_encoding() -> None:
    for value, headers in (
        (encode(answer(4)), ()),
        (encode_json(answer(4)), (("content-type", JSON_CONTENT_TYPE.encode()),)),
    ):
        frame_join = FrameJoin(TOPICS)
        assert frame_join.take(Consumed(Partition(TOPICS.detections, 0), 0, 1, b"gate", value, headers, 5)) is None
        joined = frame_join.take(record(TOPICS.frames, encode(frame("gate", 4, jpeg()))))
        assert isinstance(joined, JoinedFrame)
        assert (joined.answer, joined.received_at_ns) == (answer(4), 5)


def test_a_camera_s_state_is_read_in_either_encoding() -> None:
    status = CameraStatus(camera_id="gate", state=CameraState.ONLINE, since_ns=1, url="")
    for value in (encode(status), encode_json(status)):
        assert FrameJoin(TOPICS).take(record(TOPICS.cameras, value)) == status


def test_cameras_of_no_interest_take_no_room() -> None:
    frame_join = FrameJoin(TOPICS, {"yard"})
    assert frame_join.take(record(TOPICS.frames, encode(frame("gate", 1, jpeg())))) is None
    assert frame_join.take(record(TOPICS.detections, encode(answer(1)))) is None
    assert frame_join.take(record(TOPICS.frames, encode(frame("yard", 1, jpeg())))) is None
    assert frame_join.take(record(TOPICS.detections, encode(answer(1, camera_id="yard")))) is not None


def test_spread_keeps_some_of_many_evenly() -> None:
    spread: Thinning[int] = Thinning(24)
    for number in range(10_000):
        spread.add(number)
    chosen = spread.chosen()
    steps = np.diff(chosen)
    assert (chosen[0], len(chosen)) == (0, 24)
    assert steps.max() <= 2 * steps.min()
    few: Thinning[int] = Thinning(24)
    few.add(1)
    assert few.chosen() == [1]
    assert Thinning(3).chosen() == []


def test_without_a_terminal_the_board_writes_plain_lines() -> None:
    console = Console(record=True, force_terminal=False, width=60)
    tally = CameraTally("star", state="online")
    with board(console) as shown:
        shown.say("hello")
        shown.show({"gate": tally}, 0)
        shown.show({"gate": tally}, 6_000_000_000)
    assert console.export_text() == ("hello\ngate: online, 0 frames, 0.0 frame/s, latency - (95 %: -): none yet\n")


def test_in_a_terminal_the_board_is_a_table() -> None:
    console = Console(record=True, force_terminal=True, width=100)
    with board(console) as shown:
        shown.show({"gate": CameraTally("star", state="online")}, 0)
    text = console.export_text()
    assert "gate" in text
    assert "latency p50" in text
