"""`groundcam ask`"""

import json
import time
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from groundcam.asking import region as parse_region
from groundcam.asking import regions_in, require_camera
from groundcam.commands.options import BootstrapServers, Config, start, user
from groundcam.commands.work import BoxThreshold, ClassScores, Decoys, MaxObjects, NmsAcross, NmsIou, TextThreshold
from groundcam.durations import duration
from groundcam.questions_asked import Asking, listed
from groundcam_runtime.kafka.camera_statuses import camera_statuses
from groundcam_runtime.printable import printable
from groundcam_runtime.question_text import parse_decoys, parse_question
from groundcam_runtime.settings import KafkaSettings, SettingError
from groundcam_schemas import CameraQuestion, Question
from groundcam_schemas.questions import EVERY_CAMERA
from groundcam_worker.errors import QuestionError


def ask(
    question: Annotated[
        str | None, typer.Argument(metavar='"[ID=]CLASS, CLASS"', help="What to look for from now on.")
    ] = None,
    config: Config = None,
    bootstrap_servers: BootstrapServers = None,
    box_threshold: BoxThreshold = None,
    text_threshold: TextThreshold = None,
    nms_iou: NmsIou = None,
    nms_across: NmsAcross = None,
    decoys: Decoys = None,
    max_objects: MaxObjects = None,
    class_scores: ClassScores = None,
    region: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[ID=]X,Y,X,Y,X,Y",
            help="Count objects whose centre is in this polygon, or rectangle of X1,Y1,X2,Y2, in fractions. Repeat it.",
        ),
    ] = None,
    regions: Annotated[
        Path | None, typer.Option(metavar="FILE", help="YAML with a list of regions, or with one for each camera.")
    ] = None,
    wait_s: Annotated[
        float,
        typer.Option(
            parser=duration(0, 600),
            metavar="TIME",
            help="Wait so long for workers and a first answer.",
            show_default="10s",
        ),
    ] = 10.0,
    force: Annotated[bool, typer.Option("--force", help="Ask a camera that nobody knows yet.")] = False,
    show: Annotated[bool, typer.Option("--list", help="Show the questions that hold, and who answers them.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --list: JSON.")] = False,
    take_back: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Take back what was asked of a camera, or of * for all of them."),
    ] = None,
) -> None:
    """Ask another question while workers run; it applies from their next batch on.

    Exit codes: 0 asked, and taken by the workers that are there; 1 refused by them, and the question before holds.
    """
    if sum((question is not None, take_back is not None, show)) != 1:
        raise typer.BadParameter("give a question, --take-back or --list")
    settings = start(config, bootstrap_servers)
    if show:
        rows = listed(settings.kafka)
        print(json.dumps(rows, indent=2) if as_json else _table(rows))
        return
    message: CameraQuestion | None = None
    camera_id = take_back or EVERY_CAMERA
    if question is not None:
        options = {
            "box_threshold": box_threshold, "text_threshold": text_threshold, "nms_iou": nms_iou,
            "nms_across": nms_across, "max_objects": max_objects, "class_scores": class_scores,
            "decoys": parse_decoys(decoys) if decoys is not None else None,
        }  # fmt: skip
        camera_id, asked = parse_question(question, **options)
        asked = _with_regions(asked, camera_id, region or [], regions)
        message = CameraQuestion(**dict(asked), camera_id=camera_id, set_by=user(), set_at_ns=time.time_ns())
    if not force:
        require_camera(camera_id, _known(settings.kafka, take_back))
    with Asking(settings.kafka, camera_id, message) as asking:
        asking.send()
        who = "every camera" if camera_id == EVERY_CAMERA else camera_id
        if message is None:
            print(f"{who}: taken back")
            return
        said = asking.wait(wait_s)
    print(f"{who}: {printable(said.text)}")
    if said.is_refused:
        raise typer.Exit(1)


def _known(kafka: KafkaSettings, taken_back: str | None) -> list[str]:
    """Return the cameras that are known; one that has a question of its own can have that taken back."""
    known = [one.camera_id for one in camera_statuses(kafka)]
    return list(dict.fromkeys([*known, *(row["camera"] for row in listed(kafka))] if taken_back else known))


def _with_regions(asked: Question, camera_id: str, texts: list[str], file: Path | None) -> Question:
    """Raises SettingError, QuestionError."""
    found: list[Any] = []
    for text in texts:
        of, corners = parse_region(text)
        if of not in {None, camera_id}:
            raise SettingError(f"--region: it is for {of}, and the question for {camera_id}")
        found.append(corners)
    if file is not None:
        try:
            found += regions_in(yaml.safe_load(file.read_text()), camera_id)
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise SettingError(f"--regions: {file} cannot be read: {str(error).splitlines()[0]}") from None
    if not found:
        return asked
    try:
        return Question.model_validate({**asked.model_dump(), "regions": tuple(found)})
    except ValueError:
        raise QuestionError(f"the question has {len(found)} regions, or one of too many corners") from None


def _table(rows: list[dict[str, Any]]) -> str:
    if not rows:
        return "nothing was asked over Kafka: the workers' own questions hold"
    lines = []
    for row in rows:
        lines.append(f"{row['camera']}: {row['question']}")
        lines.append(f"  version {row['version']}, by {printable(row['by']) or 'somebody'}, since {row['since']}")
        lines += [f"  {printable(worker['worker'])}: {printable(worker['says'])}" for worker in row["workers"]]
    return "\n".join(lines)
