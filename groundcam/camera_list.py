"""The cameras that have told of themselves: as a table, and which of them may be forgotten. Pure."""

import time
from collections.abc import Collection, Iterable, Mapping

from groundcam.columns import columns
from groundcam.did_you_mean import did_you_mean
from groundcam_runtime.printable import printable
from groundcam_schemas import CameraState, CameraStatus
from groundcam_schemas.questions import EVERY_CAMERA

NS = 1_000_000_000


class CameraError(RuntimeError):
    """A camera that is not there, or not to be forgotten; the sentence names it. Exit code 1."""


def table(statuses: Iterable[CameraStatus]) -> str:
    """Return the cameras for people; what is not known is a dash."""
    heading = ("CAMERA", "STATE", "SINCE", "SIZE", "FPS", "PRODUCER", "LAST ERROR")
    return columns([heading, *(tuple(map(printable, _row(one))) for one in statuses)])


def _row(status: CameraStatus) -> tuple[str, ...]:
    size = f"{status.width}x{status.height}" if status.width and status.height else "-"
    fps = "-" if status.fps is None else f"{status.fps:.3g}"
    state = status.state.value
    name = f"{status.camera_id} ({status.name})" if status.name else status.camera_id
    return name, state, since(status), size, fps, status.producer or "-", status.last_error or "-"


def since(status: CameraStatus) -> str:
    """Return when the state began, by this machine's clock on the wall."""
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(status.since_ns // NS))
    except (OverflowError, ValueError, OSError):  # a camera's clock may show anything
        return "-"


def to_forget(
    camera_id: str, statuses: Mapping[str, CameraStatus], asked: Collection[str], *, force: bool
) -> dict[str, str]:
    """Return what there is of a camera to be forgotten, in words: its `state`, its `question`, or both.

    Raises CameraError where it is not known, and where it is online, unless `force`.
    """
    if camera_id == EVERY_CAMERA:
        raise CameraError("* is every camera's question, and no camera: `groundcam ask --take-back '*'` takes it back")
    status = statuses.get(camera_id)
    if status is None and camera_id not in asked:
        raise CameraError(f"there is no camera {camera_id}{did_you_mean(camera_id, sorted({*statuses, *asked}))}")
    if status is not None and status.state is CameraState.ONLINE and not force:
        raise CameraError(
            f"the camera {camera_id} is online since {since(status)}: stop its producer first, or give --force"
        )
    found = {}
    if status is not None:
        found["state"] = f"its state ({status.state.value} since {since(status)})"
    if camera_id in asked:
        found["question"] = "its own question"
    return found
