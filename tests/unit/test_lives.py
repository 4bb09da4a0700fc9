"""Objects' lives: what is told of what was seen, and when."""

from dataclasses import replace
from itertools import pairwise

import pytest

from groundcam_events.tracking.camera import Camera, CameraState
from groundcam_events.tracking.rules import LifeRules, Rules
from groundcam_events.tracking.state import StateError, decode_state, encode_state
from groundcam_schemas import (
    CameraZones,
    Cause,
    EndReason,
    Event,
    EventType,
    GapReason,
    Line,
    Motion,
    Severity,
    Zone,
    encode,
)
from walks import BEGIN_NS, NS, Walker, across, answer, at, away, film, followed, found, gap, standing

ONE = Walker("person", across(400, 100), 0, 8)
PARKED = Walker("car", standing(600, 400), 0, 1e9, width=200, height=120)


def told(events: list[Event]) -> list[tuple[int, str, str]]:
    return [(one.n, one.type.value, one.cause.value) for one in events]


def seconds(at_ns: int) -> float:
    return (at_ns - BEGIN_NS) / NS


def test_somebody_who_walks_through_is_new_once_and_ends_once() -> None:
    events, camera = followed(film([ONE], seconds=20, fps=5))
    assert told(events)[0] == (0, "new", "appeared")
    assert told(events)[-1][1:] == ("end", "ended")
    assert [one.n for one in events] == list(range(len(events)))
    assert len({one.id for one in events}) == 1
    assert camera.open == 0
    last = events[-1]
    assert last.end is not None
    assert last.end.reason is EndReason.LOST, "it vanished in the middle of the picture"
    assert abs(seconds(last.end.at_ns) - 8) <= 0.2
    assert abs(seconds(last.first.captured_at_ns) - 0.4) < 0.5
    assert (last.label, last.class_id, last.question_version, last.model.name) == ("person", 0, "v1", "demo")
    assert last.velocity[0] == pytest.approx(0.1, abs=0.03)
    assert all(one.x < other.x for one, other in pairwise(last.path))


def test_who_walks_out_of_the_picture_has_left_and_that_is_told_sooner() -> None:
    events, _ = followed(film([Walker("person", across(400, 200), 0, 60)], seconds=20, fps=5))
    assert events[-1].end is not None
    assert events[-1].end.reason is EndReason.LEFT


def test_what_is_seen_once_is_not_told_and_what_is_faint_is_not_either() -> None:
    assert followed(film([replace(ONE, to_s=0.5, from_s=0.4)], seconds=10, fps=5))[0] == []
    faint = Walker("person", standing(400, 400), 0, 10, score=0.3)
    assert followed(film([faint], seconds=12, fps=5))[0] == []
    assert followed(film([faint], seconds=12, fps=5), LifeRules(new_score=0.3))[0] != []


def test_a_parked_car_says_that_it_stands_and_then_nothing_until_it_moves_or_ends() -> None:
    def way(time_s: float) -> tuple[float, float]:
        return (600 + max(0.0, time_s - 300) * 80, 400)

    car = Walker("car", way, 0, 303, width=200, height=120)
    events, _ = followed(film([car], seconds=320, fps=2))
    events = [one for one in events if one.cause is not Cause.BETTER_PICTURE or one.motion is Motion.STILL]
    assert [one.cause for one in events] == [Cause.APPEARED, Cause.STOPPED, Cause.MOVED, Cause.ENDED]
    assert events[1].motion is Motion.STILL
    assert seconds(events[1].motion_since_ns) == 0, "it has stood since it was first seen"
    assert events[2].motion is Motion.MOVING
    assert abs(seconds(events[2].motion_since_ns) - 301.5) < 1.5


def test_a_gap_of_four_seconds_in_a_stay_makes_one_event_and_not_two() -> None:
    whole = list(film([ONE], seconds=20, fps=5))
    answers = [*whole[:15], gap(15, 34), *whole[35:]]
    events, _ = followed(answers)
    assert len({one.id for one in events}) == 1
    last = events[-1]
    assert [(one.reason, one.first_seq, one.last_seq) for one in last.unseen] == [(GapReason.STALE, 15, 34)]
    assert last.frames_missed == 0, "nobody looked, so nobody missed it"
    assert last.frames_seen == 20


