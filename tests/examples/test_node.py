"""JavaScript reads both forms, chooses by headers, and finds pictures."""

from datetime import UTC, datetime

import pytest

from conftest import Wait
from example_commands import Shell, command
from example_topics import NS, Filled, look, publish, put
from footage import jpeg
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import Detections, Frame, Gap, GapReason, decode, encode_json
from groundcam_schemas.headers import packed

pytestmark = pytest.mark.broker

WATCH = command("watch.mjs")
OF_FRAME = command("groundcam.frames/0/0")
OF_EVENT = command("EVENT_ID")


def date(at_ns: int) -> str:
    """As JavaScript prints a Date."""
    at = datetime.fromtimestamp(at_ns // NS, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at_ns % NS // 1_000_000:03}Z"


def line(one: Detections | Gap) -> str:
    if isinstance(one, Gap):
        span = f"frames {one.first_seq} to {one.last_seq}"
        if one.from_ns is not None and one.to_ns is not None:
            span = f"{date(one.from_ns)} to {date(one.to_ns)}"
        return f"{one.camera_id} not looked at: {span}, {one.reason.value}"
    things = ", ".join(f"{thing.label} {thing.score:.2f}" for thing in one.objects) or "nothing"
    place = f"{one.frame.topic}/{one.frame.partition}/{one.frame.offset}"
    return f"{one.camera_id} {date(one.captured_at_ns)} {place}: {things}"


def by_camera(lines: list[str]) -> dict[str, list[str]]:
    """Each camera's in their order; among cameras there is none."""
    cameras: dict[str, list[str]] = {}
    for one in lines:
        cameras.setdefault(one.partition(" ")[0], []).append(one)
    return cameras


@pytest.mark.parametrize("as_json", [True, False])
def test_what_is_chosen_by_its_header_is_what_groundcam_reads_in_either_form(
    filled: dict[bool, Filled], node: Shell, as_json: bool
) -> None:
    one = filled[as_json]
    done = node.run(WATCH, one.kafka)
    chosen = [a for a in one.answers if isinstance(a, Gap) or "forklift" in {thing.label for thing in a.objects}]
    assert done.returncode == 0, done.stderr
    # Kafka's own order holds in a partition alone, in which a range of time may lie beside another camera.
    assert {name: sorted(some) for name, some in by_camera(done.stdout.splitlines()).items()} == {
        name: sorted(some) for name, some in by_camera(list(map(line, chosen))).items()
    }
    decoded = sum(isinstance(a, Detections) for a in chosen)
    assert 0 < decoded < len(one.detections)
    assert f"{decoded} detections were decoded, {len(one.detections) - decoded} passed over" in done.stderr


def test_frames_in_which_nothing_was_found_are_told(in_json: Filled, node: Shell) -> None:
    lines = node.read(WATCH.replace(" --label forklift", ""), in_json.kafka)
    assert by_camera(lines)["yard"] == [line(one) for one in in_json.answers if one.camera_id == "yard"]
    assert sum(one.endswith(": nothing") for one in lines) == sum(not one.objects for one in in_json.detections) > 0


def test_forms_may_be_mixed_and_only_what_is_wanted_is_decoded(kafka: KafkaSettings, node: Shell) -> None:
    wanted = look(1, 1, "forklift", "person")
    skipped = Gap(camera_id="gate", run_id="run-1", reason=GapReason.STALE, first_seq=4, last_seq=7)
    put(
        kafka,
        kafka.topics.detections,
        packed(wanted, as_json=True),
        packed(wanted, as_json=False),
        packed(skipped, as_json=False),
        (encode_json(wanted), (("schema", b"detections/1.9"), ("label", b"forklift"))),
        (encode_json(skipped), ()),
        (b"{broken", (("schema", b"detections/1.2"), ("label", b"person"), ("label", b"dog"))),
        (b"{broken", (("schema", b"detections/2.0"), ("label", b"forklift"))),
    )
    done = node.run(WATCH, kafka)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [*map(line, (wanted, wanted, skipped, wanted, skipped))]
    assert "not read: detections/2.0" in done.stderr


def test_without_all_what_comes_from_now_on_is_told(kafka: KafkaSettings, node: Shell, wait: Wait) -> None:
    earlier, later = look(1, 1, "forklift"), look(2, 2, "forklift")
    publish(kafka, earlier, as_json=True)

    def is_told() -> bool:
        """From when on it listens, only its answer shows."""
        publish(kafka, later, as_json=False)
        return "\n" in printed.read_text()

    with node.beside(WATCH.replace(" --all", ""), kafka) as printed:
        wait(is_told, 60, "an answer")
    assert set(printed.read_text().splitlines()) == {line(later)}


def test_the_picture_behind_a_detection_is_the_frame_that_it_names(in_msgpack: Filled, node: Shell) -> None:
    one = in_msgpack.detections[-1]
    place = f"{one.frame.topic}/{one.frame.partition}/{one.frame.offset}"
    node.read(OF_FRAME.replace("groundcam.frames/0/0", place), in_msgpack.kafka)
    (frame,) = [
        decode(Frame, record.value or b"")
        for record in in_msgpack.records(one.frame.topic)
        if (record.partition.number, record.offset) == (one.frame.partition, one.frame.offset)
    ]
    assert (frame.camera_id, frame.run_id, frame.seq) == (one.camera_id, one.frame.run_id, one.frame.seq)
    assert (node.folder / "frame.jpg").read_bytes() == frame.data


def test_a_frame_may_be_a_plain_jpeg_and_one_that_is_gone_is_told(kafka: KafkaSettings, node: Shell) -> None:
    put(kafka, kafka.topics.frames, (jpeg(), ()))
    line = OF_FRAME.replace("groundcam.", kafka.topic_prefix)
    node.read(line, kafka)
    assert (node.folder / "frame.jpg").read_bytes() == jpeg()
    done = node.run(line.replace("frames/0/0", "frames/0/1"), kafka)
    assert done.returncode == 1
    assert "frames/0/1 is not on Kafka yet" in done.stderr


def test_the_picture_behind_an_event_is_its_best_one_or_the_reason_why_there_is_none(
    in_json: Filled, node: Shell
) -> None:
    event_id, picture = next(iter(in_json.pictures.items()))
    node.read(OF_EVENT.replace("EVENT_ID", event_id), in_json.kafka)
    assert (node.folder / "best.jpg").read_bytes() == picture
    done = node.run(OF_EVENT.replace("EVENT_ID", "none"), in_json.kafka)
    assert done.returncode == 1
    assert "there is no picture of none" in done.stderr


def test_an_empty_record_says_why_there_is_no_picture(kafka: KafkaSettings, node: Shell) -> None:
    put(kafka, kafka.topics.pictures, (b"", (("reason", b"expired"),)), key="e1")
    done = node.run(OF_EVENT.replace("EVENT_ID", "e1"), kafka)
    assert (done.returncode, done.stderr) == (1, "there is no picture of e1: expired\n")
