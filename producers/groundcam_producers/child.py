"""A camera's process as its parent sees it."""

import select
import selectors
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess

from groundcam_producers.settings import Tuning
from groundcam_producers.task import CameraTask

PAUSE_S = 5.0
"""A turn that takes so long is a pause: of a container, a machine, or a whole group of processes."""
START_S = 180.0
"""Until a process shows its first sign of life; on a busy machine that takes long, and it ends by itself."""


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

    def longest_silence_s(self, hang_s: float) -> float:
        """Return how long it may show no life."""
        return hang_s if self.lives else START_S + self.task.kafka.connect_timeout_s

    def excuse(self, seconds: float) -> None:
        """Its parent's turn took so long; a pause counts against nobody, since the process perhaps slept, too."""
        if seconds < PAUSE_S:
            return
        self.seen_at += seconds
        if self.leave_by is not None:
            self.leave_by += seconds

    def hang_up(self, selector: selectors.BaseSelector) -> None:
        """Listen no more."""
        if self.pipe is not None:
            selector.unregister(self.pipe)
            self.pipe.close()
            self.pipe = None


def _has_room(pipe: Connection) -> bool:
    """Whether something small can be sent without a wait. Not by select(), which knows 1024 files at most."""
    poll = select.poll()
    poll.register(pipe, select.POLLOUT)
    return bool(poll.poll(0))
