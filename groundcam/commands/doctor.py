"""`groundcam doctor`"""

import json
import os
import sys
from collections.abc import Iterator
from enum import StrEnum
from functools import partial
from typing import Annotated

import typer

from groundcam.commands.options import BootstrapServers, Config, start
from groundcam.doctor.finding import Check, Weight, examine
from groundcam.durations import duration
from groundcam.settings import Settings


class Part(StrEnum):
    """What this machine is to be."""

    WORKER = "worker"
    PRODUCER = "producer"
    ALL = "all"


def doctor(
    config: Config = None,
    bootstrap_servers: BootstrapServers = None,
    role: Annotated[Part, typer.Option(help="What this machine is to be.")] = Part.ALL,
    camera_timeout_s: Annotated[
        float,
        typer.Option(
            "--camera-timeout",
            parser=duration(0.5, 120),
            metavar="TIME",
            help="How long to wait for one.",
            show_default="5s",
        ),
    ] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line for each finding.")] = False,
) -> None:
    """Look for what is wrong, here and on Kafka, and say what to do about it.

    Looks at Python, packages, the GPU and the model, at Kafka with its topics and our rights there, at the clock, and
    opens each camera of the settings once. Changes nothing. Exit codes: 0 when nothing is wrong, also with hints; 1
    when something is.
    """
    settings = start(config, bootstrap_servers, log_level="error")
    wrong = 0
    for finding in examine(_checks(settings, role, camera_timeout_s)):
        wrong += finding.weight is Weight.WRONG
        print(json.dumps(finding.as_json()) if as_json else finding, flush=True)
    if not as_json:
        print(f"{wrong} wrong" if wrong else "nothing is wrong")
    # A camera that hangs in a native call would keep the process.
    sys.stdout.flush()
    os._exit(1 if wrong else 0)


def _checks(settings: Settings, role: Part, camera_timeout_s: float) -> Iterator[tuple[str, Check]]:
    from groundcam.doctor import brokers, cameras, machine
    from groundcam_runtime.rights import Role

    kafka, work = settings.kafka, settings.work
    yield "python", machine.python
    for name in machine.PACKAGES:
        if role in (name, Part.ALL):
            yield "packages", partial(machine.packages, name, needed=role == name)
    if role is not Part.PRODUCER:
        yield "gpu", partial(machine.gpu, work)
        yield "model", partial(machine.model, work)
    yield "clock", machine.clock
    roles = [Role.WORKER, Role.PRODUCER] if role is Part.ALL else [Role(role.value)]
    yield "kafka", partial(brokers.brokers, kafka, work.group, roles)
    if role is not Part.WORKER:
        yield "cameras", partial(cameras.cameras, settings.produce.own_cameras, camera_timeout_s)
