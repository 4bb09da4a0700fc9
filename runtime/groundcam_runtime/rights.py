"""What each role may do on Kafka: the table from which ACLs are printed, and a program's own rights checked. Pure."""

import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby

from groundcam_schemas import Topics

CLUSTER = "kafka-cluster"
"""Kafka's own name for the cluster as a thing to have rights on."""
OLD_BROKERS = "brokers before 3.0: later ones ask for no more than write on a topic"


class Role(StrEnum):
    """Who talks to Kafka."""

    WORKER = "worker"
    PRODUCER = "producer"
    SUBSCRIBER = "subscriber"
    SERVICE = "service"
    TRACKER = "tracker"
    NOTIFIER = "notifier"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Right:
    """One operation on one thing, in Kafka's words with hyphens."""

    role: Role
    resource: str
    """topic, group, transactional-id or cluster."""
    name: str
    operation: str
    only_for: str = ""
    """What cannot be done without it; empty where nothing can."""

    @property
    def pattern(self) -> str:
        """`prefixed` for a name that ends in *."""
        return "prefixed" if len(self.name) > 1 and self.name.endswith("*") else "literal"

    @property
    def resource_name(self) -> str:
        """The name, or its beginning where it is a prefix."""
        return self.name[:-1] if self.pattern == "prefixed" else self.name


def rights(role: Role, topics: Topics, group: str, transactional_id: str | None = None) -> list[Right]:
    """Return what a role needs, first what it cannot do without. A name that ends in * is a prefix."""
    table = {
        Role.WORKER: lambda: _worker(topics, group, transactional_id),
        Role.PRODUCER: lambda: _producer(topics),
        Role.SUBSCRIBER: lambda: _subscriber(topics),
        Role.SERVICE: lambda: _service(topics),
        Role.TRACKER: lambda: _tracker(topics, group, transactional_id),
        Role.NOTIFIER: lambda: _notifier(topics, group),
        Role.ADMIN: lambda: _admin(topics, group),
    }
    found = [
        Right(role, resource, name, operation, only_for)
        for resource, names, operations, only_for in table[role]()
        for name in names
        for operation in operations
    ]
    return sorted(found, key=lambda one: bool(one.only_for))


Line = tuple[str, list[str], tuple[str, ...], str]
READ, WRITE = ("read", "describe"), ("write", "describe")


def _worker(topics: Topics, group: str, transactional_id: str | None) -> Iterator[Line]:
    yield "topic", [topics.frames, topics.recordings, topics.requests, topics.prompts, topics.attempts], READ, ""
    yield "topic", [topics.detections, topics.replies, topics.dead_letters, topics.attempts], WRITE, ""
    yield "group", [group], READ, ""
    if transactional_id is not None:
        yield "transactional-id", [transactional_id], WRITE, ""
    yield "topic", [topics.cameras], READ, "being ready for the cameras' picture sizes at the start"
    yield (
        "topic",
        [topics.workers],
        (*READ, "write"),
        "telling ask and the HTTP service, which asks nobody else, what it is",
    )
    large = "answers of more than 1 MB, and dead-lettering frames of that size"
    yield "topic", [topics.detections, topics.dead_letters], ("describe-configs",), large
    yield "cluster", [CLUSTER], ("idempotent-write",), OLD_BROKERS


def _producer(topics: Topics) -> Iterator[Line]:
    yield "topic", [topics.frames, topics.detections, topics.cameras], WRITE, ""
    yield "topic", [topics.recordings], WRITE, "produce --every-frame"
    yield "topic", [topics.frames, topics.recordings], ("describe-configs",), "frames of more than 1 MB"
    yield "topic", [topics.cameras], READ, "noticing another producer that plays a camera of ours"
    yield "cluster", [CLUSTER], ("idempotent-write",), OLD_BROKERS


def _subscriber(topics: Topics) -> Iterator[Line]:
    yield "topic", [topics.detections], READ, ""
    yield (
        "topic",
        [topics.frames, topics.recordings, topics.requests, topics.replies, topics.dead_letters],
        READ,
        "audit",
    )
    yield (
        "topic",
        [topics.events, topics.objects, topics.pictures, topics.zones],
        READ,
        "events and what belongs to them",
    )


