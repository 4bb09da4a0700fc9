"""Zones and lines as options, files and requests have them, and what is said of those that are none."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundcam.zones_given import Given, form_of_options, forms_in, with_those_before, without
from groundcam_runtime.events.zones import ZoneError, form_of, message_of, parse_form, plain
from groundcam_schemas import Anchor, CameraZones, Severity
from told_events import ZONES

YAML = """
gate:
  zones: {yard: {polygon: [[0.3, 0], [0.7, 0], [0.7, 1], [0.3, 1]], dwell_s: 2, severity: alert}}
  lines: {door: {start: [0.5, 0], end: [0.5, 1], to_right: out, to_left: in}}
pier: {lines: {quay: {start: [0, 0.5], end: [1, 0.5]}}, anchor: centre}
"""


def set_by(form: Any, camera_id: str = "gate") -> CameraZones:
    return message_of(camera_id, form, "me", 7)


def test_options_and_a_file_give_the_same_message() -> None:
    given = Given(
        zones=["yard=0.3,0,0.7,0,0.7,1,0.3,1"], lines=["door=0.5,0 0.5,1"], dwell=["yard=2"], severity=["yard=alert"],
        to_right=["out"], to_left=["door=in"],
    )  # fmt: skip
    by_options, by_file = set_by(form_of_options("gate", given)), set_by(forms_in(YAML)["gate"])
    assert by_options == by_file
    assert by_options.version == ZONES.version
    assert (by_options.set_by, by_options.set_at_ns) == ("me", 7)
    assert forms_in(YAML)["pier"].anchor is Anchor.CENTRE


def test_a_rectangle_is_a_zone_and_words_hold_for_one_line_or_all() -> None:
    given = Given(
        zones=["yard=0.1,0.2,0.9,0.8"], lines=["door=0,0,1,1", "gap=0,1,1,0"], labels=["yard=Person, car", "gap=dog"],
        to_right=["in", "gap=up"], anchor="centre",
    )  # fmt: skip
    form = form_of_options("gate", given)
    assert form.zones["yard"].polygon == ((0.1, 0.2), (0.9, 0.2), (0.9, 0.8), (0.1, 0.8))
    assert form.zones["yard"].labels == ("person", "car")
    assert [(one.to_right, one.to_left) for one in form.lines.values()] == [("in", "left"), ("up", "left")]
    assert (form.lines["gap"].labels, form.anchor) == (("dog",), Anchor.CENTRE)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"zones": ["yard=0,0,1"]}, "gate: zone yard: '0,0,1' is not like yard=0.1,0.5"),
        ({"zones": ["yard=a,b,c,d"]}, "gate: zone yard: 'a,b,c,d' is not like"),
        ({"zones": ["yard=0,0,2,2"]}, "gate: zone yard: polygon.1.0: input should be less than or equal to 1"),
        ({"zones": ["yard=0,0,0.5,0,1,0"]}, "gate: zone yard: its corners lie on one line"),
        ({"zones": ["0,0,1,1"]}, "gate: --zone 0,0,1,1: it is written as --zone NAME=VALUE"),
        ({"zones": ["a=0,0,1,1", "a=0,0,1,1"]}, "gate: --zone: a is there twice"),
        ({"lines": ["door=0,0,1"]}, "gate: line door: '0,0,1' is not like door=0.2,0.8"),
        ({"lines": ["door=0,0,0,0"]}, "gate: line door: its start and end are the same point"),
        ({"zones": ["yard=0,0,1,1"], "dwell": ["yrad=3"]}, "gate: --dwell: nothing is called yrad; did you mean yard?"),
        ({"zones": ["yard=0,0,1,1"], "dwell": ["yard=long"]}, "gate: zone yard: --dwell: 'long' is no length of time"),
        ({"zones": ["yard=0,0,1,1"], "dwell": ["yard=-1"]}, "gate: zone yard: --dwell: '-1' is no length of time"),
        ({"zones": ["yard=0,0,1,1"], "dwell": ["yard=nan"]}, "gate: zone yard: --dwell: 'nan' is no length of time"),
        ({"zones": ["yard=0,0,1,1"], "severity": ["yard=high"]}, "gate: zone yard: severity: input should be 'info'"),
        ({"zones": ["yard=0,0,1,1"], "to_right": ["in"]}, "gate: --to-right: there is no --line"),
        ({"zones": ["a=0,0,1,1"], "lines": ["a=0,0,1,1"]}, "gate: two zones or lines are called 'a'"),
        ({"zones": ["a\nb=0,0,1,1"]}, "gate: zone a\\nb: the character U+000A"),
    ],
)
def test_options_that_are_none_are_refused_in_one_sentence_with_the_camera_and_the_zone(
    given: dict[str, Any], says: str
) -> None:
    with pytest.raises(ZoneError) as refused:
        set_by(form_of_options("gate", Given(**given)))
    assert str(refused.value).startswith(says), refused.value
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("gate: [", "it is no YAML"),
        ("[]", "it is a map of cameras"),
        ("", "it is a map of cameras"),
        ("a b: {}", "a b: a camera id is made of the letters"),
        ("gate: 7", "gate: it is a map with zones and lines"),
        ("gate: {zone: {}}", "gate: zone: there is no such field"),
        ("gate: {zones: {yard: 7}}", "gate: zone yard: input should be a valid dictionary"),
        ("gate: {zones: {yard: {polygon: 7}}}", "gate: zone yard: polygon: input should be a valid tuple"),
        ("gate: {zones: {yard: {}}}", "gate: zone yard: polygon: field required"),
        ("gate: {zones: {1: {}}}", "gate: zone 1: input should be a valid string"),
        ("gate: {lines: {door: {start: [0, 0]}}}", "gate: line door: end: field required"),
        ("gate: {anchor: top}", "gate: anchor: input should be 'bottom_centre' or 'centre'"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_in_one_sentence(text: str, says: str) -> None:
    with pytest.raises(ZoneError) as refused:
        forms_in(text)
    assert str(refused.value).startswith(says), refused.value


def test_zones_that_are_shown_can_be_set_again() -> None:
    form = form_of(ZONES)
    assert set_by(parse_form("gate", plain(form))).version == ZONES.version


CORNER = st.tuples(*(st.floats(0, 1, allow_nan=False),) * 2)
NAMES = st.text("abcdefgh", min_size=1, max_size=8)


@given(st.dictionaries(NAMES, st.tuples(CORNER, CORNER).filter(lambda two: two[0] != two[1]), max_size=5))
def test_any_lines_come_back_as_they_were_written(lines: dict[str, Any]) -> None:
    form = parse_form("gate", {"lines": {name: {"start": a, "end": b} for name, (a, b) in lines.items()}})
    assert form_of(set_by(form)) == form


def test_one_more_zone_leaves_the_others_and_the_last_one_takes_all_away() -> None:
    more = form_of_options("gate", Given(zones=["dock=0,0,0.2,0.2", "door=0,0,1,1"]))
    both = with_those_before(more, form_of(ZONES), anchor=None)
    assert (list(both.zones), list(both.lines)) == (["yard", "dock", "door"], []), "a name has one meaning"
    zones = set_by(both)
    left = without(zones, "yard")
    assert left is not None
    assert [one.name for one in left.zones] == ["dock", "door"]
    assert zones.zones[0].severity is Severity.ALERT
    single = set_by(form_of_options("gate", Given(lines=["door=0,0,1,1"])))
    assert without(single, "door") is None
    with pytest.raises(ZoneError, match="gate: there is no zone or line yrad; did you mean yard"):
        without(ZONES, "yrad")
    with pytest.raises(ZoneError, match="gate: there is no zone or line quay; there are yard, door"):
        without(ZONES, "quay")
