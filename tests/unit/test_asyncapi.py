"""The AsyncAPI document: valid by AsyncAPI's own schema, and made of what the code knows."""

import json
from collections.abc import Iterator
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator, Draft202012Validator

from command_line import run
from groundcam.dead_letters.replay import REPLAYED_FROM
from groundcam_events.notify import letters
from groundcam_producers.twin_watch import REPEAT
from groundcam_runtime.asyncapi import document
from groundcam_runtime.rights import Role, rights
from groundcam_runtime.topic_contents import contents
from groundcam_runtime.topic_specs import MIB, wanted
from groundcam_runtime.tracing import CONTEXT_HEADERS
from groundcam_schemas import DeadLetter, Topics
from groundcam_schemas.export import ALL_VERSIONS, json_schema

OFFICIAL = Path(__file__).parents[1] / "asyncapi" / "asyncapi-3.0.0.json"
TOPICS = Topics()
FOUND = document(TOPICS, "0.2.0")
CHANNELS: dict[str, dict[str, Any]] = FOUND["channels"]
LETTER = DeadLetter(
    topic="frames",
    partition=1,
    offset=2,
    timestamp_ms=3,
    error_class="E",
    run_id="r",
    seq=7,
    value_bytes=1,
    key_bytes=1,
)


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        yield from (value for name, value in part.items() if name == "$ref" and isinstance(value, str))
        for value in part.values():
            yield from references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)


def target(reference: str) -> Any:
    return reduce(lambda part, name: part[name], reference.removeprefix("#/").split("/"), FOUND)


def headers(topic: str) -> set[str]:
    messages = CHANNELS[topic]["messages"].values()
    return {name for one in messages for name in one.get("headers", {}).get("properties", {})}


def test_the_document_is_one_by_asyncapis_own_schema() -> None:
    validator = Draft7Validator(json.loads(OFFICIAL.read_text()))
    validator.validate(FOUND)
    assert not validator.is_valid(FOUND | {"channels": {"frames": {"adress": "a"}}}), "the validator notices"


def test_every_reference_leads_somewhere() -> None:
    found = set(references(FOUND))
    assert len(found) > 20
    assert all(target(one) for one in found)


def test_every_topic_that_there_is_has_a_channel_with_its_settings() -> None:
    specs = wanted(TOPICS, None, 4 * MIB)
    assert set(contents(TOPICS)) == {spec.name for spec in specs}
    assert [channel["address"] for channel in CHANNELS.values()] == [spec.name for spec in specs]
    for spec, channel in zip(specs, CHANNELS.values(), strict=True):
        binding = channel["bindings"]["kafka"]
        assert binding["topic"] == spec.name
        assert binding.get("partitions") == (None if spec.any_count else spec.partitions)
        config = binding["topicConfiguration"]
        assert config["cleanup.policy"] == ["compact" if spec.is_control else "delete"]
        assert {name: str(value) for name, value in config.items() if name != "cleanup.policy"} == {
            name: value for name, value in spec.config.items() if name != "cleanup.policy"
        }
        assert channel["x-compacted"] == spec.is_control
        assert channel["summary"].endswith(".")
        assert channel["messages"], spec.name


def test_how_long_messages_are_kept_is_told_in_words() -> None:
    kept = {name: channel["x-kept"] for name, channel in CHANNELS.items()}
    assert (kept["frames"], kept["detections"], kept["cameras"]) == ("10 minutes", "7 days", "compacted")


def test_topics_of_another_prefix_are_the_same_under_their_own_names() -> None:
    other = document(Topics("site-b."), "0.2.0")
    assert list(other["channels"]) == list(CHANNELS)
    assert other["channels"]["frames"]["address"] == "site-b.frames"
    assert other["operations"] == FOUND["operations"]


