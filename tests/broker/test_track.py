"""Events on Apache Kafka: each object's life, told the same whoever is killed in the middle of it."""

import itertools
import signal
from collections.abc import Iterator

import numpy as np
import psutil
import pytest
from kafka import KafkaProducer

from conftest import Program, Start, Wait
from footage import frame, publisher
from groundcam_runtime.kafka.reader import Reader
from groundcam_runtime.kafka.record import Record
from groundcam_runtime.pictures import drawing
from groundcam_runtime.pictures.decoding import decode_jpeg
from groundcam_runtime.records import Consumed
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import Detections, Event, Gap, decode, encode
from tracked import Heard, Told, expected, objects_now, send, set_zones, street, told
from walks import answer, found

pytestmark = pytest.mark.broker

CAMERAS = [f"cam{number}" for number in range(6)]
SHORT = {"GROUNDCAM_TRACK__SESSION_TIMEOUT_S": "6", "GROUNDCAM_TRACK__CHECKPOINT_S": "0.5"}
TRACK = ("track", "--no-pictures", "--from-beginning")


def follows(program: Program) -> bool:
    return "are followed from here" in program.log


def answers(seconds: float, seed: int = 1, fps: float = 5) -> list[Detections | Gap]:
    """Of all cameras, taking turns."""
    streets = [street(name, seconds, fps, seed) for name in CAMERAS]
    return [one for some in itertools.zip_longest(*streets) for one in some if one is not None]


@pytest.fixture
def heard(kafka: KafkaSettings) -> Iterator[Heard]:
    with Heard(kafka) as one:
        yield one


def send_in_a_transaction(kafka: KafkaSettings, some: list[Detections]) -> None:
    """As workers do with `work.transactional`: behind the answers lies a marker that nobody is given."""
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap_servers, transactional_id=kafka.topic_prefix)
    producer.init_transactions()
    producer.begin_transaction()
    for one in some:
        producer.send(kafka.topics.detections, encode(one), one.camera_id.encode())
    producer.commit_transaction()
    producer.close()


@pytest.mark.parametrize("is_started_again", [False, True])
def test_a_partition_that_ends_in_a_transaction_can_fall_silent_too(
    kafka: KafkaSettings, start: Start, wait: Wait, heard: Heard, *, is_started_again: bool
) -> None:
    box = (100.0, 100.0, 200.0, 300.0)
    send_in_a_transaction(kafka, [answer(seq, seq / 5, [found("person", box)]) for seq in range(20)])
    silence = {"GROUNDCAM_TRACK__SILENT_S": "3600" if is_started_again else "2"}
    tracker = start(kafka, *TRACK, **SHORT, **silence)
    wait(lambda: len(heard.by_now()) > 0, 60, "somebody is there")
    if is_started_again:
        assert tracker.stop() == 0, tracker.log
        assert objects_now(kafka)["gate"], "what is there stays over a stop"
        start(kafka, *TRACK, **SHORT, GROUNDCAM_TRACK__SILENT_S="2")
    wait(lambda: ends(heard.by_now()) != [], 30, "the end")
    assert ends(heard.by_now()) == ["silent"]


def ends(told: Told) -> list[str]:
    events = [decode(Event, value) for some in told.events.values() for value in some]
    return [one.end.reason.value for one in events if one.end]


def same(found: Told, wanted: Told) -> None:
    assert found.different == 0, "an event was told in two ways"
    for name in CAMERAS:
        assert found.events[name] == wanted.events[name], f"the events of {name} are others"


def test_what_is_told_follows_from_the_answers_and_is_right_on_the_objects_topic(
    kafka: KafkaSettings, start: Start, wait: Wait, heard: Heard
) -> None:
    set_zones(kafka, CAMERAS)
    send(kafka, answers(60))
    wanted = expected(kafka)
    assert len(wanted) > 200
    tracker = start(kafka, *TRACK, **SHORT)
    wait(lambda: len(heard.by_now()) >= len(wanted), 60, "all events")
    assert tracker.stop() == 0, tracker.log
    found = told(kafka)
    same(found, wanted)
    assert found.repeated == 0
    assert objects_now(kafka) == {name: wanted.open(name) for name in CAMERAS}
    assert any(wanted.open(name) for name in CAMERAS)


@pytest.mark.parametrize("in_json", [(False, False), (True, False)])
def test_a_tracker_that_is_stopped_and_started_again_repeats_nothing_and_ends_nothing(
    kafka: KafkaSettings, start: Start, wait: Wait, heard: Heard, in_json: tuple[bool, bool]
) -> None:
    """Whichever form the one before wrote, and this one writes."""
    set_zones(kafka, CAMERAS)
    every = answers(60)
    for part, as_json in zip((every[:1000], every[1000:]), in_json, strict=True):
        send(kafka, part)
        wanted = expected(kafka)
        tracker = start(kafka, *TRACK, **SHORT, GROUNDCAM_TRACK__JSON_EVENTS=str(as_json).lower())
        wait(lambda: len(heard.by_now()) >= len(wanted), 60, "the events so far")  # noqa: B023 - called at once
        assert tracker.stop() == 0, tracker.log
    found = told(kafka)
    same(found, expected(kafka))
    assert found.repeated == 0


