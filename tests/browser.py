"""A page in a real browser, and what the console stands on."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conftest import Program, Start
from groundcam_runtime.settings import KafkaSettings
from serve_client import Client

WIDE, PHONE = (1920, 1080), (390, 844)


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
