"""`groundcam ask`"""

import getpass
import os
import time
from typing import Annotated

import typer

from groundcam.commands.options import BootstrapServers, Config, start
from groundcam.commands.work import BoxThreshold, MaxObjects, NmsIou, TextThreshold
from groundcam_runtime.kafka.connect import describe
from groundcam_runtime.kafka.errors import RefusedError, UnreachableError
from groundcam_runtime.kafka.publisher import Publisher, Record, RecordTooLargeError
from groundcam_runtime.kafka.topics import TopicAdmin
from groundcam_schemas import MSGPACK_CONTENT_TYPE, CameraQuestion, encode
from groundcam_schemas.questions import EVERY_CAMERA
from groundcam_worker.questions import parse_question

SEND_S = 10.0


def _who() -> str:
    """The user's name, or number: a container's user often has no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def _send(publisher: Publisher, record: Record, where: str) -> None:
    """Return once Kafka has the record. Raises RefusedError, UnreachableError."""
    try:
        publisher.send(record)
    except RecordTooLargeError as error:
        raise RefusedError(f"the question is too large: {error}") from None
    for delivery in publisher.flush(SEND_S):
        if delivery.error is not None:
            raise RefusedError(f"Kafka at {where} refuses the question for {record.topic}: {describe(delivery.error)}")
    if publisher.unfinished:
        why = f" ({publisher.trouble})" if publisher.trouble else ""
        raise UnreachableError(f"Kafka at {where} did not take the question in {SEND_S:.0f} s{why}")


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
    value = b""
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
    publisher = Publisher(settings.kafka, max_waiting_bytes=1_000_000, max_record_bytes=1_000_000)
    headers = (("content-type", MSGPACK_CONTENT_TYPE.encode()),)
    try:
        _send(publisher, Record(topic, value, camera_id, headers=headers), settings.kafka.bootstrap_servers)
    finally:
        publisher.close()
    who = "every camera" if camera_id == EVERY_CAMERA else camera_id
    print(f"{who}: {'asked' if question else 'taken back'}")