def test_a_gap_that_is_told_again_counts_once_as_frames_and_as_time() -> None:
    whole = list(film([ONE], seconds=20, fps=5))
    events, _ = followed([*whole[:15], gap(15, 34), gap(15, 34), *whole[35:]])
    assert [(one.first_seq, one.last_seq) for one in events[-1].unseen] == [(15, 34)]
    still = list(film([PARKED], seconds=40, fps=2))
    events, camera = followed([*still[:20], away(10, 16), away(10, 16)])
    assert camera.open == 1, "it was away for six seconds, not for twelve"


def test_nobody_looks_for_longer_than_a_minute_and_it_is_lost() -> None:
    still = list(film([PARKED], seconds=100, fps=2))
    events, _ = followed([*still[:30], gap(30, 159), *still[160:]])
    assert not [one for one in events if one.end], "it stood still, and was seen where it had been"
    moved = [answer(seq, seq / 2, [found("car", (0, 0, 100, 80))]) for seq in range(160, 170)]
    events, _ = followed([*still[:30], gap(30, 159), *moved])
    assert [one.end.reason for one in events if one.end] == [EndReason.LOST]


def test_a_camera_that_is_away_for_long_ends_its_objects_with_that_reason_and_a_short_absence_ends_nothing() -> None:
    still = list(film([PARKED], seconds=60, fps=2))
    events, camera = followed([*still[:20], away(10, 14), *still[28:40]])
    assert not [one for one in events if one.end]
    events, camera = followed([*still[:20], away(10, 16), away(16, 21)])
    assert [one.end.reason for one in events if one.end] == [EndReason.CAMERA_OFFLINE]
    assert camera.open == 0
    events, _ = followed([*still[:20], away(2, 30)])
    assert [one.end.reason for one in events if one.end] == [EndReason.CAMERA_OFFLINE]


def test_a_new_question_ends_what_is_no_longer_asked_for_and_nothing_else() -> None:
    pair = [Walker("person", standing(300, 400), 0, 60), PARKED]
    answers = list(film(pair, seconds=10, fps=5))
    classes = ("bicycle", "car")
    for one in film([PARKED], seconds=10, fps=5, first_seq=50, from_s=10):
        objects = [found("car", thing.box, thing.score, classes) for thing in one.objects]
        answers.append(answer(one.frame.seq, seconds(one.captured_at_ns), objects, version="v2", classes=classes))
    events, camera = followed(answers)
    ends = [one for one in events if one.end]
    assert [(one.label, one.end.reason) for one in ends if one.end] == [("person", EndReason.QUESTION_CHANGED)]
    assert seconds(ends[0].last.captured_at_ns) == pytest.approx(9.8)
    (car,) = camera.now().objects
    assert car.label == "car"


def test_no_question_at_all_ends_everything() -> None:
    answers = [*film([PARKED], seconds=5, fps=5), gap(25, 25, GapReason.NO_QUESTION)]
    events, _ = followed(answers)
    assert [one.end.reason for one in events if one.end] == [EndReason.QUESTION_CHANGED]


def test_a_new_run_of_the_camera_goes_on_with_the_same_objects() -> None:
    answers = [*film([PARKED], seconds=5, fps=5), *film([PARKED], seconds=5, fps=5, run_id="run-2", from_s=6)]
    events, _ = followed(answers)
    assert len({one.id for one in events}) == 1


def test_late_and_repeated_answers_change_nothing() -> None:
    answers = list(film([ONE, PARKED], seconds=20, fps=5, missed=0.1))
    again = [*answers[:30], *answers[20:30], answers[3], *answers[30:], gap(3, 7)]
    expected, _ = followed(answers)
    events, camera = followed(again)
    assert [encode(one) for one in events] == [encode(one) for one in expected]
    assert camera.late == 11


def test_overlapping_classes_on_one_thing_are_one_object_and_its_looks_vote_for_the_label() -> None:
    answers = []
    for seq in range(30):
        box = (300.0 + seq, 200.0, 400.0 + seq, 300.0)
        objects = [found("dog", box, 0.45), found("car", (301.0 + seq, 200.0, 401.0 + seq, 301.0), 0.95)]
        answers.append(answer(seq, seq / 5, objects if seq % 3 else objects[:1]))
    events, _ = followed(answers)
    assert len({one.id for one in events}) == 1
    assert events[-1].label == "car"


