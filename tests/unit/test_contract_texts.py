"""The exported schemas as a stranger reads them: every field is described, every example is one."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack
import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from bare_schema import without
from groundcam_schemas import CameraQuestion, DeadLetter, Frame, Question, decode_json, docstrings
from groundcam_schemas.codec import VERSIONS
from groundcam_schemas.examples import examples
from groundcam_schemas.export import ALL_VERSIONS, json_schema, urn

GOLDEN = Path(__file__).parent.parent / "golden"
KINDS = list(ALL_VERSIONS)
TEXTS = {"description", "x-enumDescriptions"}


def parts(schema: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every map in a schema, at every depth, with its place."""
    if isinstance(schema, dict):
        yield path, schema
        for name, value in schema.items():
            yield from parts(value, f"{path}/{name}")
    elif isinstance(schema, list):
        for number, value in enumerate(schema):
            yield from parts(value, f"{path}/{number}")


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_at_every_depth_has_a_description(kind: type[BaseModel]) -> None:
    schema = json_schema(kind)
    del schema["examples"]
    seen = 0
    for path, part in parts(schema):
        for name, field in part.get("properties", {}).items():
            seen += 1
            text = field.get("description", "")
            assert re.fullmatch(r"\S.*[.]", text), f"{path}: {name} has the description {text!r}"
            assert not re.search(r"\bNone\b", text), f"{path}: {name} speaks Python"
    assert seen >= len(kind.model_fields)


@pytest.mark.parametrize("kind", KINDS)
def test_every_value_of_an_enum_has_a_description(kind: type[BaseModel]) -> None:
    for path, part in parts(json_schema(kind)):
        if "enum" in part and re.fullmatch(r"/\$defs/\w+", path):  # a choice of a field alone is described with it
            assert set(part.get("x-enumDescriptions", ())) == set(part["enum"]), path
            assert all(part["x-enumDescriptions"].values()), path


@pytest.mark.parametrize("kind", KINDS)
def test_times_are_told_to_be_too_large_for_javascript(kind: type[BaseModel]) -> None:
    for path, part in parts(json_schema(kind)):
        for name, field in part.get("properties", {}).items():
            is_time = name.endswith("_ns") and name != "timings_ns"
            if is_time or path.endswith("TimingsNs"):
                assert "2^53" in field["description"], f"{path}: {name}"
            if is_time and name != "pts_ns":
                assert "since 1970" in field["description"], f"{path}: {name}"


@pytest.mark.parametrize("kind", KINDS)
def test_the_order_of_a_box_is_told(kind: type[BaseModel]) -> None:
    boxes = [part["properties"]["box"] for _, part in parts(json_schema(kind)) if "box" in part.get("properties", {})]
    assert all(box["description"].startswith("x1, y1, x2, y2 in pixels") for box in boxes)


@pytest.mark.parametrize("kind", KINDS)
def test_a_schema_has_a_name_a_title_and_an_example_that_fits(kind: type[BaseModel]) -> None:
    schema = json_schema(kind)
    Draft202012Validator.check_schema(schema)
    assert schema["$id"] == urn(kind) == f"urn:groundcam:schema:{ALL_VERSIONS[kind].replace('/', ':')}"
    assert schema["title"] == kind.__name__
    assert schema["examples"]
    for example in schema["examples"]:
        Draft202012Validator(schema).validate(example)
        wrong = {name: value for name, value in example.items() if name != schema["required"][-1]}
        assert not Draft202012Validator(schema).is_valid(wrong), "the validator notices"


def test_the_examples_are_messages_of_the_newest_versions() -> None:
    assert set(examples()) == set(ALL_VERSIONS)
    for kind, version in VERSIONS.items():
        example = examples()[kind]
        assert example["schema"] == version
        texts = {name.removesuffix("_ns") for name in kind.model_fields if name.endswith("_ns") and kind is not Frame}
        assert set(example) == {"schema", *kind.model_fields, *texts}
        if kind is not Frame:
            decode_json(kind, json.dumps(example).encode())  # type: ignore[type-var]
    assert DeadLetter.model_validate(examples()[DeadLetter]).seq == 7


@pytest.mark.parametrize("kind", VERSIONS)
def test_golden_messages_fit_the_schema(kind: type[BaseModel]) -> None:
    name = VERSIONS[kind].partition("/")[0]
    content = msgpack.unpackb((GOLDEN / f"{VERSIONS[kind].replace('/', '-')}.msgpack").read_bytes())
    if name == "frame":
        content["data"] = content["data"].decode("latin-1")
    Draft202012Validator(json_schema(kind)).validate(content)


@pytest.mark.parametrize("kind", KINDS)
def test_texts_change_no_bound(kind: type[BaseModel]) -> None:
    """All but the texts is as pydantic has it of the model."""
    schema = without(json_schema(kind), TEXTS)
    without_texts_of_times(schema)
    for name in ("$schema", "$id", "examples"):
        del schema[name]
    plain = without(kind.model_json_schema(mode="validation"), TEXTS)
    if kind is not DeadLetter:
        del schema["properties"]["schema"]
        schema["required"].remove("schema")
    assert schema == plain


def without_texts_of_times(schema: dict[str, Any]) -> None:
    """Take out what `with_times` adds; of a field of its own it may never have the name."""
    for _, part in parts(schema):
        fields = part.get("properties", {})
        for name in [name for name in fields if name.endswith("_ns")]:
            fields.pop(name.removesuffix("_ns"), None)


def test_a_field_that_is_inherited_has_the_text_of_where_it_stands() -> None:
    own, inherited = docstrings.of_fields(CameraQuestion), docstrings.of_fields(Question)
    assert inherited.items() <= own.items()
    assert set(own) == set(CameraQuestion.model_fields)


def test_nobody_pays_for_the_texts_before_they_are_asked_for() -> None:
    late = {"groundcam_schemas.docstrings", "groundcam_schemas.examples", "groundcam_schemas.export"}
    code = f"import sys, groundcam_schemas, groundcam.commands.schema; print(sorted({late} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
