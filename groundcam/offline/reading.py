"""Read a file's pictures: stills whole or not at all, films as FFmpeg plays them, and the rest if OpenCV knows it."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from groundcam.offline.inputs import DamageError, InputError, PassedOverError, Picture
from groundcam_runtime.pictures.decoding import MAX_PIXELS, animation, decode_any, decode_picture
from groundcam_runtime.pictures.errors import PictureError
from groundcam_runtime.pictures.formats import STILL_BYTES, begins_still, is_animated, is_motion_jpeg

if TYPE_CHECKING:
    from groundcam_producers.video import VideoSource

Reader = Callable[[Path], Iterable[Picture]]
MOST_BYTES_A_PIXEL = 8
"""Four channels of 16 bits, not compressed."""
MOST_HEADER_BYTES = 16 * 1024 * 1024
"""Of previews and descriptions, and of the film that phones put behind a picture."""
USUAL_FPS = 25.0
UNKNOWN = "it is a picture or film of no known kind"
DAMAGED = "it begins like a film, and not one picture in it can be decoded: it is cut off, or damaged"
NOTHING_SAID = ("InvalidDataError", "EOFError")
"""Of FFmpeg's errors."""
FILM_MARKS = (
    (0, b"\x1a\x45\xdf\xa3"), (8, b"AVI "), (0, b"FLV\x01"), (0, b"OggS"), (0, b"\0\0\x01\xba"),
    (0, bytes.fromhex("3026b2758e66cf11")),
)  # fmt: skip
"""How Matroska, AVI, Flash, Ogg, MPEG program streams and ASF begin, and where."""
PACKET_BYTES = 188
"""Of an MPEG transport stream; each packet begins with the same byte."""
HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
TURNS = (b"irot", b"imir")
"""Boxes of AVIF and HEIC (ISO/IEC 23008-12, 6.5) that OpenCV passes over."""


def reader(fps: float, max_pixels: int = MAX_PIXELS, *, keep_damaged: bool = False) -> Reader:
    """Return what yields the picture in a file, or `fps` pictures of each second of a film.

    It raises InputError, also for pictures of more than `max_pixels` and for such as are cut off; PassedOverError for
    what is neither; and DamageError behind the pictures of a film of which some were skipped: those that are damaged,
    and until the next key frame those that are built on them, unless `keep_damaged`.
    """
    return lambda path: pictures(path, fps, max_pixels, keep_damaged=keep_damaged)


def is_still(path: Path) -> bool:
    """Whether a file begins like a picture. One that cannot be read does not."""
    try:
        with path.open("rb") as file:
            return begins_still(file.read(STILL_BYTES))
    except OSError:
        return False


def pictures(path: Path, fps: float, max_pixels: int = MAX_PIXELS, *, keep_damaged: bool = False) -> Iterator[Picture]:
    """Yield the pictures of one file, as `reader` says."""
    try:
        if not path.stat().st_size:
            raise PassedOverError(path, "it is empty")
        if is_still(path):
            data = _read(path, max_pixels)
            if data[:4] == b"RIFF" and is_animated(data):
                yield from _sampled(path, animation(data, max_pixels), fps)
                return
            if not is_animated(data) and not is_motion_jpeg(data):
                yield Picture(path, decode_picture(data, max_pixels))
                return
        yield from _film(path, fps, max_pixels, keep_damaged=keep_damaged)
    except PictureError as error:
        raise InputError(f"{path} is no picture that can be looked at: {error}") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None


def _film(path: Path, fps: float, max_pixels: int, *, keep_damaged: bool) -> Iterator[Picture]:
    """Raises InputError, OSError."""
    try:
        from groundcam_producers.errors import SourceError
        from groundcam_producers.films.decoded import Viewing
        from groundcam_producers.video import VideoSource
    except ImportError as missing:
        reason = f"a film needs the package {missing.name}: pip install 'groundcam[producer]'"
        yield _other(path, max_pixels, reason)
        return
    try:
        source = VideoSource(
            str(path), is_live=False, timeout_s=0, all_threads=True, max_pixels=max_pixels,
            viewing=Viewing(keep_damaged=keep_damaged),
        )  # fmt: skip
    except SourceError as error:
        yield _other(path, max_pixels, UNKNOWN if error.kind in NOTHING_SAID else str(error))
        return
    pictures = _played(path, source, fps)
    first = next(pictures, None)
    # FFmpeg guesses at what a few bytes may be, and finds nothing in them.
    yield first or _other(path, max_pixels, UNKNOWN)
    yield from pictures


