"""`groundcam detect`"""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from groundcam.commands.options import Config, start
from groundcam.commands.work import (
    BatchSize,
    BoxThreshold,
    ClassScores,
    Decoys,
    Device,
    InputSize,
    MaxObjects,
    Model,
    NmsAcross,
    NmsIou,
    Precision,
    QuestionTexts,
    TextThreshold,
)
from groundcam.extras import PICTURES, needs, require
from groundcam_runtime.printable import printable
from groundcam_runtime.settings import SettingError
from groundcam_schemas import Question
from groundcam_worker.errors import DetectorLostError
from groundcam_worker.preflight import check_detector
from groundcam_worker.settings import fake_seconds


def detect(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Pictures, films, and folders of them.")],
    config: Config = None,
    model: Model = None,
    device: Device = None,
    precision: Precision = None,
    input_size: InputSize = None,
    question: QuestionTexts = None,
    box_threshold: BoxThreshold = None,
    text_threshold: TextThreshold = None,
    nms_iou: NmsIou = None,
    nms_across: NmsAcross = None,
    decoys: Decoys = None,
    max_objects: MaxObjects = None,
    class_scores: ClassScores = None,
    batch_size: BatchSize = None,
    threshold_sweep: Annotated[
        str | None,
        typer.Option(metavar="0.2,0.3,0.4", help="Show side by side what each of these thresholds would find."),
    ] = None,
    fps: Annotated[float, typer.Option(min=0.01, max=100, help="Pictures of each second of a video.")] = 1.0,
    keep_damaged: Annotated[
        bool, typer.Option("--keep-damaged", help="Look at a film's pictures that are built on damaged ones, too.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line for each picture.")] = False,
    annotate: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Write pictures with their boxes here, of a film a film and a contact sheet."
        ),
    ] = None,
    compare_reference: Annotated[
        bool,
        typer.Option(help="Also run transformers' own way, and say what differs and why. Grounding DINO only."),
    ] = False,
) -> None:
    """Answer a question about pictures and videos, without Kafka."""
    thresholds = _thresholds(threshold_sweep)
    if thresholds and (box_threshold is not None or text_threshold is not None):
        raise SettingError("--threshold-sweep: it stands for --box-threshold and --text-threshold, which are given too")
    lowest = min(thresholds) if thresholds else None
    settings = start(
        config, None, None, "warning" if as_json else None,
        work__model=model, work__device=device, work__precision=precision, work__input_size=input_size,
        work__question=tuple(question) if question else None,
        work__box_threshold=box_threshold if lowest is None else lowest,
        work__text_threshold=text_threshold if lowest is None else lowest,
        work__nms_iou=nms_iou, work__nms_across=nms_across, work__decoys=decoys,
        work__max_objects=max_objects, work__class_scores=class_scores, work__batch_size=batch_size,
    ).work  # fmt: skip
    asked = _question(settings, thresholds)
    is_fake = fake_seconds(settings.model) is not None
    require("detect", "worker", (*PICTURES, "tqdm") if is_fake else None)
    check_detector(settings)
    with needs("detect", "worker", ()):
        from groundcam.offline.answering import answered
        from groundcam.offline.inputs import FILMS, InputError, every_picture, expand
        from groundcam.offline.reading import reader
        from groundcam.offline.report import Report, Troubles, progress
        from groundcam_worker.run import load_detector

        try:
            inputs = expand(paths)
        except InputError as error:
            raise SettingError(str(error)) from None
        drawing = _drawing(annotate, inputs, thresholds)
        if any(path.suffix.lower() in FILMS for path in inputs.files):
            require("a film", "producer", ("av", "numpy"))
        reference = _reference(settings, asked) if compare_reference else None
        detector = load_detector(settings)
        detector.check(asked)
    report, troubles = Report(asked.labels, thresholds, as_json=as_json), Troubles(inputs)
    try:
        with progress(inputs, sys.stderr) as bar:
            pictures = every_picture(inputs, reader(fps, settings.max_pixels, keep_damaged=keep_damaged))
            for picture, answer in answered(pictures, detector, asked, settings.batch_size):
                bar.update()
                problem = _tell(picture, answer, report, drawing, reference, detector, bar)
                if problem is not None and (said := troubles.add(problem, picture.path if picture else None)):
                    bar.write(f"groundcam: {printable(said)}", sys.stderr)
    finally:
        _finish(drawing, troubles)
    for line in troubles.lines(report.pictures):
        print(f"groundcam: {line}", file=sys.stderr)
    if summary := report.summary():
        print(summary)
    if troubles.has_failed:
        raise typer.Exit(1)


