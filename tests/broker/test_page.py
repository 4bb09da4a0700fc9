"""`groundcam watch --html` in a real browser."""

import json
import os
import re
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import Program, Start, Wait
from groundcam.demo.film import shoot
from groundcam.demo.scene import SCENES
from groundcam_runtime.settings import KafkaSettings

pytestmark = pytest.mark.broker

DIRECTLY = urllib.request.build_opener(urllib.request.ProxyHandler({}))
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
# As root, a browser has no sandbox; and it must not look for its maker's servers.
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--window-size=1100,620",
)  # fmt: skip


@pytest.fixture
def page(kafka: KafkaSettings, start: Start, wait: Wait, tmp_path: Path) -> tuple[str, Program]:
    """The page of a camera that plays a film; its address, and the producer."""
    film = shoot(SCENES[0], tmp_path)
    watcher = start(kafka, "watch", "--html", "0")
    wait(lambda: "the page is at" in watcher.out, 30, "the page")
    worker = start(kafka, "work", "--model", "demo", "--question", SCENES[0].question)
    wait(lambda: "waiting for frames" in worker.log, 60, "the worker")
    producer = start(kafka, "produce", "--camera", f"gate={film}", "--loop", "--fps", "4")
    found = re.search(r"http://\S+/", watcher.out)
    assert found
    return found.group(), producer


def events(url: str) -> Iterator[dict[str, dict[str, object]]]:
    """What the page is told."""
    with DIRECTLY.open(f"{url}events", timeout=30) as stream:
        for line in stream:
            if line.startswith(b"data: "):
                yield json.loads(line[6:])


def test_the_page_is_told_of_every_camera_and_has_its_picture(page: tuple[str, Program]) -> None:
    url, _ = page
    gate = next(told["gate"] for told in events(url) if told.get("gate", {}).get("version"))
    assert gate["question"] == ["red circle", "blue square", "green triangle"]
    assert isinstance(gate["counts"], dict)
    assert set(gate["counts"]) == set(gate["question"])  # type: ignore[call-overload]
    assert float(gate["latency_ms"]) > 0  # type: ignore[arg-type]
    with DIRECTLY.open(f"{url}camera/gate", timeout=10) as picture:
        assert picture.headers["Content-Type"] == "image/jpeg"
        assert picture.read().startswith(b"\xff\xd8")
    for path in ("camera/nosuch", "camera/..%2f..%2fetc%2fpasswd", "nosuch"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            DIRECTLY.open(url + path, timeout=10)
        assert refused.value.code == 404


@pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="chromium and chromedriver are not installed")
def test_a_browser_shows_live_pictures(page: tuple[str, Program], wait: Wait, tmp_path: Path) -> None:
    from selenium import webdriver
    from selenium.webdriver.common.by import By

    url, producer = page
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in (*FLAGS, f"--user-data-dir={tmp_path / 'profile'}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    try:
        browser.get(url)
        wide = "return document.querySelector('[data-camera=gate] img')?.naturalWidth || 0"
        wait(lambda: browser.execute_script(wide) == 640, 30, "a picture on the page")
        card = browser.find_element(By.CSS_SELECTOR, "[data-camera=gate]")
        wait(lambda: "online" in card.text and "frame/s" in card.text, 30, "its state and rate")
        assert [label.rpartition(" ")[0] for label in card.text.splitlines()[2:5]] == [
            "red circle", "blue square", "green triangle",
        ]  # fmt: skip
        source = "return document.querySelector('[data-camera=gate] img').src"
        first = browser.execute_script(source)
        wait(lambda: browser.execute_script(source) != first, 20, "the next picture")
        shot = Path(os.environ.get("GROUNDCAM_TEST_PICTURES", tmp_path)) / "page.png"
        shot.parent.mkdir(parents=True, exist_ok=True)
        assert browser.save_screenshot(str(shot))
        assert producer.stop() == 0
        wait(lambda: "old" in (card.get_attribute("class") or ""), 30, "the page says that the picture is old")
        assert "last picture" in card.text
        assert browser.get_log("browser") == []
    finally:
        browser.quit()


def test_a_taken_port_is_told_in_a_sentence(kafka: KafkaSettings, start: Start, page: tuple[str, Program]) -> None:
    port = page[0].rpartition(":")[2].strip("/")
    second = start(kafka, "watch", "--html", port)
    assert second.process.wait(60) == 2
    assert f"--html: 127.0.0.1:{port} cannot be listened on" in second.log
