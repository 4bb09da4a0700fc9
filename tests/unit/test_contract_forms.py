"""What of the contract has a form of its own: dead letters, JSON Schema, names and versions."""

import json
import re
from pathlib import Path

import msgpack
import pytest

from groundcam_schemas import (
    Attempt,
    CameraQuestion,
    CameraStatus,
    DeadLetter,
    Detections,
    Event,
    Frame,
    FrameId,
    Gap,
    Question,
    SchemaError,
    Topics,
    decode,
    detections_id,
    new_run_id,
)
from groundcam_schemas.export import export, json_schemas

LETTER = DeadLetter(topic="frames", partition=1, offset=2, timestamp_ms=3, error_class="BadPictureError")


def test_a_dead_letter_says_only_what_is_known() -> None:
    headers = dict(LETTER.headers())
    assert headers["groundcam-dlq-schema"] == b"dead-letter/1.1"
    assert headers["groundcam-dlq-error-class"] == b"BadPictureError"
    assert headers["groundcam-dlq-attempts"] == b"1"
    assert "groundcam-dlq-seq" not in headers
    assert dict(LETTER.model_copy(update={"seq": 0}).headers())["groundcam-dlq-seq"] == b"0"


def test_of_two_headers_that_are_wrong_the_first_is_named() -> None:
    with pytest.raises(SchemaError) as refused:
        DeadLetter.from_headers([*LETTER.headers(), ("groundcam-dlq-partition", b"x"), ("groundcam-dlq-offset", b"x")])
    assert refused.value.field == "partition"


def test_a_header_without_a_value_says_nothing() -> None:
    """As Kafka allows."""
    assert DeadLetter.from_headers([*LETTER.headers(), ("groundcam-dlq-seq", None), ("trace", None)]) == LETTER  # type: ignore[list-item]


def test_other_headers_are_no_part_of_a_dead_letter() -> None:
    assert DeadLetter.from_headers([*LETTER.headers(), ("offset", b"7"), ("x-groundcam-dlq-offset", b"8")]) == LETTER


def test_a_long_header_is_cut_before_it_is_read() -> None:
    read = DeadLetter.from_headers(
        [*LETTER.headers(), ("groundcam-dlq-error-text", "😀".encode() * 1024 + b"and more")]
    )
    assert read.error_text == "😀" * 1024


@pytest.mark.parametrize(
    ("schema", "is_read"),
    [
        (b"dead-letter/1.0", True),
        (b"dead-letter/1.7", True),
        (b"dead-letter/0.9", False),
        (b"dead-letter/2.0", False),
        (b"dead-letter", False),
        (b"a/1.0", False),
        (b"z/1.0", False),
    ],
)
def test_a_dead_letter_of_another_version_is_refused(schema: bytes, is_read: bool) -> None:
    headers = [("groundcam-dlq-schema", schema), *LETTER.headers()[1:]]
    if is_read:
        assert DeadLetter.from_headers(headers) == LETTER
    else:
        with pytest.raises(SchemaError, match="schema"):
            DeadLetter.from_headers(headers)


def test_the_schemas_are_files_that_any_validator_reads(tmp_path: Path) -> None:
    folder = tmp_path / "not" / "there" / "yet"
    written = export(folder)
    assert len(written) == 12
    assert export(folder) == written, "a second export replaces the first"
    assert [path.name for path in written] == sorted(path.name for path in folder.iterdir())
    for path in written:
        schema = json.loads(path.read_text())
        assert schema == json_schemas()[path.name]
        assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("kind", [Frame, Detections, Gap, CameraQuestion, CameraStatus, Attempt, Event])
def test_a_schema_takes_every_minor_version_and_no_other_major_one(kind: type) -> None:
    name = {CameraQuestion: "question", CameraStatus: "camera-status"}.get(kind, kind.__name__.lower())
    schema = json_schemas()[f"{name}.schema.json"]
    pattern = schema["properties"]["schema"]["pattern"]
    assert next(iter(schema["properties"])) == "schema" == schema["required"][0]
    assert all(re.search(pattern, f"{name}/{version}") for version in ("1.0", "1.1", "1.12"))
    assert not any(
        re.search(pattern, one)
        for one in (f"{name}/2.0", f"{name}/11.0", f"x{name}/1.0", f"{name}/1", f"{name}/1.0x", f"{name}/1x0")
    )


