"""Events on Apache Kafka: each object's life, told the same whoever is killed in the middle of it."""

import itertools
import signal

import pytest

from conftest import Program, Start, Wait
from groundcam_runtime.settings import KafkaSettings
from tracked import Told, expected, objects_now, send, set_zones, street, told

pytestmark = pytest.mark.broker

CAMERAS = [f"cam{number}" for number in range(6)]
SHORT = {"GROUNDCAM_TRACK__SESSION_TIMEOUT_S": "6", "GROUNDCAM_TRACK__CHECKPOINT_S": "0.5"}
TRACK = ("track", "--no-pictures")


def follows(program: Program) -> bool:
    return "are followed from here" in program.log


def answers(seconds: float, seed: int = 1, fps: float = 5):  # type: ignore[no-untyped-def]
    """Of all cameras, taking turns."""
    streets = [street(name, seconds, fps, seed) for name in CAMERAS]
    return [one for some in itertools.zip_longest(*streets) for one in some if one is not None]


def is_told(kafka: KafkaSettings, wanted: Told) -> bool:
    return sum(map(len, told(kafka).events.values())) >= sum(map(len, wanted.events.values()))


def same(found: Told, wanted: Told) -> None:
    assert found.different == 0, "an event was told in two ways"
    for name in CAMERAS:
        assert found.events[name] == wanted.events[name], f"the events of {name} are others"


def test_what_is_told_follows_from_the_answers_and_is_right_on_the_objects_topic(
    kafka: KafkaSettings, start: Start, wait: Wait
) -> None:
    set_zones(kafka, CAMERAS)
    send(kafka, answers(60))
    wanted = expected(kafka)
    assert sum(map(len, wanted.events.values())) > 200
    tracker = start(kafka, *TRACK, **SHORT)
    wait(lambda: is_told(kafka, wanted), 60, "all events")
    assert tracker.stop() == 0, tracker.log
    found = told(kafka)
    same(found, wanted)
    assert found.repeated == 0
    assert objects_now(kafka) == {name: wanted.open(name) for name in CAMERAS}
    assert any(wanted.open(name) for name in CAMERAS)


def test_a_tracker_that_is_stopped_and_started_again_repeats_nothing_and_ends_nothing(
    kafka: KafkaSettings, start: Start, wait: Wait
) -> None:
    set_zones(kafka, CAMERAS)
    every = answers(60)
    for part in (every[:700], every[700:1100], every[1100:]):
        send(kafka, part)
        wanted = expected(kafka)
        tracker = start(kafka, *TRACK, **SHORT)
        wait(lambda: is_told(kafka, wanted), 60, "the events so far")  # noqa: B023 - called at once
        assert tracker.stop() == 0, tracker.log
    found = told(kafka)
    same(found, expected(kafka))
    assert found.repeated == 0


def test_a_tracker_that_is_killed_tells_the_same_events_byte_for_byte(
    kafka: KafkaSettings, start: Start, wait: Wait
) -> None:
    set_zones(kafka, CAMERAS)
    every = answers(120)
    size = len(every) // 4
    for number in range(4):
        tracker = start(kafka, *TRACK, "--instance-id", "t", **SHORT)
        wait(lambda one=tracker: follows(one), 60, "the tracker")
        send(kafka, every[number * size : (number + 1) * size + (4 if number == 3 else 0)])
        before = sum(map(len, told(kafka).events.values()))
        wait(lambda b=before: sum(map(len, told(kafka).events.values())) > b, 60, "some events")
        tracker.process.send_signal(signal.SIGKILL)
        tracker.process.wait()
    wanted = expected(kafka)
    tracker = start(kafka, *TRACK, "--instance-id", "t", **SHORT)
    wait(lambda: is_told(kafka, wanted), 60, "all events")
    assert tracker.stop() == 0, tracker.log
    same(told(kafka), wanted)
    assert objects_now(kafka) == {name: wanted.open(name) for name in CAMERAS}


def test_two_trackers_share_the_cameras_and_take_over_from_each_other(
    kafka: KafkaSettings, start: Start, wait: Wait
) -> None:
    set_zones(kafka, CAMERAS)
    every = answers(90)
    third = len(every) // 3
    first = start(kafka, *TRACK, **SHORT)
    wait(lambda: follows(first), 60, "the first tracker")
    send(kafka, every[:third])
    second = start(kafka, *TRACK, **SHORT)
    wait(lambda: follows(second), 60, "the second tracker")
    send(kafka, every[third : 2 * third])
    assert first.stop() == 0, first.log
    send(kafka, every[2 * third :])
    wanted = expected(kafka)
    wait(lambda: is_told(kafka, wanted), 60, "all events")
    assert second.stop() == 0, second.log
    found = told(kafka)
    same(found, wanted)
    assert found.repeated == 0, "what left in order was handed over"
    assert objects_now(kafka) == {name: wanted.open(name) for name in CAMERAS}
