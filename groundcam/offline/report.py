"""Report what was found in pictures: as text for people, as JSON for programs, as pictures with boxes."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from tqdm import tqdm

from groundcam.offline.inputs import Picture, is_video
from groundcam.offline.thinning import Thinning
from groundcam_runtime.pictures.drawing import caption, draw, sheet, thumbnail, write
from groundcam_runtime.pictures.image import Image
from groundcam_runtime.printable import printable
from groundcam_schemas import Object

SHEET_PICTURES, SHEET_COLUMNS = 24, 4


class Bar:
    """Writes lines around a progress bar, which shows on a terminal only."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar

    def update(self) -> None:
        """One more picture is answered."""
        self._bar.update()

    def write(self, text: str, file: TextIO) -> None:
        """Write lines without hurting the bar."""
        self._bar.write(text, file=file)
        file.flush()


@contextmanager
def progress(files: Sequence[Path], stream: TextIO) -> Iterator[Bar]:
    """Show how many pictures are answered; how many there are is not known of videos."""
    total = None if any(is_video(path) for path in files) else len(files)
    with tqdm(total=total, unit=" pictures", file=stream, disable=not stream.isatty() or total == 1) as bar:
        yield Bar(bar)


class Report:
    """What is written of each picture, and of all of them in the end."""

    def __init__(self, labels: Sequence[str], thresholds: tuple[float, ...], *, as_json: bool) -> None:
        self._labels, self._thresholds, self._as_json = labels, thresholds, as_json
        self._pictures = 0
        self._objects: Counter[str] = Counter()
        self._seen_in: Counter[str] = Counter()
        self._best: dict[str, float] = {}

    def picture(self, picture: Picture, objects: tuple[Object, ...], comparison: Any = None) -> str:
        """Return the lines of one picture; `comparison` says how transformers' own answer differs."""
        self._count(objects)
        width, height = picture.size
        if self._as_json:
            return json.dumps(self._fields(picture, objects, comparison))
        place = "" if picture.time_s is None else f" at {picture.time_s:.2f} s"
        head = f"{printable(str(picture.path))}{place} ({width}x{height})"
        text = _sweep_text(head, objects, self._thresholds) if self._thresholds else _text(head, objects)
        if comparison is None:
            return text
        compared = (
            f"  as transformers: {comparison.matched} boxes, scores within {comparison.score:.1e},"
            f" boxes within {comparison.pixels:.3f} px"
        )
        return "\n".join([text, compared, *(f"  {line}" for line in comparison.lines)])

    def summary(self) -> str:
        """Return a table over all pictures, where there were several."""
        if self._as_json or self._thresholds or self._pictures < 2:
            return ""
        width = max(len(label) for label in (*self._labels, "class"))
        lines = [f"{self._pictures} pictures", f"  {'class':<{width}} {'objects':>8} {'pictures':>9} {'best':>6}"]
        for label in self._labels:
            best = f"{self._best[label]:.2f}" if label in self._best else "-"
            lines.append(f"  {label:<{width}} {self._objects[label]:>8} {self._seen_in[label]:>9} {best:>6}")
        return "\n".join(lines)

    def _count(self, objects: Sequence[Object]) -> None:
        self._pictures += 1
        self._objects.update(one.label for one in objects)
        self._seen_in.update({one.label for one in objects})
        for one in objects:
            self._best[one.label] = max(one.score, self._best.get(one.label, 0.0))

    def _fields(self, picture: Picture, objects: Sequence[Object], comparison: Any) -> dict[str, Any]:
        width, height = picture.size
        line: dict[str, Any] = {"path": str(picture.path), "width": width, "height": height}
        if picture.time_s is not None:
            line["time_s"] = round(picture.time_s, 3)
        if self._thresholds:
            line["thresholds"] = [
                {"threshold": one, "objects": _plain(_above(objects, one))} for one in self._thresholds
            ]
        else:
            line["objects"] = _plain(objects)
        if comparison is not None:
            line["reference"] = {
                "matched": comparison.matched, "score": comparison.score, "pixels": comparison.pixels,
                "differences": list(comparison.lines),
            }  # fmt: skip
        return line


