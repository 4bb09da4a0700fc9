"""The bounds of every field on the wire: the last value that is read, and the first that is refused."""

import math
import operator
from collections.abc import Sequence
from functools import reduce
from itertools import product
from pathlib import Path
from typing import Any

import msgpack
import pytest
from pydantic import BaseModel, ValidationError

from groundcam_schemas import (
    Attempt,
    CameraQuestion,
    CameraStatus,
    CameraZones,
    DeadLetter,
    Detections,
    Event,
    Frame,
    Gap,
    Object,
    ObjectsNow,
    Question,
    QuestionRef,
    Reply,
    WorkerStatus,
    decode,
    decode_json,
    encode,
    encode_json,
)
from groundcam_schemas.limits import check_camera_id

GOLDEN = Path(__file__).parent.parent / "golden"
MAX_COUNT = 2**63 - 1
NAN, INF = math.nan, math.inf


def golden(name: str) -> dict[str, Any]:
    """A message of the newest version, as a map."""
    newest = max(GOLDEN.glob(f"{name}-1.*.msgpack"))
    content: dict[str, Any] = msgpack.unpackb(newest.read_bytes())
    return content


LETTER = {"topic": "frames", "partition": "1", "offset": "2", "timestamp_ms": "3", "error_class": "BadPictureError"}
MESSAGES: dict[str, tuple[type[BaseModel], dict[str, Any]]] = {
    "frame": (Frame, golden("frame")),
    "detections": (Detections, golden("detections")),
    "gap": (Gap, golden("gap")),
    "status": (CameraStatus, golden("camera-status")),
    "question": (CameraQuestion, golden("question")),
    "attempt": (Attempt, golden("attempt")),
    "worker-status": (WorkerStatus, golden("worker-status")),
    "reply": (Reply, golden("reply")),
    "event": (Event, golden("event")),
    "objects": (ObjectsNow, golden("objects")),
    "zones": (CameraZones, golden("zones")),
    "letter": (DeadLetter, LETTER),
    "object": (Object, golden("detections")["objects"][0]),
}


def build(name: str, path: str, value: Any) -> BaseModel:
    """Read a message in which one field (a dotted path) has another value."""
    kind, given = MESSAGES[name]
    content = msgpack.unpackb(msgpack.packb(given))
    *way, last = (int(part) if part.isdecimal() else part for part in path.split("."))
    reduce(operator.getitem, way, content)[last] = value
    return kind.model_validate(content)


def classes(count: int) -> list[dict[str, str]]:
    return [{"phrase": f"class {number}"} for number in range(count)]


def polygon(corners: int) -> list[list[float]]:
    return [[number / corners, 0.5] for number in range(corners)]


COUNT = ([0, MAX_COUNT], [-1, MAX_COUNT + 1, 7.0, "7", True])
SIDE = ([1, 65_535], [0, 65_536, 64.0, "64"])
NAME = (["x", "@topic/3 ä", "x" * 200], ["", "x" * 201, b"x", 7])
CAMERA = (["a", "7", "Gate_2.b-c", "x" * 200], ["", "x" * 201, "-a", ".a", "_a", "a b", "ä", b"a", 7])
TEXT = (["", "x" * 1024, "😀" * 1024], ["x" * 1025, b"x", 7])
PHRASE = (["x", "x" * 256], ["", "x" * 257, b"x"])
FRACTION = ([0.0, 1.0, 0, 1], [-0.001, 1.001, NAN, INF, "0.5"])
MAYBE_FRACTION = ([*FRACTION[0], None], FRACTION[1])
MAYBE_SIDE = ([*SIDE[0], None], SIDE[1])

SIDES = 65_535.0
BOXES = [(0.0, 0.0, SIDES, SIDES), (SIDES - 1, SIDES - 1, SIDES, SIDES), (1.0, 5.0, 1.001, 5.001)]

