"""The cameras of one partition: taken up where they were left, moved, forgotten, ended in silence."""

import pytest

from groundcam_events.tracking import partition as module
from groundcam_events.tracking.camera import At, CameraState
from groundcam_events.tracking.partition import PartitionTracker, is_behind
from groundcam_events.tracking.rules import LifeRules
from groundcam_schemas import EndReason
from tracked import zones_of
from walks import BEGIN_NS, Walker, answer, at, film, found, standing

PARKED = Walker("car", standing(600, 400), 0, 1e9, width=200, height=120)


def tracker(kept: CameraState | None = None, number: int = 0) -> PartitionTracker:
    return PartitionTracker(number, 0, LifeRules(), lambda _name: kept, lambda _name: None)


def test_what_lies_before_a_kept_state_is_passed_over() -> None:
    answers = list(film([PARKED], seconds=4, fps=5))
    first = tracker()
    for offset, one in enumerate(answers[:10]):
        first.take(one, at(one, offset))
    state = first.cameras["gate"].state
    again = tracker(state)
    assert [event for offset, one in enumerate(answers[:10]) for event in again.take(one, at(one, offset))] == []
    assert again.cameras["gate"].late == 0
    assert again.next_offset == 10


def test_a_camera_that_moved_here_goes_on_with_its_objects_and_is_kept_before_anything_is_told() -> None:
    answers = list(film([PARKED], seconds=4, fps=5))
    first = tracker()
    told = [event for offset, one in enumerate(answers[:10]) for event in first.take(one, at(one, offset))]
    second = tracker(first.cameras["gate"].state, number=3)
    for offset, one in enumerate(answers[10:]):
        second.take(one, At(3, offset, at(one, offset).timestamp_ms))
    assert second.unsettled == {"gate"}
    (life,) = second.cameras["gate"].state.lives
    assert life.id == told[0].id
    assert second.cameras["gate"].state.partition == 3


def test_another_cameras_record_shows_that_time_passes() -> None:
    one = tracker()
    for offset, seen in enumerate(film([PARKED], seconds=2, fps=5)):
        one.take(seen, at(seen, offset))
    late_ms = BEGIN_NS // 1_000_000 + 302_000
    (end,) = one.take(answer(0, 302.0, [], camera_id="yard"), At(0, 10, late_ms))
    assert end.end is not None
    assert (end.camera_id, end.end.reason) == ("gate", EndReason.SILENT)
    assert "gate" in one.changed


def test_zones_wait_until_everything_is_read_that_another_tracker_may_have_told_of() -> None:
    one = PartitionTracker(0, 0, LifeRules(), lambda _name: CameraState("gate"), zones_of)
    one.known_end = 3
    for seq in range(4):
        one.take_zones()
        assert one.is_ahead == (seq == 3)
        assert ("gate" in one.unsettled) == (seq == 3)
        one.take(answer(seq, seq / 5, [found("person", (1.0, 2.0, 50.0, 90.0))]), At(0, seq, seq))
    assert one.cameras["gate"].state.zones is not None


def test_cameras_without_objects_are_forgotten_where_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_CAMERAS", 3)
    one = tracker()
    for offset, seen in enumerate(film([PARKED], seconds=1, fps=5)):
        one.take(seen, at(seen, offset))
    one.unsettled.clear()
    for number in range(5):
        one.take(answer(0, 1.0, [], camera_id=f"cam{number}"), At(0, 10 + number, 0))
        one.unsettled.clear()
    assert list(one.cameras) == ["gate", "cam3", "cam4"], "what has objects stays"


def test_a_state_is_behind_a_note_of_a_newer_look_or_of_a_run_that_it_does_not_know() -> None:
    state = CameraState("gate")
    state.order.take("run-1", 5, BEGIN_NS)
    assert is_behind(None, ("run-1", 0), 0)
    assert not is_behind(state, ("run-1", 5), 0)
    assert is_behind(state, ("run-1", 6), 0)
    assert is_behind(state, ("run-2", 0), 0)
    state.order.take("run-2", 0, BEGIN_NS + 10**9)
    assert not is_behind(state, ("run-1", 9), 0), "a run before this one"


def test_a_state_is_behind_a_note_of_a_gap_that_it_lacks() -> None:
    """A gap comes after a look, so that the newest look is the same with it and without."""
    state = CameraState("gate", partition=3, next_offset=7)
    state.order.take("run-1", 5, BEGIN_NS)
    assert not is_behind(state, ("7@run-1", 5), 3)
    assert is_behind(state, ("8@run-1", 5), 3)
    assert not is_behind(state, ("8@run-1", 5), 2), "it has moved: the offset is of another partition"
    assert is_behind(state, ("8@run-1", 6), 2)
    assert not is_behind(state, ("7@", 0), 3), "no look yet"
    assert is_behind(state, ("@run-1", 5), 3), "a run of that name, by a tracker of a version before"


def test_a_note_says_what_each_state_is_up_to() -> None:
    one = tracker()
    for offset, seen in enumerate(film([PARKED], seconds=1, fps=5)):
        one.take(seen, at(seen, offset))
    (place,) = one.note().last.values()
    assert place[0].startswith("5@")
    state = one.cameras["gate"].state
    assert not is_behind(state, place, 0)
    state.next_offset -= 1
    assert is_behind(state, place, 0)
