"""The questions in force, as /status shows them to people. Pure."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from groundcam_runtime.printable import printable
from groundcam_schemas import CameraQuestion
from groundcam_schemas.questions import EVERY_CAMERA
from groundcam_worker.frames import NS
from groundcam_worker.policy.questions import ActiveQuestion

MOST_CAMERAS = 100
MOST_CLASSES = 20
"""A question may have 500, and ten thousand cameras one of their own."""
FROM_SETTINGS = "the settings"


def question_report(active: Iterable[ActiveQuestion], began_ns: int) -> dict[str, Any]:
    """Return who is asked what, since when and by whom: first `*`, the question of every other camera.

    `began_ns` is when the questions of the settings came into force.
    """
    ordered = sorted(active, key=lambda one: (one.camera_id != EVERY_CAMERA, one.camera_id))
    found: dict[str, Any] = {one.camera_id: _told(one, began_ns) for one in ordered[:MOST_CAMERAS]}
    if len(ordered) > MOST_CAMERAS:
        found["(more)"] = f"{len(ordered) - MOST_CAMERAS} cameras more have one of their own"
    return found


def _told(one: ActiveQuestion, began_ns: int) -> dict[str, Any]:
    asked, labels = one.question, one.ref.classes
    classes = [printable(label) for label in labels[:MOST_CLASSES]]
    if len(labels) > MOST_CLASSES:
        classes.append(f"({len(labels) - MOST_CLASSES} more)")
    since_ns, by = began_ns, FROM_SETTINGS
    if isinstance(asked, CameraQuestion):
        since_ns, by = asked.set_at_ns, printable(asked.set_by) or "not said"
    return {"id": one.ref.id, "version": one.ref.version, "classes": classes, "since": _time(since_ns), "by": by}


def _time(at_ns: int) -> str:
    """Return a time for people; whoever wrote the question may have written any number."""
    try:
        return datetime.fromtimestamp(at_ns // NS, UTC).isoformat() if at_ns else "not said"
    except (OverflowError, ValueError, OSError):
        return "not a time"
