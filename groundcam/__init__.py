"""Ask cameras written questions. `from groundcam import subscribe` reads the answers, `subscribe_events` what becomes
of single objects; neither needs torch.

The names are imported when they are asked for: the program begins by importing this package.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from groundcam.event_subscriber import subscribe_events
    from groundcam.subscriber import subscribe
    from groundcam_schemas import (
        CameraQuestion,
        CameraStatus,
        CameraZones,
        Cause,
        DeadLetter,
        Detections,
        EndReason,
        Event,
        EventType,
        Frame,
        FrameId,
        Gap,
        GapReason,
        Object,
        Question,
        SchemaError,
        Severity,
    )

    __version__: str

__all__ = [
    "CameraQuestion",
    "CameraStatus",
    "CameraZones",
    "Cause",
    "DeadLetter",
    "Detections",
    "EndReason",
    "Event",
    "EventType",
    "Frame",
    "FrameId",
    "Gap",
    "GapReason",
    "Object",
    "Question",
    "SchemaError",
    "Severity",
    "__version__",
    "subscribe",
    "subscribe_events",
]
_CLIENTS = {"subscribe": "groundcam.subscriber", "subscribe_events": "groundcam.event_subscriber"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name == "__version__":
        value: Any = import_module("importlib.metadata").version(__name__)
    else:
        value = getattr(import_module(_CLIENTS.get(name, "groundcam_schemas")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
