"""A camera's process as its parent sees it."""

import select
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess

from groundcam_producers.settings import Tuning
from groundcam_producers.task import CameraTask


@dataclass(slots=True)
class Child:
    """One camera's process, and when it last showed life."""

    task: CameraTask
    process: ForkServerProcess
    pipe: Connection | None
    """None once the process has closed its end."""
    started_at: float
    seen_at: float
    lives: bool = False
    """Whether it has shown a sign of life."""
    hung: bool = False
    leave_by: float | None = None
    """When it is ended, should it not have ended by itself; None while it is not asked to."""
    untold: Tuning | None = None
    """What it is still to be told."""

    def tell(self) -> None:
        """Tell it what is new, if it listens: one that hangs must not make its parent wait."""
        if self.untold is None or self.pipe is None or not _has_room(self.pipe):
            return
        try:
            self.pipe.send(self.untold)
        except OSError:
            return  # it is ending; the next one is started with it
        self.untold = None


def _has_room(pipe: Connection) -> bool:
    """Whether something small can be sent without a wait. Not by select(), which knows 1024 files at most."""
    poll = select.poll()
    poll.register(pipe, select.POLLOUT)
    return bool(poll.poll(0))
