"""What the demo says of events: lives, stays and crossings of objects whose ways are known."""

from collections import deque
from dataclasses import replace

import pytest

from footage import jpeg
from groundcam.demo import run
from groundcam.demo.lives import FilmClock, judge, way
from groundcam.demo.scene import SCENES, Scene
from groundcam.frame_join import FrameJoin, JoinedFrame
from groundcam_events.tracking.rules import LifeRules
from groundcam_schemas import CameraZones, Detections, EndReason, Event, Object, Topics
from walks import BEGIN_NS, NS, answer, followed

PICTURE = jpeg()
GATE, YARD = SCENES


def played(scene: Scene, seconds: float, fps: float, from_s: float = 0.0) -> list[JoinedFrame]:
    """A detector that finds everything that is asked for; the film begins again at its end."""
    labels = tuple(label.strip() for label in scene.question.split(","))
    frames = []
    for seq in range(int(seconds * fps)):
        film_s = from_s + seq / fps
        found = []
        for one in scene.objects(film_s):
            label = next((label for label in labels if one.is_called(label)), None)
            if label:
                found.append(Object(label=label, class_id=labels.index(label), score=0.8, box=one.box))
        said = answer(seq, seq / fps, [], camera_id=scene.camera_id, classes=labels)
        said = said.model_copy(
            update={"objects": tuple(found), "source_width": scene.width, "source_height": scene.height}
        )
        frames.append(JoinedFrame(said, PICTURE, int(film_s % scene.period_s * NS), said.captured_at_ns))
    return frames


def moments(frames: list[JoinedFrame]) -> list[tuple[int, int]]:
    return [(one.answer.captured_at_ns, one.pts_ns or 0) for one in frames]


def told(scene: Scene, frames: list[JoinedFrame]) -> list[Event]:

    zones = CameraZones(camera_id=scene.camera_id, zones=scene.zones, lines=scene.lines)
    answers: list[Detections] = [one.answer for one in frames]
    events, camera = followed(answers, LifeRules(), zones)
    return [*events, *camera.end_all(EndReason.SILENT)]


@pytest.mark.parametrize("scene", SCENES, ids=lambda one: one.camera_id)
@pytest.mark.parametrize("fps", [3, 8])
def test_a_film_whose_objects_are_all_found_is_told_without_a_fault(scene: Scene, fps: int) -> None:
    frames = played(scene, 40, fps, from_s=5.0)
    found = judge(scene, moments(frames), told(scene, frames)).figures()
    assert found["objects"] == found["new"] == found["end"] == found["one_life"] >= 4
    assert found["identity_switches"] == 0
    for kind in ("zone_entries", "line_crossings"):
        assert found[kind]["known"] == found[kind]["told"] > 0
        assert (found[kind]["precision"], found[kind]["recall"]) == (1.0, 1.0)
    assert found["dwell_error_s"] < 0.3


def test_lives_that_are_mixed_up_and_stays_that_are_invented_are_counted() -> None:
    frames = played(GATE, 30, 8)
    events = told(GATE, frames)
    first, second = list(dict.fromkeys(one.id for one in events))[:2]
    mixed = [one.model_copy(update={"id": first}) if one.id == second else one for one in events]
    assert judge(GATE, moments(frames), mixed).switches == 1
    assert judge(GATE, moments(frames), [one for one in events if one.end is None]).end == 0
    elsewhere = replace(GATE, zones=YARD.zones, lines=())
    found = judge(elsewhere, moments(frames), events).figures()
    assert found["line_crossings"]["precision"] == 0.0
    assert found["zone_entries"]["recall"] == 0.0


def test_a_clock_knows_the_film_s_moment_also_after_it_began_again() -> None:
    clock = FilmClock(moments(played(GATE, 60, 5, from_s=20.0)), GATE.period_s)
    assert clock.film_s(BEGIN_NS) == pytest.approx(20.0)
    assert clock.film_s(BEGIN_NS + 10 * NS) == pytest.approx(30.0)
    assert clock.at_s(30.0) == pytest.approx(BEGIN_NS / NS + 10)
    assert way(GATE, clock, 0).stays, "the red circle enters the zone"


def test_without_frames_nothing_is_judged() -> None:
    assert judge(GATE, [], []).figures()["objects"] == 0


def test_what_is_told_of_nothing_that_is_there_is_wrong_and_what_nobody_follows_is_missed() -> None:
    frames = played(GATE, 40, 8, from_s=5.0)
    events = told(GATE, frames)
    every = judge(GATE, moments(frames), events)
    entering = next(one for one in events if one.zones)
    ghost = [one.model_copy(update={"id": "f" * 32, "label": "ghost"}) for one in events if one.id == entering.id]
    haunted = judge(GATE, moments(frames), [*events, *ghost])
    assert haunted.told["zones"] > every.told["zones"]
    assert (haunted.right, haunted.known) == (every.right, every.known)
    blind = judge(GATE, moments(frames), [one for one in events if one.id != entering.id])
    assert blind.known["zones"] >= every.known["zones"], "its stay is known, told or not"
    assert blind.right["zones"] < every.right["zones"]


def test_what_is_told_of_a_life_s_last_moment_is_right_though_it_need_not_be_told() -> None:
    frames = played(GATE, 40, 8, from_s=5.0)
    events = told(GATE, frames)
    crossed = next(one for one in events if one.lines)
    (line, *_), index = crossed.lines, 0.2
    early = round(line.at_ns + index * NS)
    cut = [
        one.model_copy(update={"last": one.last.model_copy(update={"captured_at_ns": early})})
        for one in events
        if one.id == crossed.id and one.n <= crossed.n
    ]
    found = judge(GATE, moments(frames), cut)
    assert found.right["lines"] == found.told["lines"] >= 1


def test_a_demo_without_an_end_is_judged_by_its_last_minutes() -> None:
    """Of what was told of the time before, nobody knows any more whether it was right."""
    frames = played(GATE, 70, 4)
    watch = run.Watch({"gate": GATE}, FrameJoin(Topics()), "events")
    watch.events["gate"] = told(GATE, frames)
    watch.moments["gate"].extend(moments(frames))
    whole = watch.judged("gate").figures()
    watch.moments["gate"] = deque(moments(frames), maxlen=120)
    last = watch.judged("gate").figures()
    for kind in ("zone_entries", "line_crossings"):
        assert (last[kind]["precision"], last[kind]["recall"]) == (1.0, 1.0)
        assert 0 < last[kind]["told"] < whole[kind]["told"]
    assert last["one_life"] == whole["one_life"] == whole["objects"]
