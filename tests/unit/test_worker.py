"""Pictures, intake, answers and what stands before a detector."""

import math

import cv2
import numpy as np
import pytest

from groundcam_runtime.kafka.ends import EndWatcher
from groundcam_runtime.partitions.assignment import Assignment
from groundcam_runtime.pictures.decoding import decode_jpeg
from groundcam_runtime.pictures.errors import PictureError
from groundcam_runtime.pictures.jpeg_header import read_header
from groundcam_runtime.records import Assigned, Consumed, Partition, Position
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import Frame, Object, Question, encode
from groundcam_worker.checkpoints.catalogue import resolve
from groundcam_worker.detectors.fake import FakeDetector
from groundcam_worker.detectors.protocol import Detection, detect_each
from groundcam_worker.errors import (
    BadMessageError,
    DetectorLostError,
    ModelError,
    UnansweredError,
)
from groundcam_worker.parse import ParsedFrame, ParseFailure, camera_of, parse
from groundcam_worker.policy.answers import contains, objects_of
from groundcam_worker.settings import fake_seconds


def jpeg(width: int = 64, height: int = 48, *options: int) -> bytes:
    picture = np.random.default_rng(1).integers(0, 255, (height, width, 3), dtype=np.uint8)
    return bytes(cv2.imencode(".jpg", picture, list(options))[1])


def record(value: bytes | None, key: bytes | None = b"gate", offset: int = 5) -> Consumed:
    return Consumed(Partition("groundcam.frames", 1), offset, 1_000, key, value, (), 2_000_000_000)


def test_the_best_so_many_objects_are_told() -> None:
    found = [Detection(0, score, (1.0, 1.0, 5.0, 5.0)) for score in (0.4, 0.9, 0.6)]
    kept = objects_of(found, Question.of("person", max_objects=2), (10, 10), (10, 10))
    assert [one.score for one in kept] == [0.9, 0.6]


@pytest.mark.parametrize("options", [(), (cv2.IMWRITE_JPEG_PROGRESSIVE, 1), (cv2.IMWRITE_JPEG_RST_INTERVAL, 2)])
def test_the_size_in_a_header_is_that_of_the_picture(options: tuple[int, ...]) -> None:
    data = jpeg(64, 48, *options)
    assert read_header(data).upright_size == (64, 48)
    assert decode_jpeg(data).shape == (48, 64, 3)


def test_colours_come_out_as_rgb() -> None:
    red = np.zeros((32, 32, 3), np.uint8)
    red[:, :, 2] = 255  # OpenCV writes BGR
    decoded = decode_jpeg(bytes(cv2.imencode(".jpg", red)[1]))
    assert decoded[16, 16, 0] > 240
    assert decoded[16, 16, 2] < 15


def forged(width: int, height: int) -> bytes:
    """A small JPEG whose header claims another size."""
    data = bytearray(jpeg())
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = height.to_bytes(2) + width.to_bytes(2)
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "begin"),
        (b"\x89PNG", "begin"),
        (b"\xff\xd8\xff", "cut off"),
        (jpeg()[:200], "cut off|end is missing"),
        (jpeg()[:-200], "end is missing"),
        (forged(32_000, 32_000), "32000x32000 pixels"),
        (forged(0, 48), "0x48"),
        (b"\xff\xd8\xff\xe0\x00\x00" * 3, "marker"),
    ],
)
def test_a_bad_jpeg_is_refused_before_it_costs_anything(data: bytes, says: str) -> None:
    with pytest.raises(PictureError, match=says):
        decode_jpeg(data)


def parsed(one: Consumed) -> ParsedFrame:
    frame = parse(one, 1_000_000)
    assert isinstance(frame, ParsedFrame)
    return frame


def refused(one: Consumed, max_pixels: int = 1_000_000) -> ParseFailure:
    failure = parse(one, max_pixels)
    assert isinstance(failure, ParseFailure)
    return failure


def test_a_frame_in_our_envelope_is_read() -> None:
    frame = Frame(
        camera_id="gate", run_id="r", seq=3, captured_at_ns=9, width=64, height=48, source_width=128,
        source_height=96, data=jpeg(),
    )  # fmt: skip
    incoming = parsed(record(encode(frame)))
    assert incoming.id == ("gate", "r", 3)
    assert incoming.source_size == (128, 96)


def test_a_plain_jpeg_with_the_camera_in_its_key_is_a_frame() -> None:
    incoming = parsed(record(jpeg()))
    assert incoming.id == ("gate", "@groundcam.frames/1", 5)
    assert incoming.source_size == (64, 48)
    assert incoming.captured_at_ns == 1_000_000_000


@pytest.mark.parametrize("value", [None, b"", b"text", b"\x80", b"\x81\xa6schema\xa9frame/9.0"])
def test_a_message_that_is_no_frame_is_refused(value: bytes | None) -> None:
    failure = refused(record(value))
    assert isinstance(failure.error, BadMessageError)
    assert failure.id == ("gate", "@groundcam.frames/1", 5), "its key and its place say whose it is"


@pytest.mark.parametrize("key", [None, b"", b"a/b", b"\xff", b"x" * 201])
def test_a_plain_jpeg_of_no_camera_is_refused(key: bytes | None) -> None:
    assert camera_of(record(jpeg(), key)) is None
    failure = refused(record(jpeg(), key))
    assert failure.id is None
    assert "key" in str(failure.error)


def test_a_picture_with_too_many_pixels_is_refused_and_its_frame_is_known() -> None:
    frame = Frame(
        camera_id="gate", run_id="r", seq=3, captured_at_ns=9, width=64, height=48, source_width=64,
        source_height=48, data=jpeg(),
    )  # fmt: skip
    failure = refused(record(encode(frame)), max_pixels=64 * 48 - 1)
    assert failure.id == ("gate", "r", 3)
    assert str(failure.error) == "it has 64x48 pixels, more than 3071"


