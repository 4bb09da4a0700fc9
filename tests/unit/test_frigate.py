"""Events in Frigate's form: every field, and what those who read it make of it."""

import json
from itertools import pairwise
from typing import Any

import pytest

from groundcam_events.frigate import FrigateEvents
from groundcam_schemas import CameraZones, Cause, Event, Motion, Severity, Zone
from groundcam_schemas.zones import Line
from walks import HEIGHT, WIDTH, Walker, across, film, followed, standing

NUMBER = (int, float)
SIDE: dict[str, Any] = {
    "id": str, "camera": str, "frame_time": float, "snapshot": dict, "label": str, "sub_label": type(None),
    "top_score": float, "false_positive": bool, "start_time": float, "end_time": (float, type(None)), "score": float,
    "computed_score": float, "box": list, "area": int, "ratio": float, "region": list, "current_zones": list,
    "entered_zones": list, "has_snapshot": bool, "has_clip": bool, "active": bool, "stationary": bool,
    "motionless_count": int, "position_changes": int, "attributes": dict, "current_attributes": list,
    "pending_loitering": bool, "max_severity": str, "current_estimated_speed": NUMBER,
    "average_estimated_speed": NUMBER, "velocity_angle": NUMBER, "path_data": list,
    "recognized_license_plate": type(None), "recognized_license_plate_score": type(None),
}  # fmt: skip
SNAPSHOT: dict[str, Any] = {
    "frame_time": float, "box": list, "area": int, "region": list, "score": float, "attributes": list,
    "current_estimated_speed": NUMBER, "velocity_angle": NUMBER,
}  # fmt: skip
PORCH = CameraZones(
    camera_id="gate",
    zones=(
        Zone(name="porch", polygon=((0.3, 0.0), (0.6, 0.0), (0.6, 1.0), (0.3, 1.0)), severity=Severity.ALERT),
        Zone(name="bench", polygon=((0.3, 0.0), (0.6, 0.0), (0.6, 1.0), (0.3, 1.0)), dwell_s=600.0),
    ),
    lines=(Line(name="door", start=(0.5, 0.0), end=(0.5, 1.0)),),
)
WALK = [Walker("person", across(400, 100.0))]


def walked(zones: CameraZones | None = None) -> list[Event]:
    events, _ = followed(film(WALK, seconds=20, fps=5), zones=zones)
    return events


def payloads(events: list[Event]) -> list[dict[str, Any]]:
    """As a reader of the topic gets them: JSON and back."""
    forms = FrigateEvents()
    return [json.loads(json.dumps(one)) for event in events if (one := forms.take(event)) is not None]


def test_every_field_is_there_and_has_its_type_in_each_kind_of_message() -> None:
    told = payloads(walked(PORCH))
    assert {one["type"] for one in told} == {"new", "update", "end"}
    for one in told:
        assert set(one) == {"type", "before", "after"}
        for side in (one["before"], one["after"]):
            assert set(side) == set(SIDE)
            assert not [name for name, kind in SIDE.items() if not isinstance(side[name], kind)]
            assert set(side["snapshot"]) == set(SNAPSHOT)
            assert not [name for name, kind in SNAPSHOT.items() if not isinstance(side["snapshot"][name], kind)]


def test_a_life_begins_goes_on_and_ends_and_each_before_is_the_after_that_came_before() -> None:
    told = payloads(walked(PORCH))
    assert (told[0]["type"], told[-1]["type"]) == ("new", "end")
    assert told[0]["before"] == told[0]["after"]
    for one, following in pairwise(told):
        assert following["before"] == one["after"]
    assert [one["after"]["end_time"] is None for one in told] == [True] * (len(told) - 1) + [False]
    assert told[-1]["after"]["end_time"] >= told[-1]["after"]["start_time"]


def test_a_box_is_whole_pixels_and_its_figures_follow_from_it() -> None:
    for one in payloads(walked()):
        side = one["after"]
        x1, y1, x2, y2 = side["box"]
        assert all(isinstance(number, int) for number in side["box"])
        assert 0 <= x1 < x2 <= WIDTH
        assert 0 <= y1 < y2 <= HEIGHT
        assert side["area"] == (x2 - x1) * (y2 - y1)
        assert side["ratio"] == pytest.approx((x2 - x1) / (y2 - y1), abs=0.02)
        assert side["region"] == [0, 0, WIDTH, HEIGHT]
        points = [point for point, _ in side["path_data"]]
        assert all(0 <= x <= 1 and 0 <= y <= 1 for x, y in points)