BOUNDS: dict[tuple[str, str], tuple[Sequence[Any], Sequence[Any]]] = {
    ("frame", "camera_id"): CAMERA,
    ("frame", "run_id"): NAME,
    ("frame", "seq"): COUNT,
    ("frame", "captured_at_ns"): COUNT,
    ("frame", "pts_ns"): ([-(2**63), 0, MAX_COUNT, None], [-(2**63) - 1, MAX_COUNT + 1, 1.0, "1"]),
    ("frame", "width"): SIDE,
    ("frame", "height"): SIDE,
    ("frame", "source_width"): SIDE,
    ("frame", "source_height"): SIDE,
    ("frame", "encoding"): (["jpeg", "png", "webp"], ["gif", ""]),
    ("frame", "reply_to.to"): NAME,
    ("frame", "reply_to.deadline_ns"): COUNT,
    ("frame", "data"): ([b"x", bytes(16 * 1024 * 1024)], [b"", bytes(16 * 1024 * 1024 + 1), "text"]),
    ("detections", "id"): NAME,
    ("detections", "camera_id"): CAMERA,
    ("detections", "frame.run_id"): NAME,
    ("detections", "frame.seq"): COUNT,
    ("detections", "frame.topic"): TEXT,
    ("detections", "frame.partition"): COUNT,
    ("detections", "frame.offset"): COUNT,
    ("detections", "captured_at_ns"): COUNT,
    ("detections", "question.id"): NAME,
    ("detections", "question.version"): NAME,
    ("detections", "question.classes.0"): PHRASE,
    ("detections", "model.name"): TEXT,
    ("detections", "model.revision"): TEXT,
    ("detections", "objects.0.class_id"): ([1], [-1, 2, 3, MAX_COUNT, "1"]),
    ("detections", "objects.0.label"): (["open door"], ["person", "a", "z", "", "open"]),
    ("detections", "timings_ns.inferred"): COUNT,
    ("object", "label"): PHRASE,
    ("object", "class_id"): COUNT,
    ("object", "score"): FRACTION,
    ("object", "class_scores"): ([None, [0.0, None, 1.0], [0.5] * 500], [[1.1], ["1"], [0.5] * 501, 0.5]),
    ("detections", "objects.0.class_scores"): ([None, [0.1, 0.9], [None, 0.9]], [[], [0.9], [0.1, 0.2, 0.3]]),
    ("gap", "camera_id"): CAMERA,
    ("gap", "run_id"): NAME,
    ("gap", "reason"): (["stale", "no_question"], ["bored", ""]),
    ("gap", "first_seq"): ([0, 11], [12, -1, None]),
    ("gap", "last_seq"): ([8, MAX_COUNT], [7, MAX_COUNT + 1, None]),
    ("status", "camera_id"): CAMERA,
    ("status", "since_ns"): COUNT,
    ("status", "url"): TEXT,
    ("status", "width"): MAYBE_SIDE,
    ("status", "height"): MAYBE_SIDE,
    ("status", "fps"): ([0, 0.001, 10_000, None], [-0.001, 10_000.001, NAN, INF, "25"]),
    ("status", "last_error"): ([*TEXT[0], None], TEXT[1]),
    ("question", "camera_id"): ([*CAMERA[0], "*"], [*CAMERA[1], "**", "(a", "+"]),
    ("question", "set_by"): TEXT,
    ("question", "set_at_ns"): COUNT,
    ("question", "classes"): ([classes(1), classes(500)], [[], classes(501)]),
    ("question", "classes.0.phrase"): PHRASE,
    ("question", "classes.0.box_threshold"): MAYBE_FRACTION,
    ("question", "box_threshold"): FRACTION,
    ("question", "text_threshold"): FRACTION,
    ("question", "regions"): ([[], [polygon(3)] * 32, [polygon(64)]], [[polygon(3)] * 33, [polygon(2)], [polygon(65)]]),
    ("question", "regions.0.0.1"): FRACTION,
    ("question", "nms_iou"): MAYBE_FRACTION,
    ("question", "nms_across"): ([True, False], ["yes", 1, None]),
    ("question", "decoys"): (
        [[], ["a"], [f"a{n}" for n in range(100)]],
        [["a", "a"], [f"a{n}" for n in range(101)], "a"],
    ),
    ("question", "class_scores"): ([True, False], ["yes", 1, None]),
    ("question", "max_objects"): ([1, 1000], [0, 1001, 7.0, "7"]),
    ("reply", "to"): NAME,
    ("reply", "camera_id"): CAMERA,
    ("reply", "run_id"): NAME,
    ("reply", "seq"): COUNT,
    ("reply", "problem"): ([None], ["expired", "bored", 1]),
    ("reply", "detail"): TEXT,
    ("worker-status", "worker_id"): NAME,
    ("worker-status", "group"): TEXT,
    ("worker-status", "state"): (["starting", "fetching", "loading", "warming_up", "ready", "stopping"], ["dead", 1]),
    ("worker-status", "since_ns"): COUNT,
    ("worker-status", "at_ns"): COUNT,
    ("worker-status", "heartbeat_s"): ([0.001, 3600, 5], [0, 3600.1, NAN, INF, "5"]),
    ("worker-status", "progress"): MAYBE_FRACTION,
    ("worker-status", "asked_for"): TEXT,
    ("worker-status", "device"): ([*TEXT[0], None], TEXT[1]),
    ("worker-status", "precision"): ([*TEXT[0], None], TEXT[1]),
    ("worker-status", "partitions"): COUNT,
    ("worker-status", "reason"): ([*TEXT[0], None], TEXT[1]),
    ("worker-status", "verdicts.0.camera_id"): ([*CAMERA[0], "*"], [*CAMERA[1], "**"]),
    ("worker-status", "verdicts.0.version"): TEXT,
    ("worker-status", "verdicts.0.at_ns"): COUNT,
    ("worker-status", "verdicts.0.refused"): ([*TEXT[0], None], TEXT[1]),
    ("event", "id"): NAME,
    ("event", "n"): ([1, MAX_COUNT], COUNT[1]),
    ("event", "cause"): (["appeared", "ended"], ["bored", 1]),
    ("event", "camera_id"): CAMERA,
    ("event", "label"): PHRASE,
    ("event", "class_id"): COUNT,
    ("event", "question_id"): NAME,
    ("event", "question_version"): NAME,
    ("event", "about"): TEXT,
    ("event", "zones_version"): TEXT,
    ("event", "source_width"): SIDE,
    ("event", "source_height"): SIDE,
    ("event", "first.captured_at_ns"): COUNT,
    ("event", "first.score"): FRACTION,
    ("event", "last.box"): (BOXES, [(0.0, 0.0, 1.0), (-1.0, 0.0, 1.0, 1.0), (0.0, 0.0, NAN, 1.0)]),
    ("event", "best.at_edge"): ([True, False], ["x", None]),
    ("event", "frames_seen"): COUNT,
    ("event", "frames_missed"): COUNT,
    ("event", "unseen.0.reason"): (["stale"], ["bored"]),
    ("event", "unseen.0.first_seq"): ([*COUNT[0], None], COUNT[1]),
    ("event", "unseen.0.last_seq"): ([*COUNT[0], None], COUNT[1]),
    ("event", "unseen.0.from_ns"): ([*COUNT[0], None], COUNT[1]),
    ("event", "unseen.0.to_ns"): ([*COUNT[0], None], COUNT[1]),
    ("event", "unseen"): ([[], [{"reason": "stale"}] * 16], [[{"reason": "stale"}] * 17]),
    ("event", "score_median"): FRACTION,
    ("event", "velocity"): ([(-1e6, 1e6)], [(0.0,), (-1.1e6, 0.0), (0.0, NAN), (INF, 0.0)]),
    ("event", "path.0.x"): FRACTION,
    ("event", "path.0.y"): FRACTION,
    ("event", "path.0.at_ns"): COUNT,
    ("event", "path"): ([[], [{"x": 0.5, "y": 0.5, "at_ns": 1}] * 32], [[{"x": 0.5, "y": 0.5, "at_ns": 1}] * 33]),
    ("event", "zones.0.name"): NAME,
    ("event", "zones.0.entered_ns"): COUNT,
    ("event", "zones.0.left_ns"): ([*COUNT[0], None], COUNT[1]),
    ("event", "zones.0.dwell_ms"): COUNT,
    ("event", "lines.0.name"): NAME,
    ("event", "lines.0.direction"): NAME,
    ("event", "lines.0.at_ns"): COUNT,
    ("event", "motion"): (["moving", "still"], ["bored"]),
    ("event", "motion_since_ns"): COUNT,
    ("event", "severity"): (["info", "warning", "alert"], ["bored"]),
    ("event", "end.reason"): (["lost", "silent"], ["bored", None]),
    ("event", "end.at_ns"): COUNT,
    ("objects", "camera_id"): CAMERA,
    ("objects", "partition"): COUNT,
    ("objects", "offset"): COUNT,
    ("objects", "more"): COUNT,
    ("zones", "camera_id"): CAMERA,
    ("zones", "zones.0.name"): ([*NAME[0]], [*NAME[1], "line\nbreak", "\u202ex"]),
    ("zones", "zones.0.polygon"): ([polygon(3), polygon(64)], [polygon(2), polygon(65), [[0.1, 1.1]] * 3]),
    ("zones", "zones.0.labels"): ([[], ["person"]], [[""], "person", ["a\nb"]]),
    ("zones", "zones.0.dwell_s"): ([0.0, 86_400.0, 5], [-0.1, 86_400.1, NAN, INF, "5"]),
    ("zones", "zones.0.severity"): (["info", "warning", "alert"], ["bored"]),
    ("zones", "lines.0.start"): ([(0.0, 1.0)], [(0.0,), (1.1, 0.0), (NAN, 0.0)]),
    ("zones", "lines.0.to_right"): ([*NAME[0]], NAME[1]),
    ("zones", "anchor"): (["bottom_centre", "centre"], ["top"]),
    ("zones", "set_by"): TEXT,
    ("zones", "set_at_ns"): COUNT,
    ("attempt", "group"): TEXT,
    ("attempt", "topic"): TEXT,
    ("attempt", "partition"): COUNT,
    ("attempt", "offset"): COUNT,
    ("attempt", "camera_id"): ([*CAMERA[0], None], CAMERA[1]),
    ("attempt", "tries"): ([1, 2**31 - 1], [0, 2**31, 1.0, "1"]),
    # A dead letter's fields come as text.
    ("letter", "topic"): (["x" * 1024], ["x" * 1025]),
    ("letter", "partition"): (["0", 2**31 - 1], ["-1", 2**31, "x"]),
    ("letter", "offset"): (["0", MAX_COUNT], ["-1", MAX_COUNT + 1, "x"]),
    ("letter", "timestamp_ms"): (["-1", MAX_COUNT], ["-2", MAX_COUNT + 1]),
    ("letter", "attempts"): (["1", 2**31 - 1], ["0", 2**31]),
    ("letter", "value_bytes"): (["0", MAX_COUNT, None], ["-1", MAX_COUNT + 1]),
    ("letter", "key_bytes"): (["0", MAX_COUNT, None], ["-1", MAX_COUNT + 1]),
    ("letter", "seq"): (["0", MAX_COUNT, None], ["-1", MAX_COUNT + 1]),
}


