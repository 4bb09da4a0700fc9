"""Pictures at the sizes at which they are shown: each is scaled once, for all who look."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from groundcam_runtime.pictures.decoding import smaller_jpeg
from groundcam_runtime.pictures.errors import PictureError
from groundcam_runtime.pictures.formats import picture_header
from groundcam_serve.wall.looks import Look

LADDER = (160, 320, 480, 640, 960, 1280, 1920)
"""Widths in pixels: a picture is sent at the next one above the width at which it is shown."""
QUALITY = 75
THREADS = 2


class Scaler:
    """Belongs to the event loop; decodes and encodes on threads."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="scaling")
        self._made: dict[tuple[str, int], tuple[bytes, asyncio.Future[bytes]]] = {}
        """Of each camera and width the newest: what it is made of, and what it is."""

    async def scaled(self, look: Look, width: int) -> bytes:
        """Return a look's picture at a width, or as it is where that is no larger."""
        step = next((one for one in LADDER if one >= width > 0), 0)
        data = look.picture.data
        if not step:
            return data
        name = look.picture.frame.camera_id, step
        known = self._made.get(name)
        if known is None or known[0] is not data:
            making = asyncio.get_running_loop().run_in_executor(self._threads, _smaller, data, step)
            known = self._made[name] = data, making
        # Whoever goes away meanwhile cancels it for nobody else.
        return await asyncio.shield(known[1])

    def forget(self, camera_id: str) -> None:
        """Nobody looks at a camera any more."""
        for name in [one for one in self._made if one[0] == camera_id]:
            del self._made[name]

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _smaller(data: bytes, width: int) -> bytes:
    """Return the picture at a width; as it is where it is no larger, or where it cannot be read here."""
    try:
        if picture_header(data).upright_size[0] <= width:
            return data
        return smaller_jpeg(data, width, QUALITY)
    except PictureError:
        return data
