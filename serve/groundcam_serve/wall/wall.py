"""All cameras that are looked at, and all who look."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Collection
from contextlib import suppress
from typing import Protocol

from groundcam_runtime.records import Partition
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import Detections, Gap
from groundcam_serve.wall.frames import FrameFollower
from groundcam_serve.wall.looks import CameraLooks, Look, Picture
from groundcam_serve.wall.minutes import Minutes, Place
from groundcam_serve.wall.scaling import Scaler

log = logging.getLogger(__name__)

TICK_S = 0.25


class Looker(Protocol):
    """Somebody who looks at cameras."""

    def changed(self) -> None:
        """One of the cameras has a new look."""


class Wall:
    """Belongs to the event loop; but for `hear`, which any thread may call."""

    def __init__(self, kafka: KafkaSettings, loop: asyncio.AbstractEventLoop) -> None:
        """Read nothing until somebody looks."""
        self._loop = loop
        self._looks: dict[str, CameraLooks] = {}
        self._lookers: dict[Looker, frozenset[str]] = {}
        self._minutes = Minutes()
        self.scaler = Scaler()
        self._frames = FrameFollower(kafka, loop, self._pictures)
        self._ticking = loop.create_task(self._tick())

    @property
    def viewers(self) -> int:
        """How many look."""
        return len(self._lookers)

    @property
    def tiles(self) -> int:
        """How many cameras are looked at."""
        return len(self._looks)

    @property
    def trouble(self) -> str | None:
        """Why there are no pictures."""
        return self._frames.trouble

    def look(self, camera_id: str) -> Look | None:
        """Return a camera's newest look, where somebody looks at it."""
        looks = self._looks.get(camera_id)
        return looks.newest if looks else None

    def minute(self, camera_id: str) -> list[Place]:
        """Return where frames of a camera lie that came within the last minute, while somebody looked, oldest first."""
        return self._minutes.of(camera_id, time.time_ns())

    def watch(self, looker: Looker, cameras: Collection[str]) -> None:
        """Somebody looks at these cameras from now on, and at no others."""
        self._lookers[looker] = frozenset(cameras)
        self._count()

    def leave(self, looker: Looker) -> None:
        """Somebody has gone."""
        self._lookers.pop(looker, None)
        self._count()

    def hear(self, answer: Detections | Gap) -> None:
        """Take an answer, or a gap."""
        if answer.camera_id in self._looks:
            with suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._answer, answer)

    async def close(self) -> None:
        """Stop."""
        self._ticking.cancel()
        await asyncio.to_thread(self._frames.close)
        self.scaler.close()

    def _count(self) -> None:
        cameras = Counter(name for some in self._lookers.values() for name in some)
        if cameras.keys() == self._looks.keys():
            return
        for name in self._looks.keys() - cameras.keys():
            self.scaler.forget(name)
        self._looks = {name: self._looks.get(name) or CameraLooks() for name in cameras}
        self._frames.watch(cameras)

    def _pictures(self, found: list[tuple[Picture, Partition, int]]) -> None:
        now_s = time.monotonic()
        for picture, place, offset in found:
            name = picture.frame.camera_id
            self._minutes.add(name, Place(place, offset, picture.captured_at_ns))
            if (looks := self._looks.get(name)) is not None and looks.picture(picture, now_s):
                self._tell(name)

    def _answer(self, answer: Detections | Gap) -> None:
        looks = self._looks.get(answer.camera_id)
        if looks is None:
            return
        now_s = time.monotonic()
        if isinstance(answer, Gap):
            is_new = looks.gap(answer, now_s)
        else:
            self._frames.answered(answer.camera_id, Partition(answer.frame.topic, answer.frame.partition))
            is_new = looks.answer(answer, now_s)
        if is_new:
            self._tell(answer.camera_id)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            now_s = time.monotonic()
            for name, looks in self._looks.items():
                if looks.wait(now_s):
                    self._tell(name)

    def _tell(self, camera_id: str) -> None:
        for looker, cameras in self._lookers.items():
            if camera_id in cameras:
                looker.changed()
