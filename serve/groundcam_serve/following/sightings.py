"""The detections topic, followed by one thread, and frames looked up on Kafka by their place."""

import logging
import threading
from collections.abc import Callable
from contextlib import ExitStack

from groundcam_runtime.kafka.errors import KafkaProblem
from groundcam_runtime.kafka.lookup import Lookup
from groundcam_runtime.kafka.reader import Reader
from groundcam_runtime.records import Partition
from groundcam_runtime.recurring import Recurring
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import Detections, Frame, Gap, SchemaError, decode
from groundcam_serve.following.seen import Seen, SeenFrame

recurring = Recurring(logging.getLogger(__name__))

POLL_S = 0.2
PAUSE_S = 1.0
END_S = 3.0
BACK = 500
"""So many answers of each partition are read again at the start, so that cameras have pictures at once."""
MOST_BYTES = 64 * 1024 * 1024
MOST_EACH = 3000
LOOKUP_S = 5.0
JPEG = b"\xff\xd8\xff"


class Sightings:
    """What was seen lately, and the pictures of it."""

    def __init__(self, kafka: KafkaSettings) -> None:
        """Begin to follow. Raises KafkaProblem."""
        self.seen = Seen(MOST_BYTES, MOST_EACH)
        self.listeners: list[Callable[[Detections | Gap], None]] = []
        """Called with each answer, on the thread that reads."""
        self._stopping = threading.Event()
        topic = kafka.topics.detections
        with ExitStack() as stack:
            with Reader(kafka, [topic], start="end") as ends:
                begin = {one: max(0, offset - BACK) for one, offset in ends.next_offsets().items()}
            self._reader = stack.enter_context(Reader(kafka, [topic], start=begin))
            self._lookup = stack.enter_context(Lookup(kafka))
            self._close = stack.pop_all()
        self._thread = threading.Thread(target=self._follow, name="sightings", daemon=True)
        self._thread.start()

    def frame(self, one: SeenFrame) -> bytes | None:
        """Return a frame's picture as it lies on Kafka; None where it has been deleted. Raises KafkaProblem."""
        return self.picture(one.place, one.offset)

    def picture(self, place: Partition, offset: int) -> bytes | None:
        """Return the picture of the frame that lies there, as `frame` does. Raises KafkaProblem."""
        record = self._lookup.read(place, offset, LOOKUP_S)
        value = (record.value or b"") if record else b""
        if value.startswith(JPEG):
            return value
        try:
            return decode(Frame, value).data
        except SchemaError:
            return None

    def close(self) -> None:
        """Stop following."""
        self._stopping.set()
        self._thread.join(END_S)

    def _follow(self) -> None:
        with self._close:
            while not self._stopping.is_set():
                try:
                    for record in self._reader.poll(POLL_S):
                        if (answer := self.seen.take(record)) is not None:
                            for hear in self.listeners:
                                hear(answer)
                except KafkaProblem as problem:
                    recurring.warning("answers that cannot be read", "answers cannot be read: %s", problem)
                    self._stopping.wait(PAUSE_S)
