"""`groundcam detect`"""

import json
import logging
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from groundcam.commands.options import Config, start
from groundcam.commands.work import BoxThreshold, Device, Model, Question, TextThreshold
from groundcam_runtime.settings import SettingError
from groundcam_schemas import Ask, Object

log = logging.getLogger(__name__)

PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")


def detect(
    paths: Annotated[list[Path], typer.Argument(metavar="PICTURE...", help="Pictures, or folders of them.")],
    config: Config = None,
    model: Model = None,
    device: Device = None,
    question: Question = None,
    box_threshold: BoxThreshold = None,
    text_threshold: TextThreshold = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line for each picture.")] = False,
    annotate: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write the pictures with their boxes here.")
    ] = None,
) -> None:
    """Answer a question about pictures, without Kafka."""
    settings = start(
        config, None, None, "warning" if as_json else None,
        work__model=model, work__device=device, work__question=tuple(question) if question else None,
        work__box_threshold=box_threshold, work__text_threshold=text_threshold,
    )  # fmt: skip
    pictures = _pictures(paths)
    asked = settings.work.questions().for_frame("*", None)
    if asked is None:
        raise SettingError('--question: nothing is asked; use --question "person, dog"')
    try:
        from groundcam_worker.run import load_detector

        detector = load_detector(settings.work, settings.work.questions())
    except ImportError as missing:
        raise SettingError(f"detect needs the package {missing.name}: pip install 'groundcam[worker]'") from None
    unreadable = 0
    names = _names(pictures)
    for path in pictures:
        target = annotate / f"{names[path]}.png" if annotate else None
        if not _detect_one(detector, path, asked[1], as_json=as_json, annotate=target):
            unreadable += 1
    if unreadable:
        raise typer.Exit(1)


def _detect_one(detector: Any, path: Path, ask: Ask, *, as_json: bool, annotate: Path | None) -> bool:
    from groundcam import annotate as drawing
    from groundcam_worker.answers import objects_of

    image = drawing.read(path)
    if image is None:
        print(f"groundcam: {path} is no picture", file=sys.stderr)
        return False
    size = image.shape[1], image.shape[0]
    objects = objects_of(detector.detect([image], [ask])[0], ask, size, size)
    if as_json:
        found = [one.model_dump(mode="json") for one in objects]
        print(json.dumps({"path": str(path), "width": size[0], "height": size[1], "objects": found}), flush=True)
    else:
        print(_text(path, size, objects), flush=True)
    if annotate is not None:
        drawing.write(annotate, drawing.draw(image, objects))
    return True


def _names(pictures: list[Path]) -> dict[Path, str]:
    """Return what the annotated pictures are called; those of one name are told apart by their folders."""
    stems = [path.stem for path in pictures]
    return {
        path: path.stem if stems.count(path.stem) == 1 else f"{path.resolve().parent.name}-{path.name}"
        for path in pictures
    }


def _text(path: Path, size: tuple[int, int], objects: tuple[Object, ...]) -> str:
    lines = [f"{path} ({size[0]}x{size[1]}): {len(objects) or 'no'} object{'' if len(objects) == 1 else 's'}"]
    for one in objects:
        x1, y1, x2, y2 = (round(value) for value in one.box)
        lines.append(f"  {one.score:.2f}  {one.label:<24} {x1},{y1} to {x2},{y2}")
    return "\n".join(lines)


def _pictures(paths: list[Path]) -> list[Path]:
    """Return the pictures that the arguments name. Raises SettingError."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(one for one in path.iterdir() if one.suffix.lower() in PICTURES)
            if not inside:
                raise SettingError(f"there is no picture ({', '.join(PICTURES)}) in the folder {path}")
            found += inside
        elif path.is_file():
            found.append(path)
        else:
            raise SettingError(f"there is no file {path}")
    return found