@pytest.mark.parametrize(("name", "path"), BOUNDS)
def test_values_up_to_the_bounds_of_a_field_are_read(name: str, path: str) -> None:
    for value in BOUNDS[name, path][0]:
        build(name, path, value)


@pytest.mark.parametrize(("name", "path"), BOUNDS)
def test_the_first_values_beyond_the_bounds_of_a_field_are_refused(name: str, path: str) -> None:
    for value in BOUNDS[name, path][1]:
        with pytest.raises(ValidationError):
            build(name, path, value)
            pytest.fail(f"{value!r:.80} was read")


@pytest.mark.parametrize("box", BOXES)
def test_a_box_may_fill_the_largest_picture_or_next_to_nothing(box: tuple[float, ...]) -> None:
    build("object", "box", box)


@pytest.mark.parametrize("odd", [-0.001, SIDES + 0.001, NAN, INF, "5"])
@pytest.mark.parametrize("corner", range(4))
def test_a_corner_outside_any_picture_is_refused(corner: int, odd: Any) -> None:
    box: list[Any] = [1.0, 1.0, 9.0, 9.0]
    box[corner] = odd
    with pytest.raises(ValidationError):
        build("object", "box", box)


@pytest.mark.parametrize(
    "box", [(5.0, 1.0, 4.0, 9.0), (5.0, 1.0, 5.0, 9.0), (1.0, 9.0, 9.0, 8.0), (1.0, 9.0, 9.0, 9.0)]
)
def test_a_box_that_is_empty_or_inverted_in_one_direction_is_refused(box: tuple[float, ...]) -> None:
    with pytest.raises(ValidationError, match="empty or inverted"):
        build("object", "box", box)