def _service(topics: Topics) -> Iterator[Line]:
    yield "topic", [topics.requests], WRITE, ""
    yield "topic", [topics.replies, topics.workers, topics.cameras, topics.prompts, topics.detections], READ, ""
    yield "topic", [topics.requests], ("describe-configs",), "pictures of more than 1 MB"
    yield "topic", [topics.prompts], ("write",), "asking cameras"
    yield "topic", [topics.frames, topics.recordings], READ, "cameras' pictures, and what the console shows of them"
    yield "topic", [topics.events, topics.objects, topics.pictures, topics.zones], READ, "events"
    yield "topic", [topics.zones], ("write",), "setting zones"
    yield "topic", [topics.recordings, topics.detections, topics.cameras], WRITE, "films (POST /v1/jobs)"
    yield "topic", [topics.recordings], ("describe-configs",), "films with frames of more than 1 MB"
    yield "cluster", [CLUSTER], ("idempotent-write",), OLD_BROKERS


def _tracker(topics: Topics, group: str, transactional_id: str | None) -> Iterator[Line]:
    yield "topic", [topics.detections, topics.tracks, topics.zones], READ, ""
    yield "topic", [topics.events, topics.objects, topics.tracks], WRITE, ""
    yield "group", [group], READ, ""
    if transactional_id is not None:
        yield "transactional-id", [transactional_id], WRITE, ""
    yield "topic", [topics.pictures], WRITE, "the objects' best pictures"
    yield "topic", [topics.frames, topics.recordings], READ, "the objects' best pictures"
    yield "cluster", [CLUSTER], ("idempotent-write",), OLD_BROKERS


def _notifier(topics: Topics, group: str) -> Iterator[Line]:
    yield "topic", [topics.events], READ, ""
    yield "group", [group], READ, ""
    yield "topic", [topics.undelivered], WRITE, ""
    yield "topic", [topics.undelivered], READ, "notify retry"
    yield "topic", [topics.pictures], READ, "attaching pictures"
    yield "cluster", [CLUSTER], ("idempotent-write",), OLD_BROKERS


def _admin(topics: Topics, group: str) -> Iterator[Line]:
    data = [topics.frames, topics.recordings, topics.detections]
    data += [topics.requests, topics.replies, topics.events, topics.pictures]
    control = [topics.prompts, topics.cameras, topics.attempts, topics.workers]
    control += [topics.objects, topics.zones, topics.tracks]
    every = [*data, topics.dead_letters, topics.undelivered, *control]
    yield "topic", every, ("create", "describe", "describe-configs"), ""
    yield "topic", data, ("alter",), "topics ensure --repartition"
    yield "topic", every, ("alter-configs",), "setting right, with Kafka's own tools, what topics ensure finds wrong"
    yield "group", [group], ("describe",), "the warning that there are more workers than partitions"
    yield "topic", [topics.prompts], ("read", "write"), "ask and cameras forget"
    seen = [topics.cameras, topics.workers, topics.detections]
    yield "topic", seen, ("read",), "what ask and cameras say of cameras and workers"
    yield "topic", [topics.cameras], ("write",), "cameras forget"
    yield "topic", [topics.zones], ("read", "write"), "zones"
    yield "topic", [topics.dead_letters], ("read",), "dead-letters"
    yield "topic", [topics.frames, topics.recordings, topics.requests], ("write",), "dead-letters replay"
    yield "cluster", [CLUSTER], ("idempotent-write",), f"ask, cameras forget and replay on {OLD_BROKERS}"


def commands(given: Iterable[Right], principal: str, bootstrap_servers: str) -> Iterator[str]:
    """Yield `kafka-acls.sh` commands that give these rights, with comments that say what some of them are for."""
    base = ["kafka-acls.sh", "--bootstrap-server", bootstrap_servers, "--add", "--allow-principal", principal]
    for only_for, some in groupby(given, key=lambda one: one.only_for):
        if only_for:
            yield f"# only for {only_for}"
        for (resource, pattern, operations), names in _together(some).items():
            words = [word for one in operations for word in ("--operation", _camel(one))]
            words += (
                [word for name in names for word in (f"--{resource}", name)] if resource != "cluster" else ["--cluster"]
            )
            words += ["--resource-pattern-type", pattern] if pattern != "literal" else []
            yield shlex.join([*base, *words])


def _together(given: Iterable[Right]) -> dict[tuple[str, str, tuple[str, ...]], list[str]]:
    """Group things of which the same is needed: one command gives it on all of them."""
    operations: dict[tuple[str, str, str], list[str]] = {}
    for one in given:
        operations.setdefault((one.resource, one.pattern, one.resource_name), []).append(one.operation)
    together: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
    for (resource, pattern, name), some in operations.items():
        together.setdefault((resource, pattern, tuple(dict.fromkeys(some))), []).append(name)
    return together


def _camel(operation: str) -> str:
    return "".join(word.capitalize() for word in operation.split("-"))
