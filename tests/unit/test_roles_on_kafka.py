"""Which rights each role needs on Kafka, and the commands that give them."""

import json
import shlex

from command_line import run
from groundcam.commands.topics import Roles
from groundcam_runtime.rights import Right, Role, commands, rights
from groundcam_schemas import Topics

TOPICS = Topics("t.")


def needed(role: Role, **options: str) -> set[tuple[str, str, str]]:
    found = rights(role, TOPICS, "g", **options)
    return {(one.operation, one.resource, one.name) for one in found if not one.only_for}


def test_a_worker_reads_frames_and_questions_and_writes_answers() -> None:
    read = {("read", "topic", f"t.{name}") for name in ("frames", "recordings", "requests", "prompts", "attempts")}
    write = {("write", "topic", f"t.{name}") for name in ("detections", "replies", "dead-letters", "attempts")}
    found = needed(Role.WORKER)
    assert {one for one in found if one[0] != "describe"} == read | write | {("read", "group", "g")}
    assert {("describe", resource, name) for _, resource, name in found} <= found
    assert needed(Role.WORKER, transactional_id="w") - found == {
        ("write", "transactional-id", "w"),
        ("describe", "transactional-id", "w"),
    }


def test_trackers_and_notifiers_have_the_rights_that_each_needs() -> None:
    for role, reads, writes in (
        (Role.TRACKER, ("detections", "tracks", "zones"), ("events", "objects", "tracks")),
        (Role.NOTIFIER, ("events",), ("undelivered",)),
    ):
        read, write = (
            {(what, "topic", f"t.{name}") for name in names} for what, names in (("read", reads), ("write", writes))
        )
        assert {one for one in needed(role) if one[0] != "describe"} == read | write | {("read", "group", "g")}


def test_the_console_may_read_what_it_shows_and_write_what_is_asked_in_it() -> None:
    """It is the service's role; what `watch --html` was to a subscriber is no subscriber's any more."""
    given = rights(Role.SERVICE, TOPICS, "g")
    films = {(one.operation, one.name.removeprefix("t.")) for one in given if one.only_for.startswith("films")}
    needed = {
        (operation, name) for name in ("recordings", "detections", "cameras") for operation in ("write", "describe")
    }
    assert films == needed | {("describe-configs", "recordings")}, "what a producer writes, which the service starts"
    found = {(one.operation, one.name.removeprefix("t.")) for one in given if not one.only_for.startswith("films")}
    read = {name for operation, name in found if operation == "read"}
    shown = {
        "frames",
        "recordings",
        "detections",
        "cameras",
        "workers",
        "prompts",
        "events",
        "objects",
        "pictures",
        "zones",
    }
    assert read == shown | {"replies"}
    assert {name for operation, name in found if operation == "write"} == {"requests", "prompts", "zones"}
    assert {("describe", name) for name in read} <= found
    assert "cameras" not in {one.name.removeprefix("t.") for one in rights(Role.SUBSCRIBER, TOPICS, "g")}


def test_every_role_can_do_without_something_and_says_what_for() -> None:
    for role in Role:
        found = rights(role, TOPICS, "g")
        assert {one.role for one in found} == {role}
        essential = [not one.only_for for one in found]
        assert essential == sorted(essential, reverse=True)
        assert 0 < sum(essential) < len(found)


def test_commands_name_each_right_once() -> None:
    """What is printed, read as kafka-acls.sh would, is what was to be given."""
    given = rights(Role.WORKER, TOPICS, "g", "gc-*")
    read_back = set()
    for line in commands(given, "User:CN=a b,O=c", "k1:9092,k2:9092"):
        words = shlex.split(line, comments=True)
        if not words:
            continue
        options = list(zip(words[4::2], words[5::2], strict=False)) if "--cluster" not in words else []
        assert words[:7] == ["kafka-acls.sh", "--bootstrap-server", "k1:9092,k2:9092", "--add", "--allow-principal", "User:CN=a b,O=c", "--operation"]  # fmt: skip
        operations = [value for name, value in options if name == "--operation"]
        things = [(name[2:], value) for name, value in options if name in ("--topic", "--group", "--transactional-id")]
        assert ("--resource-pattern-type", "prefixed") in options or ("transactional-id", "gc-") not in things
        assert len(set(things)) == len(things)
        read_back |= {(operation.lower(), *thing) for operation in operations for thing in things}
    expected = {(one.operation.replace("-", ""), one.resource, one.resource_name) for one in given}
    assert read_back == expected - {("idempotentwrite", "cluster", "kafka-cluster")}


def test_a_prefix_is_a_pattern_and_a_star_alone_is_a_name() -> None:
    assert (Right(Role.WORKER, "transactional-id", "gc-*", "write").pattern) == "prefixed"
    assert (Right(Role.WORKER, "transactional-id", "*", "write").pattern) == "literal"


def test_the_rights_of_every_role_can_be_printed() -> None:
    assert {one.value for one in Roles} == {*Role, "all"}


def test_acls_are_printed_without_a_broker() -> None:
    done = run(
        "topics",
        "acls",
        "--role",
        "all",
        "--principal",
        "User:x",
        "--group",
        "g",
        GROUNDCAM_KAFKA__TOPIC_PREFIX="site.",
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line[2:] for line in lines if line.startswith("# ") and " " not in line[2:]] == list(Role)
    assert all("--allow-principal User:x" in line for line in lines if not line.startswith("#"))
    assert "site.attempts" in done.stdout
    assert "groundcam." not in done.stdout

    done = run("topics", "acls", "--role", "subscriber", "--json")
    objects = [json.loads(line) for line in done.stdout.splitlines()]
    assert objects[0] == {
        "role": "subscriber", "principal": "User:groundcam-subscriber", "host": "*", "permission": "allow",
        "operation": "read", "resource": "topic", "name": "groundcam.detections", "pattern": "literal", "only_for": "",
    }  # fmt: skip


def test_workers_with_transactions_get_the_rights_on_their_ids() -> None:
    by_transactions = {"GROUNDCAM_WORK__TRANSACTIONAL": "true", "GROUNDCAM_WORK__INSTANCE_ID": "w1"}
    command = ("topics", "acls", "--role", "worker", "--group", "g")
    assert "--transactional-id g- --resource-pattern-type prefixed" in run(*command, **by_transactions).stdout
    assert "--transactional-id w" in run(*command, "--transactional-id", "w", **by_transactions).stdout
    assert "--transactional-id" not in run(*command).stdout
    trackers = ("topics", "acls", "--role", "tracker")
    assert "--transactional-id" not in run(*trackers, **by_transactions).stdout
    every = run("topics", "acls", "--role", "all", "--transactional-id", "w", **by_transactions).stdout
    assert every.count("--transactional-id w") == 1, "the workers' alone"
    by_transactions = {"GROUNDCAM_TRACK__TRANSACTIONAL": "true", "GROUNDCAM_TRACK__INSTANCE_ID": "t1"}
    given = run(*trackers, **by_transactions).stdout
    assert "--transactional-id groundcam-tracker- --resource-pattern-type prefixed" in given
