"""One question never costs the others: what is wrong with it is said, and the next one is read."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Self

import pytest

from groundcam_runtime.kafka.errors import UnreachableError
from groundcam_runtime.records import Consumed, Partition
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import CameraQuestion, Question, encode, encode_json
from groundcam_worker import question_follower
from groundcam_worker.errors import QuestionError
from groundcam_worker.policy import questions as policy
from groundcam_worker.policy.questions import Questions
from groundcam_worker.question_follower import QuestionFollower


def asked(camera: str, *phrases: str, key: str | None = None) -> Consumed:
    question = CameraQuestion(**dict(Question.of(*phrases)), camera_id=camera)
    return record((key or camera).encode(), encode(question))


def record(key: bytes | None, value: bytes | None) -> Consumed:
    return Consumed(Partition("groundcam.prompts", 0), 0, 0, key, value, (), 0)


class ScriptedReader:
    """A topic by hand: what lies on it at the start, and what each poll gives or raises."""

    def __init__(self, *there: Consumed, polls: tuple[list[Consumed] | BaseException, ...] = ()) -> None:
        self.there = there
        self.polls = deque(polls)
        self.closed = False
        self.fails = False

    def to_the_end(self) -> Iterator[Consumed]:
        yield from self.there
        if self.fails:
            raise UnreachableError("Kafka has stopped answering")

    def poll(self, timeout_s: float) -> list[Consumed]:
        if not self.polls:
            time.sleep(0.01)
            return []
        given = self.polls.popleft()
        if isinstance(given, BaseException):
            raise given
        return given

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.closed = True


Check = Callable[[Question], None]
Follow = Callable[..., QuestionFollower]


@pytest.fixture
def follow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Follow]:
    """Start a follower of a reader by hand; close it at the end."""
    begun: list[QuestionFollower] = []
    monkeypatch.setattr(question_follower, "PAUSE_S", 0.01)

    def start(
        reader: ScriptedReader, questions: Questions, check: Check = lambda _ask: None, *, check_s: float = 60.0,
        starts: bool = True,
    ) -> QuestionFollower:  # fmt: skip
        monkeypatch.setattr(question_follower, "Reader", lambda *_arguments, **_options: reader)
        one = QuestionFollower(KafkaSettings(), questions, check, check_s)
        begun.append(one)
        if starts:
            one.start()
        return one

    yield start
    for one in begun:
        one.close()
        assert not one._thread.is_alive()


def refuse_bad(question: Question) -> None:
    """Fail as a detector may: as it should, or as nobody thought of."""
    if "refused" in question.labels:
        raise QuestionError("the class 'refused' is unknown")
    if "bad" in question.labels:
        raise RuntimeError("Already borrowed")


def labels(questions: Questions, *cameras: str) -> dict[str, tuple[str, ...] | None]:
    found = {camera: questions.for_frame(camera, None) for camera in cameras}
    return {camera: one and one[1].labels for camera, one in found.items()}


ODD = [
    asked("a", "bad"),
    asked("a", "refused"),
    asked("a", "dog", key="b"),
    record(b"a", b"\x80"),
    record(b"a", b"no message"),
    record(b"\xff", b"x"),
    record(None, None),
    record(b"a/b", None),
]


@pytest.mark.parametrize("odd", ODD)
def test_a_question_that_fails_loses_none_of_its_neighbours(
    follow: Follow, odd: Consumed, wait: Callable[..., None]
) -> None:
    """Neither at the start nor in a poll, and its camera keeps the question that it had."""
    questions = Questions()
    polls = ([asked("b", "cat"), odd, asked("c", "cat")], [asked("d", "cat")])
    reader = ScriptedReader(asked("a", "cat"), odd, asked("b", "dog"), polls=polls)
    follow(reader, questions, refuse_bad)
    wait(lambda: labels(questions, "d")["d"], 10, "the last question")
    assert labels(questions, "a", "b", "c") == dict.fromkeys("abc", ("cat",))


def test_a_question_in_json_is_asked_as_one_in_msgpack(follow: Follow) -> None:
    question = CameraQuestion(**dict(Question.of("open door")), camera_id="gate")
    questions = Questions()
    follow(ScriptedReader(record(b"gate", encode_json(question))), questions)
    assert labels(questions, "gate") == {"gate": ("open door",)}


def test_what_is_wrong_with_a_question_is_said(follow: Follow, caplog: pytest.LogCaptureFixture) -> None:
    follow(ScriptedReader(*ODD), Questions(), refuse_bad)
    said = [one.message for one in caplog.records if one.levelno == logging.WARNING]
    assert said[:3] == [
        "a question for a is ignored: RuntimeError: Already borrowed",
        "a question for a is ignored: the class 'refused' is unknown",
        "a question for b is ignored: it is for a, but its key is b",
    ]
    assert sum("for nobody" in one for one in said) == 3
    assert len(said) == len(ODD)


def test_an_error_of_the_reader_ends_nothing(
    follow: Follow, caplog: pytest.LogCaptureFixture, wait: Callable[..., None]
) -> None:
    questions = Questions()
    polls = (UnreachableError("Kafka is away"), KeyError("what nobody thought of"), [asked("a", "cat")])
    follow(ScriptedReader(polls=polls), questions)
    wait(lambda: labels(questions, "a")["a"], 10, "the question behind two errors")
    assert [one.message for one in caplog.records if one.levelno >= logging.WARNING] == [
        "questions cannot be read: Kafka is away",
        "questions cannot be read",
    ]


def test_a_question_whose_check_does_not_end_is_given_up(
    follow: Follow, caplog: pytest.LogCaptureFixture, wait: Callable[..., None]
) -> None:
    questions, release = Questions(), threading.Event()

    def check(question: Question) -> None:
        if "endless" in question.labels:
            release.wait()

    reader = ScriptedReader(
        asked("a", "endless"), asked("b", "cat"), polls=([asked("b", "endless"), asked("c", "cat")],)
    )
    try:
        follow(reader, questions, check, check_s=0.05)
        wait(lambda: labels(questions, "c")["c"], 10, "the question behind")
        assert labels(questions, "a", "b") == {"a": None, "b": ("cat",)}
        assert "a question for a is ignored: it took more than 0.05 s" in caplog.text
    finally:
        release.set()


def test_a_topic_that_is_full_of_invented_cameras_is_said_once(
    follow: Follow, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, wait: Callable[..., None]
) -> None:
    monkeypatch.setattr(policy, "MAX_CAMERAS", 2)
    questions, checked = Questions(), []
    polls = (
        [asked("*", "dog"), record(b"cam0", None), asked("gate", "cat")],
        [asked("cam9", "cat")],
        [asked("cam1", "cow")],
    )
    reader = ScriptedReader(*(asked(f"cam{number}", "cat") for number in range(9)), polls=polls)
    follow(reader, questions, checked.append)
    wait(lambda: labels(questions, "cam1") == {"cam1": ("cow",)}, 10, "the last question")
    assert labels(questions, "gate", "cam2", "cam9") == {"gate": ("cat",), "cam2": ("dog",), "cam9": ("dog",)}
    assert [one.message.split(",")[0] for one in caplog.records if one.levelno == logging.WARNING] == [
        "a question for cam2 is ignored",
        "a question for cam9 is ignored",
    ], "once until there is room again"
    assert len(checked) == 5, "what there is no room for costs nothing"


def test_a_long_question_is_cut_in_the_log(follow: Follow, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    follow(
        ScriptedReader(asked("a", *(f"class {number}" for number in range(500))), asked("b", "cat", "dog")), Questions()
    )
    first, second = (one.message for one in caplog.records if "is asked now" in one.message)
    assert "class 9 and 490 more (version" in first
    assert "b is asked now: cat, dog (version" in second


def test_only_what_changes_is_said(follow: Follow, caplog: pytest.LogCaptureFixture) -> None:
    """Anybody may take back what nobody asked, and ask the same again, a million times."""
    caplog.set_level(logging.INFO)
    nothing = [record(name, None) for name in (b"gate", b"yard", b"*")]
    again = [asked("gate", "cat"), asked("gate", "cat"), asked("gate", "dog")]
    follow(ScriptedReader(*nothing, *again, *nothing, *nothing), Questions([("gate", Question.of("cow"))]))
    assert [one.message.partition(" (version")[0] for one in caplog.records] == [
        "gate is asked now: cat",
        "gate is asked now: dog",
        "the question for gate was taken back",
    ]


def test_a_reader_that_fails_at_the_start_is_closed(follow: Follow) -> None:
    reader = ScriptedReader(asked("a", "cat"))
    reader.fails = True
    with pytest.raises(UnreachableError):
        follow(reader, Questions())
    assert reader.closed


@pytest.mark.parametrize("started", [True, False])
def test_a_follower_that_is_closed_has_closed_its_reader(follow: Follow, started: bool) -> None:
    reader = ScriptedReader()
    follow(reader, Questions(), starts=started).close()
    assert reader.closed
