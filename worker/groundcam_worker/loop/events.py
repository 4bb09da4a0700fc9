"""What happens to the loop. Plain values; what comes from Kafka (Consumed, Assigned, Gone) is in the runtime."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from groundcam_runtime.partitions.partition import Claim
from groundcam_runtime.records import Assigned, Consumed, Gone, Partition, Position
from groundcam_worker.errors import FrameError, SandboxUnavailableError
from groundcam_worker.frames import Admitted
from groundcam_worker.loop.batches import Batch, Detections, Job, Outcome, Result
from groundcam_worker.loop.instructions import Publication


@dataclass(frozen=True, slots=True)
class Leaving:
    """These partitions are about to be revoked; what we have published of them can still be committed."""

    partitions: frozenset[Partition]


@dataclass(frozen=True, slots=True)
class DecodeDone:
    """A picture and its input shape, or why there is none."""

    admitted: Admitted
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class BatchDone:
    """A batch has come back: one result a job, in order."""

    batch: Batch
    results: Sequence[Result]
    ended_ns: int
    seconds: float = 0.0
    """How long the detector took."""


@dataclass(frozen=True, slots=True)
class SandboxDone:
    """A frame was tried in a process of its own."""

    admitted: Admitted
    result: Detections | FrameError | SandboxUnavailableError
    began_ns: int
    ended_ns: int


@dataclass(frozen=True, slots=True)
class AttemptMarked:
    """A frame's attempt is recorded on Kafka."""

    claim: Claim
    deaths: int | None
    """How many processes have ended during its attempt; None when the mark could not be written."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """Kafka has a publication, or will never take it."""

    publication: Publication
    error: BaseException | None = None
    dropped: bool = False
    """It was another member's to publish."""


@dataclass(frozen=True, slots=True)
class JobOffered:
    """A job from elsewhere than Kafka."""

    job: Job


@dataclass(frozen=True, slots=True)
class TransactionDue:
    """The next transaction can begin with some of these publications."""

    waiting: Sequence[Publication]
    owned: Mapping[Partition, int]
    """The epoch of each partition that is ours, as the group's last answer has it."""


@dataclass(frozen=True, slots=True)
class TransactionCommitted:
    """Kafka has the positions of a transaction."""

    positions: Mapping[Partition, Position]


@dataclass(frozen=True, slots=True)
class Tick:
    """Everything that has happened was handled: decide what begins."""

    draining: bool = False
    """Finish what was begun, and begin nothing new."""


Event = (
    Consumed | Assigned | Leaving | Gone | DecodeDone | BatchDone | SandboxDone | AttemptMarked | Delivered | JobOffered
    | TransactionDue | TransactionCommitted | Tick
)  # fmt: skip
