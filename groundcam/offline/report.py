"""Report what was found in pictures: as text for people, as JSON for programs."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from tqdm import tqdm

from groundcam.offline.inputs import DamageError, Inputs, NotDrawnError, PassedOverError, Picture
from groundcam.offline.reading import is_still
from groundcam_runtime.printable import printable
from groundcam_schemas import Object


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
def progress(inputs: Inputs, stream: TextIO) -> Iterator[Bar]:
    """Show how many pictures are answered; how many there are is not known of films."""
    shows = stream.isatty()
    total = len(inputs.files) if shows and all(map(is_still, inputs.files)) else None
    with tqdm(total=total, unit=" pictures", file=stream, disable=not shows or total == 1) as bar:
        yield Bar(bar)


class Troubles:
    """What was not looked at, for the end of the run."""

    def __init__(self, inputs: Inputs) -> None:
        self._passed_over = [(path.name, why) for path, why in inputs.folders]
        self._files = len(inputs.files)
        self._failed: set[Path] = set()

    def add(self, error: Exception, path: Path | None = None) -> str:
        """Take note of one, of a file; return what is to be said at once, nothing where the end is early enough."""
        if isinstance(error, PassedOverError):
            self._passed_over.append((error.path.name, error.why))
            return ""
        if not isinstance(error, DamageError):
            known = error.path if isinstance(error, NotDrawnError) else path
            self._failed.add(known or Path(str(error)))
        return str(error)

    def lines(self, answered: int) -> list[str]:
        """Return what is said in the end."""
        lines = []
        if self._passed_over:
            names = ", ".join(f"{printable(name)} ({why})" for name, why in self._passed_over)
            lines.append(f"passed over: {names}")
        if not answered and not self._failed:
            self._failed.add(Path())
            lines.append("there is no picture and no film in what was given")
        elif self._failed and self._files > 1:
            lines.append(f"{len(self._failed)} of {self._files} files could not be read or answered whole")
        return lines

    @property
    def has_failed(self) -> bool:
        """Whether something that was asked for was not done."""
        return bool(self._failed)


class Report:
    """What is written of each picture, and of all of them in the end."""

    def __init__(self, labels: Sequence[str], thresholds: tuple[float, ...], *, as_json: bool) -> None:
        self._labels, self._thresholds, self._as_json = labels, thresholds, as_json
        self.pictures = 0
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
        if self._as_json or self._thresholds or self.pictures < 2:
            return ""
        width = max(len(label) for label in (*self._labels, "class"))
        lines = [f"{self.pictures} pictures", f"  {'class':<{width}} {'objects':>8} {'pictures':>9} {'best':>6}"]
        for label in self._labels:
            best = f"{self._best[label]:.2f}" if label in self._best else "-"
            lines.append(f"  {label:<{width}} {self._objects[label]:>8} {self._seen_in[label]:>9} {best:>6}")
        return "\n".join(lines)

    def _count(self, objects: Sequence[Object]) -> None:
        self.pictures += 1
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
                {"threshold": one, "objects": _plain(above(objects, one))} for one in self._thresholds
            ]
        else:
            line["objects"] = _plain(objects)
        if comparison is not None:
            line["reference"] = {
                "matched": comparison.matched, "score": comparison.score, "pixels": comparison.pixels,
                "differences": list(comparison.lines),
            }  # fmt: skip
        return line


def above(objects: Sequence[Object], threshold: float) -> tuple[Object, ...]:
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
        counts = [sum(label in {None, found.label} for found in above(objects, one)) for one in thresholds]
        lines.append(f"  {label or 'all':<{width}}" + "".join(f"{count:>8}" for count in counts))
    return "\n".join(lines)