@pytest.mark.parametrize("mode", [(), ("--transactional",)])
def test_a_tracker_that_is_killed_tells_the_same_events_byte_for_byte(
    kafka: KafkaSettings, start: Start, wait: Wait, heard: Heard, mode: tuple[str, ...]
) -> None:
    """With transactions each once, as whoever reads what is committed sees it."""
    set_zones(kafka, CAMERAS)
    every = answers(60)
    size = len(every) // 3
    for number in range(3):
        tracker = start(kafka, *TRACK, "--instance-id", "t", *mode, **SHORT)
        wait(lambda one=tracker: follows(one), 60, "the tracker")
        before = len(heard.by_now())
        send(kafka, every[number * size : (number + 1) * size + (4 if number == 2 else 0)])
        wait(lambda b=before: len(heard.by_now()) > b, 60, "some events")
        tracker.process.send_signal(signal.SIGKILL)
        tracker.process.wait()
    wanted = expected(kafka)
    tracker = start(kafka, *TRACK, "--instance-id", "t", *mode, **SHORT)
    wait(lambda: follows(tracker) and len(heard.by_now()) >= len(wanted), 60, "all events")
    assert tracker.stop() == 0, tracker.log
    found = told(kafka)
    same(found, wanted)
    assert found.repeated == 0 or not mode
    assert objects_now(kafka) == {name: wanted.open(name) for name in CAMERAS}


@pytest.mark.parametrize("transactional", [False, True])
def test_two_trackers_share_the_cameras_and_take_over_from_each_other(
    kafka: KafkaSettings, start: Start, wait: Wait, heard: Heard, *, transactional: bool
) -> None:
    set_zones(kafka, CAMERAS)
    every = answers(60)
    third = len(every) // 3
    modes = [("--transactional", "--instance-id", name) if transactional else () for name in ("one", "two")]
    first = start(kafka, *TRACK, *modes[0], **SHORT)
    wait(lambda: follows(first), 60, "the first tracker")
    send(kafka, every[:third])
    second = start(kafka, *TRACK, *modes[1], **SHORT)
    wait(lambda: follows(second), 60, "the second tracker")
    send(kafka, every[third : 2 * third])
    assert first.stop() == 0, first.log
    send(kafka, every[2 * third :])
    wanted = expected(kafka)
    wait(lambda: len(heard.by_now()) >= len(wanted), 60, "all events")
    assert second.stop() == 0, second.log
    found = told(kafka)
    same(found, wanted)
    assert found.repeated == 0, "what left in order was handed over"
    assert objects_now(kafka) == {name: wanted.open(name) for name in CAMERAS}


def test_the_best_picture_of_an_object_is_cut_out_of_its_frame_and_one_that_cannot_be_had_is_told(
    kafka: KafkaSettings, start: Start, wait: Wait
) -> None:
    """Frames of a red thing on grey; of the second camera's there are none."""
    picture = np.full((240, 320, 3), 90, np.uint8)
    picture[100:200, 60:110] = (200, 30, 30)
    data = drawing.jpeg(picture)
    with publisher(kafka) as out:
        for seq in range(10):
            out.send(Record(kafka.topics.frames, encode(frame("gate", seq, data)), "gate", 0))
        out.flush(30)
    box = (120.0, 200.0, 220.0, 400.0)
    sizes = {"source_width": 640, "source_height": 480}
    for camera_id, topic in (("gate", kafka.topics.frames), ("yard", kafka.topics.recordings)):
        seen = [answer(seq, seq / 5, [found("person", box, 0.5 + seq / 30)], camera_id=camera_id) for seq in range(10)]
        send(
            kafka,
            [
                one.model_copy(
                    update=sizes | {"frame": one.frame.model_copy(update={"topic": topic, "offset": one.frame.seq})}
                )
                for one in seen
            ],
        )
    tracker = start(kafka, "track", "--from-beginning", **SHORT, GROUNDCAM_TRACK__SILENT_S="2")
    pictures: dict[str, Consumed] = {}

    def both() -> bool:
        with Reader(kafka, [kafka.topics.pictures], start="beginning") as reader:
            pictures.update({dict(one.headers)["camera"].decode(): one for one in reader.to_the_end()})
        return len(pictures) == 2

    wait(both, 60, "both pictures")
    assert tracker.stop() == 0, tracker.log
    ids = {
        decode(Event, value).camera_id: decode(Event, value).id
        for some in told(kafka).events.values()
        for value in some
    }
    kept, gone = pictures["gate"], pictures["yard"]
    assert {"gate": (kept.key or b"").decode(), "yard": (gone.key or b"").decode()} == ids
    assert dict(kept.headers)["frame"] == b"run-1/8", "surer by a twentieth than the one before"
    cut = decode_jpeg(kept.value or b"")
    assert cut.shape[:2] == pytest.approx((130, 80), abs=3), "the box and a margin, in the frame's own pixels"
    assert tuple(cut[65, 40]) == pytest.approx((200, 30, 30), abs=25)
    assert tuple(cut[3, 3]) == pytest.approx((90, 90, 90), abs=25)
    assert not gone.value
    assert b"was not read" in dict(gone.headers)["reason"]


def test_a_tracker_beside_a_worker_comes_and_goes_with_it(kafka: KafkaSettings, start: Start, wait: Wait) -> None:
    worker = start(
        kafka, "work", "--model", "fake", "--question", "person", "--group", kafka.topic_prefix, "--track", **SHORT
    )
    wait(lambda: follows(worker), 60, "the tracker")
    below = psutil.Process(worker.process.pid).children(recursive=True)
    (tracker,) = [one for one in below if "track" in one.cmdline() and "groundcam.devkafka.guard" not in one.cmdline()]
    tracker.kill()
    wait(lambda: worker.log.count("are followed from here") == 2, 60, "another tracker")
    assert "the tracker ended with exit code" in worker.log
    assert worker.stop() == 0, worker.log
    assert not [one for one in psutil.process_iter() if is_of(one, kafka)], "nothing is left running"


def is_of(process: psutil.Process, kafka: KafkaSettings) -> bool:
    try:
        return process.environ().get("GROUNDCAM_KAFKA__TOPIC_PREFIX") == kafka.topic_prefix
    except psutil.Error:
        return False
