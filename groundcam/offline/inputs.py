"""Pictures and videos that are given by path."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from groundcam_runtime.pictures.drawing import read
from groundcam_runtime.pictures.image import Image

PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
VIDEOS = (".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".ts", ".mpg", ".mpeg")


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


def every_picture(paths: list[Path], fps: float) -> Iterator[Picture | InputError]:
    """Yield the pictures of all paths, and in place of those that cannot be read the reason."""
    for path in paths:
        try:
            yield from pictures(path, fps)
        except InputError as error:
            yield error


def expand(paths: list[Path]) -> list[Path]:
    """Return the files that the arguments name, folders with their pictures. Raises InputError."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(one for one in path.iterdir() if one.suffix.lower() in PICTURES)
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


def pictures(path: Path, fps: float) -> Iterator[Picture]:
    """Yield the picture at a path, or `fps` pictures of each second of a video. Raises InputError."""
    if not is_video(path):
        image = read(path)
        if image is None:
            raise InputError(f"{path} is no picture")
        yield Picture(path, image)
        return
    from groundcam_producers.errors import SourceError
    from groundcam_producers.sampler import Sampler
    from groundcam_producers.scaling import rgb
    from groundcam_producers.video import VideoSource

    sampler, index = Sampler(fps), -1
    try:
        with VideoSource(str(path), is_live=False, timeout_s=0, all_threads=True) as video:
            for index, decoded in enumerate(video):
                time_s = decoded.time_s if decoded.time_s is not None else index / (video.fps or 25.0)
                if sampler.keep(time_s):
                    yield Picture(path, rgb(decoded), time_s)
    except SourceError as error:
        raise InputError(f"{path} cannot be read as a video: {error}") from None
    if index < 0:
        raise InputError(f"{path}: not one picture in it can be decoded")


def names(paths: list[Path]) -> dict[Path, str]:
    """Return what annotated files are called; those of one name are distinguished by their folders."""
    stems = [path.stem for path in paths]
    unique = {
        path: path.stem if stems.count(path.stem) == 1 else f"{path.resolve().parent.name}-{path.name}"
        for path in paths
    }
    taken: set[str] = set()
    for path, name in unique.items():
        unique[path] = next(one for one in itertools.chain([name], _numbered(name)) if one not in taken)
        taken.add(unique[path])
    return unique


def _numbered(name: str) -> Iterator[str]:
    return (f"{name}-{number}" for number in itertools.count(2))
