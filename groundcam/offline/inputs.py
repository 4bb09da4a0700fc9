"""Pictures and films that are given by path. What a file is follows from what is in it, never from its name."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from groundcam_runtime.pictures.image import Image

Passed = tuple[Path, str]
"""A file that was passed over, and why."""


FILMS = frozenset((".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".ts", ".mpg", ".mpeg"))
PROMISING = FILMS | {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".gif", ".tif", ".tiff", ".heic", ".avif"}
"""Whoever names a file of a folder so expects it to be looked at; what it is still follows from its content."""


class InputError(Exception):
    """A path cannot be read; the sentence says which and why."""


class NotDrawnError(InputError):
    """What was found in a file is written of nowhere; the rest of it is as it should be."""

    def __init__(self, path: Path, error: Exception) -> None:
        super().__init__(f"{path} cannot be drawn: {type(error).__name__}: {error}")
        self.path = path


class PassedOverError(InputError):
    """A file of a folder is neither picture nor film."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path} was passed over: {why}")
        self.path, self.why = path, why


class DamageError(InputError):
    """Some pictures of a film were not looked at, since they are damaged, or built on such."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture, or one of a film's."""

    path: Path
    image: Image
    time_s: float | None = None
    """Where in the film."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.image.shape[1], self.image.shape[0]


@dataclass(frozen=True, slots=True)
class Inputs:
    """The files that arguments name."""

    files: tuple[Path, ...]
    found: frozenset[Path] = frozenset()
    """Those of them that a folder brought along: what is neither picture nor film is passed over."""
    folders: tuple[Passed, ...] = ()
    """What was not looked at in a folder, since it is one itself."""


def expand(paths: list[Path]) -> Inputs:
    """Return the files that the arguments name, folders with all that is in them. Raises InputError."""
    files: dict[Path, None] = {}
    found: set[Path] = set()
    folders: list[Passed] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(one for one in path.iterdir() if not one.name.startswith("."))
            folders += [(one, "it is a folder") for one in inside if one.is_dir()]
            inside = [one for one in inside if one.is_file()]
            if not inside:
                raise InputError(f"there is no picture and no film in the folder {path}")
            found.update(one for one in inside if one not in files)
            files |= dict.fromkeys(inside)
        elif path.is_file():
            files[path] = None
            found.discard(path)
        elif path.exists():
            raise InputError(f"{path} is no file and no folder")
        else:
            raise InputError(f"there is no file {path}")
    return Inputs(tuple(files), frozenset(found), tuple(folders))


def every_picture(inputs: Inputs, read: Callable[[Path], Iterable[Picture]]) -> Iterator[Picture | InputError]:
    """Yield the pictures of all files, and in place of those that cannot be read the reason."""
    for path in inputs.files:
        try:
            yield from read(path)
        except PassedOverError as error:
            was_meant = path not in inputs.found or path.suffix.lower() in PROMISING
            yield InputError(f"{path} cannot be read: {error.why}") if was_meant else error
        except InputError as error:
            yield error
        except Exception as error:  # noqa: BLE001 - whatever it is, it is about this file
            yield InputError(f"{path} cannot be read: {type(error).__name__}: {error}")


def names(paths: tuple[Path, ...]) -> dict[Path, str]:
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
