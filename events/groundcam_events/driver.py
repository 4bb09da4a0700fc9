"""Runs the tracker: brings records to the cameras, sends what follows, and keeps their states.

One thread runs it and owns all of its state. The source and the publisher have threads of their own and wake it.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator

from groundcam_events.checkpoint import Checkpoints, Frozen
from groundcam_events.kept_states import KeptStates
from groundcam_events.metrics import TrackerMetrics
from groundcam_events.outbox import Outbox
from groundcam_events.telling import Telling
from groundcam_events.tracking.camera import At
from groundcam_events.tracking.partition import PartitionTracker, Zones
from groundcam_events.tracking.rules import LifeRules
from groundcam_runtime.kafka.errors import KafkaProblem, SourceLostError
from groundcam_runtime.kafka.source import GroupSource
from groundcam_runtime.records import Assigned, Consumed, Gone, Partition, Position
from groundcam_runtime.recurring import Recurring
from groundcam_schemas import Event, SchemaError, decode_answer
from groundcam_schemas.identity import is_errand

log = logging.getLogger(__name__)
recurring = Recurring(log)

MAX_SLEEP_S = 0.25
RETRY_S = 1.0
AT_ONCE = 256
"""Records between two looks at what Kafka has acknowledged."""


class Driver:
    """Follows the cameras of the partitions that are ours."""

    def __init__(
        self,
        topic: str,
        source: GroupSource,
        outbox: Outbox,
        checkpoints: Checkpoints,
        states: KeptStates,
        zones: Zones,
        rules: LifeRules,
        metrics: TrackerMetrics,
        wake: threading.Event,
        *,
        checkpoint_s: float,
        tells: Callable[[Event], None] = lambda _event: None,
    ) -> None:
        """`topic` is that of the detections; `tells` hears each event once it is sent."""
        self.partitions: dict[int, PartitionTracker] = {}
        self._topic, self._source, self._states = topic, source, states
        self._zones, self._rules, self._metrics, self._wake = zones, rules, metrics, wake
        self._checkpoint_s, self._checkpoints = checkpoint_s, checkpoints
        self._settling: dict[int, set[str]] = {}
        self._epochs: dict[int, int] = {}
        self._telling = Telling(outbox, checkpoints, metrics, self._epochs, tells)
        self._began_at, self._next_at = 0.0, 0.0
        self._heard_at: dict[int, float] = {}
        self.behind: dict[int, int] = {}
        """How many records each partition has after the newest one that was taken."""
        self._pending: Assigned | None = None
        self._retry_at = 0.0
        self._leaving = source.leaving
        self._left: frozenset[Partition] | None = None
        """Those that wait for the checkpoint after which they may go."""
        self._handing_over = False
        self.ticked_at = time.monotonic()

    @property
    def is_ready(self) -> bool:
        """Whether partitions are taken over as they come."""
        return self._pending is None

    def run(self, stop: Callable[[], bool], drain_timeout_s: float) -> bool:
        """Work until `stop`, then keep all states; return whether that was done in time. Raises SourceLostError."""
        while not stop():
            self._turn(draining=False)
        log.info("stopping: keeping the cameras' states")
        self._source.pause()
        deadline = time.monotonic() + drain_timeout_s
        self._next_at = 0.0
        while time.monotonic() < deadline:
            if self._checkpoints.is_idle and not self._is_changed() and not self._telling.news:
                return True
            self._next_at = 0.0
            self._turn(draining=True)
        return False

    def _turn(self, *, draining: bool) -> None:
        self._wake.clear()
        if not draining and self._source.failure:
            raise SourceLostError(self._source.failure)
        self._telling.collect()
        if (leaving := self._source.leaving) and leaving is not self._leaving:
            self._leaving = self._left = leaving
            self._next_at = 0.0
        more = self._take(draining=draining)
        now = self.ticked_at = time.monotonic()
        self._advance(now)
        if not more:
            self._wake.wait(
                max(0.0, min(MAX_SLEEP_S, self._next_at - now)) if self._checkpoints.frozen is None else MAX_SLEEP_S
            )

    def _take(self, *, draining: bool) -> bool:
        """Take records while there is room; return whether there may be more."""
        if self._pending is not None and not self._take_over(self._pending):
            return False
        for _ in range(AT_ONCE):
            if self._telling.is_full:
                return False
            event = self._source.take()
            match event:
                case None:
                    return False
                case Consumed():
                    if not draining:
                        self._record(event)
                case Assigned():
                    if not self._take_over(event):
                        return False
                case Gone(partitions):
                    self._gone(partitions)
        return True

    def _record(self, record: Consumed) -> None:
        number = record.partition.number
        tracker = self.partitions.get(number)
        if tracker is None or (self._left is not None and record.partition in self._left):
            return  # the next owner reads it
        self._heard_at[number], self.behind[number] = time.monotonic(), record.behind
        self._follow(tracker, record)

    def _follow(self, tracker: PartitionTracker, record: Consumed, *, cameras: Iterable[str] | None = None) -> None:
        try:
            answer = decode_answer(record.value or b"")
        except SchemaError as error:
            self._metrics.unreadable()
            recurring.warning(
                f"answers with {type(error).__name__}", "a message on the detections topic is passed over: %s", error,
                partition=tracker.number, offset=record.offset,
            )  # fmt: skip
            tracker.skip(record.offset)
            return
        if is_errand(answer.camera_id) or (cameras is not None and answer.camera_id not in cameras):
            tracker.skip(record.offset)
            return
        camera = tracker.camera(answer.camera_id)
        self._telling.catch_up(tracker.number, camera.state.untold)
        late, refused = camera.late, camera.refused
        events = tracker.take(answer, At(tracker.number, record.offset, record.timestamp_ms))
        self._metrics.took(answer.camera_id, camera.late - late, camera.refused - refused)
        for event in events:
            self._tell(tracker, event)

    def _tell(self, tracker: PartitionTracker, event: Event) -> None:
        if event.camera_id in tracker.unsettled:
            self._checkpoints.hold(event)
            self._next_at = 0.0
        else:
            self._telling.event(tracker.number, event)

    # Checkpoints

    def _is_changed(self) -> bool:
        return any(one.changed or one.unsettled for one in self.partitions.values())

    def _advance(self, now: float) -> None:
        """Begin a checkpoint, or take the one under way further."""
        if self._checkpoints.frozen is None and now >= self._next_at:
            self._begin(now)
        self._telling.states()
        if (finished := self._checkpoints.finished()) is not None:
            self._finish(finished, now)

    def _begin(self, now: float) -> None:
        trackers = list(self.partitions.values())
        for one in trackers:
            one.take_zones()
            self._end_silent(one, now)
        for camera_id in sorted(self._telling.news):
            self._tell_objects(camera_id)
        self._telling.news.clear()
        self._settling = {one.number: set(one.unsettled) for one in trackers}
        self._handing_over = self._left is not None
        self._checkpoints.begin(trackers, dict(self._positions()))
        self._began_at, self._next_at = now, now + self._checkpoint_s

    def _finish(self, frozen: Frozen, now: float) -> None:
        if not self._checkpoints.by_transactions:
            self._source.commit(frozen.positions)
        for number, names in self._settling.items():
            if number in self.partitions:
                self.partitions[number].unsettled -= names
        for camera_id, events in frozen.untold.items():
            number = frozen.states[camera_id][0]
            for event in events:
                self._telling.event(number, event)
            self.partitions[number].changed.add(camera_id)  # they are told by now
        for number, names in self._settling.items():
            for event in self._checkpoints.release(names):
                self._telling.event(number, event)
        self._metrics.checkpoint(now - self._began_at, sum(len(state) for _, state in frozen.states.values()))
        if self._left is not None and self._handing_over:
            self._source.hand_over(self._left)
            self._left = None
        if self._telling.news or any(one.unsettled for one in self.partitions.values()):
            self._next_at = 0.0

    def _positions(self) -> Iterator[tuple[Partition, Position]]:
        for number, tracker in self.partitions.items():
            if tracker.next_offset is not None:
                note, farewell = tracker.note().texts()
                at = Position(tracker.next_offset, note, farewell, self._epochs[number])
                yield Partition(self._topic, number), at

    def _end_silent(self, tracker: PartitionTracker, now: float) -> None:
        """Nothing comes of a whole partition, so no record shows that time passes."""
        names = [name for name, one in tracker.cameras.items() if one.state.lives]
        if not names or now - self._heard_at[tracker.number] < self._rules.silent_s or not self._is_read(tracker, now):
            return
        for event in tracker.end_silent(names):
            self._tell(tracker, event)

    def _is_read(self, tracker: PartitionTracker, now: float) -> bool:
        """Whether everything of a partition was taken. What lies behind that may be markers of transactions alone."""
        number, next_offset = tracker.number, tracker.next_offset
        if tracker.is_ahead and not self.behind.get(number, 0):
            return True
        if next_offset is None or now < self._retry_at:
            return False
        try:
            is_read = self._states.is_end(Partition(self._topic, number), next_offset)
        except KafkaProblem as problem:
            recurring.warning("a partition's end that cannot be read", "silent cameras wait: %s", problem)
            self._retry_at = now + RETRY_S
            return False
        if is_read:
            tracker.known_end, self.behind[number] = next_offset, 0
        else:
            self._heard_at[number] = now  # it will be taken
        return is_read

    def _tell_objects(self, camera_id: str) -> None:
        for tracker in self.partitions.values():
            if (camera := tracker.cameras.get(camera_id)) is not None:
                self._telling.objects(tracker.number, camera.now())

    # Partitions that come and go

    def _take_over(self, event: Assigned) -> bool:
        """Go on where the cameras of these partitions were left; return whether that could be done."""
        self._pending = event
        now = time.monotonic()
        if now < self._retry_at or self._checkpoints.is_writing:
            return False  # a state of ours that comes after what is read here would be behind it
        try:
            ends = self._states.ends(event.partitions)
            self._states.read()
            for place, found in event.partitions.items():
                self._begin_partition(place, found, event.epoch)
                self.partitions[place.number].known_end = ends[place]
        except KafkaProblem as problem:
            recurring.warning("states that cannot be read", "partitions wait: %s", problem)
            self._retry_at = now + RETRY_S
            return False
        self._pending = None
        self._metrics.recovered(time.monotonic() - now)
        log.info("partitions %s are followed from here", ", ".join(str(one.number) for one in sorted(event.partitions)))
        return True

    def _begin_partition(self, place: Partition, found: Position | None, epoch: int) -> None:
        number, offset = place.number, found.offset if found else None
        tracker = PartitionTracker(number, offset, self._rules, self._states.take, self._zones)
        behind = self._states.behind(number, found)
        self.partitions[number], self._epochs[number], self._heard_at[number] = tracker, epoch, time.monotonic()
        for record in self._states.read_again(place, offset, behind) if offset and behind else ():
            self._follow(tracker, record, cameras=behind)
        tracker.next_offset = offset
        for name in self._states.of(number):
            if not self._telling.catch_up(number, tracker.camera(name).state.untold):
                tracker.changed.discard(name)

    def _gone(self, partitions: frozenset[Partition]) -> None:
        numbers = {one.number for one in partitions}
        names = {name for number in numbers & set(self.partitions) for name in self.partitions[number].cameras}
        self._checkpoints.drop(numbers, names)
        for number in numbers:
            self.partitions.pop(number, None)
            self.behind.pop(number, None)
            self._settling.pop(number, None)  # should it come back, the checkpoint under way settles nothing of it
        self._telling.news -= names
        if self._left is not None and not any(one.number in self.partitions for one in self._left):
            self._left = None
