"""What groundcam.testing gives to those who test their own programs."""

import itertools
import json
import subprocess
import sys
from pathlib import Path

import msgpack
import pytest
from jsonschema import Draft202012Validator

from groundcam.testing import Case, Recorded, Story, Stream, cases, redelivered, stands, walks
from groundcam_runtime.repeats import Repeats
from groundcam_schemas import (
    CameraZones,
    Cause,
    Detections,
    EndReason,
    Event,
    FrameId,
    Gap,
    GapReason,
    Line,
    decode_answer,
    encode,
)
from groundcam_schemas.export import json_schema

STORY = "shows a person, gap, away, restart"


def story() -> Story:
    return (
        Story("gate", fps=5)
        .shows(4, walks("person"), stands("car", (0.2, 0.9)))
        .gap(1, "undecodable")
        .nothing(2)
        .away(30)
        .restarts()
        .shows(1, stands("dog"))
    )


def test_a_story_is_what_lies_on_kafka() -> None:
    messages = list(story())
    answers = [one for one in messages if isinstance(one, Detections)]
    gaps = [one for one in messages if isinstance(one, Gap)]
    assert len(answers) == 20 + 10 + 5
    assert (gaps[0].reason, gaps[0].first_seq, gaps[0].last_seq) == (GapReason.UNDECODABLE, 20, 24)
    assert [one.frame.seq for one in answers] == [*range(20), *range(25, 35), *range(5)], "none is missing, but in gaps"
    assert (gaps[1].to_ns or 0) - (gaps[1].from_ns or 0) == 30 * 10**9
    assert [one.frame.run_id for one in answers] == ["run-1"] * 30 + ["run-2"] * 5
    times = [one.captured_at_ns for one in answers]
    assert times == sorted(times)
    assert times[1] - times[0] == 200_000_000
    assert len({one.id for one in answers}) == len(answers)


def test_a_storys_messages_keep_the_contract() -> None:
    for one in story():
        assert decode_answer(encode(one)) == one
        Draft202012Validator(json_schema(type(one))).validate(msgpack.unpackb(encode(one)))


def test_the_same_words_give_the_same_messages() -> None:
    assert list(map(encode, story())) == list(map(encode, story()))


def test_things_move_and_are_cut_off_at_the_pictures_edge() -> None:
    answers = [one for one in Story(size=(1000, 500)).shows(4, walks("person")) if isinstance(one, Detections)]
    boxes = [found.box for one in answers for found in one.objects]
    assert boxes[0] == (0.0, 300.0, 40.0, 450.0)
    assert boxes[-1] == (960.0, 300.0, 1000.0, 450.0)
    assert [x1 for x1, *_ in boxes] == sorted(x1 for x1, *_ in boxes)


def test_what_is_not_asked_for_is_refused() -> None:
    with pytest.raises(ValueError, match="'elephant' is not among the classes person, car, dog"):
        Story().shows(1, stands("elephant"))
    with pytest.raises(ValueError, match="eclipse"):
        Story().gap(1, "eclipse")


def test_a_tracker_tells_of_a_story() -> None:
    door = CameraZones(camera_id="gate", lines=(Line(name="door", start=(0.5, 0.0), end=(0.5, 1.0)),))
    told = Story().nothing(2).shows(4, walks("person")).nothing(10).events(zones=door)
    assert [one.cause for one in told if one.cause in (Cause.APPEARED, Cause.LINE_CROSSED, Cause.ENDED)] == [
        Cause.APPEARED, Cause.LINE_CROSSED, Cause.ENDED
    ]  # fmt: skip
    assert told[-1].end is not None
    assert told[-1].end.reason is EndReason.LEFT


def test_a_stream_is_kept_in_a_file(tmp_path: Path) -> None:
    messages = [*story(), *Story().shows(3, walks("person")).events()]
    for as_json in (False, True):
        stream = Stream.of(messages, as_json=as_json)
        stream.save(tmp_path / "stream")
        again = Stream.load(tmp_path / "stream")
        assert again == stream
        assert list(again.answers) == list(story())
        assert list(again.events) == [one for one in messages if isinstance(one, Event)]
        assert json.loads(again.records[0].value or b"")["id"] if as_json else True


@pytest.mark.parametrize("content", [b"", b"no stream", msgpack.packb("groundcam-stream/1") + b"\xc1", b"\xff" * 30])
def test_another_file_is_no_stream(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(ValueError, match=r"file is (no stream of groundcam|damaged)"):
        Stream.load(tmp_path / "file")


def test_a_file_that_was_cut_off_is_not_taken_for_a_shorter_stream(tmp_path: Path) -> None:
    """As where the disk was full. Between two records a cut leaves no trace."""
    path, messages = tmp_path / "stream", list(story())[:3]
    between = set()
    for number in range(len(messages) + 1):
        Stream.of(messages[:number]).save(path)
        between.add(path.stat().st_size)
    whole = path.read_bytes()
    for size in set(range(1, len(whole))) - between:
        path.write_bytes(whole[:size])
        with pytest.raises(ValueError, match=r"(is damaged: it is cut off|is no stream of groundcam)"):
            Stream.load(path)


def by_name(as_json: bool = False) -> dict[str, Case]:
    return {one.name: one for one in cases(as_json=as_json)}


@pytest.mark.parametrize("as_json", [False, True])
def test_every_case_has_a_name_a_reason_and_records(as_json: bool) -> None:
    found = cases(as_json=as_json)
    assert len({str(one) for one in found}) == len(found) > 20
    assert all(one.why.endswith(".") and one.stream.records for one in found)


def test_cases_say_what_a_reader_makes_of_them() -> None:
    found = by_name()
    assert len(found["no message"].answers) == len(found["next major"].answers) == 1, "the readable one"
    assert len(found["new reason"].answers) == 2
    assert [type(one) for one in found["both forms"].answers] == [Detections, Gap, Detections]
    assert {one.reason for case in found.values() for one in case.answers if isinstance(one, Gap)} == set(GapReason)
    assert {one.camera_id for one in found["two cameras"].answers} == {"gate", "yard"}
    assert len(list(found["events twice"].stream.events)) == 4


def test_a_consumer_that_doubles_is_found() -> None:
    """What `redelivered` is for, tried on one that is right and on one that is not."""
    answers = [one for one in story() if isinstance(one, Detections)]
    known, once = Repeats(), 0
    for one in redelivered(answers, seed=3):
        once += not known.is_repeat(FrameId(one.camera_id, one.frame.run_id, one.frame.seq))
    assert once == len(answers)
    assert sum(1 for _ in redelivered(answers, seed=3)) > len(answers)
    assert list(redelivered(answers, seed=3)) == list(redelivered(answers, seed=3))
    assert list(redelivered(answers, share=0.0)) == answers


def test_what_comes_again_comes_in_order_and_then_goes_on() -> None:
    seen = list(redelivered(range(200), seed=5))
    highest = -1
    for before, after in itertools.pairwise(seen):
        highest = max(highest, before)
        assert after <= highest + 1, "nothing is left out"
        assert after == before + 1 or after <= before, "what comes again comes in order"


def test_a_record_of_a_message_has_its_headers() -> None:
    (answer, *_) = story()
    assert dict(Recorded.of(answer).headers)["schema"] == b"detections/1.2"
    assert Recorded.of(answer).key == b"gate"


def test_testing_needs_nothing_heavy() -> None:
    code = "import sys, groundcam.testing; print([one for one in ('numpy', 'cv2', 'torch', 'scipy') if one in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
