"""The parent of the cameras' processes: starts them, counts for them, and ends one that hangs."""

import logging
import selectors
import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import replace
from queue import SimpleQueue
from typing import Any

from groundcam_producers import process as camera_process
from groundcam_producers.child import Child
from groundcam_producers.endings import Ending, ending
from groundcam_producers.fork_server import ForkServer, cores
from groundcam_producers.metrics import ProducerMetrics
from groundcam_producers.roster import Order
from groundcam_producers.standing import Standing
from groundcam_producers.task import Beat, CameraTask
from groundcam_runtime.kafka.publisher import Publisher
from groundcam_runtime.kafka.record import Record
from groundcam_runtime.recurring import Recurring
from groundcam_schemas import CameraState

log = logging.getLogger(__name__)
recurring = Recurring(log)

STOP_S = camera_process.FINISH_S + 5.0
TICK_S = 0.2
STARTING_BY_CORE = 2
STEADY_S = 10.0


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
        self._most_starting = STARTING_BY_CORE * cores()
        self._waiting: deque[str] = deque(tasks)
        self._tasks = tasks
        self._orders: SimpleQueue[Order] = SimpleQueue()
        self._is_job, self._metrics, self._statuses, self._hang_s = is_job, metrics, statuses, hang_s
        self._fork_server = ForkServer(camera_process.main, secret_variables)
        self._children: dict[str, Child] = {}
        # Of pipes and of processes' ends: what is ready is found without a look at all the others.
        self._selector = selectors.DefaultSelector()
        self._gone: set[str] = set()
        self._looked_at = 0.0
        self._restart_at: dict[str, float] = {}
        self._standings = {name: Standing() for name in tasks}
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
        """What each does."""
        return {name: one.state for name, one in self._standings.items()}

    def run(self, stop: threading.Event) -> None:
        """Supervise; return when it is asked to stop, or when a job's files have all ended."""
        while not stop.is_set() and (self._children or self._restart_at or self._waiting or not self._is_job):
            self._turn()
            if not self._children:
                stop.wait(TICK_S)
        self._stop_all()

    def change(self, order: Order) -> None:
        """Have other cameras from its next turn on. Any thread may call it."""
        self._orders.put(order)

    def _obey(self, order: Order, now: float) -> None:
        """Start and end what it names. A process that is to end first sends what it has."""
        before, self._tasks, self._is_job = self._tasks, order.tasks, order.is_job
        changes = order.changes
        for name in changes.removed:
            if not self._let_go(name, now):
                self._forget(before[name])
        for name in changes.added:
            if name not in self._children:  # else it was removed a moment ago, and is still there
                self._standings[name] = Standing()
                self._metrics.added(name)
        for name in (*changes.added, *changes.reopened):
            if not self._let_go(name, now):
                self._waiting.append(name)
        for name in changes.retuned:
            tuning = self._tasks[name].tuning
            if name in self._children:
                self._children[name].untold = tuning
            elif tuning.loops and name not in self._restart_at and name not in self._waiting:
                self._waiting.append(name)  # a file that had ended
        self._metrics.number(len(self._tasks))

    def _let_go(self, name: str, now: float) -> bool:
        """Ask a camera's process to end; return whether there is one."""
        self._restart_at.pop(name, None)
        if name in self._waiting:
            self._waiting.remove(name)
        child = self._children.get(name)
        if child is not None and child.leave_by is None:
            child.leave_by = now + STOP_S
        return child is not None

    def _forget(self, task: CameraTask) -> None:
        """Leave nothing of a camera behind."""
        name = task.camera_id
        del self._standings[name]
        self.failed.discard(name)
        self.ended.discard(name)
        self._metrics.removed(name)
        # Else a state with an error would be taken for that of a camera that is still ours.
        self._publish_status(task, CameraState.OFFLINE, None)
        self._statuses.send(Record(task.kafka.topics.cameras, None, name), urgent=True)
        log.info("camera %s: it is gone", name, extra={"camera": name})

    def _turn(self) -> None:
        self._listen(TICK_S)
        now = time.monotonic()
        for child in self._children.values():
            child.excuse(now - self.ticked_at)
        self.ticked_at = now
        while not self._orders.empty():
            self._obey(self._orders.get(), now)
        for name in self._gone:
            self._ended(name, self._children[name], now)
        self._gone.clear()
        if now < self._looked_at + TICK_S:
            return
        self._looked_at = now
        for name, child in self._children.items():
            self._watch_over(name, child, now)
        self._start_what_is_due(now)
        for delivery in self._statuses.poll():
            if delivery.error is not None:
                recurring.error("status", "Kafka refuses the state of a camera: %s", delivery.error)

    def _start_what_is_due(self, now: float) -> None:
        for name, due in list(self._restart_at.items()):
            if now >= due:
                del self._restart_at[name]
                self._metrics.restarted(name)
                self._waiting.append(name)
        while self._waiting and sum(not child.lives for child in self._children.values()) < self._most_starting:
            self._start(self._waiting.popleft())

    def _watch_over(self, name: str, child: Child, now: float) -> None:
        """Tell it what is new; end one that hangs, or does not go."""
        child.tell()
        silent_s = now - child.seen_at
        if child.leave_by is not None:
            self._see_off(name, child, now)
        elif silent_s > child.longest_silence_s(self._hang_s):
            log.error("camera %s: its process hangs for %.0f s and is ended", name, silent_s, extra={"camera": name})
            self._publish_status(child.task, CameraState.STALLED, "Hang")
            child.process.kill()
            child.hung, child.seen_at = True, now  # a next turn finds it ended

    def _see_off(self, name: str, child: Child, now: float) -> None:
        """End a process that was asked to end. Again and again: one that begins just then hears no signal yet."""
        if now < (child.leave_by or now):
            child.process.terminate()
        elif not child.hung:
            log.error("camera %s: its process does not stop and is ended", name, extra={"camera": name})
            child.process.kill()
            child.hung = True
            self._publish_status(child.task, CameraState.OFFLINE, "Killed")

    def _start(self, name: str) -> None:
        ours, theirs = self._fork_server.context.Pipe()
        task = replace(self._tasks[name], away_since_ns=self._standings[name].last_frame_ns)
        process = self._fork_server.start(f"camera-{name}", task, theirs)
        theirs.close()
        now = time.monotonic()
        self.ended.discard(name)
        self._standings[name].reason = "its process starts"
        self._children[name] = Child(task, process, ours, now, now)
        self._selector.register(ours, selectors.EVENT_READ, (name, True))
        self._selector.register(process.sentinel, selectors.EVENT_READ, (name, False))

    def _ended(self, name: str, child: Child, now: float) -> None:
        while child.pipe is not None and child.pipe.poll():
            self._hear(name, child)
        child.hang_up(self._selector)
        del self._children[name]
        code = child.process.exitcode
        self._now_is(name, CameraState.OFFLINE)
        if child.leave_by is not None:
            if name in self._tasks:
                self._metrics.add(name, "reconnects", 1)
                self._waiting.append(name)
            else:
                self._forget(child.task)
            return
        what_follows = ending(code, is_live=child.task.camera.is_live, loops=self._tasks[name].tuning.loops)
        if what_follows is Ending.PLAYED:
            self._metrics.ended(name)
            self.ended.add(name)
            self.failed.discard(name)
            return
        if what_follows is Ending.AGAIN_AT_ONCE:
            self._waiting.append(name)
            return
        self.failed.add(name)
        standing = self._standings[name]
        standing.reason = standing.reason or f"its process ended with code {code}"
        if what_follows is Ending.GIVEN_UP:
            return
        wait_s = standing.backoff.failed()
        what = "camera %s: its process ended with code %s; it starts again in %.1f s"
        log.error(what, name, code, wait_s, extra={"camera": name})
        if not child.hung:
            self._publish_status(child.task, CameraState.OFFLINE, f"ExitCode{code}")
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

    def _hear(self, name: str, child: Child) -> None:
        """Take one beat, or the end of the pipe."""
        if child.pipe is None:
            return
        try:
            beat: Beat = child.pipe.recv()
        except (EOFError, OSError):
            child.hang_up(self._selector)
            return
        child.seen_at, child.lives = time.monotonic(), True
        standing = self._standings[name]
        self._now_is(name, beat.state)
        standing.reason = beat.reason
        self._metrics.beat(name, beat)
        if beat.last_frame_ns is not None:
            standing.last_frame_ns = beat.last_frame_ns
            if time.monotonic() - child.started_at > STEADY_S:
                standing.backoff.succeeded()
                self.failed.discard(name)

    def _now_is(self, name: str, state: CameraState) -> None:
        if state is not self._standings[name].state:
            self._standings[name].state = state
            self._metrics.state(name, state)

    def report(self) -> dict[str, Any]:
        """For people, camera by camera. Any thread may call it."""
        now_ns, found = time.time_ns(), {}
        for name, task in self._tasks.items():  # whoever changes it puts another one in its place
            child, standing = self._children.get(name), self._standings.get(name)
            if standing is not None:
                found[name] = standing.report(task, child.process.pid if child else None, now_ns)
        return found

    def _publish_status(self, task: CameraTask, state: CameraState, error: str | None) -> None:
        """Publish a state for a process that cannot do so any more."""
        status = task.status(state, error, time.time_ns())
        record = Record.of(task.kafka.topics.cameras, status, task.camera_id, as_json=task.produce.json_reports)
        self._statuses.send(record, urgent=True)

    def _stop_all(self) -> None:
        deadline = time.monotonic() + STOP_S
        while time.monotonic() < deadline and (alive := [c for c in self._children.values() if c.process.is_alive()]):
            for child in alive:
                child.process.terminate()  # again and again, as in `_see_off`
            self._listen(TICK_S)  # a full pipe would keep a child from ending
        for name, child in list(self._children.items()):
            if child.process.is_alive():
                log.error("camera %s: its process does not stop and is ended", name, extra={"camera": name})
                child.process.kill()
                self._publish_status(child.task, CameraState.OFFLINE, "Killed")
            child.process.join()
            if name not in self._tasks:
                child.hang_up(self._selector)
                self._forget(child.task)
        self._statuses.flush(1.0)
