"""How well cameras are answered: rates, ages, gaps, and what waits for workers."""

import time

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import Response

from groundcam_serve.api.answers import answered, problems
from groundcam_serve.door import door_of
from groundcam_serve.following.figures import WINDOW_S

router = APIRouter(tags=["cameras"])


class CameraHealth(BaseModel):
    """One camera's last minute."""

    camera_id: str
    answers_per_s: float
    latency_s: float | None
    """From the capture to the answer, of the newest one."""
    age_s: float | None
    """Since the newest answer came; none where none came within the window."""
    gaps: dict[str, int]
    """Frames that nobody looked at, by reason."""


class Health(BaseModel):
    """Of all cameras that were heard of."""

    window_s: float
    """What rates and gaps are counted over."""
    frames_behind: int | None
    """Frames on Kafka behind the newest that was answered, of all partitions; none where that is not known, as without
    a console."""
    viewers: int
    """Pages of the console that look at pictures."""
    cameras_looked_at: int
    cameras: list[CameraHealth]


@router.get("/v1/health", response_model=Health, responses=problems())
async def health(request: Request) -> Response:
    """Say how well each camera is answered."""
    door = door_of(request)
    key = door.require(request, "read")
    now_s = time.monotonic()
    shown = [
        CameraHealth(
            camera_id=name, answers_per_s=of.answers_per_s, latency_s=of.latency_s, age_s=of.age_s, gaps=dict(of.gaps)
        )
        for name in door.boards.cameras
        if key.may_see(name) and (of := door.figures.of(name, now_s)) is not None
    ]
    lags = door.ends.behind(door.figures.answered()) if door.ends else {}
    behind = sum(lags.values()) if lags else None
    viewers, looked_at = (door.wall.viewers, door.wall.tiles) if door.wall else (0, 0)
    return answered(
        Health(window_s=WINDOW_S, frames_behind=behind, viewers=viewers, cameras_looked_at=looked_at, cameras=shown)
    )
