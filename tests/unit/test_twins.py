"""Two producers of one camera notice each other by the states that they publish; one alone never thinks so."""

from dataclasses import dataclass, field

import pytest

from groundcam_producers.twins import CONFIRM_S, GONE_S, MOST_OTHERS, OLDER, REFRESH_S, News, Twins
from groundcam_schemas import CameraState, CameraStatus


def state(producer: str, what: CameraState = CameraState.ONLINE, error: str | None = None) -> CameraStatus:
    return CameraStatus(
        camera_id="gate", state=what, since_ns=1, url="rtsp://h/", last_error=error, producer=producer
    )  # fmt: skip


GOODBYE = CameraState.OFFLINE


@dataclass
class Topic:
    """The cameras topic, and the producers that read it. Time passes in steps of half a second."""

    now: float = 1000.0
    records: list[tuple[CameraStatus, bool]] = field(default_factory=list)
    living: dict[str, Twins] = field(default_factory=dict)
    news: list[tuple[str, News]] = field(default_factory=list)

    def start(self, name: str) -> None:
        """A producer begins: it reads what is there, then its camera's process says its first states."""
        twins = Twins(name)
        for status, is_repeat in self.records:
            twins.saw(status, self.now, is_repeat=is_repeat, is_old=True)
        self.living[name] = twins
        self.say(state(name, CameraState.CONNECTING))
        self.say(state(name))

    def say(self, status: CameraStatus, *, is_repeat: bool = False) -> None:
        self.records.append((status, is_repeat))
        for twins in self.living.values():
            twins.saw(status, self.now, is_repeat=is_repeat)

    def wait(self, seconds: float) -> None:
        until = self.now + seconds
        while self.now < until:
            self.now += 0.5
            for name, twins in self.living.items():
                for status in twins.due(self.now):
                    self.say(status, is_repeat=True)
                self.news += [(name, news) for news in twins.news()]

    def twins(self) -> dict[str, str | None]:
        return {name: twins.twin_of("gate") for name, twins in self.living.items()}


def test_two_that_live_know_each_other_within_a_quarter_of_a_minute_and_say_so_once() -> None:
    topic = Topic()
    topic.start("a")
    topic.wait(100)
    topic.start("b")
    topic.wait(15)
    assert topic.twins() == {"a": "b", "b": "a"}
    topic.wait(600)
    assert sorted(topic.news, key=str) == [
        ("a", News("gate", "b", is_there=True)),
        ("b", News("gate", "a", is_there=True)),
    ]
    assert {status.producer: status.twin for status, _ in topic.records} == {"a": "b", "b": "a"}
    assert len(topic.records) < 10 + 2 * 600 / REFRESH_S + 10


def test_two_that_start_together_know_each_other_too() -> None:
    topic = Topic()
    topic.start("a")
    topic.start("b")
    topic.wait(15)
    assert topic.twins() == {"a": "b", "b": "a"}


def test_one_alone_says_nothing_again() -> None:
    topic = Topic()
    topic.start("a")
    topic.wait(300)
    topic.say(state("a", CameraState.STALLED, "TimeoutError"))
    topic.wait(300)
    assert len(topic.records) == 3
    assert topic.twins() == {"a": None}


@pytest.mark.parametrize("ended", ["killed", "stopped", "stopped slowly"])
def test_after_a_restart_the_run_before_is_no_twin(ended: str) -> None:
    topic = Topic()
    topic.start("a")
    topic.wait(60)
    if ended == "stopped slowly":
        topic.start("b")  # before the one before it is through
        topic.wait(2)
    del topic.living["a"]
    if ended != "killed":
        topic.say(state("a", GOODBYE))
    if ended != "stopped slowly":
        topic.start("b")
    topic.wait(300)
    assert topic.news == []
    assert topic.twins() == {"b": None}
    repeats = [status.producer for status, is_repeat in topic.records if is_repeat]
    assert repeats.count("a") <= 1
    # Once more where the goodbye of the one before came last.
    assert repeats.count("b") <= (2 if ended == "stopped slowly" else 1)
    assert topic.records[-1][0].producer == "b"


