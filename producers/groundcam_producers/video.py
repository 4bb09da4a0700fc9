"""Open and decode cameras, files and folders of pictures, and write videos. The only file that imports av.

FFmpeg's own log stays off, as PyAV has it unless `av.logging.set_level` is called. That would send each line through
Python: a thread of FFmpeg's then waits for the interpreter's lock, while PyAV frees the decoder under that lock and
waits for the thread. With 18.1, closing a damaged video hung for ever. What is wrong comes with the exceptions.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
import av.error
import numpy as np
import numpy.typing as npt
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from groundcam_producers.errors import SourceError, SourceRefusedError, SourceUnusableError
from groundcam_runtime.redaction import redact

PICTURES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp"})
# FFmpeg's `timeout` is in microseconds; `stimeout` and `rw_timeout` are accepted and ignored.
MICROSECONDS = 1_000_000
# A camera's answer must not make FFmpeg open anything else, such as a local file.
LIVE_PROTOCOLS = "rtsp,rtsps,rtp,tcp,udp,tls,srtp"
HD_HEIGHT = 720
MAX_BROKEN_PACKETS = 500
HIGHEST_FPS = 1000

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

_REFUSALS = (
    av.error.HTTPUnauthorizedError,
    av.error.HTTPForbiddenError,
    av.error.HTTPNotFoundError,
)


@dataclass(frozen=True, slots=True)
class Decoded:
    """One decoded picture. `time_s` is on the source's own clock; None where the source gives none."""

    frame: Any
    time_s: float | None
    is_corrupt: bool

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.frame.width, self.frame.height


class VideoSource:
    """An open camera or file; a context manager, and an iterator over pictures until the end of the stream.

    Iterating raises SourceError. The end of a live stream is no error here: a camera that hangs up looks the same.
    """

    def __init__(self, url: str, *, is_live: bool, timeout_s: float, all_threads: bool = False) -> None:
        """Open. Raises SourceError and its kinds."""
        self._broken_packets = 0
        options = {}
        if is_live:
            options = {
                "rtsp_transport": "tcp",
                "timeout": str(int(timeout_s * MICROSECONDS)),
                "protocol_whitelist": LIVE_PROTOCOLS,
            }
        try:
            # Titles come in all sorts of encodings, and are of no use here.
            self._container: Any = av.open(url, options=options, metadata_errors="replace")
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise _translated(error) from None
        if not self._container.streams.video:
            self._container.close()
            raise SourceUnusableError("there is no video in it", "NoVideo")
        self._stream = self._container.streams.video[0]
        # Frame threads delay each picture by one per thread, and cameras share the cores anyway.
        self._stream.thread_type = "AUTO" if all_threads else "SLICE"
        if not all_threads:
            self._stream.codec_context.thread_count = 1
        rate = self._stream.average_rate or self._stream.guessed_rate
        # Streams without a rate of their own are given that of their clock: 90,000.
        self.fps = float(rate) if rate and 0 < rate <= HIGHEST_FPS else None

    def __iter__(self) -> Iterator[Decoded]:
        try:
            for packet in self._container.demux(self._stream):
                yield from self._decode(packet)
        except (av.error.FFmpegError, OSError) as error:
            raise _translated(error) from None

    def _decode(self, packet: Any) -> Iterator[Decoded]:
        """A broken packet costs its own pictures, not the stream; nothing but broken ones is an error."""
        try:
            frames = packet.decode()
        except av.error.InvalidDataError as error:
            self._broken_packets += 1
            if self._broken_packets > MAX_BROKEN_PACKETS:
                raise _translated(error) from None
            return
        for frame in frames:
            self._broken_packets = 0
            yield Decoded(frame, frame.time, bool(frame.is_corrupt))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._container.close()


class PictureFolder:
    """The pictures of a folder in the order of their names, `fps` of them to a second.

    One that cannot be decoded is there all the same, as corrupt, so that it is numbered and reported.
    """

    def __init__(self, folder: Path, fps: float) -> None:
        """Raises SourceUnusableError for a folder without pictures."""
        found = (path for path in folder.iterdir() if path.suffix.lower() in PICTURES and path.is_file())
        self._paths = sorted(found)
        if not self._paths:
            raise SourceUnusableError(f"there is no picture ({', '.join(sorted(PICTURES))}) in it", "NoPicture")
        self.fps: float | None = fps

    def __iter__(self) -> Iterator[Decoded]:
        for index, path in enumerate(self._paths):
            picture = _first_picture(path) or Decoded(av.VideoFrame(2, 2, "gray"), None, is_corrupt=True)
            yield Decoded(picture.frame, index / (self.fps or 1.0), picture.is_corrupt)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        """Each picture was closed when it was read."""


def _first_picture(path: Path) -> Decoded | None:
    try:
        with VideoSource(str(path), is_live=False, timeout_s=0) as picture:
            return next(iter(picture), None)
    except SourceError:
        return None


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
        self._container.mux(self._stream.encode(None))
        self._container.close()


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


def _translated(error: BaseException) -> SourceError:
    """FFmpeg's texts contain the whole URL: only the error that follows it is kept."""
    kind = type(error).__name__
    text = redact(getattr(error, "strerror", None) or kind)
    if isinstance(error, _REFUSALS):
        return SourceRefusedError(text, kind)
    if isinstance(error, FileNotFoundError | IsADirectoryError | PermissionError):
        return SourceUnusableError(text, kind)
    return SourceError(text, kind)
