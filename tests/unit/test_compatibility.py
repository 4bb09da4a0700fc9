"""Old readers read new messages and new readers old ones, as docs/subscribing.md says; nothing changes by mistake."""

import base64
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack
import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from bare_schema import without
from groundcam_schemas import SchemaError, UnsupportedVersionError, decode, decode_json
from groundcam_schemas.codec import VERSIONS
from groundcam_schemas.examples import examples
from groundcam_schemas.export import json_schema

GOLDEN = Path(__file__).parent.parent / "golden"
CONTRACTS = GOLDEN / "schemas"
"""The contract of every version that there was, as it was exported then, without its texts."""
TEXTS = {"description", "x-enumDescriptions", "examples", "$id", "title", "default"}
KINDS = {version.partition("/")[0]: kind for kind, version in VERSIONS.items()}


def name_of(file: Path) -> str:
    return file.name.split(".")[0].rpartition("-")[0]


def as_json(file: Path) -> Any:
    """A message of any version as its schema sees it."""
    if file.suffix == ".json":
        return json.loads(file.read_bytes())
    content = msgpack.unpackb(file.read_bytes())
    return content | {"data": base64.b64encode(content["data"]).decode()} if "data" in content else content


OLD = sorted(CONTRACTS.glob("*.schema.json"))
MESSAGES = sorted([*GOLDEN.glob("*.msgpack"), *GOLDEN.glob("*.json")])
OLD_READERS = [(one, message) for one in OLD for message in MESSAGES if name_of(one) == name_of(message)]


def label(value: Path) -> str:
    return value.name.removesuffix(".schema.json")


@pytest.mark.parametrize(("contract", "message"), OLD_READERS, ids=label)
def test_a_reader_of_any_version_reads_a_message_of_any_other(contract: Path, message: Path) -> None:
    """Whoever was written against an old contract finds all that it promised in newer messages.

    A message that is older than the contract may lack what is optional there.
    """
    Draft202012Validator(json.loads(contract.read_bytes())).validate(as_json(message))


@pytest.mark.parametrize("message", MESSAGES, ids=label)
def test_the_reader_of_today_reads_a_message_of_any_version(message: Path) -> None:
    kind = KINDS[name_of(message)]
    read = decode_json if message.suffix == ".json" else decode
    assert read(kind, message.read_bytes())  # type: ignore[type-var, operator]


@pytest.mark.parametrize("kind", VERSIONS)
def test_the_contract_of_a_version_does_not_change(kind: type[BaseModel]) -> None:
    """A field that is added, or a bound that moves, is another version: its contract and messages are kept with it."""
    kept = CONTRACTS / f"{VERSIONS[kind].replace('/', '-')}.schema.json"
    assert kept.exists(), f"{VERSIONS[kind]} is new: keep what it promises in {kept.name}"
    assert without(json_schema(kind), TEXTS) == json.loads(kept.read_bytes())


@pytest.mark.parametrize("kind", VERSIONS)
def test_every_version_has_a_message_that_is_kept(kind: type[BaseModel]) -> None:
    assert (GOLDEN / f"{VERSIONS[kind].replace('/', '-')}.msgpack").exists()


def maps(schema: Any, root: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every map of a message, at every depth, with its place; parts are known by it, since their names mean nothing."""
    if isinstance(schema, list):
        for one in schema:
            yield from maps(one, root, path)
    elif isinstance(schema, dict):
        if "$ref" in schema:
            yield from maps(root["$defs"][schema["$ref"].rpartition("/")[2]], root, path)
        if "properties" in schema or "enum" in schema:
            yield path, schema
        for name, field in schema.get("properties", {}).items():
            yield from maps(field, root, f"{path}.{name}")
        for inner in ("items", "prefixItems", "anyOf"):
            yield from maps(schema.get(inner, []), root, f"{path}.{inner}")


@pytest.mark.parametrize("name", sorted({name_of(one) for one in OLD}))
def test_no_minor_version_takes_anything_away(name: str) -> None:
    """Fields stay, so do values of an enum, and what has to be there has to be there in every version."""
    versions = sorted(CONTRACTS.glob(f"{name}-1.*.json"), key=lambda one: int(one.name.split(".")[1]))
    for older, newer in itertools.pairwise(versions):
        one, other = json.loads(older.read_bytes()), json.loads(newer.read_bytes())
        after = dict(maps(other, other))
        for path, before in maps(one, one):
            place = (older.name, path)
            assert set(before.get("properties", {})) <= set(after[path].get("properties", {})), place
            assert set(before.get("enum", [])) <= set(after[path].get("enum", [])), place
            assert before.get("required", []) == after[path].get("required", []), place


@pytest.mark.parametrize("kind", VERSIONS)
def test_another_major_version_is_refused_by_name(kind: type[BaseModel]) -> None:
    content = examples()[kind] | {"schema": VERSIONS[kind].replace("/1.", "/2.")}
    with pytest.raises(UnsupportedVersionError, match=VERSIONS[kind]):
        decode(kind, bytes(msgpack.packb(content)))  # type: ignore[type-var]
    assert issubclass(UnsupportedVersionError, SchemaError)
