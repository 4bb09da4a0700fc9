"""Open and decode cameras and files; `scaling` turns what is decoded into bytes.

What a file is follows from what is in it: FFmpeg gets it without its name, in which it would see protocols (`a:b`),
numbered series (`%03d`) and formats.

FFmpeg's own log stays off, as PyAV has it unless `av.logging.set_level` is called. That would send each line through
Python: a thread of FFmpeg's then waits for the interpreter's lock, while PyAV frees the decoder under that lock and
waits for the thread. With 18.1, closing a damaged video hung for ever. What is wrong comes with the exceptions.
"""

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Literal, Self

import av
import av.error
from av.stream import Disposition

from groundcam_producers.errors import SourceError, SourceTooLargeError, SourceUnusableError
from groundcam_producers.films.damage import Damage
from groundcam_producers.films.decoded import AS_IT_SAYS, Decoded, Viewing, pixel_aspect
from groundcam_producers.films.errors import translated
from groundcam_producers.films.streams import Choice, candidates, shown, told_aspect, told_orientation
from groundcam_producers.rtsp.relay import RtspRelay
from groundcam_producers.rtsp.tls import Trust
from groundcam_runtime.pictures.formats import fault_of, orientation_of
from groundcam_runtime.printable import printable

log = logging.getLogger(__name__)

