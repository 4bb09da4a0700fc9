"""A page in a real browser, and what the console stands on."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from conftest import Program, Start
from groundcam_runtime.settings import KafkaSettings
from serve_client import Client

WIDE, PHONE = (1920, 1080), (390, 844)
CHROMIUM = shutil.which("chromium")
# As root, a browser has no sandbox; and it must not look for its maker's servers.
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--disable-lcd-text", "--force-color-profile=srgb",
]  # fmt: skip


@dataclass
class Tab:
    """A page, and what it complained of."""

    page: Any
    address: str
    complaints: list[str] = field(default_factory=list)

    def go(self, place: str = "") -> None:
        """Go to a part of the console, as `#/events`."""
        self.page.goto(f"{self.address}/console/{place}")

    def read(self, script: str, argument: object = None) -> Any:
        return self.page.evaluate(script, argument)

    def shoot(self, name: str) -> Path:
        """Keep a screenshot where GROUNDCAM_TEST_PICTURES says."""
        folder = Path(os.environ.get("GROUNDCAM_TEST_PICTURES", ".pytest_cache/console"))
        folder.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=folder / f"{name}.png")
        return folder / f"{name}.png"


Open = Callable[..., AbstractContextManager[Tab]]


@contextmanager
def launched() -> Iterator[Any]:
    """Debian's Chromium; a test that asks for it is skipped where there is none."""
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    os.environ["PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD"] = "1"
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def opened(
    chromium: Any, address: str, size: tuple[int, int] = WIDE, allowed: tuple[str, ...] = (), **context: Any
) -> Iterator[Tab]:
    """Open a page in a browser context of its own; whatever it complains of is a fault, but for `allowed`."""
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


@dataclass
class Stack:
    """Programs beside each other."""

    kafka: KafkaSettings
    start: Start
    console: Program
    client: Client
    address: str

    def answered(self) -> int:
        """How many cameras had an answer within the last minute; gaps are none."""
        return sum(one["age_s"] is not None for one in self.client.get("/v1/health").json["cameras"])