def _tell(
    picture: Any, answer: Any, report: Any, drawing: Any, reference: Any, detector: Any, bar: Any
) -> Exception | None:
    """Write and draw what was found in a picture; return what keeps that from being done for this one.

    Raises OSError, such as for a full disk, and DetectorLostError: no later picture fares better.
    """
    from groundcam.offline.inputs import NotDrawnError

    if picture is None or isinstance(answer, Exception):
        failed: Exception = answer
        return failed
    try:
        compared = reference(picture.image, detector) if reference else None
        bar.write(report.picture(picture, answer, compared), sys.stdout)
        drawing.add(picture, answer)
    except (OSError, DetectorLostError):
        raise
    except NotDrawnError as error:
        return error
    except Exception as error:  # noqa: BLE001 - whatever it is, it is about this picture
        return RuntimeError(f"{picture.path} cannot be compared or drawn: {type(error).__name__}: {error}")
    return None


def _finish(drawing: Any, troubles: Any) -> None:
    """Write what belongs to the last file. Raises OSError."""
    from groundcam.offline.inputs import NotDrawnError

    try:
        drawing.finish()
    except NotDrawnError as error:
        print(f"groundcam: {printable(troubles.add(error))}", file=sys.stderr)


def _drawing(folder: Path | None, inputs: Any, thresholds: tuple[float, ...]) -> Any:
    """Return what draws into a folder that is there. Raises SettingError."""
    from groundcam.offline.annotating import Drawing
    from groundcam.offline.inputs import names

    drawing = Drawing(folder, names(inputs.files), thresholds)
    if existing := drawing.would_overwrite(inputs.files):
        raise SettingError(f"--annotate: {existing} would be overwritten; use another folder")
    try:
        drawing.make_folder()
    except OSError as error:
        raise SettingError(f"--annotate: {folder}: {error.strerror}") from None
    return drawing


def _question(settings: Any, thresholds: tuple[float, ...]) -> Question:
    """Return what is asked. Raises SettingError."""
    asked = settings.questions().for_frame("*", None)
    if asked is None:
        raise SettingError('--question: nothing is asked of files; use --question "person, dog", for no camera')
    question: Question = asked[1]
    if thresholds and any(one.box_threshold is not None for one in question.classes):
        raise SettingError("--threshold-sweep: it stands for the thresholds of classes, of which one is given too")
    return question


def _reference(settings: Any, question: Question) -> Any:
    """Return what compares a picture's answer with that of transformers' own way. Raises SettingError, ModelError."""
    if fake_seconds(settings.model) is not None:
        raise SettingError(f"--compare-reference: {settings.model} is no model")
    from groundcam_worker.checkpoints.catalogue import resolve
    from groundcam_worker.checkpoints.loading import load
    from groundcam_worker.detectors.devices import pick
    from groundcam_worker.detectors.grounding_dino.reference import Reference, compare
    from groundcam_worker.detectors.opening import GROUNDING_DINO

    loaded = load(resolve(settings.model))
    if loaded.family not in GROUNDING_DINO:
        raise SettingError(f"--compare-reference: it is for Grounding DINO, and {settings.model} is a {loaded.family}")
    reference = Reference(loaded, pick(settings.device))
    reference.require_one_caption(question)

    def compared(image: Any, detector: Any) -> Any:
        """The picture alone, since in a batch rounding may be another; it was answered once, and can be again."""
        shape = detector.input_shape(image.shape[1], image.shape[0])
        return compare(detector.detect([image], [question])[0], reference.boxes(image, question, shape), question)

    return compared


def _thresholds(text: str | None) -> tuple[float, ...]:
    """Read the thresholds of a sweep, smallest first. Raises SettingError."""
    try:
        found = tuple(sorted({float(part) for part in text.split(",")})) if text else ()
    except ValueError:
        found = (-1.0,)
    if not all(0 <= one <= 1 for one in found):
        raise SettingError(f"--threshold-sweep: {text!r} is no list of numbers from 0 to 1, such as 0.2,0.3,0.4")
    return found
