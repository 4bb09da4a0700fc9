"""A file of settings that is read again when it changes: who may do what."""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from groundcam_runtime.recurring import Recurring
from groundcam_runtime.settings import SettingError

log = logging.getLogger(__name__)
recurring = Recurring(log)

LOOK_S = 1.0

T = TypeVar("T")


class WatchedFile(Generic[T]):
    """What a file says now; one that cannot be read leaves what it said before."""

    def __init__(self, setting: str, path: Path, read: Callable[[str], T]) -> None:
        """`read` raises ValueError, whose sentence shows nothing secret. Raises SettingError, which names `setting`."""
        self._setting, self._path, self._read = setting, path, read
        self._look_at = time.monotonic() + LOOK_S
        try:
            self._seen, self._said = _stamp(path), read(path.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise SettingError(f"{setting}: {path}: {_why(error)}") from None

    @property
    def now(self) -> T:
        """What it says; looked at once in a second."""
        now_s = time.monotonic()
        if now_s >= self._look_at:
            self._look_at = now_s + LOOK_S
            self._look()
        return self._said

    def _look(self) -> None:
        try:
            stamp = _stamp(self._path)
            if stamp != self._seen:
                self._said = self._read(self._path.read_text("utf-8"))
                self._seen = stamp
                log.info("%s: %s has changed, and is in force", self._setting, self._path)
        except (OSError, ValueError) as error:
            message = "%s: %s: %s; what it said before holds"
            recurring.warning(self._setting, message, self._setting, self._path, _why(error))


def _why(error: OSError | ValueError) -> object:
    if isinstance(error, UnicodeDecodeError):
        return "it is no text in UTF-8"
    return error.strerror if isinstance(error, OSError) else error


def _stamp(path: Path) -> object:
    # A ConfigMap or a Secret is swapped by a link: the file behind it is another one.
    found = path.stat()
    return found.st_mtime_ns, found.st_ino, found.st_size
