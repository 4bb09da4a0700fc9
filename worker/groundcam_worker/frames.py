r"""A frame on its way through a worker: each stage is a type of its own, which has what that stage needs.

    Consumed (a record) -> Received -> Admitted -> Decoded -> Answered
                       \-> Rejected      \-> Skipped, Rejected

A request's frame has `reply_to`: whatever becomes of it is Replied.

What is published about a frame (Answered, Skipped, Rejected) keeps no picture: it waits for Kafka's acknowledgement,
however long that takes.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import NamedTuple

from groundcam_runtime.partitions.partition import Claim
from groundcam_runtime.records import Consumed
from groundcam_schemas import FrameId, GapReason, Object, Question, QuestionRef, ReplyProblem, ReplyTo
from groundcam_worker.errors import FrameError
from groundcam_worker.parse import ParsedFrame

NS = 1_000_000_000
UNKNOWN = "unknown"
"""The camera of a record that names none, in metrics and letters."""


class Instant(NamedTuple):
    """A moment on both clocks: intervals are measured on the monotonic one, ages on the wall clock."""

    s: float
    """Monotonic, in seconds."""
    ns: int
    """Nanoseconds since the epoch."""


@dataclass(frozen=True, eq=False, slots=True)
class Received:
    """A frame that was read from Kafka and waits for admission."""

    claim: Claim
    record: Consumed
    content: ParsedFrame
    is_live: bool
    """Whether it is skipped when it is stale; frames of recordings never are."""
    reply_to: ReplyTo | None = None
    """Who waits for the answer to a request."""

    @property
    def id(self) -> FrameId:
        """Camera, run and number."""
        return self.content.id

    @property
    def lane(self) -> Hashable:
        """Frames of one lane, a camera's on a partition, begin at the detector in order, unless one is tried again.

        Requests have no order.
        """
        return self.claim.partition, self.claim.offset if self.reply_to else self.content.id.camera_id

    @property
    def line(self) -> Hashable:
        """Those of one line wait for their turn together: a camera's on a partition, or one service's requests."""
        return self.reply_to.to if self.reply_to else self.lane

    @property
    def clock(self) -> FrameId:
        """Its identity for whoever learns a clock: the numbers of a run go up. Requests are spread over partitions."""
        camera_id, run_id, seq = self.id
        return FrameId(camera_id, f"{run_id}/{self.claim.partition.number}", seq) if self.reply_to else self.id

    @property
    def picture_bytes(self) -> int:
        """Of the decoded picture."""
        return 3 * self.content.picture_size[0] * self.content.picture_size[1]

    @property
    def memory(self) -> int:
        """Bytes that it takes before it is decoded."""
        data = self.content.data
        return self.record.size + (0 if data is self.record.value else len(data))


@dataclass(frozen=True, eq=False, slots=True)
class Admitted:
    """A frame with its question, whose picture is being decoded."""

    frame: Received
    reference: QuestionRef
    question: Question
    attempts: int
    """How often it was tried, deaths of the process included."""
    at_ns: int
    is_retry: bool = False
    """Whether the same process has begun with it before."""


@dataclass(frozen=True, eq=False, slots=True)
class Decoded:
    """A frame at the detector, or about to be."""

    admitted: Admitted
    at_ns: int


@dataclass(frozen=True, slots=True)
class Stamps:
    """When a frame passed each stage, in ns; 0 for a stage that it did not pass."""

    admitted: int = 0
    decoded: int = 0
    batched: int = 0
    inferred: int = 0


@dataclass(frozen=True, eq=False, slots=True)
class Answered:
    """A frame whose objects are known."""

    claim: Claim
    record: Consumed
    """Without its bytes."""
    id: FrameId
    captured_at_ns: int
    source_size: tuple[int, int]
    reference: QuestionRef
    objects: tuple[Object, ...]
    is_live: bool
    attempts: int
    stamps: Stamps
    reply_to: ReplyTo | None = None

    @property
    def camera_id(self) -> str:
        """The camera."""
        return self.id.camera_id


@dataclass(frozen=True, eq=False, slots=True)
class Replied:
    """A request whose answer is known, or why there is none."""

    claim: Claim
    record: Consumed
    """Without its bytes."""
    id: FrameId
    reply_to: ReplyTo
    answered: Answered | None = None
    problem: ReplyProblem | None = None
    detail: str = ""

    @property
    def camera_id(self) -> str:
        """What the service calls itself."""
        return self.id.camera_id


@dataclass(frozen=True, eq=False, slots=True)
class Skipped:
    """A frame that was not inferred; its gap gives the reason."""

    claim: Claim
    record: Consumed
    """Without its bytes."""
    id: FrameId
    reason: GapReason

    @property
    def camera_id(self) -> str:
        """The camera."""
        return self.id.camera_id


@dataclass(frozen=True, eq=False, slots=True)
class Rejected:
    """A record that goes to the dead letters."""

    claim: Claim
    record: Consumed
    id: FrameId | None
    """None where not even the camera is known."""
    error: FrameError
    attempts: int = 1
    reply_to: ReplyTo | None = None

    @property
    def camera_id(self) -> str:
        """The camera, or UNKNOWN."""
        return self.id.camera_id if self.id else UNKNOWN


def without_bytes(record: Consumed) -> Consumed:
    """Return a record's place and times, without what it takes much memory for."""
    # Once a frame; dataclasses.replace takes five times as long.
    return Consumed(
        record.partition, record.offset, record.timestamp_ms, record.key, None, record.headers, record.consumed_at_ns,
        record.behind, record.monotonic_ns, record.appended_at_ns, record.waited_at_least_s, record.waited_at_most_s,
    )  # fmt: skip


def answered(admitted: Admitted, objects: tuple[Object, ...], stamps: Stamps) -> Answered:
    """Return a frame with its objects, without its bytes."""
    frame, content = admitted.frame, admitted.frame.content
    return Answered(
        frame.claim, without_bytes(frame.record), frame.id, content.captured_at_ns, content.source_size,
        admitted.reference, objects, frame.is_live, admitted.attempts, stamps, frame.reply_to,
    )  # fmt: skip
