"""`groundcam topics`"""

import json
import logging
from enum import StrEnum
from typing import Annotated

import typer

from groundcam.commands.options import BootstrapServers, Config, start
from groundcam_runtime import logs
from groundcam_runtime.kafka.topics import MIB, TopicAdmin, wanted
from groundcam_runtime.rights import Right, Role, commands, rights
from groundcam_runtime.topic_review import Remark, idle_workers

log = logging.getLogger(__name__)

LEVELS = {"fine": logging.INFO, "hint": logging.WARNING, "wrong": logging.ERROR}

app = typer.Typer(help="The topics on Kafka, and who may do what with them.", no_args_is_help=True)


class Roles(StrEnum):
    """Who talks to Kafka, and all of them."""

    WORKER = "worker"
    PRODUCER = "producer"
    SUBSCRIBER = "subscriber"
    SERVICE = "service"
    TRACKER = "tracker"
    NOTIFIER = "notifier"
    ADMIN = "admin"
    ALL = "all"


Group = Annotated[
    str | None,
    typer.Option(help="The workers' consumer group.", show_default="the setting work.group, or PREFIX-worker"),
]


@app.command("ensure")
def ensure(
    config: Config = None,
    bootstrap_servers: BootstrapServers = None,
    partitions: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=10_000,
            help="Partitions of frames, recordings and detections: at least one per worker.",
            show_default="of new topics as many as detections or frames have, else 4",
        ),
    ] = None,
    repartition: Annotated[
        bool,
        typer.Option(
            "--repartition",
            help="Add partitions to topics of these that have fewer. Kafka never takes any away.",
        ),
    ] = False,
    replication: Annotated[
        int | None,
        typer.Option(min=1, max=16, help="Copies of each partition of new topics.", show_default="the broker's own"),
    ] = None,
    max_message_bytes: Annotated[
        int, typer.Option(min=64 * 1024, max=16 * MIB, help="Largest frame that Kafka takes.")
    ] = 4 * MIB,
    workers: Annotated[
        int | None,
        typer.Option(min=1, max=10_000, help="How many workers there will be; reports if some would be idle."),
    ] = None,
    group: Group = None,
) -> None:
    """Create the topics that are missing, and say what is wrong with those that are there.

    Nothing that exists is changed, but for partitions that --repartition adds. Exit codes: 0 when all is well, also
    with hints; 1 when a topic is wrong, so that frames will be lost or refused; 3 when Kafka refuses something, such
    as to create a topic, which is reported once everything else is done.
    """
    if repartition and partitions is None:
        raise typer.BadParameter("--repartition needs --partitions")
    settings = start(config, bootstrap_servers, work__group=group)
    kafka, frames = settings.kafka, settings.kafka.topics.frames
    admin = TopicAdmin(kafka)
    try:
        specs = wanted(kafka.topics, partitions, max_message_bytes, admin.partitions())
        remarks = admin.ensure(specs, replication, repartition=repartition, say=_say)
        count = admin.partitions().get(frames, 0)
        members = admin.members(settings.work.group) or 0
    finally:
        admin.close()
    if count and workers is not None:
        _say_all(idle_workers(frames, count, workers, f"{workers} workers"))
    if count:
        _say_all(idle_workers(frames, count, members, f"the group {settings.work.group} has {members} members"))
    if any(remark.weight == "wrong" for remark in remarks):
        raise typer.Exit(1)


@app.command("acls")
def acls(
    role: Annotated[Roles, typer.Option(help="Whose rights.")],
    config: Config = None,
    bootstrap_servers: BootstrapServers = None,
    principal: Annotated[
        str | None,
        typer.Option(metavar="User:NAME", help="Whom to give them to.", show_default="User:groundcam-ROLE"),
    ] = None,
    group: Group = None,
    transactional_id: Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            help="The workers' or trackers' transactional id; ID* for all that begin so.",
            show_default="none, or with the settings work.transactional and track.transactional GROUP-*",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line for each right.")] = False,
) -> None:
    """Print the rights that a role needs, as kafka-acls.sh commands. Connects to nothing.

    What a role can do without is below a comment, or in the field only_for, that says what it is for. Nobody needs
    IdempotentWrite on brokers from 3.0 on: write on a topic is enough.
    """
    settings = start(config, bootstrap_servers, work__group=group)
    groups = {Role.TRACKER: settings.track.group, Role.NOTIFIER: settings.notify.group}
    are_transactional = {Role.WORKER: settings.work.transactional, Role.TRACKER: settings.track.transactional}
    for one in Role if role is Roles.ALL else [Role(role.value)]:
        its_group = group or groups.get(one, settings.work.group)
        by_settings = f"{its_group}-*" if are_transactional.get(one) else None
        named = None if role is Roles.ALL and one is Role.TRACKER and by_settings is None else transactional_id
        needed = rights(one, settings.kafka.topics, its_group, named or by_settings)
        who = principal or f"User:groundcam-{one}"
        if as_json:
            for right in needed:
                print(json.dumps(as_object(right, who)))
        else:
            print(f"# {one}")
            for line in commands(needed, who, settings.kafka.bootstrap_servers):
                print(line)
    if not as_json and settings.kafka.security_protocol != "PLAINTEXT":
        print("# each with --command-config FILE, for the administrator's own login")


def as_object(right: Right, principal: str) -> dict[str, str]:
    """Return a right as JSON for programs."""
    return {
        "role": right.role,
        "principal": principal,
        "host": "*",
        "permission": "allow",
        "operation": right.operation,
        "resource": right.resource,
        "name": right.resource_name,
        "pattern": right.pattern,
        "only_for": right.only_for,
    }


def _say(remark: Remark) -> None:
    """For people, or a line of the log where that is for machines: a Job's output is collected with its log."""
    if logs.is_json():
        log.log(LEVELS[remark.weight], "%s", remark.text, extra={"topic": remark.topic})
    else:
        print(remark, flush=True)


def _say_all(remarks: list[Remark]) -> None:
    for remark in remarks:
        _say(remark)
