"""Objects' lives where clocks, picture sizes and labels change, and where boxes are cut off by the picture's border."""

import pytest

from groundcam_events.notify.policy.filters import Filter
from groundcam_events.notify.settings import HookSettings
from groundcam_events.tracking.camera import Camera, CameraState
from groundcam_events.tracking.events import objects_now
from groundcam_events.tracking.order import CONFIRMED
from groundcam_events.tracking.rules import LifeRules, Rules
from groundcam_events.tracking.state import decode_state, encode_state
from groundcam_runtime.events.filter import EventFilter, named_in
from groundcam_schemas import (
    CameraZones,
    Cause,
    Detections,
    EndReason,
    Event,
    Line,
    Object,
    ObjectsNow,
    Severity,
    Zone,
    decode,
    encode,
)
from groundcam_schemas.limits import MAX_VISITS
from walks import BEGIN_NS, HEIGHT, NS, WIDTH, Walker, across, answer, at, away, film, followed, found, standing

YARD = ((0.3, 0.2), (0.9, 0.2), (0.9, 1.0), (0.3, 1.0))
DAY_S = 86_400.0
PARKED = Walker("car", standing(600, 400), width=200, height=120)


def zones(*some: Zone, lines: tuple[Line, ...] = ()) -> CameraZones:
    return CameraZones(camera_id="gate", zones=some, lines=lines)


def seen(label: str, boxes: list[tuple[float, float, float, float]], fps: float = 5) -> list[Detections]:
    return [answer(seq, seq / fps, [found(label, box)]) for seq, box in enumerate(boxes)]


def take(camera: Camera, answers: list[Detections], offset: int = 0) -> list[Event]:
    return [event for n, one in enumerate(answers) for event in camera.take(one, at(one, offset + n))]


@pytest.mark.parametrize("behind_s", [1.0, 3600.0, DAY_S])
def test_a_producer_whose_clock_is_right_again_after_a_restart_is_followed_at_once(behind_s: float) -> None:
    ahead = list(film([PARKED], seconds=4, fps=5, from_s=DAY_S))
    right = list(film([PARKED], seconds=4, fps=5, from_s=DAY_S - behind_s, run_id="run-2"))
    events, camera = followed([*ahead, *right])
    assert camera.late == CONFIRMED - 1
    (life,) = camera.state.lives
    assert life.last.captured_at_ns == right[-1].captured_at_ns
    assert len({one.id for one in events}) == 1, "it has stood there all the time"


def test_one_stamp_of_a_far_future_blinds_no_later_run() -> None:
    camera = followed([answer(0, 3e9, [found("car", (10, 10, 200, 100))], run_id="run-0")])[1]
    for run in range(3):
        take(camera, list(film([PARKED], seconds=2, fps=5, from_s=10.0 * run, run_id=f"now-{run}")), 100 * run)
    assert camera.late == CONFIRMED - 1, "of the first run after it"


def test_late_looks_of_a_run_that_is_over_change_nothing_however_many_come_between_others() -> None:
    camera = followed(film([PARKED], seconds=4, fps=5, from_s=DAY_S))[1]
    late = list(film([], seconds=4, fps=5, run_id="run-0"))
    new = list(film([PARKED], seconds=4, fps=5, from_s=DAY_S + 4, first_seq=20))
    for n, (old, now) in enumerate(zip(late, new, strict=True)):
        for one in (old, late[0], now):
            camera.take(one, at(one, 20 + n))
    assert camera.late == 2 * len(late)
    assert camera.state.order.run_id == "run-1"


def test_looks_that_come_again_and_again_do_not_make_a_run_the_newest() -> None:
    camera = followed(film([PARKED], seconds=4, fps=5, from_s=DAY_S))[1]
    again = answer(7, 0.0, [], run_id="run-0")
    take(camera, [again] * 3 * CONFIRMED)
    assert camera.late == 3 * CONFIRMED
    assert camera.open == 1


def test_a_camera_that_is_offline_by_a_clock_that_is_right_again_is_offline() -> None:
    camera = followed(film([PARKED], seconds=4, fps=5, from_s=DAY_S))[1]
    gone = away(0.0, 600.0).model_copy(update={"run_id": "run-2"})
    (end,) = camera.take(gone, at(gone, 30))
    assert end.end is not None
    assert end.end.reason is EndReason.CAMERA_OFFLINE
    assert list(followed([*film([PARKED], seconds=4, fps=5, from_s=DAY_S), away(0.0, 600.0)])[0])[-1].end is None


