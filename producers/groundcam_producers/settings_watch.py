"""Read the settings again when their file has changed, or a signal asks for it, on a thread of its own."""

import hashlib
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from groundcam_producers.settings import ProduceSettings
from groundcam_producers.steady import Steady
from groundcam_runtime.settings import HttpSettings, KafkaSettings, LogSettings, SettingError, TraceSettings

log = logging.getLogger(__name__)

LOOK_S = 0.5
YOUNG_NS = 3_000_000_000


class Loaded(Protocol):
    """All settings that a producer reads."""

    @property
    def produce(self) -> ProduceSettings: ...
    @property
    def kafka(self) -> KafkaSettings: ...
    @property
    def http(self) -> HttpSettings: ...
    @property
    def log(self) -> LogSettings: ...
    @property
    def trace(self) -> TraceSettings: ...


class WatchedFile:
    """A file by what is in it, through whatever links lead to it: Kubernetes puts another file behind one."""

    def __init__(self, path: Path) -> None:
        """Remember what is in it now."""
        self._path = path
        self._stat: tuple[int, ...] | None = None
        self._digest: bytes | None = None
        self.at_start = self.digest()

    def digest(self) -> bytes | None:
        """Return what tells its content from any other, or None where it cannot be read."""
        try:
            stat = self._path.stat()
            found = (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
            # Two writings that follow each other closely may have one time.
            if found != self._stat or time.time_ns() - stat.st_mtime_ns < YOUNG_NS:
                self._digest = hashlib.sha256(self._path.read_bytes()).digest()
                self._stat = found
        except OSError:
            self._stat = self._digest = None
        return self._digest


@dataclass(frozen=True)
class Reading:
    """Where the settings come from."""

    file: WatchedFile
    load: Callable[[], Loaded]
    """Raises SettingError."""
    asked: threading.Event = field(default_factory=threading.Event)
    """Somebody wants them to be read now."""


class SettingsWatch:
    """Calls `take` with settings that were read again, while it is open; use it as a context manager."""

    def __init__(self, reading: Reading, take: Callable[[Loaded], None]) -> None:
        """`take` may raise SettingError, and is called on the watch's own thread."""
        self._reading = reading
        self._take = take
        self._steady = Steady(reading.file.at_start)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="settings", daemon=True)
        self.fault: str | None = None
        """What is wrong with the settings as they are in the file now."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._reading.asked.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            asked = self._reading.asked.wait(LOOK_S)
            if self._stopping.is_set():
                return
            self._reading.asked.clear()
            digest = self._reading.file.digest()
            if self._steady.see(digest, asked=asked):
                self._read(digest)

    def _read(self, digest: bytes | None) -> None:
        try:
            loaded = self._reading.load()
            if self._reading.file.digest() != digest:  # something else may have been read than was seen
                self._steady.forget()
                return
            self._take(loaded)
        except SettingError as error:
            self.fault = str(error)
            log.error("the settings stay as they are: %s", error)  # noqa: TRY400 - the sentence is all there is to know
        except Exception:
            self.fault = "they cannot be read"
            log.exception("the settings stay as they are")
        else:
            self.fault = None
