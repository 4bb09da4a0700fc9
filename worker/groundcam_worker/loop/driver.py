"""Runs the loop: brings events to the state machine, and does what it wants done.

One thread runs it and owns all of its state. What waits runs elsewhere and wakes it: the source and the publisher on
Kafka's threads, JPEGs in a pool, the detector on a thread of its own, marks and the sandbox on one each.
"""

import logging
import threading
import time
from collections.abc import Callable
from functools import partial

from groundcam_runtime.kafka.errors import KafkaProblem, SourceLostError
from groundcam_runtime.records import Assigned, Consumed, Gone
from groundcam_runtime.recurring import Recurring
from groundcam_worker.errors import FrameError, SandboxUnavailableError
from groundcam_worker.frames import Admitted, Instant
from groundcam_worker.loop import events as on
from groundcam_worker.loop import instructions as do
from groundcam_worker.loop.batches import Detections
from groundcam_worker.loop.decoding import Decoding
from groundcam_worker.loop.inference import Inference
from groundcam_worker.loop.ports import Source
from groundcam_worker.loop.publishing import Publishing
from groundcam_worker.loop.state import LoopState
from groundcam_worker.loop.telemetry import Telemetry
from groundcam_worker.quarantine.attempt_log import AttemptLog
from groundcam_worker.quarantine.ordered_executor import OrderedExecutor
from groundcam_worker.quarantine.sandbox import Sandbox

log = logging.getLogger(__name__)
recurring = Recurring(log)

MAX_SLEEP_S = 0.5


class Driver:
    """Answers frames until it is asked to stop."""

    def __init__(
        self,
        state: LoopState,
        source: Source,
        decoding: Decoding,
        inference: Inference,
        publishing: Publishing,
        telemetry: Telemetry,
        wake: threading.Event,
        *,
        attempt_log: AttemptLog,
        sandbox: Sandbox,
    ) -> None:
        """`wake` is set by whatever has produced an event."""
        self.state = state
        self.source = source
        self.inference = inference
        self._decoding = decoding
        self._publishing = publishing
        self._telemetry = telemetry
        self._wake = wake
        self._attempt_log = attempt_log
        self._sandbox = sandbox
        self._marks: OrderedExecutor[do.Mark | None, int | None] = OrderedExecutor("attempts", 1, wake)
        self._trials: OrderedExecutor[tuple[Admitted, int], Detections] = OrderedExecutor("sandbox", 1, wake)
        self._leaving = source.leaving
        self.ticked_at = time.monotonic()

    @property
    def unacknowledged_bytes(self) -> int:
        """Bytes of answers that Kafka does not have yet."""
        return self._publishing.waiting_bytes

    def run(self, stop: Callable[[], bool], drain_timeout_s: float) -> bool:
        """Work until `stop`, then finish what was begun; return whether all of it was.

        Raises DetectorLostError and SourceLostError.
        """
        while not stop():
            self._turn(draining=False)
        log.info("stopping: finishing what was begun")
        self.source.pause()
        deadline = time.monotonic() + drain_timeout_s
        while not self.state.is_idle and time.monotonic() < deadline:
            self._turn(draining=True)
        for one in (self._decoding, self.inference, self._marks, self._trials):
            one.shutdown()
        return self.state.is_idle

    def _turn(self, *, draining: bool) -> None:
        """Handle everything that has happened, begin what can begin, then sleep until something happens."""
        self._wake.clear()
        if not draining and self.source.failure:
            raise SourceLostError(self.source.failure)
        self._collect()
        if (leaving := self.source.leaving) and leaving is not self._leaving:
            self._leaving = leaving  # beside the events, which wait for room
            self._handle(on.Leaving(leaving))
        self._take(draining=draining)
        self._handle(on.Tick(draining))
        self.ticked_at = now = time.monotonic()
        due = self.state.deadline(draining=draining)
        self._wake.wait(MAX_SLEEP_S if due is None else max(0.0, min(MAX_SLEEP_S, due - now)))

    def _collect(self) -> None:
        """Bring in what other threads have finished."""
        now = _now()
        for delivered in self._publishing.poll():
            self._telemetry.delivered(delivered, now)
            self._handle(delivered, now)
        for done in self.inference.finished():
            self._telemetry.batch_done(done)
            self._handle(done)
        now = _now()
        for decoded in self._decoding.finished(now.s):
            self._handle(decoded, now)
        for mark, marked in self._marks.finished():
            try:
                deaths = marked.result()
            except KafkaProblem as problem:
                recurring.warning("frames in quarantine", "a frame in quarantine waits: %s", problem)
                deaths = None
            if mark is not None:
                self._handle(on.AttemptMarked(mark.claim, deaths))
        for (admitted, began_ns), trial in self._trials.finished():
            result: Detections | FrameError | SandboxUnavailableError
            try:
                result = trial.result()
            except (FrameError, SandboxUnavailableError) as error:
                result = error
                if isinstance(error, SandboxUnavailableError):
                    log.warning("a frame that has ended a process is tried without a sandbox: %s", error)
            self._telemetry.tried(result)
            self._handle(on.SandboxDone(admitted, result, began_ns, time.time_ns()))

    def _take(self, *, draining: bool) -> None:
        """Take records while there is room for them and Kafka takes what we publish (backpressure).

        While draining no record is taken; but a partition that is revoked meanwhile is not ours to answer any more.
        """
        while draining or (self.state.has_room and not self._publishing.is_blocked):
            event = self.source.take()
            if event is None:
                return
            if draining and isinstance(event, Consumed):
                continue
            self._handle(event)
            if isinstance(event, Assigned | Gone):
                self._telemetry.assigned(len(self.state.assignment))

    def _handle(self, event: on.Event, now: Instant | None = None) -> None:
        now = now or _now()
        for instruction in self.state.handle(event, now):
            self._telemetry.note(instruction, now)
            self._do(instruction)

    def _do(self, instruction: do.Instruction) -> None:
        match instruction:
            case do.PublishAnswer() | do.PublishGap() | do.PublishLetter() | do.PublishReply():
                self._publishing.publish(instruction)
            case do.Decode(admitted):
                self._decoding.begin(admitted)
            case do.Begin(batch):
                self.inference.begin(batch)
            case do.Commit(positions, written):
                self.source.commit(positions, written=written)
            case do.HandOver(partitions):
                self.source.hand_over(partitions)
            case do.Mark(claim, camera_id, read):
                announce = partial(self._attempt_log.announce, (claim.partition, claim.offset), camera_id, read=read)
                self._marks.start(instruction, announce)
            case do.ClearMarks():
                self._marks.start(None, self._attempt_log.clear)
            case do.Isolate(admitted):
                content = admitted.frame.content
                answer = partial(self._sandbox.answer, content.data, content.picture_size, admitted.question)
                self._trials.start((admitted, time.time_ns()), answer)
            case do.Fail(error):
                raise error
            case _:
                pass  # facts, for the telemetry


def _now() -> Instant:
    return Instant(time.monotonic(), time.time_ns())