@pytest.mark.parametrize(
    ("polygon", "way"),
    [
        (((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)), standing(500, HEIGHT)),
        (((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)), standing(WIDTH + 20, HEIGHT)),
        (YARD, across(HEIGHT + 40, 100)),
        (YARD, across(HEIGHT, 100)),
    ],
)
def test_a_zone_that_reaches_the_pictures_border_holds_what_that_border_cuts_off(
    polygon: tuple[tuple[float, float], ...], way: object
) -> None:
    area = zones(Zone(name="yard", polygon=polygon, severity=Severity.ALERT))
    events, _ = followed(film([Walker("person", way, 0, 60)], seconds=12, fps=5, jitter=0.0), zones=area)  # type: ignore[arg-type]
    assert [one.cause for one in events].count(Cause.ZONE_ENTERED) == 1
    assert events[-1].severity is Severity.ALERT
    if polygon == YARD:
        (visit,) = events[-1].zones
        assert visit.left_ns is not None
        assert abs(visit.dwell_ms - 6000) < 600, "0.6 of the picture, at a tenth of it a second"


def test_the_class_id_is_that_of_the_label_that_is_told() -> None:
    boxes = [(400.0, 100.0, 500.0, 300.0)] * 12
    answers = seen("person", boxes)
    answers[10:] = [answer(seq, seq / 5, [found("dog", boxes[0], 0.4)]) for seq in (10, 11)]
    answers += [answer(seq, seq / 5, []) for seq in range(12, 60)]
    events, _ = followed(answers)
    assert {(one.label, one.class_id) for one in events} == {("person", 0)}


def test_what_becomes_another_thing_leaves_the_zones_that_do_not_hold_such() -> None:
    area = zones(
        Zone(name="yard", polygon=((0.0, 0.0), (0.7, 0.0), (0.7, 1.0), (0.0, 1.0)), labels=("person",)),
        lines=(Line(name="door", start=(0.8, 0.0), end=(0.8, 1.0), labels=("person",)),),
    )
    boxes = [(100.0 + 8 * n, 100.0, 160.0 + 8 * n, 300.0) for n in range(100)]
    answers = [
        answer(seq, seq / 5, [found("person" if seq < 10 else "dog", box, 0.5 if seq < 10 else 0.9)])
        for seq, box in enumerate(boxes)
    ]
    events, _ = followed(answers, zones=area)
    causes = [one.cause for one in events]
    assert [causes.count(one) for one in (Cause.ZONE_ENTERED, Cause.ZONE_LEFT, Cause.LINE_CROSSED)] == [1, 1, 0]
    (visit,) = events[-1].zones
    assert visit.left_ns is not None
    assert visit.left_ns < BEGIN_NS + 6 * NS, "when it was seen as something else, not at the end"


def test_a_stay_that_goes_on_is_told_however_many_there_were_since() -> None:
    area = zones(
        Zone(name="yard", polygon=((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))),
        Zone(name="porch", polygon=((0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0))),
    )

    def way(time_s: float) -> tuple[float, float]:
        phase = time_s % 8
        return (400 + 50 * min(phase, 8 - phase), 400)

    events, _ = followed(film([Walker("person", way)], seconds=8 * 45, fps=5, jitter=0.0), zones=area)
    last = events[-1]
    assert len(last.zones) == MAX_VISITS
    assert [one.name for one in last.zones if one.left_ns is None][:1] == ["yard"]


def test_what_happens_in_one_look_is_told_of_each_zone_and_line_by_its_name() -> None:
    """At a frame a second people step over two borders at once; whoever wants to hear of one of them hears of it."""
    area = zones(
        Zone(name="street", polygon=((0.3, 0.0), (1.0, 0.0), (1.0, 1.0), (0.3, 1.0)), severity=Severity.ALERT),
        Zone(name="yard", polygon=((0.34, 0.0), (1.0, 0.0), (1.0, 1.0), (0.34, 1.0))),
        lines=(
            Line(name="fence", start=(0.34, 0.0), end=(0.34, 1.0)),
            Line(name="kerb", start=(0.3, 0.0), end=(0.3, 1.0)),
        ),
    )
    events, _ = followed(
        film([Walker("person", across(400, 200, 100), 0, 4)], seconds=12, fps=1, jitter=0.0), zones=area
    )
    told = {(one.cause, one.about) for one in events if one.about}
    assert told == {(Cause.ZONE_ENTERED, one) for one in ("street", "yard")} | {
        (Cause.LINE_CROSSED, one) for one in ("fence", "kerb")
    }
    assert not any(one.about for one in events if one.cause in {Cause.APPEARED, Cause.ENDED})
    for name in ("street", "yard", "fence", "kerb"):
        kind, cause = ("zones", "zone_entered") if name in {"street", "yard"} else ("lines", "line_crossed")
        hook = Filter(HookSettings.model_validate({"url": "https://h.example/", "causes": [cause], kind: [name]}))
        assert sum(map(hook.wants, events)) == 1, name
        assert sum(map(EventFilter.of(zones=[name], causes=[cause]).fits, events)) == 1, name


