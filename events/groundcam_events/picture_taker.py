"""Cut objects out of the frames in which they are seen best, before Kafka deletes those; on a thread of its own."""

import logging
import queue
import threading
import time
from contextlib import suppress

from groundcam_events.metrics import TrackerMetrics
from groundcam_events.tracking.best_pictures import BestPictures, Wanted
from groundcam_runtime.kafka.errors import KafkaProblem
from groundcam_runtime.kafka.lookup import Lookup
from groundcam_runtime.kafka.publisher import Publisher, QueueFullError
from groundcam_runtime.kafka.record import Record
from groundcam_runtime.pictures.decoding import MAX_PIXELS, decode_picture
from groundcam_runtime.pictures.drawing import jpeg, stretched
from groundcam_runtime.pictures.errors import PictureError
from groundcam_runtime.pictures.image import Image
from groundcam_runtime.records import Partition
from groundcam_runtime.recurring import Recurring
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import Event, Frame, SchemaError, decode

recurring = Recurring(logging.getLogger(__name__))

JPEG = b"\xff\xd8\xff"
MARGIN = 0.15
"""Of the box's size, around it."""
LONGEST_SIDE = 640
QUALITIES = (85, 70, 50)
LOOKUP_S = 5.0
WAIT_S = 0.5
END_S = 3.0
MOST_HEARD = 5000
MOST_BYTES = 8 * 1024 * 1024


class PictureTaker:
    """A thread that keeps pictures. What could not be had is told on the topic, too: an empty value, with a reason."""

    def __init__(self, kafka: KafkaSettings, metrics: TrackerMetrics, most_bytes: int) -> None:
        """Begin. Raises KafkaProblem."""
        self._topic, self._metrics, self._most_bytes = kafka.topics.pictures, metrics, most_bytes
        self._heard: queue.Queue[Event | None] = queue.Queue(MOST_HEARD)
        self._lookup = Lookup(kafka)
        self._publisher = Publisher(
            kafka, max_waiting_bytes=MOST_BYTES, max_record_bytes=1_000_000, client_id="groundcam-pictures"
        )
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pictures", daemon=True)
        self._thread.start()

    def hear(self, event: Event) -> None:
        """Take an event; may be called from another thread, and never waits."""
        with suppress(queue.Full):
            self._heard.put_nowait(event)

    def close(self) -> None:
        """Stop; pictures that are not made yet are not."""
        self._stopping.set()
        with suppress(queue.Full):
            self._heard.put_nowait(None)
        self._thread.join(END_S)
        self._publisher.close()

    def _run(self) -> None:
        best = BestPictures()
        with self._lookup:
            while not self._stopping.is_set():
                with suppress(queue.Empty):
                    event = self._heard.get(timeout=WAIT_S)
                    while event is not None:
                        best.hear(event, time.monotonic())
                        event = self._heard.get_nowait()
                while not self._stopping.is_set() and (wanted := best.due(time.monotonic())):
                    self._take(wanted)
                self._publisher.poll()

    def _take(self, wanted: Wanted) -> None:
        try:
            data = self._frame(wanted)
            picture = cut_out(data, wanted, self._most_bytes) if data else b""
            reason = "" if data else "expired: Kafka has deleted the frame"
        except (KafkaProblem, PictureError, SchemaError) as problem:
            picture, reason = b"", f"{type(problem).__name__}: {problem}"
            recurring.warning("pictures that cannot be made", "a best picture cannot be made: %s", problem,
                              camera=wanted.camera_id)  # fmt: skip
        self._metrics.picture("kept" if picture else "expired" if reason.startswith("expired") else "failed")
        frame = wanted.sighting.frame
        headers = [
            ("content-type", b"image/jpeg"),
            ("camera", wanted.camera_id.encode()),
            ("frame", f"{frame.run_id}/{frame.seq}".encode()),
            ("captured-at-ns", str(wanted.sighting.captured_at_ns).encode()),
        ]
        if reason:
            headers.append(("reason", reason[:500].encode()))
        with suppress(QueueFullError):
            self._publisher.send(Record(self._topic, picture, wanted.event_id, headers=tuple(headers)))

    def _frame(self, wanted: Wanted) -> bytes | None:
        place = wanted.sighting.frame
        record = self._lookup.read(Partition(place.topic, place.partition), place.offset, LOOKUP_S)
        value = (record.value or b"") if record else b""
        if not value:
            return None
        return value if value.startswith(JPEG) else decode(Frame, value).data


def cut_out(data: bytes, wanted: Wanted, most_bytes: int) -> bytes:
    """Return the part of a frame that shows an object, as JPEG of at most so many bytes. Raises PictureError."""
    image = decode_picture(data, MAX_PIXELS)
    part = _part(image, wanted)
    while True:
        for quality in QUALITIES:
            if len(found := jpeg(part, quality)) <= most_bytes:
                return found
        height, width = part.shape[:2]
        if min(height, width) < 32:
            raise PictureError(f"it does not fit into {most_bytes} bytes")
        part = stretched(part, (width // 2, height // 2))


def _part(image: Image, wanted: Wanted) -> Image:
    height, width = image.shape[:2]
    across, down = width / wanted.source_size[0], height / wanted.source_size[1]
    x1, y1, x2, y2 = wanted.sighting.box
    margin = MARGIN * max(x2 - x1, y2 - y1)
    left, right = max(0, int((x1 - margin) * across)), min(width, int((x2 + margin) * across) + 1)
    top, bottom = max(0, int((y1 - margin) * down)), min(height, int((y2 + margin) * down) + 1)
    part: Image = image[top:bottom, left:right]
    if not part.size:
        raise PictureError("the box lies outside the frame")
    longest = max(part.shape[:2])
    if longest > LONGEST_SIDE:
        scale = LONGEST_SIDE / longest
        part = stretched(part, (max(1, int(part.shape[1] * scale)), max(1, int(part.shape[0] * scale))))
    return part
