"""Follow the zones topic: what is set for each camera now."""

import logging
import threading

from groundcam_runtime.kafka.errors import KafkaProblem
from groundcam_runtime.kafka.reader import Reader
from groundcam_runtime.records import Consumed
from groundcam_runtime.recurring import Recurring
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import CameraZones, SchemaError, decode

log = logging.getLogger(__name__)
recurring = Recurring(log)

POLL_S = 0.2
PAUSE_S = 1.0
END_S = 3.0


class ZonesFollower:
    """Reads all zones, then keeps them up to date on a thread of its own. Values are replaced whole."""

    def __init__(self, kafka: KafkaSettings) -> None:
        """Read the topic to its end. Raises KafkaProblem."""
        self._zones: dict[str, CameraZones] = {}
        self.changes = 0
        """Counts up."""
        self._stopping = threading.Event()
        self._reader = Reader(kafka, [kafka.topics.zones], start="beginning")
        try:
            for record in self._reader.to_the_end():
                self._take(record)
        except BaseException:
            self._reader.__exit__(None, None, None)
            raise
        self._thread = threading.Thread(target=self._follow, name="zones", daemon=True)
        self._thread.start()

    def get(self, camera_id: str) -> CameraZones | None:
        """Return a camera's zones and lines, if any were set."""
        return self._zones.get(camera_id)

    def close(self) -> None:
        """Stop following."""
        self._stopping.set()
        self._thread.join(END_S)

    def _follow(self) -> None:
        with self._reader as reader:
            while not self._stopping.is_set():
                try:
                    for record in reader.poll(POLL_S):
                        self._take(record)
                except KafkaProblem as problem:
                    recurring.warning("zones that cannot be read", "zones cannot be read: %s", problem)
                    self._stopping.wait(PAUSE_S)

    def _take(self, record: Consumed) -> None:
        name = (record.key or b"").decode("utf-8", "replace")
        if not record.value:
            self._zones.pop(name, None)
        else:
            try:
                zones = decode(CameraZones, record.value)
            except SchemaError as error:
                recurring.warning(
                    f"zones with {type(error).__name__}", "zones of camera %s are not taken, and those before stay: %s",
                    name, error,
                )  # fmt: skip
                return
            if zones.camera_id != name:
                recurring.warning(
                    "zones under another key", "zones of camera %s lie under the key %s", zones.camera_id, name
                )
                return
            self._zones[name] = zones
        self.changes += 1
