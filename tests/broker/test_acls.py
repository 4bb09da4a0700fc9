"""Rights on Apache Kafka: what `groundcam topics acls` prints is enough, and what is lacking is named."""

import json
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pytest
from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    KafkaAdminClient,
    ResourcePattern,
    ResourcePatternFilter,
    ResourceType,
)

from conftest import Program, Start, Wait, make_topics
from footage import frame, jpeg, publisher, video
from groundcam.audit import audit, totals
from groundcam.devkafka.broker import EmbeddedBroker, free_port
from groundcam_runtime.kafka.errors import RefusedError
from groundcam_runtime.kafka.record import Record
from groundcam_runtime.kafka.topics import TopicAdmin, TopicSpec
from groundcam_runtime.rights import Role, rights
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import DeadLetter, encode
from serve_client import Client
from websockets import frame_of, said, upgrade

pytestmark = pytest.mark.broker

PLAIN_LOGIN = "org.apache.kafka.common.security.plain.PlainLoginModule required"
AUTHORIZER = "org.apache.kafka.metadata.authorizer.StandardAuthorizer"
USERS = [f"groundcam-{role}" for role in Role]
WORK = ("work", "--model", "fake", "--question", "person", "--max-age-s", "0")
ANY = ACLFilter(
    None,
    None,
    ACLOperation.ANY,
    ACLPermissionType.ANY,
    ResourcePatternFilter(ResourceType.ANY, None, ACLResourcePatternType.ANY),
)

Right = dict[str, str]
"""As `groundcam topics acls --json` prints it."""


@dataclass(frozen=True)
class Site:
    """Topics of one test's own on a cluster that permits nothing unasked; `root` may do everything."""

    broker: EmbeddedBroker
    prefix: str

    @property
    def root(self) -> KafkaSettings:
        return KafkaSettings(bootstrap_servers=self.broker.bootstrap_servers, topic_prefix=self.prefix)

    @property
    def group(self) -> str:
        return f"{self.prefix}group"

    def user(self, name: str) -> KafkaSettings:
        return KafkaSettings(
            bootstrap_servers=self.broker.addresses("SASL"), topic_prefix=self.prefix, sasl_username=name,
            sasl_password=f"{name}-secret", security_protocol="SASL_PLAINTEXT", sasl_mechanism="PLAIN",
        )  # fmt: skip


@pytest.fixture(scope="module")
def strict() -> Iterator[EmbeddedBroker]:
    """A broker with an authorizer; without a login one may do everything, with one nothing."""
    passwords = " ".join(f'user_{name}="{name}-secret"' for name in USERS)
    properties = {
        "authorizer.class.name": AUTHORIZER,
        "super.users": "User:ANONYMOUS",
        "listener.name.sasl.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.sasl.plain.sasl.jaas.config": f"{PLAIN_LOGIN} {passwords};",
    }
    with EmbeddedBroker(listeners={"SASL": "SASL_PLAINTEXT"}, properties=properties) as broker:
        yield broker


@pytest.fixture
def site(strict: EmbeddedBroker, wait: Wait) -> Iterator[Site]:
    one = Site(strict, f"t{uuid.uuid4().hex[:8]}.")
    yield one
    with closing(KafkaAdminClient(bootstrap_servers=strict.bootstrap_servers)) as admin:
        admin.delete_acls([ANY])
        wait(lambda: not admin.describe_acls(ANY)[0], 30, "the end of the rights")


def printed(start: Start, site: Site, role: Role, **variables: str) -> list[Right]:
    """What the command prints for programs."""
    own = () if role in (Role.TRACKER, Role.NOTIFIER) else ("--group", site.group)
    program = start(site.root, "topics", "acls", "--role", role, *own, "--json", **variables)
    assert program.process.wait(30) == 0, program.log
    return [json.loads(line) for line in program.out.splitlines()]


