"""Cameras' states as they lie on the tracks topic, and what is read again where they are old."""

import logging
import time
from collections.abc import Collection, Iterator, Mapping

from groundcam_events.tracking.camera import CameraState
from groundcam_events.tracking.partition import is_behind
from groundcam_events.tracking.state import StateError, decode_state
from groundcam_runtime.kafka.errors import KafkaProblem
from groundcam_runtime.kafka.ranges import Ranges
from groundcam_runtime.kafka.reader import Reader
from groundcam_runtime.partitions.commit_note import read_note
from groundcam_runtime.records import Consumed, Partition, Position
from groundcam_runtime.settings import KafkaSettings

log = logging.getLogger(__name__)

REBUILD_S = 900.0
"""A state that cannot be read is made again from the detections of so long a time."""


class OpenTransactionError(KafkaProblem):
    """What is written may not be read yet."""


class KeptStates:
    """All states as of one moment."""

    def __init__(self, kafka: KafkaSettings, *, by_transactions: bool = False) -> None:
        """With `by_transactions`, states that lie in an open transaction are waited for."""
        self._kafka, self._by_transactions = kafka, by_transactions
        self._decoded: dict[str, CameraState] = {}

    def read(self) -> None:
        """Read the topic. Raises KafkaProblem, also while a transaction on it is open."""
        states: dict[str, bytes] = {}
        written = self._written() if self._by_transactions else {}
        with Reader(self._kafka, [self._kafka.topics.tracks], start="beginning") as reader:
            committed = reader.end_offsets() if written else {}
            if open_on := sorted(one.number for one, end in written.items() if committed.get(one, end) < end):
                raise OpenTransactionError(
                    f"a transaction on {self._kafka.topics.tracks}, partitions {', '.join(map(str, open_on))}, is open:"
                    " it ends with the tracker that has begun it, or a minute after that was killed"
                )
            for record in reader.to_the_end():
                name = (record.key or b"").decode("utf-8", "replace")
                if record.value:
                    states[name] = record.value
                else:
                    states.pop(name, None)
        self._decode(states)

    def _written(self) -> dict[Partition, int]:
        """Return where the topic ends, with what lies in open transactions."""
        topic = self._kafka.topics.tracks
        with Reader(self._kafka, [topic], start="end", isolation_level="read_uncommitted") as reader:
            return reader.end_offsets()

    def _decode(self, states: Mapping[str, bytes]) -> None:
        self._decoded = {}
        for name, value in states.items():
            try:
                state = decode_state(value)
            except StateError as error:
                log.warning(
                    "camera %s: its kept state is not used: %s; its objects are found again in the detections",
                    name,
                    error,
                )
                continue
            if state.camera_id == name:
                self._decoded[name] = state

    def ends(self, partitions: Collection[Partition]) -> dict[Partition, int]:
        """Return where each partition of the detections topic ends now. Raises KafkaProblem."""
        with Ranges(self._kafka) as ranges:
            return ranges.ends(partitions)

    def is_end(self, partition: Partition, offset: int) -> bool:
        """Whether there is no record at an offset and behind it. Raises KafkaProblem."""
        with Ranges(self._kafka) as ranges:
            return next(ranges.read(partition, offset, ranges.ends([partition])[partition]), None) is None

    def of(self, partition: int) -> list[str]:
        """Return the cameras that were in a partition, the longest silent first."""
        mine = [one for one in self._decoded.values() if one.partition == partition]
        return [one.camera_id for one in sorted(mine, key=lambda one: (one.heard_ms, one.camera_id))]

    def peek(self, camera_id: str) -> CameraState | None:
        """Return a camera's state, to be looked at."""
        return self._decoded.get(camera_id)

    def take(self, camera_id: str) -> CameraState | None:
        """Return a camera's state, to go on with."""
        return self._decoded.pop(camera_id, None)

    def behind(self, number: int, found: Position | None) -> list[str]:
        """Return the cameras whose states are older than what was committed of this partition."""
        last = read_note(found.note if found else "").last
        cameras = [name for name, seen in last.items() if is_behind(self.peek(name), seen, number)]
        if cameras:
            log.warning("the kept states of %d cameras are old: their answers are read again", len(cameras))
        return cameras

    def read_again(self, partition: Partition, end: int, cameras: Collection[str]) -> Iterator[Consumed]:
        """Yield a partition's records before `end` that these cameras' states may lack. Raises KafkaProblem."""
        known = [self.peek(name) for name in cameras]
        with Ranges(self._kafka) as ranges:
            if all(one is not None and one.partition == partition.number for one in known):
                start: int | None = min(one.next_offset for one in known if one is not None)
            else:
                start = ranges.offset_at(partition, int((time.time() - REBUILD_S) * 1000))
            if start is not None and start < end:
                yield from ranges.read(partition, start, end)
