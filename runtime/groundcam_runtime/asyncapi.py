"""All topics of an installation as one AsyncAPI 3.0 document: who writes what where, and who reads it. Pure."""

import inspect
import json
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from groundcam_runtime.rights import Role, rights
from groundcam_runtime.topic_contents import TopicContent, contents
from groundcam_runtime.topic_specs import MIB, TopicSpec, wanted
from groundcam_schemas import JSON_CONTENT_TYPE, MSGPACK_CONTENT_TYPE, DeadLetter, Frame, Topics
from groundcam_schemas.deadletter import PREFIX, SCHEMA
from groundcam_schemas.deadletter import VERSION as DEAD_LETTER_VERSION
from groundcam_schemas.export import ALL_VERSIONS, json_schema, urn

KAFKA_BINDING = "0.5.0"
NUMBERS = ("retention.ms", "max.message.bytes")
ABOUT = """\
Cameras go in, answers to a written question come out.

Messages are maps, as msgpack or as JSON: a value's first bytes say which, with or without a header. Each has a field \
`schema`, its name and version; readers take every minor version of a major one, and ignore fields that they do not \
know. Records come at least once: what comes twice is told by its identity. Examples are shown as JSON.
"""


def document(topics: Topics, version: str) -> dict[str, Any]:
    """Return the document of an installation's topics; `version` is groundcam's. Contains JSON's types alone."""
    specs, held = wanted(topics, None, 4 * MIB), contents(topics)
    kinds = dict.fromkeys(kind for one in held.values() for kind in one.holds if kind is not DeadLetter)
    found = {
        "asyncapi": "3.0.0",
        "id": "urn:groundcam:topics",
        "info": {
            "title": "groundcam",
            "version": version,
            "description": ABOUT,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": MSGPACK_CONTENT_TYPE,
        "channels": {_short(one.name, topics): _channel(one, held[one.name], topics) for one in specs},
        "operations": dict(_operations(topics)),
        "components": {"schemas": {_name(kind): _draft_7(json_schema(kind), _name(kind)) for kind in kinds}},
    }
    content: dict[str, Any] = json.loads(json.dumps(found))
    return content


def _short(name: str, topics: Topics) -> str:
    return name.removeprefix(topics.prefix)


def _name(kind: type[BaseModel]) -> str:
    return ALL_VERSIONS[kind].partition("/")[0]


def _channel(spec: TopicSpec, content: TopicContent, topics: Topics) -> dict[str, Any]:
    writers, readers = (sorted({str(role) for role, name, one, _ in _uses(topics) if (name, one) == (spec.name, what)})
                        for what in ("write", "read"))  # fmt: skip
    config: dict[str, Any] = {name: int(value) if name in NUMBERS else value for name, value in spec.config.items()}
    config["cleanup.policy"] = [config.get("cleanup.policy", "delete")]
    kept = "The newest record of each key is kept" if spec.is_control else f"Records are kept for {spec.kept}"
    empty = f" A record without a value: {content.empty[0].lower()}{content.empty[1:]}" if content.empty else ""
    binding: dict[str, Any] = {"topic": spec.name, "topicConfiguration": config, "bindingVersion": KAFKA_BINDING}
    if not spec.any_count:
        binding["partitions"] = spec.partitions
    return {
        "address": spec.name,
        "summary": _summary(spec.name, topics),
        "description": f"The key: {content.key}. {content.placed} {kept}.{empty}",
        "messages": dict(_messages(content)),
        "bindings": {"kafka": binding},
        "x-key": content.key,
        "x-partitioning": content.placed,
        "x-compacted": spec.is_control,
        "x-kept": spec.kept,
        "x-empty-value": content.empty or None,
        "x-written-by": writers,
        "x-read-by": readers,
    }


def _summary(name: str, topics: Topics) -> str:
    """What the topics' own class says of one."""
    kinds = inspect.getmembers(Topics, lambda one: isinstance(one, property))
    return next(inspect.cleandoc(one.__doc__ or "") for attribute, one in kinds if getattr(topics, attribute) == name)


def _messages(content: TopicContent) -> Iterator[tuple[str, dict[str, Any]]]:
    headers = {one.name: {"type": "string", "description": one.text} for one in content.headers}
    shared: dict[str, Any] = {"headers": {"type": "object", "properties": headers}} if headers else {}
    if content.key != "none":
        key = {"type": "string", "description": f"{content.key[0].upper()}{content.key[1:]}."}
        shared["bindings"] = {"kafka": {"key": key, "bindingVersion": KAFKA_BINDING}}
    for kind in content.holds:
        if kind is DeadLetter:
            yield "dead-letter", shared | _dead_letter()
            continue
        name, about = _name(kind), inspect.cleandoc(kind.__doc__ or "")
        schema = json_schema(kind)
        whole = shared | {
            "name": name,
            "title": f"{kind.__name__} ({ALL_VERSIONS[kind]})",
            "summary": about.partition("\n")[0],
            "contentType": MSGPACK_CONTENT_TYPE,
            "payload": {"$ref": f"#/components/schemas/{name}"},
            "examples": [{"name": name, "payload": one} for one in schema["examples"]],
            "x-schema-id": urn(kind),
        }
        yield name, whole
        if content.in_json and kind is not Frame:
            yield (
                f"{name}-json",
                whole | {"name": f"{name}-json", "contentType": JSON_CONTENT_TYPE, "description": content.in_json},
            )
    if content.other:
        is_jpeg = content.other.startswith("image/")
        payload = {"type": "string", "format": "binary", "description": content.other_text}
        title = "JPEG" if is_jpeg else "State"
        yield title.lower(), shared | {"title": title, "contentType": content.other, "payload": payload}


def _dead_letter() -> dict[str, Any]:
    """A dead letter: any bytes, and headers that say where they lay."""
    schema = json_schema(DeadLetter)
    version = {
        "type": "string",
        "pattern": f"^{DEAD_LETTER_VERSION.partition('.')[0]}\\.[0-9]+$",
        "description": "Says that these are a dead letter's headers, and of which version.",
    }
    texts = {
        _header(name): {"type": "string", "description": field["description"]}
        for name, field in schema["properties"].items()
    }
    return {
        "name": "dead-letter",
        "title": f"DeadLetter ({DEAD_LETTER_VERSION})",
        "summary": "The original key, value and headers, and headers that say where they lay and why they are here.",
        "contentType": "application/octet-stream",
        "headers": {
            "type": "object",
            "properties": {SCHEMA: version, **texts},
            "required": [SCHEMA, *(_header(name) for name in schema["required"])],
        },
        "payload": {"type": "string", "format": "binary", "description": "The original value, whatever it is."},
        "x-schema-id": urn(DeadLetter),
    }


def _header(field: str) -> str:
    return f"{PREFIX}{field.replace('_', '-')}"


def _uses(topics: Topics) -> Iterator[tuple[Role, str, str, str]]:
    """Yield role, topic, `read` or `write`, and what it cannot do without that; nothing twice."""
    known = set()
    for role in Role:
        for right in rights(role, topics, "", None):
            use = role, right.resource_name, right.operation
            if right.resource == "topic" and right.operation in {"read", "write"} and use not in known:
                known.add(use)
                yield *use, right.only_for


def _operations(topics: Topics) -> Iterator[tuple[str, dict[str, Any]]]:
    for role, topic, what, only_for in _uses(topics):
        short = _short(topic, topics)
        yield (
            f"{role}-{what}s-{short}",
            {
                "action": "send" if what == "write" else "receive",
                "channel": {"$ref": f"#/channels/{short}"},
                "summary": f"The {role} {what}s {short}" + (f", only for: {only_for}." if only_for else "."),
                "tags": [{"name": str(role)}],
            },
        )


def _draft_7(schema: Any, name: str) -> Any:
    """Return a schema in the dialect that AsyncAPI's tools know, as a part of the document."""
    if isinstance(schema, list):
        return [_draft_7(one, name) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found: dict[str, Any] = {}
    for word, value in schema.items():
        match word:
            case "$schema" | "$id" | "examples":
                continue
            case "properties" | "$defs":
                named = {one: _draft_7(part, name) for one, part in value.items()}
                found["definitions" if word == "$defs" else word] = named
            case "prefixItems":
                found["items"] = _draft_7(value, name)
            case "$ref":
                found[word] = value.replace("#/$defs/", f"#/components/schemas/{name}/definitions/")
            case "default":
                found[word] = value
            case _:
                found[word] = _draft_7(value, name)
    if "$ref" in found and len(found) > 1:
        # What stands beside a reference is not read there.
        found["allOf"] = [{"$ref": found.pop("$ref")}]
    return found
