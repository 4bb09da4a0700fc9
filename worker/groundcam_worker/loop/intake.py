"""What happens to a record when it comes in: whose frame it is, how old, and what is missing before it."""

import logging
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass

from groundcam_runtime.partitions.assignment import Assignment
from groundcam_runtime.partitions.commit_note import read_note
from groundcam_runtime.records import Assigned, Consumed
from groundcam_worker.errors import FrameError
from groundcam_worker.frame_in_flight import NS, Item
from groundcam_worker.jpeg import jpeg_size
from groundcam_worker.metrics import WorkerMetrics
from groundcam_worker.parse import Incoming, place_of, read_frame
from groundcam_worker.policy.freshness import Freshness

log = logging.getLogger(__name__)

HEAD = 8
"""So close to the end of its partition a camera that is first heard of has lost nothing: it came from elsewhere."""
CLOCK_AHEAD_S = -1.0
CLOCK_BEHIND_S = 10.0
CLOCK_FOR_S = 10.0
"""Frames that for so long seem to come from the future, or so late at their best, come from a clock that is wrong."""
REMEMBERED_RUNS = 1000


@dataclass(frozen=True, slots=True)
class Received:
    """One frame that has come in."""

    item: Item
    error: FrameError | None = None
    """Why it cannot be looked at, if so."""
    expired: range | None = None
    """Numbers of frames before it that Kafka has deleted before they were read."""
    suspect: bool = False
    """It may have been in flight when a worker died."""


class Intake:
    """Reads records."""

    def __init__(
        self,
        assignment: Assignment,
        freshness: Freshness,
        metrics: WorkerMetrics,
        never_stale: Collection[str],
        max_pixels: int,
    ) -> None:
        """`never_stale` names the topics of which every frame counts."""
        self._assignment = assignment
        self._freshness = freshness
        self._metrics = metrics
        self._never_stale = never_stale
        self._max_pixels = max_pixels
        self._odd_since: OrderedDict[tuple[str, str], float] = OrderedDict()

    def receive(self, record: Consumed) -> Received | None:
        """Read a record; None for one of a partition that has just left."""
        incoming, error, frame_id = None, None, place_of(record)
        size = (0, 0)
        try:
            incoming = read_frame(record)
            frame_id = incoming.id
            size = self._picture_size(incoming)
        except FrameError as failed:
            error = failed
        claim = self._assignment.begin(record, frame_id)
        if claim is None:
            return None
        at_head = record.behind <= HEAD
        item = Item(
            record, claim, id=frame_id, incoming=incoming, picture_size=size,
            sheddable=record.partition.topic not in self._never_stale,
        )  # fmt: skip
        self._metrics.consumed(item.camera, record.size)
        if incoming is not None and item.sheddable:
            self._judge_clock(item, incoming)
        return Received(
            item,
            error,
            expired=claim.state.sequence.came(record.offset, frame_id, at_head=at_head),
            suspect=record.offset < (claim.state.suspects_end or 0),
        )

    def is_stale(self, item: Item, now_ns: int) -> bool:
        """Whether a frame is too old to be taken up."""
        if not item.sheddable or item.incoming is None:
            return False
        return self._freshness.is_stale(item.incoming.id, item.incoming.captured_at_ns, item.record, now_ns)

    def recall(self, event: Assigned) -> None:
        """Learn from what the owners before wrote down of the cameras' clocks."""
        for position in event.partitions.values():
            note = read_note(position.note if position is not None else "")
            for camera_id, delay_ms in note.clocks.items():
                if camera_id in note.last:
                    self._freshness.recall(camera_id, note.last[camera_id][0], delay_ms)

    def _picture_size(self, incoming: Incoming) -> tuple[int, int]:
        """Return (width, height), before anything is decoded. Raises BadPictureError."""
        return jpeg_size(incoming.jpeg, self._max_pixels)

    def _judge_clock(self, item: Item, incoming: Incoming) -> None:
        camera_id, run_id, _ = incoming.id
        delay_s = self._freshness.arrived(incoming.id, incoming.captured_at_ns, item.record)
        item.claim.state.note_clock(camera_id, self._freshness.remembered(camera_id))
        if delay_s is None:
            return
        self._metrics.clock(camera_id, delay_s)
        run, now_s = (camera_id, run_id), item.record.consumed_at_ns / NS
        if CLOCK_AHEAD_S <= delay_s <= CLOCK_BEHIND_S:
            self._odd_since.pop(run, None)
            return
        since_s = self._odd_since.setdefault(run, now_s)
        if len(self._odd_since) > REMEMBERED_RUNS:
            self._odd_since.popitem(last=False)
        if now_s - since_s < CLOCK_FOR_S:
            return
        self._odd_since[run] = float("inf")  # once is enough
        log.warning(
            "camera %s: its frames seem %.0f s %s when they come: a clock is wrong, its or ours; ages allow for it",
            camera_id, abs(delay_s), "old" if delay_s > 0 else "ahead",
        )  # fmt: skip
