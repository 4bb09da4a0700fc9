"""Pictures and videos that are given by path."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from groundcam_runtime.pictures.decoding import MAX_PIXELS, decode_picture
from groundcam_runtime.pictures.errors import PictureError
from groundcam_runtime.pictures.image import Image

PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
VIDEOS = (".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".ts", ".mpg", ".mpeg")
MOST_BYTES_A_PIXEL = 8
"""Four channels of 16 bits, not compressed."""
MOST_HEADER_BYTES = 16 * 1024 * 1024
"""Of previews and descriptions, and of the film that phones put behind a picture."""


class InputError(Exception):
    """A path cannot be read; the sentence says which and why."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture, or one of a video's."""

    path: Path
    image: Image
    time_s: float | None = None
    """Where in the video."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.image.shape[1], self.image.shape[0]


def every_picture(paths: list[Path], fps: float, max_pixels: int = MAX_PIXELS) -> Iterator[Picture | InputError]:
    """Yield the pictures of all paths, and in place of those that cannot be read the reason. Raises ImportError."""
    for path in paths:
        try:
            yield from pictures(path, fps, max_pixels)
        except InputError as error:
            yield error
        except ImportError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is about this file
            yield InputError(f"{path} cannot be read: {type(error).__name__}: {error}")


def expand(paths: list[Path]) -> list[Path]:
    """Return the files that the arguments name, folders with their pictures. Raises InputError."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(one for one in path.iterdir() if one.suffix.lower() in PICTURES and one.is_file())
            if not inside:
                raise InputError(f"there is no picture ({', '.join(PICTURES)}) in the folder {path}")
            found += inside
        elif path.is_file():
            found.append(path)
        else:
            raise InputError(f"there is no file {path}")
    return found


def is_video(path: Path) -> bool:
    """Whether a name is a video's."""
    return path.suffix.lower() in VIDEOS


def pictures(path: Path, fps: float, max_pixels: int = MAX_PIXELS) -> Iterator[Picture]:
    """Yield the picture at a path, or `fps` pictures of each second of a video.

    Raises InputError, also for pictures of more than `max_pixels` and for such as are cut off.
    """
    if not is_video(path):
        yield Picture(path, _read(path, max_pixels))
        return
    from groundcam_producers.errors import SourceError
    from groundcam_producers.sampler import Sampler
    from groundcam_producers.scaling import rgb
    from groundcam_producers.video import VideoSource

    sampler, index = Sampler(fps), -1
    try:
        with VideoSource(str(path), is_live=False, timeout_s=0, all_threads=True, max_pixels=max_pixels) as video:
            for index, decoded in enumerate(video):
                time_s = decoded.time_s if decoded.time_s is not None else index / (video.fps or 25.0)
                if sampler.keep(time_s):
                    yield Picture(path, rgb(decoded), time_s)
    except SourceError as error:
        raise InputError(f"{path} cannot be read as a video: {error}") from None
    if index < 0:
        raise InputError(f"{path}: not one picture in it can be decoded")


def _read(path: Path, max_pixels: int) -> Image:
    """Raises InputError."""
    most = MOST_BYTES_A_PIXEL * max_pixels + MOST_HEADER_BYTES
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
        if len(data) > most:
            raise InputError(f"{path} is larger than the {most} bytes that a picture of {max_pixels} pixels can take")
        return decode_picture(data, max_pixels)
    except PictureError as error:
        raise InputError(f"{path} is no picture that can be looked at: {error}") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None


def names(paths: list[Path]) -> dict[Path, str]:
    """Return what annotated files are called; those of one name are distinguished by their folders."""
    stems = Counter(path.stem for path in dict.fromkeys(paths))
    unique: dict[Path, str] = {}
    taken: set[str] = set()
    numbers: Counter[str] = Counter()
    for path in dict.fromkeys(paths):
        wanted = path.stem if stems[path.stem] == 1 else f"{path.resolve().parent.name}-{path.name}"
        name = wanted
        while name in taken:
            numbers[wanted] += 1
            name = f"{wanted}-{numbers[wanted] + 1}"
        unique[path] = name
        taken.add(name)
    return unique