def test_a_clock_that_jumps_ends_nothing() -> None:
    answers = list(film([PARKED], seconds=30, fps=5))
    for jump_s in (-3600, 3600, 10**6):
        moved = [
            one if index < 70 else one.model_copy(update={"captured_at_ns": one.captured_at_ns + jump_s * NS})
            for index, one in enumerate(answers)
        ]
        events, _ = followed(moved)
        assert {one.type for one in events} == {EventType.NEW, EventType.UPDATE}
        assert len({one.id for one in events}) == 1


def test_silence_ends_what_is_open_once_the_partition_shows_that_time_has_passed() -> None:
    events, camera = followed(film([PARKED], seconds=10, fps=5))
    at_ms = (BEGIN_NS // 1_000_000) + 9_800
    assert camera.passed(at_ms + 299_000) == []
    (end,) = camera.passed(at_ms + 300_000)
    assert end.end is not None
    assert (end.end.reason, end.n) == (EndReason.SILENT, events[-1].n + 1)
    assert seconds(end.end.at_ns) == pytest.approx(9.8)
    assert camera.passed(at_ms + 400_000) == []


YARD = Zone(name="yard", polygon=((0.3, 0.0), (0.6, 0.0), (0.6, 1.0), (0.3, 1.0)))
DOOR = Line(name="door", start=(0.5, 0.0), end=(0.5, 1.0), to_left="in", to_right="out", severity=Severity.WARNING)


@pytest.mark.parametrize("fps", [2, 3, 5, 8, 25])
def test_stays_and_crossings_are_told_with_the_times_at_which_the_path_crossed(fps: int) -> None:
    zones = CameraZones(camera_id="gate", zones=(YARD,), lines=(DOOR,))
    events, _ = followed(film([Walker("person", across(400, 100), 0, 60)], seconds=30, fps=fps), zones=zones)
    causes = [one.cause for one in events if one.cause not in (Cause.BETTER_PICTURE, Cause.STILL_THERE)]
    assert causes == [Cause.APPEARED, Cause.ZONE_ENTERED, Cause.LINE_CROSSED, Cause.ZONE_LEFT, Cause.ENDED]
    (visit,), (crossed,) = events[-1].zones, events[-1].lines
    assert visit.left_ns is not None
    assert seconds(visit.entered_ns) == pytest.approx(3.3, abs=0.15)
    assert seconds(visit.left_ns) == pytest.approx(6.3, abs=0.15)
    assert visit.dwell_ms == pytest.approx(3000, abs=300)
    assert (crossed.name, crossed.direction) == ("door", "in"), "who looks down the line has the right side on the left"
    assert seconds(crossed.at_ns) == pytest.approx(5.3, abs=0.15)
    assert events[-1].severity is Severity.WARNING
    assert events[-1].zones_version == zones.version


def test_a_box_that_trembles_on_a_border_enters_once_and_crosses_once() -> None:
    zones = CameraZones(camera_id="gate", zones=(YARD,), lines=(DOOR,))
    at_border = Walker("person", lambda time_s: (295 + min(time_s, 20), 400), 0, 60)
    events, _ = followed(film([at_border], seconds=60, fps=10, jitter=0.05, seed=5), zones=zones)
    assert sum(one.cause is Cause.ZONE_ENTERED for one in events) == 1
    on_line = Walker("person", lambda time_s: (450 + 5 * min(time_s, 20), 400), 0, 40)
    events, _ = followed(film([on_line], seconds=40, fps=10, jitter=0.03), zones=zones)
    assert sum(one.cause is Cause.LINE_CROSSED for one in events) == 1


@pytest.mark.parametrize(
    ("inside_s", "settle_s", "entered"), [(0.3, 0.5, 0), (0.8, 0.5, 1), (0.8, 1.2, 0), (1.6, 1.2, 1), (0.3, 0.1, 1)]
)
def test_who_is_inside_for_less_than_it_takes_to_settle_has_not_entered(
    inside_s: float, settle_s: float, entered: int
) -> None:
    zones = CameraZones(camera_id="gate", zones=(YARD,))
    visitor = Walker("person", lambda time_s: (345 if 3 <= time_s < 3 + inside_s else 255, 400), 0, 60, width=400)
    events, _ = followed(film([visitor], seconds=8, fps=10), zones=zones, rules=LifeRules(settle_s=settle_s))
    causes = [one.cause for one in events]
    assert (causes.count(Cause.ZONE_ENTERED), causes.count(Cause.ZONE_LEFT)) == (entered, entered)


def test_a_zone_tells_when_somebody_has_been_there_for_as_long_as_it_asks() -> None:
    slow = Zone(name="yard", polygon=YARD.polygon, dwell_s=10.0, severity=Severity.ALERT, labels=("person",))
    zones = CameraZones(camera_id="gate", zones=(slow,))
    people = [Walker("person", standing(450, 400), 0, 30), Walker("car", standing(550, 300), 0, 30)]
    events, _ = followed(film(people, seconds=40, fps=4), zones=zones)
    (dwelt,) = [one for one in events if one.cause is Cause.ZONE_DWELT]
    assert dwelt.label == "person", "cars do not count there"
    assert dwelt.severity is Severity.ALERT
    assert dwelt.zones[0].dwelt
    assert dwelt.zones[0].dwell_ms == pytest.approx(10_000, abs=400)
    assert [one.severity for one in events if one.label == "car"][-1] is Severity.INFO


def test_stays_in_zones_that_are_gone_end_and_the_others_go_on() -> None:
    zones = CameraZones(camera_id="gate", zones=(YARD, Zone(name="all", polygon=((0, 0), (1, 0), (1, 1), (0, 1)))))
    answers = list(film([Walker("person", standing(450, 400), 0, 30)], seconds=20, fps=4))
    camera = Camera(CameraState("gate"), LifeRules())
    camera.change_zones(zones)
    events = []
    for offset, one in enumerate(answers):
        if offset == 40:
            camera.change_zones(CameraZones(camera_id="gate", zones=(zones.zones[1],)))
        events += camera.take(one, at(one, offset))
    events += list(camera.end_all(EndReason.SILENT))
    assert {one.name: one.dwell_ms for one in events[-1].zones} == {"yard": 9750, "all": 19_750}


def test_the_best_picture_is_whole_sure_and_large() -> None:
    answers = [answer(seq, seq / 4, [found("person", (0.0, 100.0, 80.0, 400.0), 0.9)]) for seq in range(4)]
    answers += [answer(seq, seq / 4, [found("person", (20.0, 250.0, 80.0, 400.0), 0.5)]) for seq in range(4, 8)]
    answers += [answer(seq, seq / 4, [found("person", (20.0, 240.0, 90.0, 400.0), 0.48)]) for seq in range(8, 12)]
    _, camera = followed(answers)
    assert camera.state.lives[0].best.frame.seq == 8, "not at the edge; larger, and not much less sure"
    assert not camera.state.lives[0].best_told


def test_a_better_picture_is_told_at_most_every_five_seconds() -> None:
    answers = [
        answer(seq, seq / 4, [found("person", (300.0, 100.0, 400.0, 350.0), min(0.99, 0.4 + seq * 0.06))])
        for seq in range(40)
    ]
    events, _ = followed(answers)
    assert [one.cause for one in events] == [Cause.APPEARED, Cause.BETTER_PICTURE]
    assert seconds(events[1].last.captured_at_ns) >= 5


def test_a_state_is_written_and_read_to_the_last_bit_and_what_goes_on_is_the_same() -> None:
    zones = CameraZones(camera_id="gate", zones=(YARD,), lines=(DOOR,))
    answers = list(film([ONE, PARKED], seconds=20, fps=5, missed=0.2))
    answers[30:40] = [gap(30, 39)]
    expected = [encode(one) for one in followed(answers, zones=zones)[0]]
    camera, events = Camera(CameraState("gate"), LifeRules()), []
    camera.change_zones(zones)
    for offset, one in enumerate(answers):
        events += camera.take(one, at(one, offset))
        written = encode_state(camera.state)
        camera = Camera(decode_state(written), LifeRules())
        assert encode_state(camera.state) == written
    assert [encode(one) for one in events] == expected


@pytest.mark.parametrize("data", [b"", b"junk", b"\xc0", encode(answer(0, 0, []))])
def test_a_state_that_is_none_is_refused_in_words(data: bytes) -> None:
    with pytest.raises(StateError):
        decode_state(data)


def test_more_things_than_are_followed_are_counted_and_no_other_is_hurt() -> None:
    crowd = [Walker("person", standing(20 + 30 * number, 300), 0, 30, width=25) for number in range(30)]
    rules = LifeRules(tracks=Rules(most=20))
    events, camera = followed(film(crowd, seconds=10, fps=4), rules)
    assert len({one.id for one in events}) == camera.open == 20
    assert camera.refused > 0
