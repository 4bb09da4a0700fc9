"""When a producer is ready, and what it says of its cameras."""

import pytest

from groundcam_producers.readiness import none_plays, playing
from groundcam_schemas import CameraState

ONLINE, OFFLINE = CameraState.ONLINE, CameraState.OFFLINE


def test_one_camera_that_plays_is_enough_whatever_the_others_do() -> None:
    states = {"gate": OFFLINE, "yard": ONLINE, "roof": CameraState.REFUSED}
    assert none_plays(states, (), is_job=False) is None
    assert playing(states, ()) == "1 of 3 cameras play"


@pytest.mark.parametrize("state", [one for one in CameraState if one is not ONLINE])
def test_while_no_camera_plays_it_is_not_ready_and_says_what_they_do(state: CameraState) -> None:
    assert none_plays({"gate": state}, (), is_job=False) == f"0 of 1 camera plays: gate is {state.value}"


def test_of_many_cameras_that_do_not_play_a_few_are_named() -> None:
    states = {f"c{number}": OFFLINE for number in range(5)}
    told = none_plays(states, (), is_job=False)
    assert told == "0 of 5 cameras play: c0 is offline, c1 is offline, c2 is offline and 2 more"


def test_a_file_that_was_played_to_its_end_is_work_that_was_done() -> None:
    states = {"film": OFFLINE, "other": CameraState.CONNECTING}
    assert none_plays(states, {"film"}, is_job=True) is None
    assert playing(states, {"film"}) == "0 of 2 cameras play, 1 ended"
    assert none_plays({"film": OFFLINE}, {"film"}, is_job=False) is None


def test_a_file_that_has_ended_hides_no_camera_that_is_away() -> None:
    states = {"film": OFFLINE, "gate": OFFLINE}
    told = none_plays(states, {"film"}, is_job=False)
    assert told == "0 of 2 cameras play, 1 ended: gate is offline"


def test_where_there_is_no_camera_nothing_is_missing() -> None:
    assert none_plays({}, (), is_job=True) is None
    assert playing({}, ()) is None
