"""All that subscribers read as JSON: what a client without msgpack, and Kafka Connect's JsonConverter, need."""

import json

import pytest

from conftest import Start, Wait
from footage import video
from groundcam.audit import audit, totals
from groundcam_runtime.kafka.reader import Reader
from groundcam_runtime.records import Consumed
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import rfc3339

pytestmark = pytest.mark.broker

JSON = {
    "GROUNDCAM_PRODUCE__JSON_REPORTS": "true",
    "GROUNDCAM_WORK__JSON_ANSWERS": "true",
    "GROUNDCAM_TRACK__JSON_EVENTS": "true",
}


def records(kafka: KafkaSettings, topic: str) -> list[Consumed]:
    with Reader(kafka, [topic], start="beginning") as reader:
        return [record for record in reader.to_the_end() if record.value]


def test_with_three_settings_every_topic_for_subscribers_is_json(
    kafka: KafkaSettings, start: Start, wait: Wait
) -> None:
    start(kafka, "track", "--from-beginning", "--no-pictures", **JSON)
    worker = start(kafka, "work", "--model", "fake", "--question", "person", **JSON)
    wait(lambda: "waiting for frames" in worker.log, 60, "the worker")
    producer = start(kafka, "produce", "--camera", f"gate={video('bikes.mp4')}", **JSON)
    assert producer.process.wait(60) == 0
    wait(lambda: totals(audit(kafka)).missing == 0 and records(kafka, kafka.topics.events), 60, "answers and events")

    topics = kafka.topics
    seen: dict[str, int] = {}
    for topic in (topics.detections, topics.cameras, topics.events, topics.objects):
        for record in records(kafka, topic):
            content, headers = json.loads(record.value or b""), dict(record.headers)
            assert headers["content-type"] == b"application/json"
            assert headers["schema"].decode() == content["schema"]
            for name, value in content.items():
                if name.endswith("_ns") and isinstance(value, int):
                    assert content[name.removesuffix("_ns")] == rfc3339(value)
            seen[topic] = seen.get(topic, 0) + 1
            if topic == topics.cameras:
                assert headers["state"].decode() == content["state"]
    assert set(seen) == {topics.detections, topics.cameras, topics.events, topics.objects}

    listed = start(kafka, "cameras", "list", "--json")
    assert listed.process.wait(30) == 0
    (camera,) = [json.loads(line) for line in listed.out.splitlines()]
    assert camera["camera_id"] == "gate"
    assert camera["since"] == rfc3339(camera["since_ns"])
