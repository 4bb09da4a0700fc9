"""`groundcam ask`"""

import getpass
import os
import time
from typing import Annotated

import typer

from groundcam.commands.options import BootstrapServers, Config, start
from groundcam.commands.work import BoxThreshold, MaxObjects, NmsIou, TextThreshold
from groundcam_runtime.kafka.publisher import Record
from groundcam_runtime.kafka.send_now import send_now
from groundcam_runtime.kafka.topics import TopicAdmin
from groundcam_schemas import MSGPACK_CONTENT_TYPE, CameraQuestion, encode
from groundcam_schemas.questions import EVERY_CAMERA
from groundcam_worker.policy.questions import parse_question


def _who() -> str:
    """The user's name, or number: a container's user often has no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def ask(
    question: Annotated[
        str | None, typer.Argument(metavar='"[ID=]CLASS, CLASS"', help="What to look for from now on.")
    ] = None,
    config: Config = None,
    bootstrap_servers: BootstrapServers = None,
    box_threshold: BoxThreshold = None,
    text_threshold: TextThreshold = None,
    nms_iou: NmsIou = None,
    max_objects: MaxObjects = None,
    take_back: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Take back what was asked of a camera, or of * for all of them."),
    ] = None,
) -> None:
    """Ask another question while workers run; it applies from their next batch on."""
    if (question is None) == (take_back is None):
        raise typer.BadParameter("give a question, or --take-back")
    settings = start(config, bootstrap_servers)
    value: bytes | None = None  # a null, not nothing: only then compaction removes the key
    camera_id = take_back or EVERY_CAMERA
    if question is not None:
        camera_id, asked = parse_question(
            question, box_threshold=box_threshold, text_threshold=text_threshold, nms_iou=nms_iou,
            max_objects=max_objects,
        )  # fmt: skip
        message = CameraQuestion(**dict(asked), camera_id=camera_id, set_by=_who(), set_at_ns=time.time_ns())
        value = encode(message)
    topic = settings.kafka.topics.prompts
    admin = TopicAdmin(settings.kafka)
    try:
        admin.require([topic])
    finally:
        admin.close()
    headers = (("content-type", MSGPACK_CONTENT_TYPE.encode()),)
    send_now(settings.kafka, [Record(topic, value, camera_id, headers=headers)], "the question")
    who = "every camera" if camera_id == EVERY_CAMERA else camera_id
    print(f"{who}: {'asked' if question else 'taken back'}")
