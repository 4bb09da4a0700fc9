"""The parent of the cameras' processes: starts them, counts for them, and ends one that hangs."""

import logging
import os
import random
import selectors
import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from typing import Any

from groundcam_producers import process as camera_process
from groundcam_producers.backoff import Backoff
from groundcam_producers.fork_server import ForkServer
from groundcam_producers.metrics import ProducerMetrics
from groundcam_producers.outbox import HEADERS
from groundcam_producers.task import Beat, CameraTask
from groundcam_runtime.kafka.publisher import Publisher, Record
from groundcam_runtime.recurring import Recurring
from groundcam_schemas import CameraState, CameraStatus, encode

log = logging.getLogger(__name__)
recurring = Recurring(log)

STOP_S = camera_process.FINISH_S + 5.0
TICK_S = 0.2
STARTING_BY_CORE = 2
START_S = 180.0
"""Until a process shows its first sign of life; on a busy machine that takes long, and it ends by itself."""
STEADY_S = 10.0


@dataclass(slots=True)
class _Child:
    """One camera's process, and when it last showed life."""

    process: ForkServerProcess
    pipe: Connection | None
    """None once the process has closed its end."""
    started_at: float
    seen_at: float
    lives: bool = False
    """Whether it has shown a sign of life."""
    hung: bool = False