@pytest.mark.parametrize("how", ["a goodbye", "a goodbye, and its state is taken back"])
def test_after_a_camera_was_handed_over_the_topic_has_the_state_of_who_plays_it(how: str) -> None:
    topic = Topic()
    topic.start("a")
    topic.wait(60)
    topic.start("b")
    topic.wait(0.5)
    del topic.living["a"]
    topic.say(state("a", GOODBYE))
    if how != "a goodbye":
        topic.living["b"].was_taken_back("gate", topic.now)
        topic.living["b"].was_taken_back("yard", topic.now)  # of which it knows nothing
    topic.wait(3)
    assert topic.records[-1] == (state("b"), True)
    said = len(topic.records)
    topic.wait(300)
    assert len(topic.records) == said


def test_of_a_camera_that_is_ours_no_more_nothing_is_said_when_it_is_taken_back() -> None:
    topic = Topic()
    topic.start("a")
    topic.say(state("a", GOODBYE))
    topic.living["a"].was_taken_back("gate", topic.now)
    topic.wait(300)
    assert len(topic.records) == 3


def test_a_last_state_that_comes_late_from_one_that_was_ended_proves_nothing() -> None:
    topic = Topic()
    topic.start("b")
    topic.say(state("a", CameraState.STALLED, "Hang"))
    topic.wait(300)
    assert topic.twins() == {"b": None}


@pytest.mark.parametrize("says_goodbye", [True, False])
def test_one_that_is_gone_is_no_twin_any_more_and_the_state_says_so(says_goodbye: bool) -> None:
    topic = Topic()
    topic.start("a")
    topic.start("b")
    topic.wait(30)
    del topic.living["b"]
    if says_goodbye:
        topic.say(state("b", GOODBYE))
    topic.wait(3 if says_goodbye else GONE_S + REFRESH_S)
    assert topic.twins() == {"a": None}
    assert topic.news[-1] == ("a", News("gate", "b", is_there=False))
    status, _ = topic.records[-1]
    assert (status.producer, status.twin) == ("a", None)


def test_a_camera_that_is_away_is_still_played_by_two() -> None:
    """Offline with an error is no goodbye: many cameras refuse the second connection."""
    topic = Topic()
    topic.start("a")
    topic.start("b")
    topic.say(state("b", CameraState.OFFLINE, "ConnectionRefusedError"))
    topic.wait(15)
    assert topic.twins() == {"a": "b", "b": "a"}


def test_what_is_repeated_never_hides_what_the_process_said_meanwhile() -> None:
    topic = Topic()
    topic.start("a")
    topic.start("b")
    topic.wait(15)
    stale = next(status for status, is_repeat in reversed(topic.records) if is_repeat and status.producer == "a")
    topic.say(state("a", CameraState.STALLED, "TimeoutError"))
    topic.say(stale, is_repeat=True)  # it was on its way
    topic.wait(5)
    newest = next(status for status, _ in reversed(topic.records) if status.producer == "a")
    assert (newest.state, newest.twin) == (CameraState.STALLED, "b")


def test_a_producer_that_does_not_say_who_it_is_is_known_by_that() -> None:
    twins = Twins("a")
    twins.saw(state("a"), 0.0)
    twins.saw(state(""), 0.0)
    twins.saw(state("", CameraState.STALLED, "TimeoutError"), CONFIRM_S)
    assert twins.twin_of("gate") == OLDER


def test_a_camera_that_we_play_no_more_is_not_ours() -> None:
    """A file that has ended, or a camera that was taken out of the settings."""
    topic = Topic()
    topic.start("a")
    topic.start("b")
    topic.wait(15)
    topic.say(state("a", GOODBYE))
    said = len(topic.records)
    topic.wait(300)
    assert topic.twins() == {"a": None, "b": None}
    assert [status.producer for status, _ in topic.records[said:]] == ["b"]
    topic.say(state("a").model_copy(update={"twin": "b"}), is_repeat=True)  # it was on its way
    topic.wait(5)
    assert [status.state for status, _ in topic.records if status.producer == "a"][-1] is GOODBYE


def test_cameras_that_are_not_ours_and_a_crowd_of_names_cost_nothing() -> None:
    twins = Twins("a")
    twins.saw(state("a"), 0.0)
    twins.saw(state("b").model_copy(update={"camera_id": "yard"}), 0.0)
    for number in range(100):
        twins.saw(state(f"p{number}"), 0.0)
    assert twins.twin_of("yard") is None
    assert len(twins._cameras["gate"].others) == MOST_OTHERS
