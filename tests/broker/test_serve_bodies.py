"""Mutated bodies: whatever is sent, it is answered with a status of the description, and nobody else is hurt."""

import base64
import http.client
import json
import os
import random
from collections import Counter

import psutil
import pytest

from conftest import Start, Wait
from footage import encoded, jpeg
from groundcam_runtime.settings import KafkaSettings
from serve_client import form, serve, together

pytestmark = pytest.mark.broker

COUNT = 100_000 if os.environ.get("GROUNDCAM_TEST_FAULTS") else 1_500
CLIENTS = 6
STATUSES = {200, 400, 413, 415, 422, 503, 504}
FIXED = form([("image", "a", jpeg(1, 64, 48)), ("question", None, b"person"), ("max_objects", None, b"3")])
BODIES: list[tuple[bytes, str, str]] = [
    (jpeg(1, 64, 48), "image/jpeg", "?question=person"),
    (encoded("png", 40, 30), "image/png", "?question=person"),
    (encoded("webp", 40, 30), "application/octet-stream", "?question=person"),
    (*FIXED, ""),
    (
        json.dumps(
            {"images": [{"data": base64.b64encode(jpeg(1, 64, 48)).decode()}], "question": ["person", "dog:0.4"],
             "nms_iou": 0.5, "regions": [[[0, 0], [1, 0], [1, 1]]]}
        ).encode(),
        "application/json", "",
    ),
]  # fmt: skip


def mutated(data: bytes, turns: random.Random) -> bytes:
    """Some bytes changed, taken out, doubled or put in; or the end cut off."""
    for _ in range(turns.randint(1, 6)):
        at = turns.randrange(len(data) + 1)
        end = min(len(data), at + turns.randint(1, 24))
        noise = turns.randbytes(end - at)
        data = turns.choice(
            (
                data[:at] + noise + data[end:],
                data[:at] + data[end:],
                data[:end] + data[at:],
                data[:at] + noise + data[at:],
                data[:at] if turns.random() < 0.3 else data,
            )
        )
    return data


def test_mutated_bodies_are_answered_as_the_description_says(start: Start, wait: Wait, kafka: KafkaSettings) -> None:
    start(kafka, "work", "--model", "fake", "--group", kafka.topic_prefix)
    program, client = serve(start, kafka)
    wait(lambda: client.is_ready and client.detect(jpeg(), "person").status == 200, 60, "an answer")
    process, statuses = psutil.Process(program.process.pid), Counter[int]()
    before = process.memory_info().rss

    def send(first: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", client.port, timeout=30)
        for number in range(first, COUNT, CLIENTS):
            turns = random.Random(number)
            data, kind, query = BODIES[number % len(BODIES)]
            body = mutated(data, turns)
            connection.request("POST", f"/v1/detect{query}", body, {"Content-Type": kind})
            answer = connection.getresponse()
            text = answer.read()
            statuses[answer.status] += 1
            assert answer.status in STATUSES, (number, answer.status, text[:300])
            if answer.status != 200:
                assert answer.getheader("content-type") == "application/problem+json"
                assert json.loads(text)["detail"]

    together(send, CLIENTS, CLIENTS)
    print(f"{COUNT} mutated bodies: {dict(sorted(statuses.items()))}")
    assert statuses[200] > COUNT / 20, "some are as good as before"
    assert process.memory_info().rss - before < 100 << 20
    assert client.detect(jpeg(), "person").status == 200
