"""Ask cameras written questions. `from groundcam import subscribe` reads the answers; it needs no torch."""

from importlib.metadata import version

from groundcam.subscriber import subscribe
from groundcam_schemas import (
    CameraQuestion,
    CameraStatus,
    DeadLetter,
    Detections,
    Frame,
    FrameId,
    Gap,
    GapReason,
    Object,
    Question,
    SchemaError,
)

__version__ = version("groundcam")

__all__ = [
    "CameraQuestion",
    "CameraStatus",
    "DeadLetter",
    "Detections",
    "Frame",
    "FrameId",
    "Gap",
    "GapReason",
    "Object",
    "Question",
    "SchemaError",
    "__version__",
    "subscribe",
]