def test_a_box_may_reach_the_edge_of_its_picture_and_no_further() -> None:
    build("detections", "objects.0.box", (0.0, 0.0, 1920.0, 1080.0))
    for box in ((0.0, 0.0, 1920.001, 1080.0), (0.0, 0.0, 1920.0, 1080.001)):
        with pytest.raises(ValidationError, match="object 0 reaches outside"):
            build("detections", "objects.0.box", box)


def test_every_object_is_checked_and_the_one_that_does_not_fit_is_named() -> None:
    fits = golden("detections")["objects"][0]
    build("detections", "objects", [fits] * 3)
    with pytest.raises(ValidationError, match="label of object 2"):
        build("detections", "objects", [fits, fits, {**fits, "label": "person"}])
    with pytest.raises(ValidationError, match="class_id of object 1"):
        build("detections", "objects", [fits, {**fits, "class_id": 2}, fits])


def test_an_answer_holds_a_thousand_objects_of_five_hundred_classes_and_no_more() -> None:
    one = {"label": "class 0", "class_id": 0, "score": 0.5, "box": (0.0, 0.0, 1.0, 1.0)}
    content = {**golden("detections"), "objects": [one] * 1000}
    content["question"] = {**content["question"], "classes": [f"class {number}" for number in range(500)]}
    assert len(Detections.model_validate(content).objects) == 1000
    with pytest.raises(ValidationError, match="objects"):
        Detections.model_validate({**content, "objects": [one] * 1001})
    with pytest.raises(ValidationError, match="classes"):
        Detections.model_validate(
            {**content, "question": {**content["question"], "classes": [f"class {number}" for number in range(501)]}}
        )


