"""What is said of a question that was asked, from what workers tell."""

import pytest

from groundcam.asking import brief, region, regions_in, require_camera
from groundcam_runtime.kafka.worker_statuses import is_alive, take
from groundcam_runtime.settings import SettingError
from groundcam_runtime.verdicts import outcome
from groundcam_schemas import Question, Verdict, WorkerState, WorkerStatus, encode

S = 10**9
NOW = 1_000 * S


def worker(name: str, *verdicts: Verdict, state: WorkerState = WorkerState.READY, age_s: int = 1) -> WorkerStatus:
    return WorkerStatus(
        worker_id=name, group="g", state=state, since_ns=0, at_ns=NOW - age_s * S, heartbeat_s=5.0, asked_for="demo",
        verdicts=verdicts,
    )  # fmt: skip


def verdict(version: str, refused: str | None = None, at_s: int = 10, camera_id: str = "gate") -> Verdict:
    return Verdict(camera_id=camera_id, version=version, at_ns=at_s * S, refused=refused)


def test_workers_take_refuse_or_have_not_said() -> None:
    workers = [
        worker("takes", verdict("v1")), worker("refuses", verdict("v1", "no such word")),
        worker("reads-nothing", verdict("", "no question")), worker("silent"), worker("elsewhere", verdict("v0")),
        worker("dead", verdict("v1"), age_s=16), worker("stops", verdict("v1"), state=WorkerState.STOPPING),
    ]  # fmt: skip
    found = outcome(workers, "gate", "v1", {}, NOW)
    assert [one.worker_id for one in found.takes] == ["takes"]
    assert [(one.worker_id, why) for one, why in found.refuses] == [
        ("refuses", "no such word"), ("reads-nothing", "no question"),
    ]  # fmt: skip
    assert [one.worker_id for one in found.silent] == ["silent", "elsewhere"]
    assert not found.is_known


def test_a_verdict_from_before_the_question_is_none_on_it() -> None:
    """The same question again: the worker has said so already, and is asked anew."""
    again = worker("w", verdict("v1", at_s=10))
    assert outcome([again], "gate", "v1", {"w": 10 * S}, NOW).silent == (again,)
    assert outcome([again], "gate", "v1", {"w": 9 * S}, NOW).takes == (again,)


def test_a_camera_that_nobody_knows_is_refused_with_what_was_meant() -> None:
    require_camera("*", [])
    require_camera("gate", ["gate"])
    with pytest.raises(SettingError, match="there is no camera gaet; did you mean gate\\?"):
        require_camera("gaet", ["gate", "yard"])
    with pytest.raises(SettingError, match="there are gate, yard"):
        require_camera("loading-bay", ["yard", "gate"])


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("gate=0,0,1,0,0.5,1", ("gate", ((0.0, 0.0), (1.0, 0.0), (0.5, 1.0)))),
        ("0.1,0.2,0.9,0.8", (None, ((0.1, 0.2), (0.9, 0.2), (0.9, 0.8), (0.1, 0.8)))),
        ("gate=0,0; 1,0; 0.5,1", ("gate", ((0.0, 0.0), (1.0, 0.0), (0.5, 1.0)))),
    ],
)
def test_a_region_is_a_polygon_or_a_rectangle(text: str, found: tuple[str | None, object]) -> None:
    assert region(text) == found


@pytest.mark.parametrize("text", ["gate=", "gate=0,0,1", "gate=0,0,1,0,2,1", "gate=a,b,c,d,e,f", "0,0", "0,0,1,0,1"])
def test_what_is_no_region_is_refused_with_the_right_form(text: str) -> None:
    with pytest.raises(SettingError, match=r"is not like gate=0\.1,0\.5"):
        region(text)


def test_a_file_has_regions_for_all_or_for_each_camera() -> None:
    triangle = ((0.0, 0.0), (1.0, 0.0), (0.5, 1.0))
    for content in (
        [[[0, 0], [1, 0], [0.5, 1]]],
        {"gate": [[0, 0, 1, 0, 0.5, 1]]},
        {"*": [[[0, 0], [1, 0], [0.5, 1]]]},
    ):
        assert regions_in(content, "gate") == [triangle]
    for alone in ([[0, 0], [1, 0], [0.5, 1]], [0, 0, 1, 0, 0.5, 1], {True: [0, 0, 1, 0, 0.5, 1]}):
        assert regions_in(alone, "True") == [triangle], "one region needs no list around it"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("0,0,1,1", "--regions: there is no list of regions for gate in it"),
        (None, "--regions: there is no list of regions for gate in it"),
        ({"gate": None}, "--regions: there is no list of regions for gate in it"),
        ({"gate": []}, "--regions: there is no list of regions for gate in it"),
        ({"yard": [[0, 0, 1, 1]]}, "--regions: there is nothing for gate in it"),
        ({"gaet": [[0, 0, 1, 1]]}, "--regions: there is nothing for gate in it; did you mean gaet?"),
        ([[0, 0, 1, 1], [[0, 0], [1, 2], [0.5, 1]]], "--regions: region 2 is not like gate="),
        ([[0, 0, 1, 1], 7], "--regions: region 2 is not like gate="),
    ],
)
def test_a_file_that_says_nothing_of_the_camera_is_refused(content: object, says: str) -> None:
    with pytest.raises(SettingError) as refused:
        regions_in(content, "gate")
    assert str(refused.value).startswith(says)


def test_a_question_is_shown_as_it_is_written() -> None:
    asked = Question.of("person", "dog", decoys=("shadow",), regions=(((0.0, 0.0), (1.0, 0.0), (0.5, 1.0)),))
    assert brief(asked) == "person, dog, not shadow, in 1 region"


def test_a_worker_lives_for_three_heartbeats_and_takes_its_status_back() -> None:
    one = worker("w")
    assert is_alive(one, one.at_ns + 15 * S)
    assert not is_alive(one, one.at_ns + 16 * S)
    known: dict[str, WorkerStatus] = {}
    assert take(known, b"w", encode(one)) == one
    assert take(known, b"x", b"rubbish") is None
    assert known == {"w": one}
    assert take(known, b"w", None) is None
    assert known == {}
