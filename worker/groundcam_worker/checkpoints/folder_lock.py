"""One process at a time fills a folder: several pods may share one volume."""

import errno
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

log = logging.getLogger(__name__)

LOCK = ".groundcam.lock"


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Wait while another process has the folder, which is made if need be.

    A folder of a read-only volume needs no lock: nobody fills it.
    """
    lock = FileLock(folder / LOCK)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        log.info("another process fills %s: waiting for it", folder)
        lock.acquire()
    except OSError as error:
        if error.errno != errno.EROFS:
            raise
    try:
        yield
    finally:
        lock.release()
