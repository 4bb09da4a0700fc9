"""Open what a camera's settings name."""

from pathlib import Path
from typing import Literal

from groundcam_producers.rtsp.relay import RtspRelay
from groundcam_producers.settings import Tuning
from groundcam_producers.task import CameraTask
from groundcam_producers.video import PictureFolder, VideoSource


def opened(
    task: CameraTask, url: str, tuning: Tuning, relay: RtspRelay | None, transport: Literal["tcp", "udp"]
) -> VideoSource | PictureFolder:
    """Open a camera (through `relay`), a file or a folder. Raises SourceError and its kinds."""
    camera, produce = task.camera, task.produce
    if not camera.is_live and Path(url).is_dir():
        return PictureFolder(Path(url), tuning.fps or 1.0, max_pixels=produce.max_source_pixels, viewing=camera.viewing)
    return VideoSource(
        url, is_live=camera.is_live, timeout_s=produce.timeout_s, all_threads=produce.every_frame,
        max_pixels=produce.max_source_pixels, relay=relay, viewing=camera.viewing, transport=transport,
    )  # fmt: skip