@pytest.mark.parametrize("role", Role)
def test_operations_are_what_a_role_has_the_right_to(role: Role) -> None:
    allowed = {
        (right.name.removeprefix(TOPICS.prefix), {"write": "send", "read": "receive"}[right.operation])
        for right in rights(role, TOPICS, "group")
        if right.resource == "topic" and right.operation in {"read", "write"}
    }
    told = {
        (one["channel"]["$ref"].removeprefix("#/channels/"), one["action"])
        for one in FOUND["operations"].values()
        if one["tags"] == [{"name": role}]
    }
    assert told == allowed
    for name, channel in CHANNELS.items():
        assert (role in channel["x-written-by"]) == ((name, "send") in allowed)
        assert (role in channel["x-read-by"]) == ((name, "receive") in allowed)


def test_every_message_lies_on_a_topic_and_says_which_schema_it_has() -> None:
    messages = [one for channel in CHANNELS.values() for one in channel["messages"].values()]
    assert {one["x-schema-id"] for one in messages if "x-schema-id" in one} == {
        json_schema(kind)["$id"] for kind in ALL_VERSIONS
    }
    forms = {name: {one["contentType"] for one in channel["messages"].values()} for name, channel in CHANNELS.items()}
    assert forms["detections"] == forms["events"] == {"application/msgpack", "application/json"}
    assert forms["frames"] == {"application/msgpack", "image/jpeg"}
    assert forms["pictures"] == {"image/jpeg"}


@pytest.mark.parametrize("kind", [kind for kind in ALL_VERSIONS if kind is not DeadLetter])
def test_the_documents_schemas_take_and_refuse_what_the_exported_ones_do(kind: type) -> None:
    name = ALL_VERSIONS[kind].partition("/")[0]
    schema = json_schema(kind)
    (example,) = schema["examples"]
    here = Draft7Validator({"$ref": f"#/components/schemas/{name}", "components": FOUND["components"]})
    there = Draft202012Validator(schema)
    assert here.is_valid(example)
    assert there.is_valid(example)
    for field in example:
        for odd in (None, -1, "", [], {}, 2**70, ["x", "y"]):
            changed = example | {field: odd}
            assert here.is_valid(changed) == there.is_valid(changed), f"{field}: {odd!r}"
        without = {one: value for one, value in example.items() if one != field}
        assert here.is_valid(without) == there.is_valid(without), field


def test_headers_are_called_as_the_code_that_writes_them_calls_them() -> None:
    traces = set(CONTEXT_HEADERS)
    for topic in ("frames", "recordings", "requests"):
        assert traces | {REPLAYED_FROM} <= headers(topic)
    of_all = {"content-type", "schema"}
    assert headers("replies") == {*of_all, *traces}
    assert headers("detections") == {*of_all, "label", "reason", *traces}
    assert headers("cameras") == {*of_all, "state", REPEAT}
    ours = {letters.HOOK, letters.REASON, letters.ATTEMPTS, letters.AT_MS, letters.SETTLED}
    assert headers("undelivered") == ours
    whole = LETTER.model_copy(update={"camera_id": "gate"})
    assert headers("dead-letters") == {name for name, _ in whole.headers()}


def test_a_compacted_topic_says_what_it_means_when_a_value_is_taken_back() -> None:
    never = {"objects", "tracks"}
    """Trackers take nothing back there."""
    for name, channel in CHANNELS.items():
        if channel["x-compacted"]:
            assert bool(channel["x-empty-value"]) == (name not in never), name


def test_the_command_prints_or_writes_it(tmp_path: Path) -> None:
    printed = run("schema", "asyncapi", GROUNDCAM_KAFKA__TOPIC_PREFIX="site-b.")
    assert yaml.safe_load(printed.stdout)["channels"]["frames"]["address"] == "site-b.frames"
    file = tmp_path / "new" / "asyncapi.json"
    written = run("schema", "asyncapi", str(file))
    assert written.stdout.strip() == str(file)
    assert json.loads(file.read_text())["channels"] == CHANNELS