def give(site: Site, wait: Wait, given: list[Right]) -> None:
    """Let an administrator do what was printed, and wait until it holds."""

    def binding(right: Right) -> ACL:
        thing = ResourcePattern(
            ResourceType[right["resource"].upper().replace("-", "_")],
            right["name"],
            ACLResourcePatternType[right["pattern"].upper()],
        )
        operation = ACLOperation[right["operation"].upper().replace("-", "_")]
        return ACL(right["principal"], right["host"], operation, ACLPermissionType[right["permission"].upper()], thing)

    bindings = [binding(right) for right in given]
    with closing(KafkaAdminClient(bootstrap_servers=site.root.bootstrap_servers)) as admin:
        assert not admin.create_acls(bindings)["failed"]
        wait(lambda: set(bindings) <= set(admin.describe_acls(ANY)[0]), 30, "the rights")


def working(start: Start, site: Site, **variables: str) -> Program:
    return start(site.user("groundcam-worker"), *WORK, "--group", site.group, **variables)


@pytest.mark.parametrize("all_of_them", [False, True], ids=["essential", "all"])
def test_every_role_does_its_work_with_exactly_what_is_printed(
    site: Site, start: Start, wait: Wait, all_of_them: bool
) -> None:
    """Once with everything, once without what is printed as needed for something else only."""
    for role in Role:
        give(site, wait, [one for one in printed(start, site, role) if all_of_them or not one["only_for"]])
    ensured = start(site.user("groundcam-admin"), "topics", "ensure", "--partitions", 2, "--group", site.group)
    assert ensured.process.wait(60) == 0, ensured.log
    assert ensured.out.count("created with") == 16
    worker = working(start, site)
    pictures = () if all_of_them else ("--no-pictures",)
    tracker = start(site.user("groundcam-tracker"), "track", *pictures)
    watcher = start(site.user("groundcam-subscriber"), "watch", "--json", "--from-beginning")
    producer = start(site.user("groundcam-producer"), "produce", "--camera", f"gate={video('carphone_pristine.mp4')}")
    assert producer.process.wait(60) == 0, producer.log
    wait(lambda: totals(audit(site.root)).published > 10 and not totals(audit(site.root)).missing, 60, "all answers")
    total = totals(audit(site.root))
    wait(lambda: len(watcher.out.splitlines()) == total.detected, 30, "the watcher")
    assert (total.detected, total.dead_lettered) == (total.published, 0)
    if all_of_them:
        _over_http(site, start, wait)
    wait(lambda: "are followed from here" in tracker.log, 60, "the tracker")
    for program in (worker, tracker):
        assert program.stop() == 0, program.log
    refusals = ("AuthorizationFailed", "not permitted")
    lines = [*worker.log.splitlines(), *tracker.log.splitlines()]
    assert not [line for line in lines if any(one in line for one in refusals) and all_of_them]
    if all_of_them:
        _the_rest_of_it(site, start, wait)


def _over_http(site: Site, start: Start, wait: Wait) -> None:
    port = free_port()
    service, client = start(site.user("groundcam-service"), "serve", "--port", port), Client(port)
    wait(lambda: client.is_ready and client.detect(jpeg(), "person").status == 200, 60, "an answer over HTTP")
    assert client.get("/v1/cameras/gate/latest.jpg").status == 200
    assert client.send("PUT", "/v1/questions/gate", {"question": "person"}).status == 200
    assert service.stop() == 0
    assert "AuthorizationFailed" not in service.log


def _the_rest_of_it(site: Site, start: Start, wait: Wait) -> None:
    """What the rights beyond the essential ones are for."""
    admin, clip = site.user("groundcam-admin"), video("carphone_pristine.mp4")
    lay = DeadLetter(
        topic=site.root.topics.frames, partition=0, offset=0, timestamp_ms=0, error_class="BadMessageError"
    )
    with publisher(site.root) as out:
        out.send(Record(site.root.topics.dead_letters, b"nonsense", "gate", headers=tuple(lay.headers())))
        out.flush(30)
    for settings, *command in [
        (site.user("groundcam-producer"), "produce", "--camera", f"yard={clip}", "--every-frame"),
        (site.user("groundcam-subscriber"), "watch", "--from-beginning", "--count", 1),
        (admin, "ask", "dog"),
        (admin, "cameras", "list"),
        (admin, "cameras", "forget", "gate", "--yes"),
        (admin, "dead-letters", "show", "0@0"),
        (admin, "dead-letters", "replay", "--all"),
        (admin, "topics", "ensure", "--partitions", 3, "--repartition", "--group", site.group),
    ]:
        program = start(settings, *command)
        assert program.process.wait(60) == 0, program.log
    assert program.out.count("grown from 2 to 3") == 7
    assert "may not be seen" not in program.out
    audited = start(site.user("groundcam-subscriber"), "audit", "--grace-s", "0")
    assert audited.process.wait(60) == 1  # the recordings wait for a worker
    _in_the_console(site, start, wait)