def test_zones_are_current_while_they_last_and_entered_for_good_and_one_that_asks_for_longer_is_pending() -> None:
    told = payloads(walked(PORCH))
    inside = [one["after"] for one in told if one["after"]["current_zones"] == ["porch"]]
    assert inside
    assert all(side["pending_loitering"] for side in inside)
    assert inside[0]["max_severity"] == "alert"
    assert told[0]["after"]["max_severity"] == "detection"
    assert told[0]["after"]["entered_zones"] == []
    assert told[-1]["after"]["current_zones"] == []
    assert told[-1]["after"]["entered_zones"] == ["porch"]


def test_what_stands_still_is_stationary_and_what_moves_again_has_changed_its_position() -> None:
    walker = Walker("person", lambda at: (200 + 80 * max(0.0, at - 40), 400))
    events, _ = followed(film([walker, Walker("car", standing(800, 300))], seconds=50, fps=5))
    person = [one for one in payloads(events) if one["after"]["label"] == "person"]
    still = [one["after"] for one in person if one["after"]["stationary"]]
    assert still
    assert all(not side["active"] and side["motionless_count"] > 0 for side in still)
    moved = person[next(i for i, one in enumerate(person) if one["before"]["stationary"] and one["after"]["active"])]
    assert moved["after"]["motionless_count"] == 0
    assert (moved["before"]["position_changes"], moved["after"]["position_changes"]) == (0, 1)
    assert any(event.cause is Cause.STOPPED and event.motion is Motion.STILL for event in events)


def test_events_that_come_again_or_late_give_nothing() -> None:
    events, forms = walked(PORCH), FrigateEvents()
    once = [forms.take(event) for event in events]
    assert None not in once
    assert [forms.take(event) for event in events] == [None] * len(events)


def test_of_one_whose_beginning_is_not_known_before_is_as_after() -> None:
    events = walked(PORCH)
    told = payloads(events[2:])
    assert told[0]["type"] == "update"
    assert told[0]["before"] == told[0]["after"]


def test_memory_is_bounded_and_the_longest_silent_are_forgotten() -> None:
    forms, first = FrigateEvents(most_open=2), walked()[0]
    for name in ("a", "b", "c"):
        forms.take(first.model_copy(update={"id": name}))
    assert forms.take(first.model_copy(update={"id": "c"})) is None
    assert forms.take(first.model_copy(update={"id": "a"})) is not None


def test_the_highest_score_is_the_highest_so_far() -> None:
    scores = [one["after"]["top_score"] for one in payloads(walked(PORCH))]
    assert scores == sorted(scores)


def notification(payload: dict[str, Any], zones: set[str], min_score: float) -> str | None:
    """What automations of Home Assistant for this topic ask of a message, and what they send then."""
    before, after = payload["before"], payload["after"]
    if payload["type"] == "end" or after["false_positive"] or after["top_score"] < min_score:
        return None
    if after["stationary"] or not after["has_snapshot"]:
        return None
    entered = set(after["entered_zones"]) & zones
    is_news = payload["type"] == "new" or after["current_zones"] != before["current_zones"]
    if not (entered and is_news and set(after["current_zones"]) & zones):
        return None
    return (
        f"{after['label']} at {after['camera']} in {', '.join(after['current_zones'])} since {int(after['start_time'])}"
    )


def test_an_automation_of_home_assistant_sends_one_notification_for_a_person_who_comes_to_the_porch() -> None:
    sent = [text for one in payloads(walked(PORCH)) if (text := notification(one, {"porch"}, 0.4))]
    assert sent == ["person at gate in porch since 1700000000"]
    assert not [one for one in payloads(walked(PORCH)) if notification(one, {"street"}, 0.4)]


def test_an_automation_hears_when_a_person_leaves_a_zone() -> None:
    told = payloads(walked(PORCH))
    left = [
        one
        for one in told
        if "porch" in one["before"]["current_zones"] and "porch" not in one["after"]["current_zones"]
    ]
    assert len(left) == 1
