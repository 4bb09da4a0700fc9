"""`groundcam work`"""

import logging
import os
import threading
from typing import Annotated

import typer

from groundcam import __version__
from groundcam.commands.options import (
    BootstrapServers,
    Config,
    HttpPort,
    LogFormat,
    LogLevel,
    start,
    until_stopped,
)
from groundcam.durations import duration
from groundcam.extras import PICTURES, needs, require
from groundcam.tracker_process import TrackerProcess
from groundcam_runtime.recurring import sum_up_all
from groundcam_worker.preflight import check_detector
from groundcam_worker.settings import fake_seconds

log = logging.getLogger(__name__)

LEAVE_S = 5.0
SLACK_S = 5.0
SAY_S = 1.0

QuestionTexts = Annotated[
    list[str] | None,
    typer.Option(metavar='"[ID=]CLASS, CLASS:0.4"', help="What to look for, on every camera or on one. Repeat it."),
]
Model = Annotated[
    str | None,
    typer.Option(help="tiny, base, demo, a folder, a Hub id (owner/name@revision), or fake:5ms.", show_default="tiny"),
]
Device = Annotated[str | None, typer.Option(help="auto, cpu, cuda or cuda:N.", show_default="auto")]
BoxThreshold = Annotated[
    float | None,
    typer.Option(help="Smallest score of an object; of it and --text-threshold the larger holds.", show_default="0.3"),
]
TextThreshold = Annotated[float | None, typer.Option(help="Smallest score of a label.", show_default="0.3")]
NmsIou = Annotated[
    float | None,
    typer.Option(
        help="Of a class's boxes that overlap by more than this, keep the best; 1 keeps all.", show_default="0.7"
    ),
]
NmsAcross = Annotated[
    bool | None, typer.Option("--nms-across", help="Merge overlapping boxes of different classes, too.")
]
Decoys = Annotated[
    str | None,
    typer.Option("--not", metavar='"CLASS, CLASS"', help="What competes for the boxes and is never reported."),
]
MaxObjects = Annotated[int | None, typer.Option(help="Most objects of a picture, the best ones.", show_default="1000")]
ClassScores = Annotated[
    bool | None, typer.Option("--class-scores", help="Say of each object what every class scores there.")
]
BatchSize = Annotated[int | None, typer.Option(help="Most pictures in a batch.", show_default="8")]
Precision = Annotated[
    str | None,
    typer.Option(help="fp32, fp16, bf16, or auto: fp16 on CUDA, fp32 on a CPU.", show_default="auto"),
]
InputSize = Annotated[
    str | None,
    typer.Option(
        metavar="WIDTHxHEIGHT",
        help="Scale pictures to fit into this, or into it upright: smaller is faster.",
        show_default="the model's",
    ),
]


def work(
    config: Config = None,
    bootstrap_servers: BootstrapServers = None,
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
    group: Annotated[
        str | None,
        typer.Option(
            help="Consumer group; its workers share the frames.",
            show_default="groundcam-worker, after the topics' prefix; with .fake behind it where --model is fake",
        ),
    ] = None,
    instance_id: Annotated[str | None, typer.Option(help="Name of this worker, kept over restarts.")] = None,
    batch_size: BatchSize = None,
    max_age_s: Annotated[
        float | None,
        typer.Option(
            parser=duration(), metavar="TIME", help="Skip live frames older than this; 0 skips none.", show_default="3s"
        ),
    ] = None,
    transactional: Annotated[
        bool | None,
        typer.Option("--transactional", help="Answers and offsets in one transaction; needs --instance-id."),
    ] = None,
    drain_timeout_s: Annotated[
        float | None,
        typer.Option(
            "--drain-timeout",
            parser=duration(),
            metavar="TIME",
            help="How long a stopping worker finishes what it has begun.",
            show_default="20s",
        ),
    ] = None,
    json_answers: Annotated[
        bool | None, typer.Option("--json-answers", help="Publish JSON instead of msgpack.")
    ] = None,
    track: Annotated[
        bool, typer.Option("--track", help="Run `groundcam track` beside this worker: for small installations.")
    ] = False,
    http_port: HttpPort = None,
    log_format: LogFormat = None,
    log_level: LogLevel = None,
) -> None:
    """Answer the questions about frames on Kafka with Grounding DINO."""
    settings = start(
        config, bootstrap_servers, log_format, log_level, http_port,
        work__model=model, work__device=device, work__question=tuple(question) if question else None,
        work__box_threshold=box_threshold, work__text_threshold=text_threshold, work__group=group,
        work__nms_iou=nms_iou, work__nms_across=nms_across, work__decoys=decoys,
        work__max_objects=max_objects, work__class_scores=class_scores, work__precision=precision,
        work__input_size=input_size, work__instance_id=instance_id, work__batch_size=batch_size,
        work__max_age_s=max_age_s, work__json_answers=json_answers, work__transactional=transactional,
        work__drain_timeout_s=drain_timeout_s,
    )  # fmt: skip
    is_fake = fake_seconds(settings.work.model) is not None
    require("work", "worker", PICTURES if is_fake else None)
    check_detector(settings.work)
    with needs("work", "worker", ()):
        from groundcam_worker.run import run
    wake = threading.Event()
    stop = until_stopped(wake)
    longest_s = longest_stop_s(settings.work.drain_timeout_s)
    threading.Thread(target=_end_in_time, args=(stop, longest_s), name="last-resort", daemon=True).start()
    if not settings.work.question:
        log.warning("no question is set: frames wait for one on %s", settings.kafka.topics.prompts)
    if track:
        require("work --track", "events")
    tracker = TrackerProcess(settings.kafka, config) if track else None
    with needs("work", "worker", ()):
        finished = run(settings.work, settings.kafka, settings.http, settings.trace, __version__, stop, wake)
    log.info("stopped%s", "" if finished else "; what was begun and not finished is left to the next worker")
    if tracker:
        tracker.stop()
    # A call of the detector or of Kafka's client that does not end would keep the interpreter from ending.
    sum_up_all()
    logging.shutdown()
    os._exit(0)


def longest_stop_s(drain_timeout_s: float) -> float:
    """Return after how many seconds a stopping worker that hangs ends itself, at the latest SAY_S later.

    What ends it by force, as Kubernetes does after the grace period, must wait longer.
    """
    return drain_timeout_s + LEAVE_S + SLACK_S


def _end_in_time(stop: threading.Event, seconds: float) -> None:
    """Whatever hangs, a worker that was asked to stop ends."""
    stop.wait()
    threading.Event().wait(seconds)
    # What hangs may be the log: a thread that writes to a full pipe keeps the log's lock.
    line = threading.Thread(target=_say_that_it_hangs, args=(seconds,), daemon=True)
    line.start()
    line.join(SAY_S)
    os._exit(1)


def _say_that_it_hangs(seconds: float) -> None:
    log.error("still not stopped after %.0f s: something hangs", seconds)
    logging.shutdown()
