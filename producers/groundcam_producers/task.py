"""What a camera's process receives at its start, and what it reports while it runs.

Over the same pipe it hears of a new `Tuning` meanwhile.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from groundcam_producers.settings import CameraSettings, ProduceSettings, Tuning
from groundcam_runtime.settings import KafkaSettings, LogSettings, TraceSettings
from groundcam_schemas import CameraState, CameraStatus, GapReason

BATCH_OVERHEAD_BYTES = 512
"""A record batch's own header and the topic's name count against the topic's limit, too."""


@dataclass(frozen=True, slots=True)
class CameraTask:
    """Everything that one camera's process needs. It travels over a pipe, not over a command line."""

    camera_id: str
    camera: CameraSettings
    produce: ProduceSettings
    kafka: KafkaSettings
    log: LogSettings
    trace: TraceSettings
    version: str
    topic: str
    partition: int | None
    max_record_bytes: int
    away_since_ns: int | None
    """When the process before this one had its last frame, if there was one."""
    is_job: bool = False
    """Whether a file that cannot be played ends this camera; else it is tried again."""
    producer: str = ""
    """Who the parent is, in the states of its cameras."""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Of this process's environment what the camera's settings refer to: its password, and no other's."""

    def __post_init__(self) -> None:
        # No camera's process knows another camera: it runs a decoder on what strangers send.
        object.__setattr__(self, "produce", self.produce.model_copy(update={"cameras": {}, "only": None}))

    def status(self, state: CameraState, error: str | None, since_ns: int) -> CameraStatus:
        """Return a state for a process that cannot tell of itself any more."""
        return CameraStatus(
            camera_id=self.camera_id, state=state, since_ns=since_ns, url=self.camera.public_url, last_error=error,
            producer=self.producer, name=self.camera.name,
        )  # fmt: skip

    @property
    def tuning(self) -> Tuning:
        """What may change while the camera stays open, as it was at the start."""
        return self.produce.tuning(self.camera)


@dataclass(slots=True)
class Beat:
    """A sign of life, with what happened since the last one."""

    state: CameraState
    last_frame_ns: int | None
    reason: str | None = None
    """Why there are no frames, in words."""
    totals: Mapping[str, float] = field(default_factory=dict)
    dropped: Mapping[GapReason, int] = field(default_factory=dict)
