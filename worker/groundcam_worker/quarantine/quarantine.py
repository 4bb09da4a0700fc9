"""After a worker died: frames that were in flight are tried one by one, so that a poison frame is found. Pure.

A batch hides which of its frames ended the process. So the first frames of a partition whose worker died run one at a
time, each marked on Kafka before its attempt. A frame whose mark is found again has ended the process once, or was only
there when the power failed. To tell these apart its second attempt runs in a sandbox: a process of its own,
which the worker watches. If that process dies, too, the frame is to blame.
"""

from collections import deque
from collections.abc import Callable

from groundcam_runtime.partitions.partition import Claim
from groundcam_worker.frames import Received

RETRY_S = 1.0
DEATHS_WITHOUT_SANDBOX = 5
"""After so many deaths outside a sandbox a frame is dead-lettered: machine or container died with the sandbox."""


class Quarantine:
    """Frames that wait to be tried one by one, and the one being tried."""

    def __init__(self) -> None:
        self._waiting: deque[Received] = deque()
        self._current: Received | None = None
        self._retry_at = 0.0
        self._read_marks = True
        self.bytes = 0

    @property
    def is_active(self) -> bool:
        """Whether frames are in quarantine: then nothing else begins."""
        return self._current is not None or bool(self._waiting)

    @property
    def current(self) -> Received | None:
        """The frame that is marked, or being marked, and not through."""
        return self._current

    @property
    def waiting(self) -> tuple[Received, ...]:
        """The frames whose turn comes."""
        return tuple(self._waiting)

    def expect_marks(self) -> None:
        """A partition came whose last worker may have left marks."""
        self._read_marks = True

    def push(self, frame: Received) -> None:
        """Add a frame."""
        self._waiting.append(frame)
        self.bytes += frame.memory

    def drop(self, is_due: Callable[[Received], bool]) -> list[Received]:
        """Take out the first frames, without an attempt, for as long as `is_due` returns True."""
        dropped = []
        while self._waiting and is_due(self._waiting[0]):
            dropped.append(self._pop())
        return dropped

    def begin(self, now_s: float) -> tuple[Received, bool] | None:
        """Return the next frame to be marked, and whether marks must be read before; nothing else may be in work."""
        if self._current is not None or not self._waiting or now_s < self._retry_at:
            return None
        self._current = self._pop()
        read, self._read_marks = self._read_marks, False
        return self._current, read

    def failed(self, now_s: float) -> None:
        """The mark could not be written: retry after a pause."""
        if self._current is not None:
            self._waiting.appendleft(self._current)
            self.bytes += self._current.memory
            self._current = None
            self._read_marks = True
            self._retry_at = now_s + RETRY_S

    def done(self, claim: Claim) -> bool:
        """A frame is through; return whether the last mark is to be cleared."""
        if self._current is None or self._current.claim is not claim:
            return False
        self._current = None
        return not self._waiting

    def _pop(self) -> Received:
        frame = self._waiting.popleft()
        self.bytes -= frame.memory
        return frame
