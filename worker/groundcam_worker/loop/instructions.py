"""What the state machine wants done, in order, and facts for metrics and logs. Plain values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from groundcam_runtime.partitions.partition import Claim
from groundcam_runtime.records import Partition, Position
from groundcam_schemas import Gap, GapReason
from groundcam_worker.errors import DetectorLostError
from groundcam_worker.frames import Admitted, Answered, Rejected, Replied, Skipped
from groundcam_worker.loop.batches import Batch, Result


@dataclass(frozen=True, slots=True)
class Decode:
    """Decode the frame's JPEG, and see that its question can be asked."""

    admitted: Admitted


@dataclass(frozen=True, slots=True)
class Begin:
    """Hand a batch to the detector."""

    batch: Batch


@dataclass(frozen=True, slots=True)
class Isolate:
    """Have a frame answered by a process of its own, which it may end."""

    admitted: Admitted


@dataclass(frozen=True, slots=True)
class Mark:
    """Record on Kafka that a quarantined frame is about to be tried."""

    claim: Claim
    camera_id: str
    read: bool
    """Other workers may have left marks meanwhile: read them first."""


@dataclass(frozen=True, slots=True)
class ClearMarks:
    """No quarantined frame is being tried any more."""


@dataclass(frozen=True, eq=False, slots=True)
class PublishAnswer:
    """Publish a frame's detections."""

    answered: Answered
    is_answer: ClassVar[bool] = True

    @property
    def about(self) -> list[Claim]:
        """The frame."""
        return [self.answered.claim]

    @property
    def claims(self) -> list[Claim]:
        """What is answered once Kafka has it."""
        return [self.answered.claim]


@dataclass(frozen=True, eq=False, slots=True)
class PublishGap:
    """Publish a gap: why some frames were not inferred."""

    gap: Gap
    frames: tuple[Skipped, ...]
    is_answer: ClassVar[bool] = False

    @property
    def about(self) -> list[Claim]:
        """The frames in it; none where Kafka deleted them."""
        return self.claims

    @property
    def claims(self) -> list[Claim]:
        """What is answered once Kafka has it."""
        return [frame.claim for frame in self.frames]


@dataclass(frozen=True, eq=False, slots=True)
class PublishLetter:
    """Publish a dead letter. Subscribers learn of it by a gap, which answers the frame."""

    rejected: Rejected
    is_answer: ClassVar[bool] = False

    @property
    def about(self) -> list[Claim]:
        """The record."""
        return [self.rejected.claim]

    @property
    def claims(self) -> list[Claim]:
        """What is answered once Kafka has it: nobody waits for a gap of a camera that is unknown."""
        return [] if self.rejected.id else [self.rejected.claim]


@dataclass(frozen=True, eq=False, slots=True)
class PublishReply:
    """Publish the answer to a request, or why there is none."""

    replied: Replied
    is_answer: ClassVar[bool] = True

    @property
    def about(self) -> list[Claim]:
        """The request."""
        return [self.replied.claim]

    @property
    def claims(self) -> list[Claim]:
        """What is answered once Kafka has it."""
        return [self.replied.claim]


Publication = PublishAnswer | PublishGap | PublishLetter | PublishReply


@dataclass(frozen=True, slots=True)
class Commit:
    """Let these be the next offsets to read."""

    positions: Mapping[Partition, Position]
    written: bool = False
    """Kafka has them already."""


@dataclass(frozen=True, slots=True)
class HandOver:
    """Let these partitions go: Kafka has everything that was published of them, and its offsets are noted."""

    partitions: frozenset[Partition]


@dataclass(frozen=True, slots=True)
class Transact:
    """Begin a transaction of these publications and positions."""

    publications: Sequence[Publication]
    not_ours: Sequence[Publication]
    """Another member's to publish: dropped."""
    positions: Mapping[Partition, Position]


@dataclass(frozen=True, slots=True)
class Reply:
    """Give a job its result."""

    origin: object
    result: Result


@dataclass(frozen=True, slots=True)
class Fail:
    """The worker cannot go on."""

    error: DetectorLostError


# Facts, for metrics and logs.


@dataclass(frozen=True, slots=True)
class FrameArrived:
    """A record came from Kafka."""

    camera_id: str
    size: int


@dataclass(frozen=True, slots=True)
class FramesDropped:
    """Some frames are skipped."""

    camera_id: str
    reason: GapReason
    count: int = 1


@dataclass(frozen=True, slots=True)
class DelayLearned:
    """The smallest time lately from a run's capture to its arrival here."""

    camera_id: str
    run_id: str
    delay_s: float


Fact = FrameArrived | FramesDropped | DelayLearned
Instruction = (
    Decode | Begin | Isolate | Mark | ClearMarks | Publication | Commit | HandOver | Transact | Reply | Fail | Fact
)  # fmt: skip