def test_a_dead_letters_schema_is_of_its_headers_which_say_their_version_apart() -> None:
    schema = json_schemas()["dead-letter.schema.json"]
    assert set(schema["properties"]) == set(DeadLetter.model_fields)
    assert "schema" not in schema["required"]


def test_a_run_is_named_after_the_millisecond_in_which_it_began() -> None:
    first = new_run_id(1_700_000_000_123_999_999)
    assert re.fullmatch(r"018bcfe5687b-[0-9a-f]{6}", first)
    assert first < new_run_id(1_700_000_000_124_000_000), "later ones sort behind earlier ones"
    assert first < new_run_id(2**62)
    assert first != new_run_id(1_700_000_000_123_999_999)


def test_everything_that_makes_another_answer_makes_another_id() -> None:
    frame = FrameId("gate", "r", 7)
    base = detections_id(frame, "v", "tiny", "1")
    assert re.fullmatch(r"[0-9a-f]{32}", base)
    others = [
        detections_id(FrameId("yard", "r", 7), "v", "tiny", "1"),
        detections_id(FrameId("gate", "s", 7), "v", "tiny", "1"),
        detections_id(FrameId("gate", "r", 8), "v", "tiny", "1"),
        detections_id(frame, "w", "tiny", "1"),
        detections_id(frame, "v", "base", "1"),
        detections_id(frame, "v", "tiny", "2"),
    ]
    assert len({base, *others}) == 7


def test_every_topic_has_its_own_name_under_the_prefix() -> None:
    names = ["frames", "recordings", "detections", "prompts", "cameras", "dead-letters", "attempts"]
    for topics, prefix in ((Topics(), "groundcam."), (Topics("site-b."), "site-b."), (Topics(""), "")):
        found = [
            topics.frames,
            topics.recordings,
            topics.detections,
            topics.prompts,
            topics.cameras,
            topics.dead_letters,
            topics.attempts,
        ]
        assert found == [f"{prefix}{name}" for name in names]


def test_names_of_topics_cannot_be_changed_and_can_be_compared() -> None:
    with pytest.raises(AttributeError):
        Topics().prefix = "x"  # type: ignore[misc]
    assert Topics("a.") == Topics("a.") != Topics("b.")


def test_the_version_of_a_question_is_sixteen_digits_that_any_change_changes() -> None:
    base = Question.of("a", "b")
    assert re.fullmatch(r"[0-9a-f]{16}", base.version)
    region = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0))
    others = [
        Question.of("a", "b", **change)
        for change in (
            {"box_threshold": 0.4},
            {"text_threshold": 0.4},
            {"regions": (region,)},
            {"nms_iou": 0.0},
            {"max_objects": 999},
        )
    ]
    assert len({one.version for one in [base, *others]}) == 6


def test_a_question_that_says_nothing_else_uses_three_tenths_and_the_whole_picture() -> None:
    ask = Question.of("a", box_threshold=None)
    assert (ask.box_threshold, ask.text_threshold, ask.regions) == (0.3, 0.3, ())
    assert (ask.nms_iou, ask.nms_across, ask.decoys, ask.max_objects) == (0.7, False, (), 1000)
    told = decode(
        CameraQuestion, msgpack.packb({"schema": "question/1.0", "classes": [{"phrase": "a"}], "camera_id": "*"})
    )
    assert (told.set_by, told.set_at_ns) == ("", 0)


def test_a_threshold_of_zero_is_a_threshold() -> None:
    ask = Question.model_validate({"classes": [{"phrase": "a", "box_threshold": 0.0}, {"phrase": "b"}]})
    assert (ask.threshold_of(0), ask.threshold_of(1)) == (0.0, 0.3)
