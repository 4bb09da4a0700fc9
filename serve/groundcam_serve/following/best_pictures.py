"""Objects' newest best pictures, kept in memory by one thread, so that pages of events cost no search."""

import logging
import threading
from collections import OrderedDict
from dataclasses import dataclass

from groundcam_runtime.kafka.errors import KafkaProblem
from groundcam_runtime.kafka.history import frame_of
from groundcam_runtime.kafka.reader import Reader
from groundcam_runtime.records import Consumed
from groundcam_runtime.recurring import Recurring
from groundcam_runtime.settings import KafkaSettings

recurring = Recurring(logging.getLogger(__name__))

POLL_S = 0.2
PAUSE_S = 2.0
END_S = 3.0
BACK = 500
"""So many pictures of each partition are read at the start."""
MOST_BYTES = 64 * 1024 * 1024
ENTRY_BYTES = 512


@dataclass(frozen=True, slots=True)
class BestPicture:
    """A picture of an object of a camera."""

    camera_id: str
    data: bytes
    frame: str
    """RUN/SEQ of the frame that it is cut from; empty where that is not told."""


class Kept:
    """The newest picture of each object, bounded in bytes; what got none for the longest time is forgotten. Pure."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._pictures: OrderedDict[str, BestPicture] = OrderedDict()
        self._bytes = 0

    def take(self, record: Consumed) -> None:
        """Take a record of the pictures topic; one without bytes says that a picture could not be had."""
        if not record.value:
            return
        name = (record.key or b"").decode("utf-8", "replace")
        self._drop(name)
        camera_id = dict(record.headers).get("camera", b"").decode("utf-8", "replace")
        self._pictures[name] = BestPicture(camera_id, record.value, frame_of(record))
        self._bytes += len(record.value) + ENTRY_BYTES
        while self._bytes > self._most_bytes and len(self._pictures) > 1:
            self._drop(next(iter(self._pictures)))

    def get(self, event_id: str) -> BestPicture | None:
        """Return an object's picture, where it is known."""
        return self._pictures.get(event_id)

    def _drop(self, name: str) -> None:
        if (before := self._pictures.pop(name, None)) is not None:
            self._bytes -= len(before.data) + ENTRY_BYTES


class BestPictures:
    """Follows the pictures topic. An installation may be without it: then nothing is known here."""

    def __init__(self, kafka: KafkaSettings) -> None:
        """Begin to follow."""
        self._kafka = kafka
        self._kept = Kept()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pictures", daemon=True)
        self._thread.start()

    def get(self, event_id: str) -> BestPicture | None:
        """Return an object's picture, where it came lately. Any thread may ask."""
        return self._kept.get(event_id)

    def close(self) -> None:
        """Stop following."""
        self._stopping.set()
        self._thread.join(END_S)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._follow()
            except KafkaProblem as problem:
                recurring.warning("pictures that cannot be read", "objects' pictures cannot be read: %s", problem)
                self._stopping.wait(PAUSE_S)

    def _follow(self) -> None:
        topic = self._kafka.topics.pictures
        with Reader(self._kafka, [topic], start="end") as ends:
            begin = {one: max(0, offset - BACK) for one, offset in ends.next_offsets().items()}
        with Reader(self._kafka, [topic], start=begin) as reader:
            while not self._stopping.is_set():
                for record in reader.poll(POLL_S):
                    self._kept.take(record)