def _in_the_console(site: Site, start: Start, wait: Wait) -> None:
    """Pictures, previews, events and health, with the rights of the service."""
    port = free_port()
    console, client = start(site.user("groundcam-service"), "console", "--port", port), Client(port)
    worker = working(start, site)
    producer = start(
        site.user("groundcam-producer"), "produce", "--camera", f"gate={video('carphone_pristine.mp4')}", "--loop"
    )
    wait(lambda: client.is_ready and client.get("/console/").status == 200, 60, "the console")
    looked = _first_picture(port, "gate")
    assert (looked["camera"], looked["gap"]) == ("gate", None)
    tried = client.send("POST", "/v1/cameras/gate/preview", {"question": "person"})
    assert tried.status == 200, tried.body
    assert tried.json["pictures"]
    wait(lambda: client.get("/v1/health").json["frames_behind"] is not None, 30, "how far workers are behind")
    assert client.get("/v1/events").status == 200
    for program in (producer, worker, console):
        assert program.stop() == 0, program.log
    assert not [one for one in ("AuthorizationFailed", "not permitted", "cannot be read") if one in console.log], (
        console.log
    )


def _first_picture(port: int, camera: str) -> dict[str, Any]:
    """What the wall says of the first picture that it sends of a camera."""
    connection, status = upgrade(port)
    assert status == 101
    with connection:
        connection.sendall(said({"watch": {camera: {"width": 320}}}))
        while True:
            kind, message = frame_of(connection)
            if kind == 2:
                header: dict[str, Any] = json.loads(message[4 : 4 + int.from_bytes(message[:4], "little")])
                return header


def test_transactions_need_the_rights_on_their_id_too(site: Site, start: Start, wait: Wait) -> None:
    """Without them the worker ends with a sentence; with them it answers."""
    make_topics(site.root, 1)
    data = encode(frame("gate", 0, jpeg()))
    with publisher(site.root) as out:
        out.send(Record(site.root.topics.frames, data, "gate", 0))
        out.flush(30)
    by_transactions = {"GROUNDCAM_WORK__TRANSACTIONAL": "true", "GROUNDCAM_WORK__INSTANCE_ID": "w1"}
    given = [one for one in printed(start, site, Role.WORKER, **by_transactions) if not one["only_for"]]
    give(site, wait, [one for one in given if one["resource"] != "transactional-id"])
    refused = working(start, site, **by_transactions)
    assert refused.process.wait(60) in (1, 3)
    assert "TransactionalIdAuthorizationFailed" in refused.log.splitlines()[-1]
    give(site, wait, [one for one in given if one["resource"] == "transactional-id"])
    worker = working(start, site, **by_transactions)
    wait(lambda: totals(audit(site.root)).detected == 1, 60, "the answer")
    assert worker.stop() == 0


def lacking(given: list[Right], site: Site, name: str, *operations: str) -> list[Right]:
    """All rights but some on the topic or group of this name."""
    return [one for one in given if one["name"] != f"{site.prefix}{name}" or one["operation"] not in operations]


@pytest.mark.parametrize(
    ("name", "operations"),
    [
        ("prompts", ("read", "describe")),
        ("frames", ("read",)),
        ("group", ("read", "describe")),
        ("detections", ("write",)),
        ("dead-letters", ("write",)),
        ("attempts", ("write",)),
        ("prompts", ("read",)),
    ],
)
def test_a_worker_that_may_not_do_its_work_says_what_is_lacking_and_ends(
    site: Site, start: Start, wait: Wait, name: str, operations: tuple[str, ...]
) -> None:
    make_topics(site.root, 1)
    give(site, wait, lacking(printed(start, site, Role.WORKER), site, name, *operations))
    worker = working(start, site)
    assert worker.process.wait(60) == 3, worker.log
    last = worker.log.splitlines()[-1]
    assert last.startswith("groundcam: ")
    assert f"{site.prefix}{name}" in last


