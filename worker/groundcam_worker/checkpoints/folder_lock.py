"""One process at a time fills a folder: several pods may share one volume."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

log = logging.getLogger(__name__)

LOCK = ".groundcam.lock"


@contextmanager
def alone_in(folder: Path | None) -> Iterator[None]:
    """Wait while another process has the folder, which is made if need be. None needs no lock: the Hub's cache has
    locks of its own.
    """
    if folder is None:
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        log.info("another process fills %s: waiting for it", folder)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
