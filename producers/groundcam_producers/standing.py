"""How a camera stands, whether it has a process just now or not."""

import random
from dataclasses import dataclass, field
from typing import Any

from groundcam_producers.backoff import Backoff
from groundcam_producers.task import CameraTask
from groundcam_schemas import CameraState


@dataclass(slots=True)
class Standing:
    """What a supervisor knows of one camera from all its processes."""

    state: CameraState = CameraState.CONNECTING
    reason: str | None = "it waits for its start"
    """Why there are no frames, in words."""
    last_frame_ns: int | None = None
    backoff: Backoff = field(default_factory=lambda: Backoff(1.0, 30.0, random.random))

    def report(self, task: CameraTask, process: int | None, now_ns: int) -> dict[str, Any]:
        """For people, with its process's number; the URL is without a password."""
        seen_ns = self.last_frame_ns
        return {
            "state": self.state.value,
            "reason": self.reason,
            "url": task.camera.public_url,
            "topic": task.topic,
            "partition": "by key" if task.partition is None else task.partition,
            "last_frame_s_ago": round((now_ns - seen_ns) / 1e9, 1) if seen_ns is not None else None,
            "process": process,
        }
