"""The cameras of one partition of the detections topic. Pure.

A camera is taken up with the state that was kept of it, and what lies before that state's offset is passed over. So a
partition may be read again from any offset that is not behind its cameras' states, and gives the same events.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator

from groundcam_events.tracking.camera import At, Camera, CameraState
from groundcam_events.tracking.rules import LifeRules
from groundcam_runtime.partitions.commit_note import CommitNote
from groundcam_schemas import CameraZones, Detections, EndReason, Event, Gap

MOST_CAMERAS = 5000
UP_TO = "@"
"""In a note, between the offset that a camera's state is up to and the run of its newest look."""
Find = Callable[[str], CameraState | None]
Zones = Callable[[str], CameraZones | None]


class PartitionTracker:
    """Follows the cameras of one partition."""

    def __init__(self, number: int, next_offset: int | None, rules: LifeRules, find: Find, zones: Zones) -> None:
        """`find` gives the state that was kept of a camera, `zones` those that are set now."""
        self.number = number
        self.next_offset = next_offset
        """What lies before it has been taken."""
        self.known_end = 0
        """Another tracker may have told what follows from the records before it: nothing else may follow from them."""
        self.cameras: OrderedDict[str, Camera] = OrderedDict()
        """The longest silent first."""
        self.changed: set[str] = set()
        """Cameras whose states on Kafka are older than ours."""
        self.unsettled: set[str] = set()
        """Those whose events would come out otherwise if they were read again now: their state must be kept first."""
        self._rules, self._find, self._zones = rules, find, zones
        self._second = 0

    def take(self, answer: Detections | Gap, at: At) -> list[Event]:
        """Take a record; return the events that follow, in order."""
        self.next_offset = at.offset + 1
        events = list(self._passed(at.timestamp_ms))
        camera = self.camera(answer.camera_id)
        self.cameras.move_to_end(answer.camera_id)
        if camera.state.partition == self.number and at.offset < camera.state.next_offset:
            return events
        self.changed.add(answer.camera_id)
        return [*events, *camera.passed(at.timestamp_ms), *camera.take(answer, at)]

    def skip(self, offset: int) -> None:
        """Pass over a record that cannot be read."""
        self.next_offset = offset + 1

    def camera(self, camera_id: str) -> Camera:
        """Return a camera, taken up where it was left."""
        known = self.cameras.get(camera_id)
        if known is None:
            kept = self._find(camera_id)
            known = Camera(kept or CameraState(camera_id, self.number), self._rules)
            if known.state.partition != self.number:
                known.state.partition, known.state.next_offset = self.number, 0  # it has moved here
                self.unsettled.add(camera_id)
            if kept is None:
                known.change_zones(self._zones(camera_id))
                self.unsettled.add(camera_id)
            self._make_room()
            self.cameras[camera_id] = known
            self.changed.add(camera_id)
        return known

    def _make_room(self) -> None:
        """Whoever may write answers can invent cameras without end: those without objects are forgotten first."""
        if len(self.cameras) < MOST_CAMERAS:
            return
        idle = (name for name, one in self.cameras.items() if not one.state.lives and name not in self.unsettled)
        if (longest_silent := next(idle, None)) is not None:
            del self.cameras[longest_silent]
            self.changed.discard(longest_silent)

    @property
    def is_ahead(self) -> bool:
        """Whether it has passed everything that another tracker may have seen."""
        return (self.next_offset or 0) >= self.known_end

    def take_zones(self) -> None:
        """Let the zones that are set now be in force, for records that nobody has seen."""
        if not self.is_ahead:
            return
        for camera_id, camera in self.cameras.items():
            wanted = self._zones(camera_id)
            if wanted is not None and not (wanted.zones or wanted.lines):
                wanted = None
            have = camera.state.zones
            if (have.version if have else "") != (wanted.version if wanted else ""):
                camera.change_zones(wanted)
                self.changed.add(camera_id)
                self.unsettled.add(camera_id)

    def end_silent(self, camera_ids: Iterable[str]) -> Iterator[Event]:
        """End what is open at cameras of which nobody has heard for too long."""
        for camera_id in camera_ids:
            camera = self.cameras[camera_id]
            self.changed.add(camera_id)
            self.unsettled.add(camera_id)
            yield from camera.end_all(EndReason.SILENT)

    def note(self) -> CommitNote:
        """Return what to write beside the offset: each camera's newest look, and what its state is up to."""
        last = {
            name: (f"{one.state.next_offset}{UP_TO}{one.state.order.run_id}", one.state.order.seq)
            for name, one in self.cameras.items()
        }
        return CommitNote(in_use=True, last=last)

    def _passed(self, timestamp_ms: int) -> Iterator[Event]:
        """Let time pass at all cameras, once a second of the records' own time."""
        second = timestamp_ms // 1000
        if second <= self._second:
            return
        self._second = second
        for camera_id, camera in self.cameras.items():
            if camera.state.lives and (ended := camera.passed(timestamp_ms)):
                self.changed.add(camera_id)
                yield from ended


def is_behind(state: CameraState | None, place: tuple[str, int], number: int) -> bool:
    """Whether a camera's state is older than what the commit note of a partition tells of: another tracker wrote it.

    By its newest look, and by the offset that it is up to, since gaps come after a look. Trackers of versions before
    wrote the look alone; they take what stands before the run for a part of it, and read again.
    """
    if state is None:
        return True
    (up_to, is_told, run_id), seq = place[0].partition(UP_TO), place[1]
    if not is_told or not up_to.isdecimal():
        up_to, run_id = "0", place[0]
    if state.partition == number and state.next_offset < int(up_to):
        return True
    if not run_id:
        return False  # nothing but gaps came
    order = state.order
    return order.seq < seq if order.run_id == run_id else run_id not in order.runs
