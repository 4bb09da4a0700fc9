"""`groundcam detect`"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from groundcam.commands.options import Config, start
from groundcam.commands.work import BoxThreshold, Device, Model, Question, TextThreshold
from groundcam.spread import Spread
from groundcam_runtime.settings import SettingError
from groundcam_schemas import Ask, Object

SHEET_PICTURES, SHEET_COLUMNS = 24, 4


def detect(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Pictures, folders of them, or videos.")],
    config: Config = None,
    model: Model = None,
    device: Device = None,
    question: Question = None,
    box_threshold: BoxThreshold = None,
    text_threshold: TextThreshold = None,
    threshold_sweep: Annotated[
        str | None,
        typer.Option(metavar="0.2,0.3,0.4", help="Show side by side what each of these thresholds would find."),
    ] = None,
    fps: Annotated[float, typer.Option(min=0.01, max=100, help="Pictures of each second of a video.")] = 1.0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line for each picture.")] = False,
    annotate: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Write pictures with their boxes here, of a video a contact sheet."),
    ] = None,
) -> None:
    """Answer a question about pictures and videos, without Kafka."""
    thresholds = _thresholds(threshold_sweep)
    if thresholds and (box_threshold is not None or text_threshold is not None):
        raise SettingError("--threshold-sweep: it stands for --box-threshold and --text-threshold, which are given too")
    lowest = min(thresholds) if thresholds else None
    settings = start(
        config, None, None, "warning" if as_json else None,
        work__model=model, work__device=device, work__question=tuple(question) if question else None,
        work__box_threshold=box_threshold if lowest is None else lowest,
        work__text_threshold=text_threshold if lowest is None else lowest,
    )  # fmt: skip
    asked = settings.work.questions().for_frame("*", None)
    try:
        from groundcam.inputs import InputError, expand, names
        from groundcam_worker.run import load_detector

        try:
            files = expand(paths)
        except InputError as error:
            raise SettingError(str(error)) from None
        called = names(files)
        if annotate and (lost := {one.resolve() for one in files} & {_target(annotate, called[one]) for one in files}):
            raise SettingError(f"--annotate: {lost.pop()} would be overwritten; use another folder")
        if asked is None:
            raise SettingError('--question: nothing is asked; use --question "person, dog"')
        detector = load_detector(settings.work, settings.work.questions())
    except ImportError as missing:
        raise SettingError(f"detect needs the package {missing.name}: pip install 'groundcam[worker]'") from None
    readable = [_answer(detector, asked[1], path, called[path], fps, thresholds, annotate, as_json) for path in files]
    if not all(readable):
        raise typer.Exit(1)


def _answer(
    detector: Any,
    ask: Ask,
    path: Path,
    name: str,
    fps: float,
    thresholds: tuple[float, ...],
    annotate: Path | None,
    as_json: bool,
) -> bool:
    """Answer one picture or video; return whether it could be read."""
    from groundcam.annotate import sheet, thumbnail, write
    from groundcam.inputs import InputError, is_video, pictures

    drawn: Spread[Any] = Spread(SHEET_PICTURES)
    is_readable = True
    try:
        for picture in pictures(path, fps):
            objects = _objects(detector, picture.image, ask)
            _tell(picture, objects, thresholds, as_json=as_json)
            if annotate:
                one = _drawn(picture, objects, thresholds)
                drawn.add(thumbnail(one) if is_video(path) else one)
    except InputError as error:
        print(f"groundcam: {error}", file=sys.stderr)
        is_readable = False
    except ImportError as missing:
        raise SettingError(f"a video needs the package {missing.name}: pip install 'groundcam[producer]'") from None
    if annotate and (chosen := drawn.chosen()):
        whole = sheet(chosen, min(SHEET_COLUMNS, len(chosen))) if is_video(path) else chosen[0]
        write(_target(annotate, name), whole)
    return is_readable


def _target(folder: Path, name: str) -> Path:
    return (folder / f"{name}.png").resolve()


def _thresholds(text: str | None) -> tuple[float, ...]:
    """Read the thresholds of a sweep, smallest first. Raises SettingError."""
    try:
        found = tuple(sorted({float(part) for part in text.split(",")})) if text else ()
    except ValueError:
        found = (-1.0,)
    if not all(0 <= one <= 1 for one in found):
        raise SettingError(f"--threshold-sweep: {text!r} is no list of numbers from 0 to 1, such as 0.2,0.3,0.4")
    return found


def _objects(detector: Any, image: Any, ask: Ask) -> tuple[Object, ...]:
    from groundcam_worker.answers import objects_of

    size = image.shape[1], image.shape[0]
    return objects_of(detector.detect([image], [ask])[0], ask, size, size)


def _above(objects: Sequence[Object], threshold: float) -> tuple[Object, ...]:
    """Return what a higher threshold leaves: an object's label is its best class, so that no label changes."""
    return tuple(one for one in objects if one.score > threshold)


def _tell(picture: Any, objects: tuple[Object, ...], thresholds: tuple[float, ...], *, as_json: bool) -> None:
    height, width = picture.image.shape[:2]
    if not as_json:
        place = "" if picture.time_s is None else f" at {picture.time_s:.2f} s"
        head = f"{picture.path}{place} ({width}x{height})"
        print(_sweep_text(head, objects, thresholds) if thresholds else _text(head, objects), flush=True)
        return
    line: dict[str, Any] = {"path": str(picture.path), "width": width, "height": height}
    if picture.time_s is not None:
        line["time_s"] = round(picture.time_s, 3)
    if thresholds:
        line["thresholds"] = [{"threshold": one, "objects": _plain(_above(objects, one))} for one in thresholds]
    else:
        line["objects"] = _plain(objects)
    print(json.dumps(line), flush=True)


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


def _drawn(picture: Any, objects: tuple[Object, ...], thresholds: tuple[float, ...]) -> Any:
    from groundcam.annotate import caption, draw, sheet

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
