"""Partitions are added while every program that reads runs, on Apache Kafka: nothing on them stays unread."""

import json
import threading
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from typing import Literal

import pytest

from conftest import Start, Wait
from footage import frame, jpeg, publisher
from groundcam.audit import audit
from groundcam.devkafka.broker import free_port
from groundcam.subscriber import follow
from groundcam_runtime.kafka.admin import Admin
from groundcam_runtime.kafka.ends import EndWatcher
from groundcam_runtime.kafka.errors import TopicError
from groundcam_runtime.kafka.reader import Reader
from groundcam_runtime.kafka.record import Record
from groundcam_runtime.records import Consumed, Partition
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import CameraQuestion, CameraState, CameraStatus, Topics, encode
from groundcam_schemas.questions import ClassSpec
from groundcam_worker.quarantine.attempt_log import AttemptLog
from groundcam_worker.question_follower import camera_sizes
from serve_client import Client

pytestmark = pytest.mark.broker


def grow(settings: KafkaSettings, *topics: str, to: int = 8) -> None:
    with closing(Admin(settings)) as admin:
        outcomes = admin.grow(dict.fromkeys(topics, to))
    assert {outcome.kind for outcome in outcomes.values()} == {"done"}


def data_topics(topics: Topics) -> tuple[str, ...]:
    return topics.frames, topics.recordings, topics.detections


def deliver(settings: KafkaSettings, topic: str, values: dict[int, bytes], key: str = "key") -> None:
    """Put a record on each of these partitions, also on those that the client has to hear of first."""
    with publisher(settings) as out:
        for number, value in values.items():
            out.send(Record(topic, value, key, number))
        assert [one.error for one in out.flush(60)] == [None] * len(values)


def send(settings: KafkaSettings, topic: str, partitions: range, value: bytes) -> None:
    deliver(settings, topic, dict.fromkeys(partitions, value))


def where(records: Iterable[Consumed]) -> Counter[tuple[int, bytes | None]]:
    return Counter((record.partition.number, record.value) for record in records)


@pytest.mark.parametrize("start_at", ["beginning", "end"])
def test_a_reader_takes_new_partitions_up_from_their_beginning_and_repeats_nothing(
    kafka: KafkaSettings, wait: Wait, start_at: Literal["beginning", "end"]
) -> None:
    topic = kafka.topics.detections
    send(kafka, topic, range(4), b"before")
    expected = [(number, b"before") for number in range(4) if start_at == "beginning"]
    expected += [(number, b"old") for number in range(4)] + [(number, b"new") for number in range(8)]
    found: list[Consumed] = []
    with Reader(kafka, [topic], start=start_at) as reader:
        send(kafka, topic, range(4), b"old")
        wait(lambda: found.extend(reader.poll(0.2)) or where(found)[3, b"old"], 30, "what came before")
        grow(kafka, topic)
        send(kafka, topic, range(8), b"new")
        wait(lambda: found.extend(reader.poll(0.2)) or len(found) >= len(expected), 60, "the rest")
        found += reader.poll(1.0)
    assert where(found) == Counter(expected)


def test_reading_to_the_end_leaves_what_comes_meanwhile_to_the_next_poll(kafka: KafkaSettings, wait: Wait) -> None:
    """On partitions that were there as on those that are added: a question may be asked while a worker starts."""
    topic = kafka.topics.detections
    send(kafka, topic, range(4), b"before")
    with Reader(kafka, [topic], start="beginning") as reader:
        before = reader.to_the_end()
        first = next(before)
        send(kafka, topic, range(4), b"meanwhile")
        grow(kafka, topic)
        send(kafka, topic, range(4, 8), b"meanwhile")
        assert where([first, *before]) == Counter((number, b"before") for number in range(4))

        after: list[Consumed] = []
        wait(lambda: after.extend(reader.poll(0.2)) or len(after) >= 8, 60, "what came meanwhile")
        assert where(after) == Counter((number, b"meanwhile") for number in range(8))
        assert where(reader.to_the_end()) == Counter()

        send(kafka, topic, range(8), b"again")
        assert where(reader.to_the_end()) == Counter((number, b"again") for number in range(8))


def test_a_reader_that_cannot_begin_leaves_nothing_behind(kafka: KafkaSettings, wait: Wait) -> None:
    threads = set(threading.enumerate())
    with pytest.raises(TopicError, match="nosuch"):
        Reader(kafka, [kafka.topics.frames, "nosuch"], start="end")
    assert camera_sizes(kafka.model_copy(update={"topic_prefix": "nosuch."})) == set()
    wait(lambda: set(threading.enumerate()) <= threads, 10, "the end of the client's threads")


