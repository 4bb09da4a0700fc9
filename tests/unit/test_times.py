"""Times as text: what languages without integers of 64 bits read."""

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from groundcam_schemas import Frame, decode_json, encode_json, with_times
from groundcam_schemas.codec import VERSIONS
from groundcam_schemas.examples import examples
from groundcam_schemas.export import json_schema
from groundcam_schemas.times import AN_EXAMPLE, rfc3339

KINDS = [kind for kind in VERSIONS if kind is not Frame]
TIMES = st.integers(0, 2**63 - 1)


@given(TIMES)
def test_a_time_as_text_is_the_same_time_to_the_nanosecond(at_ns: int) -> None:
    text = rfc3339(at_ns)
    seconds, rest = text.removesuffix("Z").split(".")
    assert int(datetime.fromisoformat(seconds).replace(tzinfo=UTC).timestamp()) * 10**9 + int(rest) == at_ns


@given(TIMES, TIMES)
def test_times_as_text_sort_as_the_times_do(one: int, other: int) -> None:
    assert (rfc3339(one) < rfc3339(other)) == (one < other)


def test_a_time_as_text_is_what_the_examples_say() -> None:
    assert rfc3339(1_795_402_962_484_651_239) == AN_EXAMPLE


def times_in(content: Any) -> list[tuple[Any, Any]]:
    """Each time in nanoseconds with its text, at every depth."""
    if isinstance(content, list):
        return [pair for one in content for pair in times_in(one)]
    if not isinstance(content, dict):
        return []
    found = [pair for value in content.values() for pair in times_in(value)]
    for name, value in content.items():
        if name == "timings_ns":
            found += [(at_ns, content["timings"][station]) for station, at_ns in value.items()]
        elif name.endswith("_ns"):
            found.append((value, content[name.removesuffix("_ns")]))
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_every_time_of_every_message_stands_in_json_as_text_too(kind: type[BaseModel]) -> None:
    content = examples()[kind]
    assert all(text == (None if at_ns is None else rfc3339(at_ns)) for at_ns, text in times_in(content))
    numbers = re.findall(r'"\w*_ns": [0-9]', json.dumps(content))
    assert len([text for _, text in times_in(content) if text is not None]) >= len(numbers)


@pytest.mark.parametrize("kind", KINDS)
def test_a_text_takes_no_fields_name(kind: type[BaseModel]) -> None:
    """And is ignored by whoever reads the message: JSON and msgpack say the same."""
    message = decode_json(kind, json.dumps(examples()[kind]).encode())  # type: ignore[type-var]
    again = decode_json(kind, encode_json(message))  # type: ignore[type-var]
    assert again == message
    schema = json_schema(kind)
    for part in [schema, *schema.get("$defs", {}).values()]:
        for name in part.get("properties", {}):
            if name.endswith("_ns"):
                text = part["properties"][name.removesuffix("_ns")]
                assert "Only in JSON" in text["description"]
                assert name.removesuffix("_ns") not in part.get("required", ())


def test_what_is_no_message_has_its_times_as_text_too() -> None:
    assert with_times({"set_at_ns": 1_500_000_000, "rows": [{"left_ns": None, "n": 1}]}) == {
        "set_at_ns": 1_500_000_000,
        "set_at": "1970-01-01T00:00:01.500000000Z",
        "rows": [{"left_ns": None, "left": None, "n": 1}],
    }
