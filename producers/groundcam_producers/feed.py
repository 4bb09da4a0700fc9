"""Read a source on a thread of its own, so that a native call that hangs blocks nothing but itself."""

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from groundcam_producers.errors import SourceError, SourceHungError
from groundcam_producers.films.decoded import Decoded
from groundcam_producers.video import PictureFolder, VideoSource

DEPTH = 2
CHECK_S = 0.2


@dataclass(frozen=True, slots=True)
class End:
    """The stream has ended."""


class Feed:
    """Pictures of one opening of a source. Belongs to the thread that made it."""

    def __init__(
        self, open_source: Callable[[], VideoSource | PictureFolder], close: Callable[[], None] = lambda: None
    ) -> None:
        """`close` makes whatever the source waits for end, from another thread."""
        self._open = open_source
        self._close = close
        self._queue: queue.Queue[Decoded | End | SourceError] = queue.Queue(DEPTH)
        self._stopping = threading.Event()
        self._handing_over = False
        self._moved_at = time.monotonic()
        self.fps: float | None = None
        self._thread = threading.Thread(target=self._read, name="feed", daemon=True)
        self._thread.start()

    @property
    def is_over(self) -> bool:
        """Whether the source has let go."""
        return not self._thread.is_alive()

    @property
    def silent_s(self) -> float:
        """How long the source has given nothing although it was asked."""
        return 0.0 if self._handing_over else time.monotonic() - self._moved_at

    def take(self, timeout_s: float) -> Decoded | End | None:
        """Return the next picture, or None when there is none yet. Raises SourceError."""
        try:
            got = self._queue.get(timeout=timeout_s)
        except queue.Empty:
            return None
        if isinstance(got, SourceError):
            raise got
        return got

    def stop(self) -> None:
        """Read no more; the source is closed as soon as it lets go."""
        self._stopping.set()
        self._close()

    def _read(self) -> None:
        try:
            with self._open() as source:
                self.fps = source.fps
                for decoded in source:
                    if not self._hand_over(decoded):
                        return
            self._hand_over(End())
        except SourceError as error:
            self._hand_over(error)
        except Exception as error:  # noqa: BLE001 - whatever a decoder raises is about this source
            self._hand_over(SourceError("it cannot be read", type(error).__name__))

    def _hand_over(self, item: Decoded | End | SourceError) -> bool:
        self._handing_over = True
        while not self._stopping.is_set():
            try:
                self._queue.put(item, timeout=CHECK_S)
            except queue.Full:
                continue
            self._moved_at, self._handing_over = time.monotonic(), False
            return True
        return False


class Feeds:
    """The feeds of one camera, one after the other."""

    def __init__(self, hang_s: float) -> None:
        self._hang_s = hang_s
        self._left: list[Feed] = []

    def begin(self, open_source: Callable[[], VideoSource | PictureFolder], close: Callable[[], None]) -> Feed:
        """Open the source anew. Raises SourceHungError where an earlier opening has not let go for too long.

        Its thread, and perhaps a core, is lost to this process, and the next opening may hang as well.
        """
        self._left = [one for one in self._left if not one.is_over]
        longest_s = max((one.silent_s for one in self._left), default=0.0)
        if longest_s > self._hang_s:
            raise SourceHungError(f"it has not let go for {longest_s:.0f} s", "Hang")
        feed = Feed(open_source, close)
        self._left.append(feed)
        return feed