class Drawing:
    """Pictures with their boxes, one for each file; of a video a contact sheet."""

    def __init__(self, folder: Path | None, called: Mapping[Path, str], thresholds: tuple[float, ...]) -> None:
        """`called` names what is written for each file; nothing is, without a folder."""
        self._folder, self._called, self._thresholds = folder, called, thresholds
        self._path: Path | None = None
        self._drawn: Thinning[Image] = Thinning(SHEET_PICTURES)

    def would_overwrite(self, files: Sequence[Path]) -> Path | None:
        """Return a file that was given and would be written to."""
        if self._folder is None:
            return None
        written = {self._target(path) for path in files}
        return next((path for path in (one.resolve() for one in files) if path in written), None)

    def add(self, picture: Picture, objects: tuple[Object, ...]) -> None:
        """Take a picture; those of one file come one behind the other."""
        if self._folder is None:
            return
        if picture.path != self._path:
            self.finish()
            self._path, self._drawn = picture.path, Thinning(SHEET_PICTURES)
        one = _drawn(picture, objects, self._thresholds)
        self._drawn.add(thumbnail(one) if is_video(picture.path) else one)

    def finish(self) -> None:
        """Write what belongs to the last file."""
        if self._path is None or not (chosen := self._drawn.chosen()):
            return
        whole = sheet(chosen, min(SHEET_COLUMNS, len(chosen))) if is_video(self._path) else chosen[0]
        write(self._target(self._path), whole)
        self._path = None

    def _target(self, path: Path) -> Path:
        return ((self._folder or Path()) / f"{self._called[path]}.png").resolve()


def _above(objects: Sequence[Object], threshold: float) -> tuple[Object, ...]:
    """Return what a higher threshold leaves: an object's label is its best class, so that no label changes."""
    return tuple(one for one in objects if one.score > threshold)


def _plain(objects: Sequence[Object]) -> list[dict[str, Any]]:
    return [one.model_dump(mode="json") for one in objects]


def _text(head: str, objects: Sequence[Object]) -> str:
    lines = [f"{head}: {len(objects) or 'no'} object{'' if len(objects) == 1 else 's'}"]
    for one in objects:
        x1, y1, x2, y2 = (round(value) for value in one.box)
        lines.append(f"  {one.score:.2f}  {one.label:<24} {x1},{y1} to {x2},{y2}")
    return "\n".join(lines)


def _sweep_text(head: str, objects: Sequence[Object], thresholds: tuple[float, ...]) -> str:
    """Return a table: a line for each label, a column for each threshold."""
    labels = sorted({one.label for one in objects})
    width = max([len(label) for label in labels] + [len("threshold")])
    lines = [f"{head}:", f"  {'threshold':<{width}}" + "".join(f"{one:>8g}" for one in thresholds)]
    for label in [*labels, None]:
        counts = [sum(label in {None, found.label} for found in _above(objects, one)) for one in thresholds]
        lines.append(f"  {label or 'all':<{width}}" + "".join(f"{count:>8}" for count in counts))
    return "\n".join(lines)


def _drawn(picture: Picture, objects: tuple[Object, ...], thresholds: tuple[float, ...]) -> Image:
    if thresholds:
        shown = [
            caption(draw(picture.image, left), f"threshold {one:g}: {len(left)} object{'' if len(left) == 1 else 's'}")
            for one in thresholds
            for left in [_above(objects, one)]
        ]
        return sheet(shown, len(shown), min(960, picture.image.shape[1]))
    if picture.time_s is None:
        return draw(picture.image, objects)
    return caption(draw(picture.image, objects), f"{picture.time_s:.2f} s")
