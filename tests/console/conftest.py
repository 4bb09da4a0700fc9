"""A real browser, and the console in front of a real Kafka."""

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from browser import WIDE, Open, Stack, Tab
from conftest import make_topics, running, until
from groundcam.devkafka.broker import free_port
from groundcam_runtime.settings import KafkaSettings
from serve_client import Client

CHROMIUM = shutil.which("chromium")
# As root, a browser has no sandbox; and it must not look for its maker's servers.
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--disable-lcd-text", "--force-color-profile=srgb",
]  # fmt: skip


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """Debian's Chromium, for a module: Playwright's event loop is the thread's own as long as it runs."""
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    os.environ["PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD"] = "1"
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def tab(chromium: Any) -> Open:
    """Open a page in a browser context of its own; whatever it complains of is a fault, but for `allowed`."""

    @contextmanager
    def opened(
        address: str, size: tuple[int, int] = WIDE, allowed: tuple[str, ...] = (), **context: Any
    ) -> Iterator[Tab]:
        width, height = size
        with chromium.new_context(viewport={"width": width, "height": height}, **context) as made:
            shown = Tab(made.new_page(), address)
            page = shown.page
            page.set_default_timeout(60_000)
            page.on("pageerror", lambda error: shown.complaints.append(str(error)))
            page.on("console", lambda said: shown.complaints.append(f"{said.type}: {said.text}"))
            yield shown
            left = [one for one in shown.complaints if not any(each in one for each in allowed)]
            assert not left, left

    return opened


@pytest.fixture(scope="module")
def stack(cluster: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A Kafka's topics and the console; the module's tests start what they need besides."""
    kafka = make_topics(KafkaSettings(bootstrap_servers=cluster, topic_prefix=f"t{uuid.uuid4().hex[:8]}."))
    with running(tmp_path_factory.mktemp("console")) as start:
        port = free_port()
        program, client = start(kafka, "console", "--port", port), Client(port)
        until(lambda: client.is_alive, 60, "the console")
        yield Stack(kafka, start, program, client, f"http://127.0.0.1:{port}")
