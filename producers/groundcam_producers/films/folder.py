"""A folder of pictures and films, played like one film."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from groundcam_producers.errors import SourceError, SourceUnusableError
from groundcam_producers.films.decoded import AS_IT_SAYS, Decoded, Viewing
from groundcam_producers.video import MOST_PICTURE_BYTES, MOST_PIXELS, VideoSource, undecodable
from groundcam_runtime.pictures.formats import fault_of
from groundcam_runtime.printable import printable

log = logging.getLogger(__name__)

NO_PICTURES = "there is no picture and no film in it"


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
        damaged: list[str] = []
        for path in self._paths:
            last_s = begin_s - step_s
            try:
                for decoded in self._pictures(path):
                    has_any, last_s = True, begin_s + (decoded.time_s or 0.0)
                    if decoded.is_corrupt and path.name not in damaged[-1:]:
                        damaged.append(path.name)
                    yield replace(decoded, time_s=last_s)
            except SourceError as error:
                passed_over.append(f"{printable(path.name)} ({error})")
            begin_s = last_s + step_s
        folder = printable(self._folder.name)
        if damaged:
            log.warning("damaged in the folder %s, not published: %s", folder, ", ".join(map(printable, damaged)))
        if passed_over:
            log.warning("passed over in the folder %s: %s", folder, ", ".join(passed_over))
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
            yield undecodable()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        """Each file was closed when it was read."""
