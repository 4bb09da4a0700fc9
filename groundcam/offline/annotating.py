"""Draw what was found: pictures with their boxes, and of a film a film with its boxes and a contact sheet."""

import errno
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from groundcam.offline.inputs import NotDrawnError, Picture
from groundcam.offline.report import above
from groundcam.offline.thinning import Thinning
from groundcam_runtime.pictures.drawing import caption, draw, sheet, stretched, thumbnail, write
from groundcam_runtime.pictures.image import Image
from groundcam_schemas import Object

SHEET_PICTURES, SHEET_COLUMNS = 24, 4
FILM_FPS = 25
CLOCK_S = 0.001


class Drawing:
    """What is written of each file."""

    def __init__(self, folder: Path | None, called: Mapping[Path, str], thresholds: tuple[float, ...]) -> None:
        """`called` names what is written for each file; nothing is, without a folder."""
        self._folder, self._called, self._thresholds = folder, called, thresholds
        self._path: Path | None = None
        self._is_film = False
        self._is_playable = True
        self._drawn: Thinning[Image] = Thinning(SHEET_PICTURES)
        self._film: Any = None

    def make_folder(self) -> None:
        """Make the folder, if there is to be one. Raises OSError."""
        if self._folder is not None:
            self._folder.mkdir(parents=True, exist_ok=True)
            if not os.access(self._folder, os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    def would_overwrite(self, files: Sequence[Path]) -> Path | None:
        """Return a file that was given and would be written to."""
        if self._folder is None:
            return None
        written = {self._target(path, suffix) for path in files for suffix in (".png", ".mp4")}
        return next((path for path in (one.resolve() for one in files) if path in written), None)

    def add(self, picture: Picture, objects: tuple[Object, ...]) -> None:
        """Take a picture; those of one file come one behind the other.

        Raises OSError, and NotDrawnError for this file, or for the one before, once; then this picture is taken.
        """
        if self._folder is None:
            return
        failed: NotDrawnError | None = None
        if picture.path != self._path:
            try:
                self.finish()
            except NotDrawnError as error:
                failed = error
            self._path, self._drawn, self._is_playable = picture.path, Thinning(SHEET_PICTURES), True
            self._is_film = picture.time_s is not None
        one = _drawn(picture, objects, self._thresholds)
        self._drawn.add(thumbnail(one) if self._is_film else one)
        if picture.time_s is not None and self._is_playable:
            try:
                self._play(one, picture.time_s, picture.path)
            except Exception as error:  # noqa: BLE001 - whatever the encoder has, it is about this film
                self._give_up(error, picture.path)
        if failed is not None:
            raise failed

    def finish(self) -> None:
        """Write what belongs to the last file, once. Raises OSError and NotDrawnError."""
        path, self._path = self._path, None
        chosen = self._drawn.chosen()
        try:
            if path is not None:
                self._end_film(path)
        finally:
            if path is not None and chosen:
                whole = sheet(chosen, min(SHEET_COLUMNS, len(chosen))) if self._is_film else chosen[0]
                write(self._target(path, ".png"), whole)

    def _play(self, image: Image, time_s: float, path: Path) -> None:
        """Add a picture to the film. Raises OSError, and whatever the encoder raises."""
        if self._film is None:
            from groundcam_producers.films.writer import VideoWriter

            target = self._target(path, ".mp4")
            target.parent.mkdir(parents=True, exist_ok=True)
            self._size = max(2, image.shape[1] // 2 * 2), max(2, image.shape[0] // 2 * 2)
            self._film = VideoWriter(target, self._size, fps=FILM_FPS).__enter__()
            self._begin_s, self._last_s = time_s, time_s - CLOCK_S
        shown = image if image.shape[1::-1] == self._size else stretched(image, self._size)
        # A clock that goes back must not end a film.
        self._last_s = max(time_s, self._last_s + CLOCK_S)
        self._film.write(shown, self._last_s - self._begin_s)

    def _end_film(self, path: Path) -> None:
        film, self._film = self._film, None
        if film is not None:
            try:
                film.__exit__(None, None, None)
            except Exception as error:  # noqa: BLE001 - whatever the encoder has, it is about this film
                self._give_up(error, path)

    def _give_up(self, error: Exception, path: Path) -> None:
        """Write no film of this file, nor half of one; its sheet is written all the same."""
        film, self._film, self._is_playable = self._film, None, False
        if film is not None:
            with suppress(Exception):
                film.__exit__(None, None, None)
        if isinstance(error, OSError):
            raise error
        self._target(path, ".mp4").unlink(missing_ok=True)
        raise NotDrawnError(path, error) from None

    def _target(self, path: Path, suffix: str) -> Path:
        return ((self._folder or Path()) / f"{self._called[path]}{suffix}").resolve()


def _drawn(picture: Picture, objects: tuple[Object, ...], thresholds: tuple[float, ...]) -> Image:
    if thresholds:
        shown = [
            caption(draw(picture.image, left), f"threshold {one:g}: {len(left)} object{'' if len(left) == 1 else 's'}")
            for one in thresholds
            for left in [above(objects, one)]
        ]
        return sheet(shown, len(shown), min(960, picture.image.shape[1]))
    if picture.time_s is None:
        return draw(picture.image, objects)
    return caption(draw(picture.image, objects), f"{picture.time_s:.2f} s")
