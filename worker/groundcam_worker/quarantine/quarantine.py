"""After a worker died: frames that were in flight are tried one by one, so that one that kills is found.

A batch hides which of its frames ended the process. So the first frames of a partition on which somebody died run
alone, each marked on Kafka before it is tried. A frame whose mark is found again has ended the process once, or was
only there when somebody pulled the plug. To tell these apart it is tried the second time in a process of its own,
before a witness: the worker. If that process dies, too, the frame is to blame.
"""

import logging
import threading
import time
from collections import deque
from functools import partial

from groundcam_runtime.kafka.errors import KafkaProblem
from groundcam_worker.frame_in_flight import Item
from groundcam_worker.ordered_executor import OrderedExecutor
from groundcam_worker.quarantine.attempt_log import AttemptLog

log = logging.getLogger(__name__)

RETRY_S = 1.0
WITHOUT_SANDBOX = 5
"""So many deaths that nobody saw condemn a frame: then the machine or the container died with the witness."""


class Quarantine:
    """Frames that wait for their turn to be tried alone. Belongs to the loop's thread."""

    def __init__(self, attempts: AttemptLog, wake: threading.Event) -> None:
        self._attempts = attempts
        self._waiting: deque[Item] = deque()
        self._marking: OrderedExecutor[Item, int | None] = OrderedExecutor("attempts", 1, wake)
        self._current: Item | None = None
        self._retry_at = 0.0
        self._read_marks = True
        self.bytes = 0

    @property
    def is_active(self) -> bool:
        """Whether frames are being tried alone: then nothing else is begun."""
        return self._current is not None or bool(self._waiting)

    @property
    def is_busy(self) -> bool:
        """Whether a frame is marked, or being marked, and not through."""
        return self._current is not None

    def expect_marks(self) -> None:
        """A partition came on which somebody died."""
        self._read_marks = True

    def push(self, item: Item) -> None:
        """Add a frame."""
        self._waiting.append(item)
        self.bytes += item.memory

    def peek(self) -> Item | None:
        """Return the frame whose turn is next."""
        return self._waiting[0] if self._waiting else None

    def skip(self) -> Item:
        """Take it out without a try."""
        item = self._waiting.popleft()
        self.bytes -= item.memory
        return item

    def begin(self) -> None:
        """Mark the next frame; `ready` returns it once that is done. Nothing else may be in the process."""
        if self._current is None and self._waiting and time.monotonic() >= self._retry_at:
            self._current = item = self.skip()
            place, camera_id = (item.record.partition, item.record.offset), item.id.camera_id if item.id else None
            announce = partial(self._attempts.announce, place, camera_id, read=self._read_marks)
            self._read_marks = False
            self._marking.start(item, announce)

    def ready(self) -> tuple[Item, int] | None:
        """Return a frame that is marked, and how often a process has ended while it was tried alone."""
        for item, future in self._marking.finished():
            try:
                deaths = future.result()
            except KafkaProblem as problem:
                log.warning("what is tried alone waits: %s", problem)
                if item is self._current:
                    self._retry_at = time.monotonic() + RETRY_S
                    self._read_marks = True
                    self._current = None
                    self._waiting.appendleft(item)
                    self.bytes += item.memory
                continue
            if deaths is not None:
                return item, deaths
        return None

    def done(self, item: Item) -> None:
        """This one is through, whatever came of it."""
        if item is self._current:
            self._current = None
            if not self._waiting:
                self._marking.start(item, self._attempts.clear)

    def shutdown(self) -> None:
        """Mark nothing more."""
        self._marking.shutdown()
