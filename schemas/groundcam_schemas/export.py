"""The contract as JSON Schema, for subscribers that are not written in Python."""

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from groundcam_schemas import docstrings
from groundcam_schemas.codec import VERSIONS
from groundcam_schemas.deadletter import VERSION as DEAD_LETTER_VERSION
from groundcam_schemas.deadletter import DeadLetter
from groundcam_schemas.examples import examples
from groundcam_schemas.messages import Frame, ReplyTo, TimingsNs
from groundcam_schemas.times import described

ALL_VERSIONS: dict[type[BaseModel], str] = {**VERSIONS, DeadLetter: DEAD_LETTER_VERSION}
DIALECT = "https://json-schema.org/draft/2020-12/schema"
VERSION_TEXT = "The message's name and version. Whoever reads a major version reads every minor version of it."
LARGE = "Larger than 2^53: JavaScript's numbers do not hold it exactly, a BigInt does."


class _Described(GenerateJsonSchema):
    """Puts the docstrings of fields and values into the schema; all else is as pydantic has it."""

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        found = super().model_schema(schema)
        kind = schema["cls"]
        for name, text in docstrings.of_fields(kind).items():
            is_time = name.endswith("_ns") or kind is TimingsNs
            found["properties"][name]["description"] = f"{text} {LARGE}" if is_time else text
        if kind not in (Frame, ReplyTo):  # these have no JSON form
            found["properties"] = described(found.get("properties", {}))
        return _in_one_line(found)

    def enum_schema(self, schema: core_schema.EnumSchema) -> JsonSchemaValue:
        return _in_one_line(super().enum_schema(schema) | {"x-enumDescriptions": docstrings.of_values(schema["cls"])})


def _in_one_line(schema: JsonSchemaValue) -> JsonSchemaValue:
    if "description" in schema:
        schema["description"] = docstrings.in_one_line(schema["description"])
    return schema


def json_schemas() -> dict[str, dict[str, Any]]:
    """Return file name to JSON Schema (draft 2020-12), a message each; a dead letter's is of its headers."""
    return {f"{version.partition('/')[0]}.schema.json": json_schema(kind) for kind, version in ALL_VERSIONS.items()}


def json_schema(kind: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON Schema of one message, with an example."""
    name, _, number = ALL_VERSIONS[kind].partition("/")
    schema = kind.model_json_schema(mode="validation", schema_generator=_Described)
    if kind is not DeadLetter:
        pattern = f"^{name}/{number.partition('.')[0]}\\.[0-9]+$"
        version = {"type": "string", "pattern": pattern, "description": VERSION_TEXT}
        schema["properties"] = {"schema": version, **schema["properties"]}
        schema["required"] = ["schema", *schema.get("required", [])]
    return {"$schema": DIALECT, "$id": urn(kind), **schema, "examples": [examples()[kind]]}


def urn(kind: type[BaseModel]) -> str:
    """Return what a message's schema is called everywhere, such as urn:groundcam:schema:gap:1.0."""
    return f"urn:groundcam:schema:{ALL_VERSIONS[kind].replace('/', ':')}"


def export(folder: Path) -> list[Path]:
    """Write every schema into a folder, made if need be, and return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, schema in sorted(json_schemas().items()):
        path = folder / name
        path.write_text(json.dumps(schema, indent=2) + "\n", encoding="utf-8")
        written.append(path)
    return written
