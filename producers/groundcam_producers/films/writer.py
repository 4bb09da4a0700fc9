"""Write films that players and browsers play."""

from fractions import Fraction
from pathlib import Path
from typing import Any, Self

import av
import numpy as np
import numpy.typing as npt


class VideoWriter:
    """Writes an H.264 file that players and browsers play; a context manager. Raises OSError."""

    CLOCK = Fraction(1, 1000)

    def __init__(self, path: Path, size: tuple[int, int], *, fps: int, crf: int = 20) -> None:
        """`size` is (width, height) in pixels, both even; `crf` is x264's quality, smaller is better."""
        self._container: Any = av.open(str(path), "w", options={"movflags": "+faststart"})
        self._stream: Any = self._container.add_stream("libx264", rate=fps)
        self._stream.width, self._stream.height = size
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.time_base = self.CLOCK
        # No picture waits for a later one, and a reader that joins waits for a second at most.
        self._stream.options = {"preset": "veryfast", "crf": str(crf), "bf": "0", "g": str(fps)}

    def write(self, picture: npt.NDArray[np.uint8], time_s: float) -> None:
        """Add an RGB picture, [height, width, 3], that is shown from `time_s` on; times only rise."""
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), "rgb24")
        frame.pts, frame.time_base = round(time_s / self.CLOCK), self.CLOCK
        self._container.mux(self._stream.encode(frame))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        try:
            self._container.mux(self._stream.encode(None))
        finally:
            self._container.close()
