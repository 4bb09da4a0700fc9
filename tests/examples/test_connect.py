"""Kafka Connect takes the JSON form, and its filter knows by headers in which frames something was found."""

import re

import pytest

from conftest import Wait
from example_commands import Shell, command
from example_topics import Filled
from groundcam_schemas import Detections, rfc3339

pytestmark = pytest.mark.broker


def test_a_sink_gets_the_detections_in_which_something_was_found_and_no_others(
    in_json: Filled, jars: Shell, wait: Wait
) -> None:
    """Of those that are JSON: what was written before is no reason to stop."""
    asked = [one for one in in_json.in_json if isinstance(one, Detections)]
    wanted = {(one.id, one.camera_id, rfc3339(one.captured_at_ns)) for one in asked if one.objects}
    assert 0 < len(wanted) < len(asked)
    written = jars.folder / "found.txt"
    with jars.beside(command("connect/"), in_json.kafka):
        wait(lambda: written.exists() and len(written.read_text().splitlines()) >= len(wanted), 60, "the file")
    rows = [dict(re.findall(r"(\w+)=([^,}]*)", row)) for row in written.read_text().splitlines()]
    assert len(rows) == len(wanted)
    assert {(row["id"], row["camera_id"], row["captured_at"]) for row in rows} == wanted
    assert {len(row) for row in rows} == {3}
