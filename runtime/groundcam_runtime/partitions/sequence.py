"""Which frames Kafka deleted before anybody read them. Pure; one for each assigned partition.

Offsets that are skipped show that records are gone, but not whose. The cameras' own numbering shows that: after
such a jump, a camera's next frame is compared with its last one. Without a jump, numbers that are missing are the
producer's to explain, which it does with gaps of its own.
"""

from collections import OrderedDict
from collections.abc import Mapping

from groundcam_runtime.partitions.offsets import MAX_CAMERAS
from groundcam_schemas import FrameId

RAW_RUN = "@"
"""Begins the run of plain JPEGs, whose numbers are offsets that all cameras of a partition share."""


class SequenceGaps:
    """Follows one partition's offsets, and the numbers of its cameras' frames.

    Of more than `max_cameras` the longest silent are forgotten: anybody can write names into a topic.
    """

    def __init__(
        self,
        next_offset: int | None,
        last: Mapping[str, tuple[str, int]],
        *,
        whole: bool = True,
        max_cameras: int = MAX_CAMERAS,
    ) -> None:
        """`next_offset` is where reading should go on, if that is known.

        `last` has of each camera the newest frame before, as (run, seq), the longest silent first; it is not `whole`
        where there were too many to write down: then a camera that is not in it may have no missing frames.
        """
        self._next: int | None = next_offset
        self._last = OrderedDict(last)
        self._whole = whole
        self._max_cameras = max_cameras
        self._unsure: set[str] = set()
        self._anybody = False

    @property
    def whole(self) -> bool:
        """Whether every camera that ever had a frame here is known: one that is not known then had none."""
        return self._whole

    def came(self, offset: int, frame: FrameId | None, *, at_head: bool) -> range | None:
        """Note a record; return the numbers of its camera's frames that are gone, if any are.

        `at_head`: the partition has been read up to its end. A camera that is first heard of after that did not lose
        frames in the jump, but came from elsewhere.
        """
        if self._next is not None and offset > self._next:
            self._unsure = set(self._last)
            self._anybody = self._whole
        self._next = offset + 1
        gone = self._gone(frame) if frame is not None and not frame.run_id.startswith(RAW_RUN) else None
        if at_head:
            self._anybody = False
        return gone

    def _gone(self, frame: FrameId) -> range | None:
        known = self._last.get(frame.camera_id)
        if known is not None and known[0] == frame.run_id and frame.seq <= known[1]:
            self._last.move_to_end(frame.camera_id)
            return None  # it has come before, or was replayed
        in_doubt = frame.camera_id in self._unsure or (known is None and self._anybody)
        self._unsure.discard(frame.camera_id)
        self._last[frame.camera_id] = frame.run_id, frame.seq
        self._last.move_to_end(frame.camera_id)
        self._forget()
        if not in_doubt:
            return None
        first = known[1] + 1 if known is not None and known[0] == frame.run_id else 0
        return range(first, frame.seq) if first < frame.seq else None

    def _forget(self) -> None:
        while len(self._last) > self._max_cameras:
            camera_id, _ = self._last.popitem(last=False)
            self._unsure.discard(camera_id)
            # From here on a camera that is not known may be this one, whose frames were read: nobody knows any more
            # whether the frames of such a camera are missing from 0 on.
            self._whole = self._anybody = False