class Supervisor:
    """Runs one process per camera until it is asked to stop or, in a job, until every file has ended.

    A few start at a time, by the number of cores: a crowd of them would be so slow that all looked stuck.
    """

    def __init__(
        self,
        tasks: Mapping[str, CameraTask],
        metrics: ProducerMetrics,
        statuses: Publisher,
        hang_s: float,
        *,
        is_job: bool,
        secret_variables: Iterable[str] = (),
    ) -> None:
        """`secret_variables` are those of the environment that no camera's process shall see."""
        self._is_job = is_job
        self._most_starting = STARTING_BY_CORE * _cores()
        self._waiting: deque[str] = deque(tasks)
        self._tasks = dict(tasks)
        self._metrics = metrics
        self._statuses = statuses
        self._hang_s = hang_s
        self._fork_server = ForkServer(camera_process.main, secret_variables)
        self._children: dict[str, _Child] = {}
        # Of pipes and of processes' ends: what is ready is found without a look at all the others.
        self._selector = selectors.DefaultSelector()
        self._gone: set[str] = set()
        self._looked_at = 0.0
        self._backoffs = {name: Backoff(1.0, 30.0, random.random) for name in tasks}
        self._restart_at: dict[str, float] = {}
        self._last_frame_ns: dict[str, int] = {}
        self._states: dict[str, CameraState] = dict.fromkeys(tasks, CameraState.CONNECTING)
        self._reasons: dict[str, str | None] = dict.fromkeys(tasks, "it waits for its start")
        self.failed: set[str] = set()
        self.ended: set[str] = set()
        """Files that were played to their end."""
        self.ticked_at = time.monotonic()

    @property
    def is_at_work(self) -> bool:
        """Whether a camera's process runs, or there is no camera to have one: a shard may be empty."""
        return bool(self._children or self._waiting) or not self._tasks

    @property
    def states(self) -> dict[str, CameraState]:
        """What each camera does."""
        return dict(self._states)

    def run(self, stop: threading.Event) -> None:
        """Supervise; return when it is asked to stop, or when a job's files have all ended."""
        while not stop.is_set() and (self._children or self._restart_at or self._waiting or not self._is_job):
            self._turn()
            if not self._children:
                stop.wait(TICK_S)
        self._stop_all()

    def _turn(self) -> None:
        self._listen(TICK_S)
        now = self.ticked_at = time.monotonic()
        for name in self._gone:
            self._ended(name, self._children[name], now)
        self._gone.clear()
        if now < self._looked_at + TICK_S:
            return
        self._looked_at = now
        for name, child in self._children.items():
            if now - child.seen_at > self._longest_silence_s(name, child):
                silent_s = now - child.seen_at
                log.error(
                    "camera %s: its process hangs for %.0f s and is ended", name, silent_s, extra={"camera": name}
                )
                self._publish_status(name, CameraState.STALLED, "Hang")
                child.process.kill()
                child.hung, child.seen_at = True, now  # a next turn finds it ended
        for name, due in list(self._restart_at.items()):
            if now >= due:
                del self._restart_at[name]
                self._metrics.restarted(name)
                self._waiting.append(name)
        while self._waiting and sum(not child.lives for child in self._children.values()) < self._most_starting:
            self._start(self._waiting.popleft())
        for delivery in self._statuses.poll():
            if delivery.error is not None:
                recurring.error("status", "Kafka refuses the state of a camera: %s", delivery.error)

    def _longest_silence_s(self, name: str, child: _Child) -> float:
        return self._hang_s if child.lives else START_S + self._tasks[name].kafka.connect_timeout_s

    def _start(self, name: str) -> None:
        ours, theirs = self._fork_server.context.Pipe(duplex=False)
        task = replace(self._tasks[name], away_since_ns=self._last_frame_ns.get(name))
        process = self._fork_server.start(f"camera-{name}", task, theirs)
        theirs.close()
        now = time.monotonic()
        self._reasons[name] = "its process starts"
        self._children[name] = _Child(process, ours, now, now)
        self._selector.register(ours, selectors.EVENT_READ, (name, True))
        self._selector.register(process.sentinel, selectors.EVENT_READ, (name, False))

    def _ended(self, name: str, child: _Child, now: float) -> None:
        while child.pipe is not None and child.pipe.poll():
            self._hear(name, child)
        self._hang_up(child)
        del self._children[name]
        code = child.process.exitcode
        self._now_is(name, CameraState.OFFLINE)
        if code == 0 and not self._tasks[name].camera.is_live:
            self._metrics.ended(name)
            self.ended.add(name)
            return  # the end of a file; a live camera has none, whoever ended its process
        self.failed.add(name)
        self._reasons[name] = self._reasons[name] or f"its process ended with code {code}"
        if code in (camera_process.UNUSABLE, camera_process.INCOMPLETE):
            return
        wait_s = self._backoffs[name].failed()
        what = "camera %s: its process ended with code %s; it starts again in %.1f s"
        log.error(what, name, code, wait_s, extra={"camera": name})
        if not child.hung:
            self._publish_status(name, CameraState.OFFLINE, f"ExitCode{code}")
        self._restart_at[name] = now + wait_s

    def _listen(self, timeout_s: float) -> None:
        """Take what has come; note whose process has ended."""
        for key, _ in self._selector.select(timeout_s):
            name, is_pipe = key.data
            if is_pipe:
                self._hear(name, self._children[name])
            else:
                self._selector.unregister(key.fileobj)
                self._gone.add(name)

    def _hang_up(self, child: _Child) -> None:
        if child.pipe is not None:
            self._selector.unregister(child.pipe)
            child.pipe.close()
            child.pipe = None

    def _hear(self, name: str, child: _Child) -> None:
        """Take one beat, or the end of the pipe."""
        if child.pipe is None:
            return
        try:
            beat: Beat = child.pipe.recv()
        except (EOFError, OSError):
            self._hang_up(child)
            return
        child.seen_at, child.lives = time.monotonic(), True
        self._now_is(name, beat.state)
        self._reasons[name] = beat.reason
        for total, amount in beat.totals.items():
            self._metrics.add(name, total, amount)
        for reason, frames in beat.dropped.items():
            self._metrics.dropped(name, reason, frames)
        if beat.last_frame_ns is not None:
            self._metrics.frame(name, beat.last_frame_ns)
            self._last_frame_ns[name] = beat.last_frame_ns
            if time.monotonic() - child.started_at > STEADY_S:
                self._backoffs[name].succeeded()
                self.failed.discard(name)

    def _now_is(self, name: str, state: CameraState) -> None:
        if state is not self._states[name]:
            self._states[name] = state
            self._metrics.state(name, state)

    def report(self) -> dict[str, Any]:
        """For people, camera by camera, with its process's number; the URLs are without passwords."""
        now_ns = time.time_ns()
        return {
            name: {
                "state": self._states[name].value,
                "reason": self._reasons[name],
                "url": task.camera.public_url,
                "topic": task.topic,
                "partition": "by key" if task.partition is None else task.partition,
                "last_frame_s_ago": round((now_ns - self._last_frame_ns[name]) / 1e9, 1)
                if name in self._last_frame_ns else None,
                "process": self._children[name].process.pid if name in self._children else None,
            }
            for name, task in self._tasks.items()
        }  # fmt: skip

    def _publish_status(self, name: str, state: CameraState, error: str) -> None:
        """Publish a state for a process that cannot do so any more."""
        task = self._tasks[name]
        status = CameraStatus(
            camera_id=name,
            state=state,
            since_ns=time.time_ns(),
            url=task.camera.public_url,
            last_error=error,
            producer=task.producer,
        )
        self._statuses.send(Record(task.kafka.topics.cameras, encode(status), name, headers=HEADERS), urgent=True)

    def _stop_all(self) -> None:
        for child in self._children.values():
            child.process.terminate()
        deadline = time.monotonic() + STOP_S
        for name, child in list(self._children.items()):
            while child.process.is_alive() and time.monotonic() < deadline:
                self._listen(0.05)  # a full pipe would keep a child from ending
            if child.process.is_alive():
                log.error("camera %s: its process does not stop and is ended", name, extra={"camera": name})
                child.process.kill()
                self._publish_status(name, CameraState.OFFLINE, "Killed")
            child.process.join()
        self._statuses.flush(1.0)


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
