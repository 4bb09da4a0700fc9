"""Open and decode cameras, files and folders of pictures, and write videos; `scaling` turns what is decoded into bytes.

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

from groundcam_producers.errors import SourceError, SourceRefusedError, SourceTooLargeError, SourceUnusableError
from groundcam_producers.rtsp.relay import RtspRelay
from groundcam_producers.rtsp.tls import Trust
from groundcam_runtime.redaction import redact

PICTURES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp"})
# FFmpeg's `timeout` is in microseconds; `stimeout` and `rw_timeout` are accepted and ignored.
MICROSECONDS = 1_000_000
# A camera's answer must not make FFmpeg open anything else, such as a local file.
LIVE_PROTOCOLS = "rtsp,tcp"
MOST_PIXELS = 8192 * 4352
"""Of a picture before it is scaled: 8K, as cameras and files have it."""
MAX_BROKEN_PACKETS = 500
FRESH_S = 1.0
HIGHEST_FPS = 1000

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

    def __init__(
        self,
        url: str,
        *,
        is_live: bool,
        timeout_s: float,
        all_threads: bool = False,
        max_pixels: int = MOST_PIXELS,
        relay: RtspRelay | None = None,
    ) -> None:
        """Open; a camera (`is_live`) through `relay`, by default one of its own. Raises SourceError and its kinds.

        The relay, which is closed with this, may be closed earlier, from another thread: the stream ends then.
        """
        self._broken_packets = 0
        self._is_live = is_live
        self._max_pixels = max_pixels
        self._relay = (relay or RtspRelay(url, Trust(), timeout_s)) if is_live else None
        options = {}
        try:
            if self._relay is not None:
                url = self._relay.open()
                options = {
                    "rtsp_transport": "tcp",
                    # The relay notices silence first, and can say more of it.
                    "timeout": str(int(2 * timeout_s * MICROSECONDS)),
                    "protocol_whitelist": LIVE_PROTOCOLS,
                }
            # Titles come in all sorts of encodings, and are of no use here.
            self._container: Any = av.open(url, options=options, metadata_errors="replace")
        except (av.error.FFmpegError, OSError, ValueError, MemoryError) as error:
            raise self._failed(error) from None
        except SourceError:
            self._close_relay()
            raise
        try:
            self._stream = self._first_stream()
        except SourceError:
            self.__exit__(None, None, None)
            raise
        # Frame threads delay each picture by one per thread, and cameras share the cores anyway.
        self._stream.thread_type = "AUTO" if all_threads else "SLICE"
        if not all_threads:
            self._stream.codec_context.thread_count = 1
        self._stream.codec_context.options = {"max_pixels": str(max_pixels)}
        rate = self._stream.average_rate or self._stream.guessed_rate
        # Streams without a rate of their own are given that of their clock: 90,000.
        self.fps = float(rate) if rate and 0 < rate <= HIGHEST_FPS else None

    def _first_stream(self) -> Any:
        """Raises SourceUnusableError, SourceTooLargeError."""
        if not self._container.streams.video:
            raise SourceUnusableError("there is no video in it", "NoVideo")
        stream = self._container.streams.video[0]
        self._check_size(stream.codec_context)
        return stream

    def _check_size(self, context: Any) -> None:
        if context.width * context.height > self._max_pixels:
            raise SourceTooLargeError(
                f"its pictures of {context.width}x{context.height} are larger than {self._max_pixels} pixels",
                "TooLarge",
            )

    def __iter__(self) -> Iterator[Decoded]:
        try:
            for packet in self._container.demux(self._stream):
                if self._relay is not None and (self._relay.silent_s or 0.0) > FRESH_S:
                    break  # what FFmpeg still held back at the end is from before the silence
                yield from self._decode(packet)
        except (av.error.FFmpegError, OSError, MemoryError) as error:
            raise self._failed(error) from None
        if self._relay is not None and self._relay.failure is not None:
            raise self._relay.failure

    def _decode(self, packet: Any) -> Iterator[Decoded]:
        """A broken packet costs its own pictures, not the stream; nothing but broken ones is an error."""
        try:
            frames = packet.decode()
        except (av.error.InvalidDataError, av.error.ArgumentError) as error:
            self._check_size(self._stream.codec_context)
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
        self._close_relay()

    def _close_relay(self) -> None:
        if self._relay is not None:
            self._relay.close()

    def _failed(self, error: BaseException) -> SourceError:
        """Return what the relay knows of a failure, else what FFmpeg says."""
        self._close_relay()
        known = self._relay.failure if self._relay is not None else None
        return known or _translated(error)


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


def _translated(error: BaseException) -> SourceError:
    """FFmpeg's texts contain the whole URL: only the error that follows it is kept."""
    kind = type(error).__name__
    text = redact(getattr(error, "strerror", None) or kind)
    if isinstance(error, MemoryError):
        return SourceTooLargeError("it needs more memory than a camera's process may have", "MemoryError")
    if isinstance(error, _REFUSALS):
        return SourceRefusedError(text, kind)
    if isinstance(error, FileNotFoundError | IsADirectoryError | PermissionError):
        return SourceUnusableError(text, kind)
    return SourceError(text, kind)
