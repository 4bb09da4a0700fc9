"""What a camera's process receives at its start, and what it reports while it runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from groundcam_producers.settings import CameraSettings, ProduceSettings
from groundcam_runtime.settings import KafkaSettings, LogSettings, TraceSettings
from groundcam_schemas import CameraState, GapReason

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

    @property
    def fps(self) -> float | None:
        """Frames a second to keep; None keeps every frame. What is set of a camera beats what is set of all."""
        return self.camera.fps or (None if self.produce.every_frame else self.produce.fps)

    @property
    def loops(self) -> bool:
        """Whether a file is played again and again."""
        return self.produce.loops(self.camera)

    @property
    def max_size(self) -> tuple[int, int] | None:
        """Largest width and height; None leaves pictures as large as they are."""
        is_set = "max_size" in self.camera.model_fields_set  # also to none: as large as they come
        return self.camera.max_size if is_set else self.produce.max_size


@dataclass(slots=True)
class Beat:
    """A sign of life, with what happened since the last one."""

    state: CameraState
    last_frame_ns: int | None
    reason: str | None = None
    """Why there are no frames, in words."""
    totals: Mapping[str, float] = field(default_factory=dict)
    dropped: Mapping[GapReason, int] = field(default_factory=dict)
