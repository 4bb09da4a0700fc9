"""The contract as JSON Schema, for subscribers that are not written in Python."""

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from groundcam_schemas.codec import VERSIONS
from groundcam_schemas.deadletter import VERSION as DEAD_LETTER_VERSION
from groundcam_schemas.deadletter import DeadLetter


def json_schemas() -> dict[str, dict[str, Any]]:
    """Return file name to JSON Schema (draft 2020-12), a message each; a dead letter's is of its headers."""
    kinds: dict[type[BaseModel], str] = {**VERSIONS, DeadLetter: DEAD_LETTER_VERSION}
    schemas = {}
    for kind, version in kinds.items():
        name, _, number = version.partition("/")
        schema = kind.model_json_schema(mode="validation")
        schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
        if kind is not DeadLetter:
            pattern = f"^{name}/{number.partition('.')[0]}\\.[0-9]+$"
            schema["properties"] = {"schema": {"type": "string", "pattern": pattern}, **schema["properties"]}
            schema["required"] = ["schema", *schema.get("required", [])]
        schemas[f"{name}.schema.json"] = schema
    return schemas


def export(folder: Path) -> list[Path]:
    """Write every schema into a folder, made if need be, and return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, schema in sorted(json_schemas().items()):
        path = folder / name
        path.write_text(json.dumps(schema, indent=2) + "\n", encoding="utf-8")
        written.append(path)
    return written
