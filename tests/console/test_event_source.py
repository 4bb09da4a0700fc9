"""A stream of answers in a browser of its own accord: EventSource, as anybody's page has it."""

import pytest

from browser import Open
from conftest import Start, Wait
from footage import frame, jpeg, publisher
from groundcam.devkafka.broker import free_port
from groundcam_runtime.kafka.record import Record
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import encode
from serve_client import Client

pytestmark = pytest.mark.broker

LISTEN = """() => {
  window.seen = [];
  window.source = new EventSource("/v1/detections?camera=gate");
  source.addEventListener("detections", event => seen.push(JSON.parse(event.data).frame.seq));
}"""


def test_a_browser_misses_nothing_over_a_restart_of_the_service(
    start: Start, wait: Wait, kafka: KafkaSettings, tab: Open
) -> None:
    """EventSource comes again by itself, with the place of the last event."""
    start(kafka, "work", "--model", "fake", "--question", "person", "--group", kafka.topic_prefix)
    port = free_port()
    first, client = start(kafka, "serve", "--port", port), Client(port)
    wait(lambda: client.is_ready, 60, "the service")

    def publish(numbers: range) -> None:
        with publisher(kafka) as out:
            for seq in numbers:
                out.send(Record(kafka.topics.frames, encode(frame("gate", seq, jpeg(1, 64, 48))), "gate", seq % 4))
            out.flush(30)

    with tab(f"http://127.0.0.1:{port}", allowed=("ERR_", "404")) as shown:
        shown.page.goto(f"{shown.address}/healthz")
        shown.read(LISTEN)
        wait(lambda: shown.read("() => source.readyState") == 1, 20, "the stream")
        publish(range(30))
        wait(lambda: len(shown.read("() => seen")) >= 10, 30, "events")
        first.process.kill()
        first.process.wait()
        publish(range(30, 60))
        start(kafka, "serve", "--port", port)
        wait(lambda: client.is_ready, 60, "the service again")
        publish(range(60, 90))
        wait(lambda: len(shown.read("() => seen")) >= 90, 60, "every event")
        assert sorted(shown.read("() => seen")) == list(range(90))