# FFmpeg's `timeout` is in microseconds; `stimeout` and `rw_timeout` are accepted and ignored.
MICROSECONDS = 1_000_000
# A camera's answer must not make FFmpeg open anything else, such as a local file.
LIVE_PROTOCOLS = "rtsp,tcp"
MOST_PIXELS = 8192 * 4352
"""Of a picture before it is scaled: 8K, as cameras and files have it."""
MAX_BROKEN_PACKETS = 500
PICTURES_AT_ONCE = 2
"""The least that a decoder keeps."""
FRESH_S = 1.0
STILL = ("_pipe", "image2", "ico")
"""Ends of the names of FFmpeg's formats for single pictures."""
NO_PICTURES = "there is no picture and no film in it"
MOST_PICTURE_BYTES = 256 * 1024 * 1024
HIGHEST_FPS = 1000


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
        viewing: Viewing = AS_IT_SAYS,
        transport: Literal["tcp", "udp"] = "tcp",
    ) -> None:
        """Open; a camera (`is_live`) through `relay`, by default one of its own. Raises SourceError and its kinds.

        `url` of a file is its path.

        The relay, which is closed with this, may be closed earlier, from another thread: the stream ends then.
        """
        self._broken_packets = 0
        self._is_live = is_live
        self._max_pixels = max_pixels
        self._viewing = viewing
        self._damage = Damage(keep=viewing.keep_damaged)
        self._orientation: tuple[float, int] | None = None
        self._file: IO[bytes] | None = None
        self._relay = (relay or RtspRelay(url, Trust(), timeout_s, transport)) if is_live else None
        try:
            self._container: Any = self._opened(url, timeout_s, transport)
        except (av.error.FFmpegError, OSError, ValueError, MemoryError) as error:
            raise self._failed(error) from None
        except SourceError:
            self._close_others()
            raise
        try:
            self._streams = self._usable_streams()
        except SourceError:
            self.__exit__(None, None, None)
            raise
        for stream in self._streams:
            # Frame threads delay each picture by one per thread, and cameras share the cores anyway.
            stream.thread_type = "AUTO" if all_threads else "SLICE"
            if not all_threads:
                stream.codec_context.thread_count = 1
            stream.codec_context.options = {"max_pixels": str(max_pixels)}
        self._stream = self._streams[0]
        self.is_picture = self._container.format.name.endswith(STILL)
        """Whether this is a file of one picture that does not move."""
        data = self._read_picture() if self.is_picture else b""
        # FFmpeg turns an orientation into an angle, which knows no mirrors, and makes up what a cut file lacks.
        self._exif = orientation_of(data) if self.is_picture else None
        self.fault = fault_of(data)
        """Of a picture, why it is not whole."""
        # Of raw streams the average is the demuxer's own 25, whatever the stream says.
        rate = self._stream.guessed_rate or self._stream.average_rate
        # Streams without a rate of their own are given that of their clock: 90,000.
        self.fps = float(rate) if rate and 0 < rate <= HIGHEST_FPS else None

    def _opened(self, url: str, timeout_s: float, transport: str) -> Any:
        # Titles come in all sorts of encodings, and are of no use here.
        if self._relay is None:
            self._file = Path(url).open("rb")  # noqa: SIM115 - closed with this
            return av.open(self._file, options={"protocol_whitelist": ""}, metadata_errors="replace")
        options = {
            "rtsp_transport": transport,
            # Sound and metadata are of no use, and a camera that refuses them still gives its pictures.
            "allowed_media_types": "video",
            # The relay notices silence first, and can say more of it.
            "timeout": str(int(2 * timeout_s * MICROSECONDS)),
            "protocol_whitelist": LIVE_PROTOCOLS if transport == "tcp" else f"{LIVE_PROTOCOLS},udp,rtp",
        }
        return av.open(self._relay.open(), options=options, metadata_errors="replace")

    def _usable_streams(self) -> list[Any]:
        """Raises SourceUnusableError, SourceTooLargeError."""
        found = candidates(self._container)
        if not found:
            raise SourceUnusableError("there is no video in it", "NoVideo")
        if found[0].disposition & Disposition.dependent:
            raise SourceUnusableError("its picture is made of tiles, as HEIC has it: convert it to JPEG", "Tiles")
        self._check_size(found[0].codec_context)
        return found

    def _read_picture(self) -> bytes:
        if self._file is None:
            return b""
        at = self._file.tell()
        self._file.seek(0)
        data = self._file.read(MOST_PICTURE_BYTES)
        self._file.seek(at)
        return data

    def _check_size(self, context: Any) -> None:
        if context.width * context.height > self._max_pixels:
            raise SourceTooLargeError(
                f"its pictures of {context.width}x{context.height} are larger than {self._max_pixels} pixels",
                "TooLarge",
            )

    def _check_memory(self, context: Any) -> None:
        """FFmpeg calls a picture damaged for which it found no memory. Raises SourceTooLargeError."""
        try:
            bytearray(PICTURES_AT_ONCE * context.width * context.height * 3 // 2)
        except MemoryError as error:
            raise translated(error) from None

    def __iter__(self) -> Iterator[Decoded]:
        choice = Choice([stream.index for stream in self._streams])
        waiting: list[Any] = []
        try:
            for packet in self._container.demux(*self._streams):
                if self._relay is not None and (self._relay.silent_s or 0.0) > FRESH_S:
                    break  # what FFmpeg still held back at the end is from before the silence
                if choice.chosen is None:
                    waiting.append(packet)
                    if packet.size and not choice.came(packet.stream.index):
                        continue
                    choice.settle()
                else:
                    waiting = [packet]
                for one in waiting:
                    if one.stream.index == choice.chosen:
                        self._stream = one.stream
                        yield from self._decode(one)
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
            self._check_memory(self._stream.codec_context)
            self._damage.lost()
            self._broken_packets += 1
            if self._broken_packets > MAX_BROKEN_PACKETS:
                raise translated(error) from None
            return
        for frame in frames:
            self._broken_packets = 0
            yield self._seen(frame)

    def _seen(self, frame: Any) -> Decoded:
        viewing = self._viewing
        told = None if self.is_picture else told_aspect(self._stream)
        return Decoded(
            frame,
            None if self.is_picture else frame.time,
            self._damage.taints(is_key=bool(frame.key_frame), is_marked=bool(frame.is_corrupt or self.fault)),
            shown(self._told_orientation(frame), viewing.rotate),
            pixel_aspect((frame.width, frame.height), told, viewing.aspect, self._max_pixels),
            viewing.deinterlace and bool(frame.interlaced_frame),
        )

    def _told_orientation(self, frame: Any) -> int:
        if self._exif is not None:
            return self._exif
        if self._orientation is None or self._orientation[0] != frame.rotation:
            self._orientation = frame.rotation, told_orientation(frame)
        return self._orientation[1]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._container.close()
        self._close_others()

    def _close_others(self) -> None:
        if self._relay is not None:
            self._relay.close()
        if self._file is not None:
            self._file.close()

    def _failed(self, error: BaseException) -> SourceError:
        """Return what the relay knows of a failure, else what FFmpeg says."""
        self._close_others()
        known = self._relay.failure if self._relay is not None else None
        return known or translated(error)


class PictureFolder:
    """The pictures and films of a folder in the order of their names: `fps` pictures to a second, films at their pace.

    A picture that cannot be decoded is there all the same, as corrupt, so that it is numbered and reported. What is
    neither picture nor film is passed over, and told.
    """

    def __init__(
        self, folder: Path, fps: float, *, max_pixels: int = MOST_PIXELS, viewing: Viewing = AS_IT_SAYS
    ) -> None:
        """Raises SourceUnusableError for a folder without files."""
        self._folder = folder
        self._paths = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
        if not self._paths:
            raise SourceUnusableError(NO_PICTURES, "NoPicture")
        self._options: Any = {"is_live": False, "timeout_s": 0, "max_pixels": max_pixels, "viewing": viewing}
        self.fps: float | None = fps

    def __iter__(self) -> Iterator[Decoded]:
        step_s, begin_s, has_any = 1 / (self.fps or 1.0), 0.0, False
        passed_over: list[str] = []
        for path in self._paths:
            last_s = begin_s - step_s
            try:
                for decoded in self._pictures(path):
                    has_any, last_s = True, begin_s + (decoded.time_s or 0.0)
                    if decoded.is_corrupt and (said := f"{printable(path.name)} (damaged)") not in passed_over:
                        passed_over.append(said)
                    yield replace(decoded, time_s=last_s)
            except SourceError as error:
                passed_over.append(f"{printable(path.name)} ({error})")
            begin_s = last_s + step_s
        if passed_over:
            log.warning("passed over in the folder %s: %s", printable(self._folder.name), ", ".join(passed_over))
        if not has_any:
            raise SourceUnusableError(NO_PICTURES, "NoPicture")

    def _pictures(self, path: Path) -> Iterator[Decoded]:
        """Raises SourceError for what is neither picture nor film."""
        has_any = False
        try:
            with VideoSource(str(path), **self._options) as source:
                for decoded in source:
                    has_any = True
                    yield decoded
                    if source.is_picture:
                        return
        except SourceError:
            with path.open("rb") as file:
                if fault_of(file.read(MOST_PICTURE_BYTES)) is None:
                    raise
        if not has_any:
            yield Decoded(av.VideoFrame(2, 2, "gray"), None, is_corrupt=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        """Each file was closed when it was read."""
