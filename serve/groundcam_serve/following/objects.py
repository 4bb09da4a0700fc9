"""What is in front of cameras now, and their zones: two compacted topics, followed by one thread.

An installation may be without them, or not let this service read them: then that is what is said, and it is tried
again, while everything else goes on.
"""

import asyncio
import logging
import threading
from collections.abc import Callable

from groundcam_runtime.kafka.camera_zones import take as take_zones
from groundcam_runtime.kafka.errors import KafkaProblem
from groundcam_runtime.kafka.reader import Reader
from groundcam_runtime.records import Consumed
from groundcam_runtime.recurring import Recurring
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import CameraZones, ObjectsNow, SchemaError, decode
from groundcam_serve.following.changes import Changes

recurring = Recurring(logging.getLogger(__name__))

POLL_S = 0.2
PAUSE_S = 2.0
END_S = 3.0


class ObjectBoard:
    """Reads what there is, then keeps it up to date. Values are replaced whole, so any thread may read them."""

    def __init__(self, kafka: KafkaSettings, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to read. `until` belongs to `loop`."""
        self._kafka = kafka
        self._objects: dict[str, ObjectsNow] = {}
        self._zones: dict[str, CameraZones] = {}
        self._changes = Changes(loop)
        self._stopping = threading.Event()
        self.trouble: str | None = "what is open has not been read yet"
        """Why what is here may be wrong; None where it is right."""
        self._thread = threading.Thread(target=self._run, name="objects", daemon=True)
        self._thread.start()

    @property
    def objects(self) -> dict[str, ObjectsNow]:
        """What is open, by camera."""
        return dict(sorted(self._objects.items()))

    @property
    def zones(self) -> dict[str, CameraZones]:
        """Zones and lines, by camera."""
        return dict(sorted(self._zones.items()))

    async def until(self, is_so: Callable[[], bool], seconds: float) -> bool:
        """Return whether something is so on the board within this time."""
        return await self._changes.until(is_so, seconds)

    def close(self) -> None:
        """Stop following."""
        self._stopping.set()
        self._thread.join(END_S)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._follow()
            except KafkaProblem as problem:
                self.trouble = str(problem)
                recurring.warning("objects that cannot be read", "objects and zones cannot be read: %s", problem)
                self._changes.tell()
                self._stopping.wait(PAUSE_S)

    def _follow(self) -> None:
        topics = self._kafka.topics
        with Reader(self._kafka, [topics.objects, topics.zones], start="beginning") as reader:
            self._objects, self._zones = {}, {}
            for record in reader.to_the_end():
                self._take(record)
            self.trouble = None
            self._changes.tell()
            while not self._stopping.is_set():
                records = reader.poll(POLL_S)
                for record in records:
                    self._take(record)
                if records:
                    self._changes.tell()

    def _take(self, record: Consumed) -> None:
        if record.partition.topic == self._kafka.topics.zones:
            take_zones(self._zones, record.key, record.value)
            return
        name = (record.key or b"").decode("utf-8", "replace")
        try:
            self._objects[name] = decode(ObjectsNow, record.value or b"")
        except SchemaError:
            if not record.value:
                self._objects.pop(name, None)