@pytest.mark.parametrize("classes", [1, 5, 6, 80, 500])
def test_as_many_objects_with_class_scores_as_are_published_fit_into_one_message(classes: int) -> None:
    names = tuple(f"class {number}" for number in range(classes))
    most = Question.of(*names, class_scores=True).most_objects
    assert most == (1000 if classes <= 5 else 18_500 // (13 + classes))
    one = Object(label=names[0], class_id=0, score=1 / 3, box=(0.1, 0.1, 0.9, 0.9), class_scores=(1 / 3,) * classes)
    reference = QuestionRef(id="gate", version="1", classes=names)
    answer = Detections.model_validate(golden("detections")).model_copy(
        update={"objects": (one,) * most, "question": reference}
    )
    assert decode(Detections, encode(answer)) == decode_json(Detections, encode_json(answer)) == answer


def test_an_object_has_no_class_scores_on_the_wire_unless_they_were_asked_for() -> None:
    content = msgpack.unpackb(encode(Detections.model_validate(golden("detections"))))
    plain = Object.model_validate(content["objects"][0] | {"class_scores": None})
    assert "class_scores" in content["objects"][0]
    assert "class_scores" not in plain.model_dump()
    assert "class_scores" not in plain.model_dump_json()


SPANS = {"seq": ("first_seq", "last_seq"), "time": ("from_ns", "to_ns")}


@pytest.mark.parametrize("what", SPANS)
def test_a_gap_may_be_of_one_frame_or_moment_and_needs_both_ends_in_order(what: str) -> None:
    first, last = SPANS[what]
    base = {"camera_id": "gate", "run_id": "r", "reason": "stale"}
    Gap.model_validate({**base, first: 5, last: 5})
    Gap.model_validate({**base, first: 0, last: 0})
    Gap.model_validate({**base, first: 5, last: 900})
    for wrong, says in (({first: 5, last: 4}, "inverted"), ({first: 5}, "both ends"), ({last: 5}, "both ends")):
        with pytest.raises(ValidationError, match=f"range of {what}.*{says}|{says}.*{what}"):
            Gap.model_validate({**base, **wrong})


def test_a_gap_may_name_its_frames_and_its_time_and_must_name_one() -> None:
    base = {"camera_id": "gate", "run_id": "r", "reason": "stale"}
    Gap.model_validate({**base, "first_seq": 1, "last_seq": 2, "from_ns": 3, "to_ns": 4})
    with pytest.raises(ValidationError, match="needs a range"):
        Gap.model_validate(base)


def test_a_camera_id_is_checked_wherever_one_comes_in() -> None:
    assert check_camera_id("x" * 200) == "x" * 200
    for bad in ("x" * 201, "", "a/b", "a\n"):
        with pytest.raises(ValueError, match="camera id"):
            check_camera_id(bad)


@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_cannot_be_changed_after_it_was_checked(name: str) -> None:
    kind, content = MESSAGES[name]
    message = kind.model_validate(content)
    for field, value in dict(message).items():
        with pytest.raises(ValidationError, match="frozen"):
            setattr(message, field, value)
    for part in (value for _, value in message if isinstance(value, BaseModel)):
        with pytest.raises(ValidationError, match="frozen"):
            setattr(part, next(iter(type(part).model_fields)), "x")


def test_a_question_cannot_be_changed_either() -> None:
    question = Question.of("a")
    with pytest.raises(ValidationError, match="frozen"):
        question.box_threshold = 0.9  # type: ignore[misc]
    with pytest.raises(ValidationError, match="frozen"):
        question.classes[0].phrase = "b"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("first", "second"), [pair for pair in product(["person", "dog"], repeat=2) if pair[0] != pair[1]]
)
def test_a_class_may_be_listed_once(first: str, second: str) -> None:
    Question.of(first, second)
    with pytest.raises(ValidationError, match=f"'{second}' is listed twice"):
        Question.of(first, second, second)