def _played(path: Path, film: "VideoSource", fps: float) -> Iterator[Picture]:
    """Raises InputError."""
    from groundcam_producers.errors import SourceError
    from groundcam_producers.sampler import Sampler
    from groundcam_producers.scaling import rgb

    sampler, count, failed = Sampler(fps), Counter[bool](), None
    first: Picture | None = None
    begin_s: float | None = None  # a recording's clock may have gone on for days when it began
    try:
        with film:
            for index, decoded in enumerate(film):
                time_s = decoded.time_s if decoded.time_s is not None else index / (film.fps or USUAL_FPS)
                begin_s = time_s if begin_s is None else begin_s
                count[decoded.is_corrupt] += 1
                if decoded.is_corrupt or not sampler.keep(time_s):
                    continue
                if first is not None:
                    yield first
                picture = Picture(path, rgb(decoded), time_s - begin_s)
                first = picture if index == 0 else None
                if first is None:
                    yield picture
    except SourceError as error:
        failed = str(error)
    if first is not None:
        # One picture alone is none of a film's.
        yield first if sum(count.values()) > 1 else Picture(path, first.image)
    if failed is not None or film.fault is not None:
        raise InputError(f"{path} cannot be read to its end: {failed or film.fault}")
    if count[True] and not count[False]:
        raise InputError(f"{path}: all {count[True]} pictures are damaged, or built on damaged ones (--keep-damaged)")
    if damaged := count[True]:
        plural = "" if damaged == 1 else "s"
        raise DamageError(f"{path}: {damaged} picture{plural} skipped, damaged or built on damaged ones")


def _other(path: Path, max_pixels: int, why: str) -> Picture:
    """Return a picture that OpenCV reads and FFmpeg does not. Raises InputError, PictureError, OSError."""
    if why == UNKNOWN and _begins_film(path):
        raise InputError(f"{path} cannot be read: {DAMAGED}")
    data = _read(path, max_pixels)
    if data[4:8] == b"ftyp" and data[8:12] in HEIF_BRANDS:
        raise PassedOverError(path, "it is a HEIC picture of a kind that is not read here; convert it to JPEG")
    if data[4:8] == b"ftyp" and any(box in data.partition(b"mdat")[0] for box in TURNS):
        raise PassedOverError(path, f"it is stored turned, as FFmpeg alone reads it: {why}")
    image = decode_any(data, max_pixels)
    if image is None:
        raise PassedOverError(path, why)
    return Picture(path, image)


def _begins_film(path: Path) -> bool:
    """Whether a file begins like a film of a kind that OpenCV would not read as a picture. Raises OSError."""
    with path.open("rb") as file:
        head = file.read(PACKET_BYTES + 1)
    if head[4:8] == b"ftyp":
        return head[8:12] not in (*HEIF_BRANDS, b"avif", b"avis")
    if head[:1] == b"G" and len(head) > PACKET_BYTES:
        return head[PACKET_BYTES] == head[0]
    return any(head.startswith(mark, at) for at, mark in FILM_MARKS)


def _sampled(path: Path, timed: Iterable[tuple[float, object]], fps: float) -> Iterator[Picture]:
    from groundcam_producers.sampler import Sampler  # pure

    sampler = Sampler(fps)
    for time_s, image in timed:
        if sampler.keep(time_s):
            yield Picture(path, image, time_s)  # type: ignore[arg-type]


def _read(path: Path, max_pixels: int) -> bytes:
    """Raises InputError, OSError."""
    most = MOST_BYTES_A_PIXEL * max_pixels + MOST_HEADER_BYTES
    with path.open("rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise InputError(f"{path} is larger than the {most} bytes that a picture of {max_pixels} pixels can take")
    return data