def found(*box: float, score: float = 0.5, class_id: int = 0) -> Detection:
    x1, y1, x2, y2 = box
    return Detection(class_id, score, (x1, y1, x2, y2))


def answered(*detections: Detection, ask: Question | None = None) -> tuple[Object, ...]:
    return objects_of(detections, ask or Question.of("a", "b"), (100, 50), (200, 100))


def test_boxes_are_scaled_to_the_source_and_clamped_to_it() -> None:
    assert [one.box for one in answered(found(-5, 10, 60, 80))] == [(0.0, 20.0, 120.0, 100.0)]


@pytest.mark.parametrize(
    "odd",
    [
        found(math.nan, 0, 1, 1),
        found(0, 0, math.inf, 1),
        found(10, 10, 10, 20),
        found(20, 10, 10, 20),
        found(-20, 0, -10, 10),
        found(0, 0, 1, 1, score=math.nan),
        found(0, 0, 1, 1, score=1.5),
        found(0, 0, 1, 1, class_id=2),
        found(0, 0, 1, 1, class_id=-1),
    ],
)
def test_no_output_of_a_model_makes_a_message_that_cannot_be_sent(odd: Detection) -> None:
    assert len(answered(odd, found(1, 1, 2, 2))) == 1


def test_objects_come_best_first() -> None:
    assert [one.score for one in answered(found(0, 0, 1, 1, score=0.2), found(0, 0, 1, 1, score=0.9))] == [
        0.9,
        0.2,
    ]


def test_only_boxes_whose_centre_is_in_a_region_count() -> None:
    ask = Question.of("a").model_copy(update={"regions": (((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)),)})
    kept = answered(found(0, 0, 40, 40), found(60, 0, 100, 40), ask=ask)
    assert [one.box[0] for one in kept] == [0.0]


def test_a_point_is_in_a_concave_region_or_not() -> None:
    region = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 0.2), (0.0, 1.0))
    assert contains(region, 0.1, 0.5)
    assert not contains(region, 0.5, 0.9)


class Picky(FakeDetector):
    """Fails on black pictures, as a real detector fails on what it cannot take."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def detect(self, images, asks):  # type: ignore[no-untyped-def]
        self.calls += 1
        if any(not image.any() for image in images):
            raise RuntimeError("black")
        return super().detect(images, asks)


@pytest.mark.parametrize("bad", [0, 7, 15])
def test_one_bad_picture_costs_its_neighbours_nothing(bad: int) -> None:
    images = [np.full((8, 8, 3), 9, np.uint8) for _ in range(16)]
    images[bad][:] = 0
    detector = Picky()
    results = detect_each(detector, images, [Question.of("a")] * 16)
    assert [index for index, one in enumerate(results) if isinstance(one, UnansweredError)] == [bad]
    assert detector.calls <= 2 * 4 + 1


def test_a_lost_detector_is_not_asked_again() -> None:
    class Lost(FakeDetector):
        def detect(self, images, asks):  # type: ignore[no-untyped-def]
            raise DetectorLostError("CUDA error")

    with pytest.raises(DetectorLostError):
        detect_each(Lost(), [np.ones((8, 8, 3), np.uint8)] * 4, [Question.of("a")] * 4)


def test_a_detector_that_forgets_a_picture_is_not_trusted() -> None:
    class Forgetful(FakeDetector):
        def detect(self, images, asks):  # type: ignore[no-untyped-def]
            return super().detect(images, asks)[1:]

    with pytest.raises(DetectorLostError, match="1 results for 2 images"):
        detect_each(Forgetful(), [np.ones((8, 8, 3), np.uint8)] * 2, [Question.of("a")] * 2)


def test_model_names_are_resolved(tmp_path):  # type: ignore[no-untyped-def]
    assert resolve("tiny").path == "IDEA-Research/grounding-dino-tiny"
    assert resolve("base@main").revision == "main"
    assert resolve("owner/name@abc").path == "owner/name"
    for bad in ("nosuch", "./nosuch/folder", "/a/b"):
        with pytest.raises(ModelError, match="neither"):
            resolve(bad)
    with pytest.raises(ModelError, match=r"config\.json"):
        resolve(str(tmp_path))
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelError, match="safetensors"):
        resolve(str(tmp_path))


def test_the_dry_run_detector_is_asked_for_by_name() -> None:
    assert (fake_seconds("fake"), fake_seconds("fake:5ms"), fake_seconds("tiny")) == (0.0, 0.005, None)
    with pytest.raises(ValueError, match="fake:5ms"):
        fake_seconds("fake:5")


def test_partitions_of_which_nothing_was_read_yet_are_known_by_where_they_were_taken_on() -> None:
    assignment, fresh, old = Assignment(4), Partition("frames", 0), Partition("frames", 1)
    assignment.arrive(Assigned({fresh: Position(0), old: Position(17), Partition("frames", 2): None}, 1))
    assert assignment.ends() == {fresh: 0, old: 17}


def test_what_is_behind_counts_from_the_first_record_that_kafka_still_has() -> None:
    watcher, one = EndWatcher(KafkaSettings(), ["frames"]), Partition("frames", 0)
    assert watcher.behind({one: 3}) == {}, "nothing is known yet"
    watcher._ranges = {one: (100, 130)}
    assert watcher.behind({one: 0, Partition("frames", 1): 5}) == {one: 30}
    assert watcher.behind({one: 120}) == {one: 10}
    assert watcher.behind({one: 131}) == {one: 0}
