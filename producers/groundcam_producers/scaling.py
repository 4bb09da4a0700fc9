"""Scale decoded pictures, with the colours that their stream declares."""

from typing import Any

import numpy as np
import numpy.typing as npt
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from groundcam_producers.video import Decoded

HD_HEIGHT = 720

Planes = tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8], npt.NDArray[np.uint8]]
"""Y (height x width), U and V (half of each), full range, ITU-R BT.601: what a JPEG contains."""

_MATRICES = {
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    5: Colorspace.ITU601,
    6: Colorspace.ITU601,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
}


class Scaler:
    """Scales pictures of one camera to what a JPEG encoder takes.

    One swscale context serves all of them: VideoFrame.reformat would build one for each picture.
    """

    def __init__(self, max_size: tuple[int, int] | None) -> None:
        self._max_size = max_size
        self._reformatter = VideoReformatter()

    def planes(self, decoded: Decoded) -> Planes:
        """Return the picture within the largest size."""
        frame = decoded.frame
        width, height = fit(decoded.size, self._max_size)
        out = self._reformatter.reformat(
            frame,
            width=width,
            height=height,
            format="yuv420p",
            src_colorspace=_colorspace(frame),
            dst_colorspace=Colorspace.ITU601,
            interpolation=Interpolation.AREA if width < frame.width else Interpolation.BILINEAR,
            src_color_range=_range(frame),
            dst_color_range=ColorRange.JPEG,
            threads=1,
        )
        y, u, v = (_plane(plane) for plane in out.planes)
        return y, u, v


def rgb(decoded: Decoded) -> npt.NDArray[np.uint8]:
    """Return a picture as [height, width, 3], RGB, its colours read as the stream declares."""
    frame = decoded.frame
    out = VideoReformatter().reformat(
        frame, format="rgb24", src_colorspace=_colorspace(frame), src_color_range=_range(frame), threads=1
    )
    return np.asarray(out.to_ndarray(), np.uint8)


def fit(size: tuple[int, int], largest: tuple[int, int] | None) -> tuple[int, int]:
    """Return the size within the largest one, same shape, even, never larger than it was (but for being even)."""
    width, height = size
    scale = min(1.0, largest[0] / width, largest[1] / height) if largest else 1.0
    return max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2)


def _plane(plane: Any) -> npt.NDArray[np.uint8]:
    """Rows may be padded: the encoder wants them close together."""
    rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
    return np.ascontiguousarray(rows[:, : plane.width])


def _colorspace(frame: Any) -> Colorspace:
    """What the stream declares (ITU-T H.273, table 4), else BT.709 for HD and BT.601 below, as players take it."""
    default = Colorspace.ITU709 if frame.height >= HD_HEIGHT else Colorspace.ITU601
    return _MATRICES.get(int(frame.colorspace), default)


def _range(frame: Any) -> ColorRange:
    full = frame.format.name.startswith(("yuvj", "rgb", "bgr", "gray", "gbr", "pal", "argb", "abgr"))
    return ColorRange.JPEG if full or frame.color_range == ColorRange.JPEG else ColorRange.MPEG
