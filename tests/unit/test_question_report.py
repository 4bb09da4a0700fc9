"""What /status tells of the questions in force."""

from groundcam_schemas import CameraQuestion, Question
from groundcam_worker.policy.questions import Questions
from groundcam_worker.question_report import MOST_CAMERAS, MOST_CLASSES, question_report

BEGAN_NS = 1_700_000_000 * 10**9


def test_each_question_is_told_with_who_asked_it_and_since_when() -> None:
    questions = Questions([("*", Question.of("person")), ("yard", Question.of("dog"))])
    asked = CameraQuestion(
        **dict(Question.of("open door")), camera_id="gate", set_by="ann@laptop", set_at_ns=1_700_000_060 * 10**9
    )
    assert questions.set(asked)
    assert question_report(questions.all(), BEGAN_NS) == {
        "*": {
            "id": "*", "version": Question.of("person").version, "classes": ["person"],
            "since": "2023-11-14T22:13:20+00:00", "by": "the settings",
        },
        "gate": {
            "id": "gate", "version": asked.version, "classes": ["open door"], "since": "2023-11-14T22:14:20+00:00",
            "by": "ann@laptop",
        },
        "yard": {
            "id": "yard", "version": Question.of("dog").version, "classes": ["dog"],
            "since": "2023-11-14T22:13:20+00:00", "by": "the settings",
        },
    }  # fmt: skip


def test_many_cameras_and_classes_are_told_in_bounded_length() -> None:
    crowd = Question.of(*(f"c{number}" for number in range(MOST_CLASSES + 3)))
    questions = Questions((f"camera{number:05}", crowd) for number in range(MOST_CAMERAS + 7))
    told = question_report(questions.all(), BEGAN_NS)
    assert len(told) == MOST_CAMERAS + 1
    assert told["(more)"] == "7 cameras more have one of their own"
    assert told["camera00000"]["classes"][-1] == "(3 more)"


def test_what_strangers_wrote_forges_no_line_and_any_number_is_a_time_or_none() -> None:
    questions = Questions()
    for name, at_ns, by in (("a", 0, ""), ("b", 2**63 - 1, "x\x1b[2J\nready: yes")):
        questions.set(CameraQuestion(**dict(Question.of("cat")), camera_id=name, set_by=by, set_at_ns=at_ns))
    told = question_report(questions.all(), BEGAN_NS)
    assert (told["a"]["since"], told["a"]["by"]) == ("not said", "not said")
    assert told["b"]["by"] == "x\\x1b[2J\\nready: yes"
    assert told["b"]["since"]