@pytest.mark.long
def test_every_subscriber_sees_the_answers_on_partitions_that_were_added(
    kafka: KafkaSettings, start: Start, wait: Wait
) -> None:
    """`watch`, `subscribe`, the page and the worker run all the while; a camera comes on each of 8 partitions."""
    topics, subscribed, stop = kafka.topics, set[str](), threading.Event()

    def subscribe() -> None:
        for answer in follow(kafka, None, "end", drop_repeats=True):
            if stop.is_set():
                break
            if answer is not None:
                subscribed.add(answer.camera_id)

    page = Client(free_port())
    watcher, _ = start(kafka, "watch", "--json"), start(kafka, "watch", "--html", page.port)
    worker = start(kafka, "work", "--model", "fake:1ms", "--question", "person", "--max-age-s", "0")
    subscriber = threading.Thread(target=subscribe)
    subscriber.start()
    try:
        wait(lambda: page.is_alive, 60, "the page")
        wait(lambda: "waiting for frames" in worker.log, 90, "the worker")
        seqs = Counter[int]()

        def all_see(cameras: range) -> bool:
            """Send a frame of each camera, and look; the first ones may be sent before somebody listens."""
            with publisher(kafka) as out:
                for number in cameras:
                    one = frame(f"cam{number}", seqs[number], jpeg())
                    out.send(Record(topics.frames, encode(one), one.camera_id, number))
                    seqs[number] += 1
                out.flush(30)
            names = {f"cam{number}" for number in cameras}
            watched = {json.loads(line)["camera_id"] for line in watcher.out.splitlines(keepends=True)[:-1]}
            return names <= watched & subscribed and all(has_picture(page, name) for name in names)

        wait(lambda: all_see(range(4)), 60, "everybody sees four cameras")
        grow(kafka, *data_topics(topics))
        wait(lambda: all_see(range(8)), 120, "everybody sees eight cameras")
    finally:
        stop.set()
        subscriber.join(30)

    def judged() -> bool:
        reports = audit(kafka)
        seen = {one.camera_id: one.published for one in reports if not one.missing}
        return seen == {f"cam{number}": times for number, times in seqs.items()}

    wait(judged, 60, "every frame of every partition is accounted for")


def has_picture(page: Client, camera_id: str) -> bool:
    picture = page.get(f"/v1/cameras/{camera_id}/latest.jpg")
    return picture.status == 200 and picture.body.startswith(b"\xff\xd8")


@pytest.mark.long
def test_the_first_answers_on_a_new_partition_are_not_missed(kafka: KafkaSettings, start: Start, wait: Wait) -> None:
    """They lie there before a subscriber that began at the end knows of the partition."""
    watcher = start(kafka, "watch", "--json")
    worker = start(kafka, "work", "--model", "fake:1ms", "--question", "person", "--max-age-s", "0")
    wait(lambda: "waiting for frames" in worker.log, 90, "the worker")

    def publish(seq: int, partitions: range) -> None:
        frames = {number: encode(frame(f"cam{number}", seq, jpeg())) for number in partitions}
        deliver(kafka, kafka.topics.frames, frames)

    seqs = iter(range(1000))
    wait(lambda: publish(next(seqs), range(1)) or "cam0" in watcher.out, 60, "the watcher listens")
    grow(kafka, *data_topics(kafka.topics))
    publish(0, range(4, 8))

    def firsts() -> set[str]:
        found = [json.loads(line) for line in watcher.out.splitlines(keepends=True) if line.endswith("\n")]
        return {one["camera_id"] for one in found if one["frame"]["seq"] == 0}

    wait(lambda: firsts() >= {f"cam{number}" for number in range(4, 8)}, 120, "the first answers of four cameras")


def test_a_worker_hears_questions_on_partitions_that_were_added(kafka: KafkaSettings, start: Start, wait: Wait) -> None:
    """Somebody made the topic larger than it should be."""
    worker = start(kafka, "work", "--model", "fake:1ms", "--question", "person")
    wait(lambda: "waiting for frames" in worker.log, 90, "the worker")
    grow(kafka, kafka.topics.prompts)
    asked = {
        number: encode(CameraQuestion(classes=(ClassSpec(phrase="dog"),), camera_id=f"cam{number}"))
        for number in range(8)
    }
    with publisher(kafka) as out:
        for number, question in asked.items():
            out.send(Record(kafka.topics.prompts, question, f"cam{number}", number))
        assert [one.error for one in out.flush(60)] == [None] * 8
    wait(lambda: all(f"cam{number} is asked now: dog" in worker.log for number in range(8)), 60, "all the questions")


def test_marks_and_sizes_are_found_on_partitions_that_were_added(kafka: KafkaSettings) -> None:
    grow(kafka, kafka.topics.attempts, kafka.topics.cameras)
    frames = [(Partition(kafka.topics.frames, 0), offset) for offset in range(16)]
    for place in frames:
        with closing(AttemptLog(kafka, "group")) as marks:
            assert marks.announce(place, None, read=False) == 0
    with closing(AttemptLog(kafka, "group")) as marks:
        assert [marks.announce(place, None, read=True) for place in frames[:1]] == [1]
        known = marks._read()
    assert set(known) == set(frames)
    with Reader(kafka, [kafka.topics.attempts], start="beginning") as reader:
        assert len({record.partition.number for record in reader.to_the_end()}) > 1
    states = {
        number: encode(
            CameraStatus(
                camera_id=f"cam{number}", state=CameraState.ONLINE, since_ns=1, url="", width=320 + number, height=240
            )
        )
        for number in range(8)
    }
    deliver(kafka, kafka.topics.cameras, states)
    assert camera_sizes(kafka) == {(320 + number, 240) for number in range(8)}


def test_the_lag_of_partitions_that_were_added_is_known(kafka: KafkaSettings, wait: Wait) -> None:
    topic, watcher = kafka.topics.frames, EndWatcher(kafka, [kafka.topics.frames])
    watcher.start()
    with closing(watcher):
        wait(lambda: watcher.behind({Partition(topic, 3): 0}) == {Partition(topic, 3): 0}, 30, "the first lag")
        grow(kafka, topic)
        send(kafka, topic, range(8), b"new")
        wait(lambda: watcher.behind({Partition(topic, 7): 0}) == {Partition(topic, 7): 1}, 40, "the added one's lag")
