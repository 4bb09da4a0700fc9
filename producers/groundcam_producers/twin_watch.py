"""Follow the cameras topic, to see whether another producer plays a camera of ours, and to be seen by it."""

import logging
import os
import secrets
import socket
import threading
import time
from types import TracebackType
from typing import Self

from groundcam_producers.twins import News, Twins
from groundcam_runtime.kafka.errors import KafkaProblem, RefusedError, TopicError
from groundcam_runtime.kafka.publisher import Publisher
from groundcam_runtime.kafka.reader import Reader
from groundcam_runtime.kafka.record import Record
from groundcam_runtime.printable import printable
from groundcam_runtime.records import Consumed
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import CameraStatus, SchemaError, decode

log = logging.getLogger(__name__)

POLL_S = 0.5
PAUSE_S = 5.0
"""After an error of Kafka's."""
REFUSED_PAUSE_S = 60.0
"""Where we may not read the topic: rights may be given later, and a login be right again."""
REPEAT = "groundcam-repeat"
"""Header of a state that its producer says again."""
MOST_TOLD = 1000


def name_of_this_producer() -> str:
    """Return who we are: the machine or pod, the process, and what tells it from an earlier one of the same number."""
    return f"{socket.gethostname()}/{os.getpid()}/{secrets.token_hex(4)}"


class TwinWatch:
    """Watches on a thread of its own; use it as a context manager. It is a warning, and nothing else waits for it."""

    def __init__(self, settings: KafkaSettings, producer: str, stop: threading.Event, *, as_json: bool) -> None:
        """`stop` ends it: what our cameras say last is not said again."""
        self._settings, self._as_json = settings, as_json
        self._twins = Twins(producer)
        self._stop = stop
        self._left = threading.Event()
        self._publisher: Publisher | None = None
        self._told: set[tuple[str, str]] = set()
        self._thread = threading.Thread(target=self._run, name="twin-watch", daemon=True)

    def twin_of(self, camera_id: str) -> str | None:
        """Return which other producer plays a camera of ours; None where nobody does."""
        return self._twins.twin_of(camera_id)

    def _is_over(self) -> bool:
        return self._stop.is_set() or self._left.is_set()

    def _run(self) -> None:
        pause_s = PAUSE_S
        while not self._is_over():
            try:
                self._follow()
            except (RefusedError, TopicError) as problem:
                if pause_s != REFUSED_PAUSE_S:
                    log.info("another producer of one of our cameras would not be noticed: %s", problem)
                pause_s = REFUSED_PAUSE_S
            except KafkaProblem as problem:
                log.debug("the cameras topic cannot be read: %s", problem)
            except Exception:
                log.exception("the cameras topic cannot be followed")
            self._left.wait(pause_s)
        if self._publisher is not None:
            self._publisher.close(1.0)

    def _follow(self) -> None:
        """Raises KafkaProblem."""
        with Reader(self._settings, [self._settings.topics.cameras], start="beginning") as reader:
            for record in reader.to_the_end():
                self._see(record, is_old=True)
            while not self._is_over():
                for record in reader.poll(POLL_S):
                    self._see(record, is_old=False)
                self._say()

    def _see(self, record: Consumed, *, is_old: bool) -> None:
        if not record.value:
            if not is_old and record.key:
                self._twins.was_taken_back(record.key.decode("utf-8", "replace"), time.monotonic())
            return
        try:
            status = decode(CameraStatus, record.value)
        except SchemaError:
            return
        is_repeat = any(name == REPEAT for name, _ in record.headers)
        self._twins.saw(status, time.monotonic(), is_repeat=is_repeat, is_old=is_old)

    def _say(self) -> None:
        due = self._twins.due(time.monotonic())
        for news in self._twins.news():
            self._tell(news)
        if due and self._publisher is None:
            self._publisher = Publisher(
                self._settings, max_waiting_bytes=1_000_000, max_record_bytes=100_000, client_id="groundcam-twin-watch"
            )  # fmt: skip
        if self._publisher is None or self._is_over():
            return
        for status in due:
            record = Record.of(
                self._settings.topics.cameras, status, status.camera_id, as_json=self._as_json,
                headers=((REPEAT, b"1"),),
            )  # fmt: skip
            if self._publisher.has_room(record.size):
                self._publisher.send(record)
        self._publisher.poll()

    def _tell(self, news: News) -> None:
        other, about = printable(news.other), {"camera": news.camera_id}
        if not news.is_there:
            log.info("camera %s: the other producer, %s, is gone", news.camera_id, other, extra=about)
        elif (news.camera_id, news.other) not in self._told and len(self._told) < MOST_TOLD:
            self._told.add((news.camera_id, news.other))
            what = (
                "camera %s: another producer plays it too, %s: every frame comes twice; stop one, or give it another id"
            )
            log.warning(what, news.camera_id, other, extra=about)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._left.set()
        self._thread.join(2.0)
