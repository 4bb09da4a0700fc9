"""From a camera to a subscriber, on Apache Kafka, with a real Grounding DINO of random weights."""

import json
import shutil
import subprocess
from collections import Counter
from itertools import islice
from pathlib import Path

import kafka as client
import pytest

import checkpoints
from conftest import Program, Start, Wait
from footage import frame, jpeg, publisher, rtsp_server, video
from groundcam import subscribe
from groundcam.audit import audit, totals
from groundcam_runtime.kafka.reader import Reader
from groundcam_runtime.kafka.record import Record
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import CameraState, CameraStatus, DeadLetter, Detections, Frame, Gap, decode, encode
from groundcam_schemas.codec import VERSIONS

pytestmark = pytest.mark.broker


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoints.save(tmp_path_factory.mktemp("model") / "small", checkpoints.small_config())


def worker(start: Start, wait: Wait, settings: KafkaSettings, *arguments: object) -> Program:
    """A worker that has joined its group."""
    program = start(settings, "work", "--max-age-s", "0", *arguments)
    wait(lambda: "waiting for frames" in program.log or program.process.poll() is not None, 90, "the worker's start")
    assert program.process.poll() is None, program.log
    return program


def settled(settings: KafkaSettings, frames: int) -> bool:
    """Whether this many frames are on Kafka and none is missing."""
    total = totals(audit(settings))
    return total.published >= frames and total.missing == 0


def test_a_file_and_a_live_camera_are_answered_each_with_its_own_question(
    kafka: KafkaSettings, start: Start, wait: Wait, model: Path, tmp_path: Path
) -> None:
    """The whole path: two sources, two questions, one worker, and a subscriber that sees every frame once."""
    footage = tmp_path / "footage"
    footage.mkdir()
    shutil.copy(video("bigbuckbunny.mp4"), footage / "live.mp4")
    worker(start, wait, kafka, "--model", model, "--question", "person", "--question", "yard=car, dog",
           "--box-threshold", "0.1")  # fmt: skip
    watcher = start(kafka, "watch", "--json", "--from-beginning")
    with rtsp_server(footage) as url:
        cameras = ["--camera", f"gate={video('bikes.mp4')}", "--camera", f"yard={url}/live.mp4"]
        producer = start(kafka, "produce", *cameras, "--fps", "5", "--max-size", "320x180")
        wait(lambda: settled(kafka, 60), 90, "sixty frames, all answered")
        assert producer.stop() == 0
    wait(lambda: settled(kafka, 60), 30, "the rest")

    total = totals(audit(kafka))
    assert (total.missing, total.repeated, total.dead_lettered) == (0, 0, 0)
    wait(lambda: len(watcher.out.splitlines()) >= total.detected, 20, "the watcher")
    answers = [json.loads(line) for line in watcher.out.splitlines()]
    seen = Counter((one["camera_id"], one["frame"]["run_id"], one["frame"]["seq"]) for one in answers if "frame" in one)
    assert set(seen.values()) == {1}
    assert {camera for camera, _, _ in seen} == {"gate", "yard"}
    for one in answers:
        if "frame" not in one:
            continue
        asked = ["person"] if one["camera_id"] == "gate" else ["car", "dog"]
        assert one["question"]["classes"] == asked
        assert {found["label"] for found in one["objects"]} <= set(asked)
        stations = ("captured", "published_to_kafka", "consumed", "batched", "inferred", "published")
        times = [one["timings_ns"][name] for name in stations if name != "published_to_kafka"]
        assert times == sorted(times)
    gate = next(one for one in answers if one["camera_id"] == "gate")
    assert (gate["source_width"], gate["source_height"]) == (640, 272)
    assert any(one["objects"] for one in answers)

    statuses = [decode(CameraStatus, value) for value in values(kafka, kafka.topics.cameras)]
    assert [one.state for one in statuses if one.camera_id == "gate"][:2] == [
        CameraState.CONNECTING,
        CameraState.ONLINE,
    ]
    assert {one.url for one in statuses} == {"bikes.mp4", f"{url}/live.mp4"}


def values(settings: KafkaSettings, topic: str) -> list[bytes]:
    with Reader(settings, [topic], start="beginning") as reader:
        return [record.value or b"" for record in reader.to_the_end()]


@pytest.mark.skipif(shutil.which("kcat") is None, reason="kcat, a second Kafka client, is not installed")
def test_another_client_sees_keys_headers_and_one_partition_per_camera(
    kafka: KafkaSettings, start: Start, wait: Wait
) -> None:
    clip = video("carphone_pristine.mp4")
    worker(start, wait, kafka, "--model", "fake", "--question", "person")
    producer = start(kafka, "produce", "--camera", f"gate={clip}", "--camera", f"yard={clip}")
    assert producer.process.wait(60) == 0
    wait(lambda: settled(kafka, 30), 60, "all answers")
    for topic in (kafka.topics.frames, kafka.topics.detections):
        command = ["kcat", "-b", kafka.bootstrap_servers, "-t", topic, "-C", "-e", "-q", "-f", r"%k %p %h\n"]
        lines = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.splitlines()
        rows = [line.split(" ") for line in lines]
        assert {key for key, _, _ in rows} == {"gate", "yard"}
        assert len({(key, number) for key, number, _ in rows}) == 2, f"each camera has one partition: {rows}"
        schema = VERSIONS[Frame if topic == kafka.topics.frames else Detections]
        told = ["content-type=application/msgpack", f"schema={schema}"]
        assert all(headers.split(",")[:2] == told for _, _, headers in rows), rows
        with_labels = {headers.split(",")[2:] == ["label=person"] for _, _, headers in rows}
        assert with_labels == {topic == kafka.topics.detections}