@pytest.mark.parametrize(
    ("name", "operations", "says"),
    [
        ("detections", ("write",), "write on topic {}detections"),
        ("attempts", ("read", "write"), "read on topic {0}attempts, write on topic {0}attempts"),
        ("dead-letters", ("write", "describe"), "write on topic {0}dead-letters, describe on topic {0}dead-letters"),
        ("group", ("read", "describe"), "read on group {0}group, describe on group {0}group"),
    ],
)
def test_every_right_that_is_lacking_is_named_before_anything_begins(
    site: Site, start: Start, wait: Wait, name: str, operations: tuple[str, ...], says: str
) -> None:
    make_topics(site.root, 1)
    needed = rights(Role.WORKER, site.root.topics, site.group)
    with closing(TopicAdmin(site.root)) as root:
        root.require_rights(needed)
    given = printed(start, site, Role.WORKER)
    give(site, wait, lacking(given, site, name, *operations))
    with closing(TopicAdmin(site.user("groundcam-worker"))) as admin:
        with pytest.raises(RefusedError) as refused:
            admin.require_rights(needed)
        where = site.user("groundcam-worker").bootstrap_servers
        assert str(refused.value) == (
            f"user 'groundcam-worker' lacks rights on Kafka at {where}: {says.format(site.prefix)};"
            " `groundcam topics acls --role worker` prints how to give them"
        )
        give(site, wait, given)
        admin.require_rights(needed)


def test_topics_that_may_not_be_created_are_all_asked_for_in_one_sentence(site: Site, start: Start, wait: Wait) -> None:
    """What is there is judged all the same, as far as it may be seen."""
    topics = site.root.topics
    with closing(TopicAdmin(site.root)) as root:
        root.ensure(
            [TopicSpec(topics.prompts, 2, {"cleanup.policy": "compact"}), TopicSpec(topics.frames, 4, {})], None
        )
    given = printed(start, site, Role.ADMIN)
    visible = [f"{site.prefix}{name}" for name in ("prompts", "frames", "recordings", "detections", "dead-letters")]
    give(site, wait, [one for one in given if one["operation"] == "describe" and one["name"] in visible])
    told = start(site.user("groundcam-admin"), "topics", "ensure", "--partitions", 5, "--repartition")
    assert told.process.wait(60) == 3
    assert f"{topics.prompts}: wrong: has 2 partitions instead of 1" in told.out
    assert f"{topics.prompts}: hint: its settings may not be seen (describe configs is not permitted)" in told.out
    assert f"{topics.frames}: hint: its settings may not be seen" in told.out
    (sentence,) = [line for line in told.log.splitlines() if line.startswith("groundcam: ")]
    for words in (
        f"the topics {topics.recordings}, {topics.detections}, {topics.dead_letters} on",
        "may not be created by user 'groundcam-admin': ask the administrator for",
        f"{topics.recordings} with partitions=5, max.message.bytes=4194304, compression.type=producer, retention.ms=",
        f"{topics.dead_letters} with partitions=1, ",
        f"the topics {topics.events}, {topics.pictures}, {topics.requests}, {topics.replies}, {topics.cameras}, ",
        f"{topics.tracks}, {topics.undelivered} on",
        "may be neither seen nor created",
        f"the topic {topics.frames} on",
        "may not be given more partitions",
    ):
        assert words in sentence
    assert sentence.count("`groundcam topics acls --role admin`") == 1
    with closing(TopicAdmin(site.root)) as root:
        assert set(root.partitions()) & {f"{site.prefix}{one}" for one in ("recordings", "cameras")} == set()


def test_topics_that_may_be_created_but_not_seen_are_created(site: Site, start: Start, wait: Wait) -> None:
    give(site, wait, [one for one in printed(start, site, Role.ADMIN) if one["operation"] == "create"])
    for says in ("created with", "is there, but may not be looked at (describe is not permitted)"):
        program = start(site.user("groundcam-admin"), "topics", "ensure")
        assert program.process.wait(60) == 0, program.log
        assert program.out.count(says) == 16
