"""Frames of the cameras that somebody looks at, read by one thread; partitions that nobody wants are left alone."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress

from groundcam_runtime.kafka.errors import KafkaProblem
from groundcam_runtime.kafka.reader import Reader
from groundcam_runtime.pictures.decoding import MAX_PIXELS, require_pixels
from groundcam_runtime.pictures.errors import PictureError
from groundcam_runtime.pictures.formats import picture_header
from groundcam_runtime.records import NS_PER_MS, Consumed, Partition
from groundcam_runtime.recurring import Recurring
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import Frame, FrameId, SchemaError, decode
from groundcam_schemas.identity import raw_frame_id
from groundcam_serve.wall.looks import Picture
from groundcam_serve.wall.places import Places

recurring = Recurring(logging.getLogger(__name__))

POLL_S = 0.2
PAUSE_S = 1.0
END_S = 3.0
KEPT_S = 60.0
"""So long a connection is kept while nobody looks."""
JPEG = b"\xff\xd8\xff"

Take = Callable[[list[tuple[Picture, Partition, int]]], None]
"""Takes pictures and where they lay, in the event loop."""


class FrameFollower:
    """Reads frames from the moment on from which somebody looks at their cameras."""

    def __init__(self, kafka: KafkaSettings, loop: asyncio.AbstractEventLoop, take: Take) -> None:
        """Connects when the first camera is looked at."""
        self._kafka, self._loop, self._take = kafka, loop, take
        self._places = Places()
        self._lock = threading.Lock()
        """Guards what is known of places."""
        self._cameras: frozenset[str] = frozenset()
        self._looked_at = threading.Event()
        self._stopping = threading.Event()
        self.trouble: str | None = None
        """Why there are no frames."""
        self._thread = threading.Thread(target=self._run, name="wall", daemon=True)
        self._thread.start()

    def watch(self, cameras: Collection[str]) -> None:
        """These cameras are looked at from now on."""
        with self._lock:
            self._cameras = frozenset(cameras)
            self._places.watch(self._cameras, time.monotonic())
        (self._looked_at.set if self._cameras else self._looked_at.clear)()

    def answered(self, camera_id: str, place: Partition) -> None:
        """An answer says where a camera's frame lay."""
        with self._lock:
            self._places.answered(camera_id, place)

    def close(self) -> None:
        """Stop reading."""
        self._stopping.set()
        self._looked_at.set()
        self._thread.join(END_S)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._looked_at.wait()
            if self._stopping.is_set():
                return
            try:
                self._follow()
            except KafkaProblem as problem:
                self.trouble = str(problem)
                recurring.warning("frames that cannot be read", "frames cannot be read: %s", problem)
                self._stopping.wait(PAUSE_S)

    def _follow(self) -> None:
        topics = self._kafka.topics
        with Reader(self._kafka, [topics.frames, topics.recordings], start="end") as reader:
            self.trouble = None
            before: frozenset[Partition] | None = None
            while not self._stopping.is_set():
                with self._lock:
                    wanted = self._places.wanted(time.monotonic())
                if wanted != before:
                    reader.read_only(wanted)
                    before = wanted
                if wanted is not None and not wanted:
                    # Who pauses, or goes to another page, comes back: the connection stays for a while.
                    if not self._looked_at.wait(KEPT_S):
                        return
                    self._stopping.wait(POLL_S)
                    continue
                self._pass_on(reader.poll(POLL_S))

    def _pass_on(self, records: list[Consumed]) -> None:
        found, cameras, now_s = [], self._cameras, time.monotonic()
        for record in records:
            name = (record.key or b"").decode("utf-8", "replace")
            if name in cameras and (picture := picture_in(name, record)) is not None:
                found.append((picture, record.partition, record.offset))
                with self._lock:
                    self._places.heard(name, record.partition, now_s)
        if found:
            with suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._take, found)


def picture_in(camera_id: str, record: Consumed) -> Picture | None:
    """Return what a record of frames shows; None for what the worker refuses, too, before a browser decodes it."""
    value = record.value or b""
    try:
        if value.startswith(JPEG):
            name = raw_frame_id(camera_id, *record.partition, record.offset)
            size, captured_at_ns, data = picture_header(value).upright_size, record.timestamp_ms * NS_PER_MS, value
        else:
            frame = decode(Frame, value)
            name, data = FrameId(camera_id, frame.run_id, frame.seq), frame.data
            size, captured_at_ns = (frame.source_width, frame.source_height), frame.captured_at_ns
        require_pixels(picture_header(data), MAX_PIXELS)
    except (SchemaError, PictureError):
        return None
    return Picture(name, captured_at_ns, data, size)