def test_every_frame_of_a_file_is_answered(kafka: KafkaSettings, start: Start, wait: Wait) -> None:
    worker(start, wait, kafka, "--model", "fake", "--question", "person", "--max-age-s", "0.001")
    producer = start(
        kafka, "produce", "--camera", f"clip={video('bikes.mp4')}", "--every-frame", "--max-size", "160x90"
    )
    assert producer.process.wait(60) == 0, producer.log
    wait(lambda: settled(kafka, 250), 60, "every frame")
    (report,) = audit(kafka)
    assert (report.published, report.detected, report.in_gaps) == (250, 250, 0)


def test_a_folder_of_pictures_is_a_camera(kafka: KafkaSettings, start: Start, wait: Wait, tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.jpg").write_bytes(jpeg(number, 64 + 2 * number, 48))
    producer = start(kafka, "produce", "--camera", f"shelf={tmp_path}", "--fps", "20")
    assert producer.process.wait(60) == 0, producer.log
    (report,) = audit(kafka)
    assert (report.published, report.missing) == (3, 3)


def test_a_bad_frame_hurts_nobody_else(kafka: KafkaSettings, start: Start, wait: Wait) -> None:
    """At the first, middle and last place among good frames: put aside as it came, with its reason."""
    good = jpeg()
    poison = [
        b"nonsense",
        encode(frame("cam0", 3, good[:-100])),
        encode(frame("cam0", 6, b"\xff\xd8\xff\xc0" + b"\x00" * 20)),
    ]
    messages = [
        poison[0], *(encode(frame("cam0", seq, good)) for seq in (0, 1, 2)), poison[1],
        *(encode(frame("cam0", seq, good)) for seq in (4, 5)), poison[2],
    ]  # fmt: skip
    with publisher(kafka) as out:
        for value in messages:
            out.send(Record(kafka.topics.frames, value, "cam0", 1, (("origin", b"here"),)))
        out.flush(30)
    worker(start, wait, kafka, "--model", "fake", "--question", "person", "--batch-size", "16")
    wait(lambda: settled(kafka, 8), 60, "eight messages accounted for")

    total = totals(audit(kafka))
    assert (total.detected, total.dead_lettered, total.in_gaps, total.missing) == (5, 3, 0, 0)
    with Reader(kafka, [kafka.topics.dead_letters], start="beginning") as reader:
        letters = sorted(reader.to_the_end(), key=lambda record: DeadLetter.from_headers(record.headers).offset)
    assert [record.value for record in letters] == poison
    told = [DeadLetter.from_headers(record.headers) for record in letters]
    assert [one.offset for one in told] == [0, 4, 7]
    assert [one.error_class for one in told] == ["BadMessageError", "BadPictureError", "BadPictureError"]
    assert all(("origin", b"here") in record.headers for record in letters)
    gaps = [answer for answer in answers(kafka, 8) if isinstance(answer, Gap)]
    assert {(gap.reason.value, gap.first_seq) for gap in gaps} >= {("dead_lettered", 3), ("dead_lettered", 6)}


def answers(settings: KafkaSettings, count: int) -> list[Detections | Gap]:
    return list(islice(subscribe(settings=settings, start="beginning"), count))


def test_a_plain_jpeg_with_its_camera_as_key_is_answered(kafka: KafkaSettings, start: Start, wait: Wait) -> None:
    """As somebody sends it who knows nothing of groundcam."""
    theirs = client.KafkaProducer(bootstrap_servers=kafka.bootstrap_servers)
    theirs.send(kafka.topics.frames, jpeg(), key=b"phone").get(30)
    theirs.close()
    worker(start, wait, kafka, "--model", "fake", "--question", "person", "--json-answers")
    (answer,) = answers(kafka, 1)
    assert isinstance(answer, Detections)
    assert (answer.camera_id, answer.source_width, answer.frame.run_id[0]) == ("phone", 320, "@")
    assert answer.objects[0].box == (80.0, 60.0, 240.0, 180.0)


def test_a_question_can_be_changed_while_the_worker_runs(kafka: KafkaSettings, start: Start, wait: Wait) -> None:
    """It holds from the next batch on, a bad one changes nothing, and it can be taken back."""
    program = worker(start, wait, kafka, "--model", "fake", "--question", "person")
    with publisher(kafka) as out:
        seen = []
        for seq, (command, expected) in enumerate(
            [
                ((), "person"),
                (("forklift", "--wait-s", "0"), "forklift"),
                (("gate=open door", "--force", "--wait-s", "0"), "open door"),
                (("--take-back", "gate"), "forklift"),
            ]
        ):
            if command:
                before = program.log.count("version") + program.log.count("taken back")
                assert start(kafka, "ask", *command).process.wait(30) == 0
                wait(
                    lambda b=before: program.log.count("version") + program.log.count("taken back") > b, 30, "the news"
                )
            out.send(Record(kafka.topics.prompts, b"nonsense", "gate"))
            out.send(Record(kafka.topics.frames, encode(frame("gate", seq, jpeg())), "gate", 0))
            out.flush(30)
            answer = answers(kafka, seq + 1)[-1]
            assert isinstance(answer, Detections)
            seen.append((answer.question.classes, (expected,)))
    assert all(got == expected for got, expected in seen), seen
    assert "is ignored" in program.log


def test_a_frame_that_nobody_asks_about_is_a_gap(kafka: KafkaSettings, start: Start, wait: Wait) -> None:
    with publisher(kafka) as out:
        out.send(Record(kafka.topics.frames, encode(frame("gate", 0, jpeg())), "gate", 0))
        out.flush(30)
    worker(start, wait, kafka, "--model", "fake", "--question", "yard=person")
    (gap,) = answers(kafka, 1)
    assert isinstance(gap, Gap)
    assert gap.reason.value == "no_question"
