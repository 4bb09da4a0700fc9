"""The objects' pictures: their topic is followed on a thread, and a picture is fetched when it is to be sent."""

import logging
import threading
import time

from groundcam_events.notify.policy.body import Picture
from groundcam_events.notify.policy.picture_index import PictureIndex
from groundcam_runtime.kafka.errors import KafkaProblem
from groundcam_runtime.kafka.lookup import Lookup
from groundcam_runtime.kafka.reader import Reader
from groundcam_runtime.records import Partition
from groundcam_runtime.recurring import Recurring
from groundcam_runtime.settings import KafkaSettings

log = logging.getLogger(__name__)
recurring = Recurring(log)

POLL_S = 0.2
AGAIN_S = 5.0
LOOK_BACK = 500
"""So many pictures of each partition that were there before are known, for events that are read again after a start."""
FETCH_S = 2.0
MOST_BYTES = 2 * 1024 * 1024


class Pictures:
    """Knows the newest picture of each object. Any thread may ask."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka, self._topic = kafka, kafka.topics.pictures
        self._index, self._changed = PictureIndex(), threading.Condition()
        self._lookup = Lookup(kafka)
        self._stopping = threading.Event()
        self._trouble: str | None = "the pictures are not followed yet"
        self._thread = threading.Thread(target=self._run, name="pictures", daemon=True)

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def close(self) -> None:
        """Stop; what hangs is not waited for."""
        self._stopping.set()

    def find(self, event_id: str, until_s: float) -> Picture:
        """Return an object's newest picture; what is not there yet is waited for until then (monotonic clock)."""
        with self._changed:
            while (place := self._index.find(event_id)) is None:
                left = until_s - time.monotonic()
                if left <= 0:
                    return Picture(None, self._trouble or "there is no picture of it, or not yet")
                self._changed.wait(left)
        return self._fetch(*place)

    def _fetch(self, partition: Partition, offset: int) -> Picture:
        try:
            record = self._lookup.read(partition, offset, FETCH_S)
        except KafkaProblem as problem:
            recurring.warning("pictures", "a picture cannot be read: %s", problem)
            return Picture(None, "Kafka did not give it in time")
        if record is None or not record.value:
            return Picture(None, "it is not kept any more")
        if record.size > MOST_BYTES:
            return Picture(None, f"it is larger than {MOST_BYTES} bytes")
        return Picture(record.value)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._follow()
            except KafkaProblem as problem:
                self._trouble = "the pictures cannot be followed"
                recurring.warning("following pictures", "%s: %s", self._trouble, problem)
            except Exception:
                log.exception("the pictures cannot be followed")
            self._stopping.wait(AGAIN_S)

    def _follow(self) -> None:
        with Reader(self._kafka, [self._topic], start="end") as at_end:
            first, ends = at_end.first_offsets(), at_end.next_offsets()
        start = {partition: max(first.get(partition, 0), end - LOOK_BACK) for partition, end in ends.items()}
        with Reader(self._kafka, [self._topic], start=start) as reader:
            self._trouble = None
            while not self._stopping.is_set():
                records = reader.poll(POLL_S)
                with self._changed:
                    for record in records:
                        event_id = (record.key or b"").decode("utf-8", "replace")
                        if record.value:
                            self._index.note(event_id, (record.partition, record.offset))
                        else:
                            self._index.remove(event_id)
                    self._changed.notify_all()
