"""Scale decoded pictures to upright ones with square pixels, in the colours that their stream declares."""

from fractions import Fraction
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.filter import Graph
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from groundcam_producers.films.decoded import Decoded
from groundcam_runtime.pictures.orientation import upright, upright_size

HD_HEIGHT = 720
FIELD_LINES = 16
OPAQUE = 255
TRANSPARENT = ("rgba", "bgra", "argb", "abgr", "yuva", "ya", "gbrap", "pal8", "ayuv", "vuya", "grayaf")
"""Beginnings of FFmpeg's names of the formats that have an alpha channel."""

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
        """Return the picture within the largest size, upright and with square pixels."""
        frame = _opaque(_one_field(decoded))
        width, height = _as_stored(fit(decoded.size, self._max_size), decoded)
        out = self._reformatter.reformat(
            frame,
            width=width,
            height=height,
            format="yuv420p",
            src_colorspace=_colorspace(decoded),
            dst_colorspace=Colorspace.ITU601,
            interpolation=Interpolation.AREA if width < frame.width else Interpolation.BILINEAR,
            src_color_range=_range(frame),
            dst_color_range=ColorRange.JPEG,
            threads=1,
        )
        y, u, v = (upright(_plane(plane), decoded.orientation) for plane in out.planes)
        return y, u, v


def rgb(decoded: Decoded) -> npt.NDArray[np.uint8]:
    """Return a picture as [height, width, 3], RGB, upright and with square pixels."""
    frame = _opaque(_one_field(decoded))
    width, height = _as_stored(decoded.size, decoded)
    out = VideoReformatter().reformat(
        frame, width=width, height=height, format="rgb24", src_colorspace=_colorspace(decoded),
        interpolation=Interpolation.BILINEAR, src_color_range=_range(frame), threads=1,
    )  # fmt: skip
    return upright(np.asarray(out.to_ndarray(), np.uint8), decoded.orientation)


def _as_stored(size: tuple[int, int], decoded: Decoded) -> tuple[int, int]:
    """Return what an upright size is before the picture is turned."""
    return upright_size(*size, decoded.orientation)


def _one_field(decoded: Decoded) -> Any:
    """Return the upper field of an interlaced picture, half as high: the other one is of another moment."""
    frame = decoded.frame
    if not decoded.is_interlaced or frame.height < 2 * FIELD_LINES:
        return frame
    graph = Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base or Fraction(1, 1000)
    )
    graph.link_nodes(source, graph.add("field", "top"), graph.add("buffersink")).configure()
    graph.push(frame)
    return graph.pull()


def _opaque(frame: Any) -> Any:
    """Return a picture with transparent parts laid over white."""
    if not frame.format.name.startswith(TRANSPARENT):
        return frame
    rgba = frame.to_ndarray(format="rgba").astype(np.uint16)
    opaque = rgba[..., 3:]
    if opaque.min() == OPAQUE:
        return frame
    laid = (rgba[..., :3] * opaque + OPAQUE * (OPAQUE - opaque) + OPAQUE // 2) // OPAQUE
    return av.VideoFrame.from_ndarray(laid.astype(np.uint8), "rgb24")


def fit(size: tuple[int, int], largest: tuple[int, int] | None) -> tuple[int, int]:
    """Return the size within the largest one, same shape, even, never larger than it was (but for being even)."""
    width, height = size
    scale = min(1.0, largest[0] / width, largest[1] / height) if largest else 1.0
    return max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2)


def _plane(plane: Any) -> npt.NDArray[np.uint8]:
    """Rows may be padded: the encoder wants them close together."""
    rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
    return np.ascontiguousarray(rows[:, : plane.width])


def _colorspace(decoded: Decoded) -> Colorspace:
    """What the stream declares (ITU-T H.273, table 4), else BT.709 for HD and BT.601 below, as players take it."""
    frame = decoded.frame
    default = Colorspace.ITU709 if frame.height >= HD_HEIGHT else Colorspace.ITU601
    return _MATRICES.get(int(frame.colorspace), default)


def _range(frame: Any) -> ColorRange:
    full = frame.format.name.startswith(("yuvj", "rgb", "bgr", "gray", "gbr", "pal", "argb", "abgr"))
    return ColorRange.JPEG if full or frame.color_range == ColorRange.JPEG else ColorRange.MPEG
