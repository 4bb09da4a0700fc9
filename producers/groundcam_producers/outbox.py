"""What one camera publishes on Kafka: frames, gaps and its state. Nothing that was numbered is left unreported."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from groundcam_producers import announcements
from groundcam_producers.reports import Reports
from groundcam_producers.task import CameraTask
from groundcam_runtime.kafka.publisher import Delivery, Publisher
from groundcam_runtime.kafka.record import Record
from groundcam_runtime.recurring import Recurring
from groundcam_runtime.tracing import UNTRACED, Trace, Tracing
from groundcam_schemas import CameraState, CameraStatus, Frame, Gap, GapReason

log = logging.getLogger(__name__)
recurring = Recurring(log)

STILL_AWAY_NS = 15_000_000_000
"""An absence is told of so often while it lasts: what follows from it need not wait for its end."""


@dataclass(frozen=True, slots=True)
class _Sent:
    """A frame on its way to Kafka, without its picture: the record has that already."""

    seq: int
    size: tuple[int, int]
    trace: Trace
    at_ns: int


@dataclass(frozen=True, slots=True)
class _Reported:
    """A gap or a state on its way to Kafka."""


class Outbox:
    """Publishes for one camera. Belongs to one thread."""

    def __init__(self, task: CameraTask, publisher: Publisher, run_id: str, tracing: Tracing) -> None:
        self._task = task
        self._publisher = publisher
        self._tracing = tracing
        self._topics = task.kafka.topics
        self._reports = Reports(task.camera_id, run_id)
        self._status: CameraStatus | None = None
        self._told_too_large = False
        self.totals: Counter[str] = Counter()
        self.dropped: Counter[GapReason] = Counter()

    @property
    def state(self) -> CameraState:
        """The newest state."""
        return self._status.state if self._status else CameraState.CONNECTING

    def frame(self, frame: Frame, *, wait: Callable[[], bool] | None) -> None:
        """Send a frame, or report that Kafka takes no more.

        With `wait` nothing is dropped: it is called until there is room, and gives up by returning False.
        Raises MemoryError where there is none; also then the frame is sent or reported.
        """
        sent = _Sent(frame.seq, (frame.width, frame.height), self._begin_trace(frame), time.time_ns())
        try:
            record = Record.of(
                self._task.topic, frame, frame.camera_id, self._task.partition, headers=sent.trace.headers
            )
        except MemoryError:
            self.skip(frame.seq, GapReason.TOO_LARGE)
            raise
        while wait is not None and not self._publisher.has_room(record.size) and wait():
            self.poll()
        if self._publisher.has_room(record.size):
            self._publisher.send(record, sent)
        else:
            self.skip(frame.seq, GapReason.PRODUCER_OVERLOAD)
            sent.trace.end(time.time_ns(), **{"groundcam.outcome": GapReason.PRODUCER_OVERLOAD.value})

    def _begin_trace(self, frame: Frame) -> Trace:
        if not self._tracing.is_on:
            return UNTRACED
        trace = self._tracing.begin(
            "publish frame", frame.captured_at_ns, (),
            {"groundcam.camera": frame.camera_id, "groundcam.run": frame.run_id, "groundcam.seq": frame.seq,
             "messaging.system": "kafka", "messaging.destination.name": self._task.topic},
        )  # fmt: skip
        trace.stage("encode", frame.captured_at_ns, time.time_ns())
        return trace

    def skip(self, seq: int, reason: GapReason) -> None:
        """Report that nobody will look at a frame that was numbered."""
        self.dropped[reason] += 1
        self._reports.skipped(seq, reason, now=time.monotonic())

    def too_large(self, seq: int, size: tuple[int, int] | None = None) -> None:
        """Report a frame that the topic has no room for; the first one is told in the log, with what helps."""
        if not self._told_too_large:
            self._told_too_large = True
            log.warning("camera %s: %s", self._task.camera_id, announcements.too_large(self._task, size))
        self.skip(seq, GapReason.TOO_LARGE)

    def _refused(self, sent: _Sent, delivery: Delivery) -> None:
        if delivery.is_too_large:
            self.too_large(sent.seq, sent.size)
            return
        recurring.error("refused", "camera %s: Kafka refuses a frame: %s", self._task.camera_id, delivery.error)
        self.skip(sent.seq, GapReason.TOO_LARGE)

    def away(self, from_ns: int, to_ns: int) -> None:
        """Report a time in which there were no frames."""
        self._reports.away(from_ns, to_ns)
        self._send_reports(self._reports.due(time.monotonic()))

    def still_away(self, since_ns: int | None, now_ns: int) -> int | None:
        """Tell of an absence that goes on, from time to time; return since when it has not been told of."""
        if since_ns is None or now_ns - since_ns < STILL_AWAY_NS:
            return since_ns
        self.away(since_ns, now_ns)
        return now_ns

    def status(
        self,
        state: CameraState,
        *,
        size: tuple[int, int] | None = None,
        fps: float | None = None,
        error: str | None = None,
    ) -> None:
        """Report the camera's state, if it is new."""
        last = self._status
        if last and state is CameraState.CONNECTING:
            error = last.last_error  # what went wrong before stays known until frames come
        if last and (last.state, last.last_error, last.width, last.height) == (
            state,
            error,
            *(size or (None, None)),
        ):
            return
        since_ns = last.since_ns if last and last.state is state else time.time_ns()
        self._status = status = CameraStatus(
            camera_id=self._task.camera_id,
            state=state,
            since_ns=since_ns,
            url=self._task.camera.public_url,
            width=size[0] if size else None,
            height=size[1] if size else None,
            fps=fps,
            last_error=error,
            producer=self._task.producer,
            name=self._task.camera.name,
        )
        self._reports.state(status)
        self._send_reports(self._reports.due(time.monotonic()))

    def poll(self, *, everything: bool = False) -> None:
        """Note what Kafka has, and send reports that are due (or all of them, also of what it has just refused)."""
        for delivery in self._publisher.poll():
            sent = delivery.tag
            if isinstance(sent, _Reported):
                self._reports.acknowledged()
                if delivery.error is not None:
                    log.error("camera %s: Kafka refuses a report: %s", self._task.camera_id, delivery.error)
            if not isinstance(sent, _Sent):
                continue
            now_ns, outcome = time.time_ns(), "published"
            if delivery.error is None:
                self.totals["frames_published"] += 1
                self.totals["published_bytes"] += len(delivery.record.value or b"")
            else:
                self._refused(sent, delivery)
                outcome = GapReason.TOO_LARGE.value
            sent.trace.stage("send", sent.at_ns, now_ns)
            sent.trace.end(now_ns, **{"groundcam.outcome": outcome})
        self._send_reports(self._reports.everything() if everything else self._reports.due(time.monotonic()))

    def finish(self, timeout_s: float, show_life: Callable[[], None]) -> bool:
        """Send the rest and wait for it; return whether Kafka has all of it. `show_life` is called meanwhile."""
        deadline = time.monotonic() + timeout_s
        self.poll(everything=True)
        while self._publisher.unfinished and time.monotonic() < deadline:
            time.sleep(0.01)
            show_life()
            self.poll(everything=True)
        return not self._publisher.unfinished

    def _send_reports(self, reports: Iterable[Gap | CameraStatus]) -> None:
        """These are small and rare, and the frames' accounting rests on them: they are never dropped."""
        for report in list(reports):
            topic = self._topics.detections if isinstance(report, Gap) else self._topics.cameras
            record = Record.of(topic, report, self._task.camera_id, as_json=self._task.produce.json_reports)
            self._publisher.send(record, _Reported(), urgent=True)
