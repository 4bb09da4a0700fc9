"""What an event says where a field is left out, and what no event says."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from groundcam_schemas import Event, ObjectsNow, SchemaError, decode, decode_json, encode
from groundcam_schemas.examples import examples


def event(**changes: Any) -> Event:
    """The example of an end, changed; a field that is to be None is left out."""
    content = {name: value for name, value in (examples()[Event] | changes).items() if value is not None}
    return decode_json(Event, json.dumps(content).encode())


def without(*names: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda content: {name: value for name, value in content.items() if name not in names}


def test_what_is_left_out_is_said_to_be_nothing() -> None:
    found = examples()[Event]
    look = without("at_edge")(found["last"])
    plain = event(velocity=None, last=look, zones=[without("dwelt")(found["zones"][0])])
    assert plain.velocity == (0.0, 0.0)
    assert not plain.last.at_edge
    assert not plain.zones[0].dwelt
    now = decode_json(ObjectsNow, json.dumps(without("more")(examples()[ObjectsNow])).encode())
    assert now.more == 0


@pytest.mark.parametrize("speed", [1e6, -1e6, 0.0])
def test_a_speed_may_be_a_million_heights_a_second(speed: float) -> None:
    assert event(velocity=[speed, -speed]).velocity == (speed, -speed)


@pytest.mark.parametrize("speed", [1e6 + 0.5, -1e6 - 0.5, float("nan"), float("inf"), "1.0", True])
def test_a_speed_that_is_none_is_refused_and_named(speed: object) -> None:
    with pytest.raises(SchemaError, match="velocity"):
        event(velocity=[speed, 0.0])
    with pytest.raises(SchemaError, match="velocity"):
        event(velocity=[0.0, speed])


@pytest.mark.parametrize(("kind", "number"), [("new", 1), ("new", 7), ("end", 0), ("update", 0)])
def test_the_first_message_of_an_object_and_no_other_says_that_it_is_new(kind: str, number: int) -> None:
    end = examples()[Event]["end"] if kind == "end" else None
    assert event(type=kind, n=5, end=end) if kind != "new" else event(type=kind, n=0, end=end)
    with pytest.raises(SchemaError):
        event(type=kind, n=number, end=end)


def test_an_event_is_the_same_after_its_way_through_msgpack() -> None:
    one = event()
    assert decode(Event, encode(one)) == one
