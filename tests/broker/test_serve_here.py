"""`groundcam serve` by itself: a Kafka, a worker and the service on one machine, from the first second to the last."""

import os
import shutil
import signal
import time

import psutil
import pytest

from conftest import Start, Wait
from footage import frame, jpeg, publisher
from groundcam.devkafka.broker import free_port
from groundcam_runtime.kafka.publisher import Record
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import encode
from serve_client import Client

pytestmark = pytest.mark.broker


def test_one_command_serves_and_ctrl_c_takes_all_of_it_down(start: Start, wait: Wait) -> None:
    """The model's state can be seen meanwhile, and another model be chosen in its place."""
    port = free_port()
    program = start(None, "serve", "--model", "fake:1ms", "--port", port)
    client = Client(port)

    def said(address: str) -> object:
        try:
            return client.get(address).json
        except (OSError, ValueError):
            return None

    wait(lambda: said("/v1/models"), 60, "the service")
    wait(lambda: client.is_ready, 60, "the worker")
    wait(lambda: client.detect(jpeg(), "person", timeout_s=2).status == 200, 30, "an answer")
    assert "fake:1ms: ready" in program.log
    (model,) = client.get("/v1/models").json["models"]
    assert (model["asked_for"], model["is_ready"], model["state"]) == ("fake:1ms", True, "ready")
    refused = client.send("POST", "/v1/models", {"model": "fake:fast"})
    assert (refused.status, refused.json["field"]) == (422, "model")
    unknown = client.send("POST", "/v1/models", {"model": "tinny"})
    assert (unknown.status, "tiny" in unknown.json["detail"]) == (422, True), unknown.body
    assert client.detect(jpeg(), "person").status == 200, "the one before goes on"
    chosen = client.send("POST", "/v1/models", {"model": "demo"})
    assert chosen.status == 202
    states = set()

    def demo_is_ready() -> bool:
        found = {one["asked_for"]: one["state"] for one in client.get("/v1/models").json["models"]}
        states.add(found.get("demo"))
        return found == {"demo": "ready"}

    wait(demo_is_ready, 90, "the other model")
    assert states & {"starting", "loading", "warming_up"}
    wait(lambda: client.detect(jpeg(), "red circle", timeout_s=5).status == 200, 30, "its answer")
    assert client.ask("DELETE", "/v1/models").status == 204
    assert client.ask("DELETE", "/v1/models").status == 404
    wait(lambda: client.detect(jpeg(), "person").status == 503, 30, "no worker")
    below = psutil.Process(program.process.pid).children(recursive=True)
    began = time.monotonic()
    os.kill(program.process.pid, signal.SIGINT)
    assert program.process.wait(30) == 0
    assert time.monotonic() - began < 25
    wait(lambda: not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in below), 10, "all to end")


def test_an_address_that_others_reach_is_refused_without_keys(start: Start) -> None:
    program = start(None, "serve", "--host", "0.0.0.0", "--model", "fake")  # noqa: S104
    assert program.process.wait(30) == 2
    assert program.log.strip().endswith("or open: true to serve everybody")


CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
# As root, a browser has no sandbox; and it must not look for its maker's servers.
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
LISTEN = """
window.seen = []
window.source = new EventSource("/v1/detections?camera=gate")
source.addEventListener("detections", event => seen.push(JSON.parse(event.data).frame.seq))
"""


@pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="chromium and chromedriver are not installed")
def test_a_browser_misses_nothing_over_a_restart_of_the_service(start: Start, wait: Wait, kafka: KafkaSettings) -> None:
    """EventSource comes again by itself, with the place of the last event."""
    from selenium import webdriver

    start(kafka, "work", "--model", "fake", "--question", "person", "--group", kafka.topic_prefix)
    port = free_port()
    first, client = start(kafka, "serve", "--port", port), Client(port)
    wait(lambda: client.is_ready, 60, "the service")

    def publish(numbers: range) -> None:
        with publisher(kafka) as out:
            for seq in numbers:
                out.send(Record(kafka.topics.frames, encode(frame("gate", seq, jpeg(1, 64, 48))), "gate", seq % 4))
            out.flush(30)

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM or ""
    for flag in FLAGS:
        options.add_argument(flag)
    browser = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    try:
        browser.get(f"http://127.0.0.1:{port}/healthz")
        browser.execute_script(LISTEN)
        wait(lambda: browser.execute_script("return source.readyState") == 1, 20, "the stream")
        publish(range(30))
        wait(lambda: len(browser.execute_script("return seen")) >= 10, 30, "events")
        first.process.kill()
        first.process.wait()
        publish(range(30, 60))
        start(kafka, "serve", "--port", port)
        wait(lambda: client.is_ready, 60, "the service again")
        publish(range(60, 90))
        wait(lambda: len(browser.execute_script("return seen")) >= 90, 60, "every event")
        assert sorted(browser.execute_script("return seen")) == list(range(90))
    finally:
        browser.quit()