def test_what_happened_before_an_object_was_told_of_keeps_its_names_over_a_restart() -> None:
    area = zones(Zone(name="yard", polygon=((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)), labels=("person",)))
    answers = list(film([Walker("person", standing(500, 400))], seconds=3, fps=5, jitter=0.0))
    for told_by_older in (False, True):
        camera = Camera(CameraState("gate"), LifeRules(tracks=Rules(looks=6)))
        camera.change_zones(area)
        assert take(camera, answers[:5]) == []
        (life,) = camera.state.lives
        assert (life.early, life.early_about) == ([Cause.ZONE_ENTERED], ["yard"])
        if told_by_older:
            life.early_about = []
        again = Camera(decode_state(encode_state(camera.state)), LifeRules(tracks=Rules(looks=6)))
        first, second = take(again, answers[5:7], 5)[:2]
        assert (first.cause, second.cause) == (Cause.APPEARED, Cause.ZONE_ENTERED)
        assert second.about == ("" if told_by_older else "yard")
        assert named_in(second) == ["yard"]


def resized(one: Detections, width: int, height: int) -> Detections:
    across_by, down_by = width / one.source_width, height / one.source_height
    objects = tuple(
        Object(label=o.label, class_id=o.class_id, score=o.score,
               box=(o.box[0] * across_by, o.box[1] * down_by, o.box[2] * across_by, o.box[3] * down_by))
        for o in one.objects
    )  # fmt: skip
    return one.model_copy(update={"source_width": width, "source_height": height, "objects": objects})


@pytest.mark.parametrize("size", [(500, 250), (640, 480), (4000, 2000)])
def test_a_camera_that_sends_another_size_goes_on_with_its_objects(size: tuple[int, int]) -> None:
    """All boxes of an event are in the pixels of the size that it names, and tell the same place."""
    area = zones(lines=(Line(name="door", start=(0.5, 0.0), end=(0.5, 1.0)),))
    answers = list(film([Walker("person", across(400, 20, 200)), PARKED], seconds=10, fps=5, jitter=0.0))
    answers[25:] = [resized(one, *size) for one in answers[25:]]
    events, camera = followed(
        [*answers, *(resized(answer(seq, seq / 5, []), *size) for seq in range(50, 300))], zones=area
    )
    assert len({one.id for one in events}) == 2
    assert not [one for one in events if one.cause is Cause.LINE_CROSSED], "nobody got that far"
    assert camera.open == 0
    for end in (one for one in events if one.end):
        assert (end.source_width, end.source_height) == size
        for look in (end.first, end.last, end.best):
            assert look.box[3] / size[1] == pytest.approx(400 / HEIGHT, abs=0.01)
            assert look.box[2] <= size[0]


def crowd(objects: int, visits: int) -> CameraState:
    """So many people who have been in so many zones each."""
    some = tuple(
        Zone(name=f"{n:03d}" + "é" * 190, polygon=((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)))
        for n in range(visits)
    )
    boxes = [(10.0 + 9 * n % 900, 4.0 * (n // 10), 15.0 + 9 * n % 900, 4.0 * (n // 10) + 3) for n in range(objects)]
    camera = Camera(CameraState("gate"), LifeRules())
    camera.change_zones(zones(*some))
    for seq in range(12):
        one = answer(seq, seq / 5, [found("person", box) for box in boxes])
        camera.take(one, at(one, seq))
    assert camera.open > objects * 0.9
    return camera.state


@pytest.mark.parametrize("visits", [0, 16, 32])
def test_what_is_open_can_always_be_read_and_what_is_not_listed_is_counted(visits: int) -> None:
    state = crowd(120, visits)
    now = objects_now(state)
    assert decode(ObjectsNow, encode(now)) == now
    assert len(now.objects) + now.more == sum(one.is_told for one in state.lives)
    assert len(now.objects) == 100 if not visits else 10 < len(now.objects) < 100
    newest = [one.newest.id for one in state.lives if one.newest]
    assert [one.id for one in now.objects] == newest[-len(now.objects) :]
