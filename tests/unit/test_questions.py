"""How people write questions, and which one holds for which camera."""

import re

import pytest

from groundcam_runtime.question_text import parse_classes, parse_decoys, parse_question, question_texts
from groundcam_schemas import CameraQuestion, Question
from groundcam_worker.errors import QuestionError
from groundcam_worker.policy import questions as policy
from groundcam_worker.policy.questions import Questions


@pytest.mark.parametrize(
    ("text", "phrases"),
    [
        ("person, forklift, open door", ("person", "forklift", "open door")),
        ("person . forklift .", ("person", "forklift")),
        ("person. forklift.", ("person", "forklift")),
        ("  Open   DOOR ", ("open door",)),
        ("émigré, 人", ("émigré", "人")),
        ("person\ndog\nopen door", ("person", "dog", "open door")),
        ("person\r\n\r\ndog\r\n", ("person", "dog")),
        ("person,\ndog,\n", ("person", "dog")),
        ("person\u2028dog\topen door", ("person", "dog", "open door")),
        ("person; dog | open door / cat", ("person", "dog", "open door", "cat")),
        ("person，dog、open door；cat。bird。", ("person", "dog", "open door", "cat", "bird")),
        ("ｐｅｒｓｏｎ　ｉｎ　ｒｅｄ", ("person in red",)),
        ("[person, dog]", ("person", "dog")),
        ("['person', \"open door\"]", ("person", "open door")),
        ("'person, dog'", ("person", "dog")),
        ("（person；dog）", ("person", "dog")),
        ("- person\n- open door", ("person", "open door")),
        ("• person • dog", ("person", "dog")),
        ("1. person\n2. dog", ("person", "dog")),
        ("“person”, «dog»", ("person", "dog")),
        ("boeing 747, 2 wheeler, terminal 2", ("boeing 747", "2 wheeler", "terminal 2")),
        ("person (with a hat), dog's bowl", ("person (with a hat)", "dog's bowl")),
        ("-　person\n-　dog", ("person", "dog")),
        ("fire！, sign ～", ("fire!", "sign ~")),
        ("sign ｟, sign ＀", ("sign ｟", "sign ＀")),
        ('sign "stop" red, dog', ('sign "stop" red', "dog")),
    ],
)
def test_a_question_is_read_in_any_form_that_is_certain(text: str, phrases: tuple[str, ...]) -> None:
    assert tuple(one.phrase for one in parse_classes(text)) == phrases


@pytest.mark.parametrize(
    ("text", "classes"),
    [
        ("person:0.4, dog", [("person", 0.4), ("dog", None)]),
        ("person : .5 . dog: 1 .", [("person", 0.5), ("dog", 1.0)]),
        ("sign: exit", [("sign: exit", None)]),
        ("person:40%, dog:35 %", [("person", 0.4), ("dog", 0.35)]),
        ("person：０．４、dog", [("person", 0.4), ("dog", None)]),
        ("ratio 4:3:0.2", [("ratio 4:3", 0.2)]),
    ],
)
def test_a_class_may_have_a_threshold_of_its_own(text: str, classes: list[tuple[str, float | None]]) -> None:
    assert [(one.phrase, one.box_threshold) for one in parse_classes(text)] == classes
    assert parse_question(text)[1].threshold_of(0) == (classes[0][1] or 0.3)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", "at least one class"),
        (" . ", "empty"),
        ("person,,dog", "class 2"),
        ("a.b", "'a.b'"),
        ("what?", r"'what\?'"),
        ("dog, Dog", "'dog' is listed twice"),
        ("x" * 300, "256"),
        ("person:1.5", "1.5 of the class 'person' is more than 1"),
        (":0.4", "':0.4'|full stop"),
        ("person 40%, dog", "the class 'person 40%' ends with a number that may be its threshold"),
        ("dog, milk 3 %", "the class 'milk 3 %' ends with a number that may be its threshold"),
        ("person: high, dog", "the class 'person: high' ends with a word where a threshold is a number"),
        ("person:nan", "the class 'person:nan' ends with a word where a threshold is a number"),
        ("person: -Inf", "the class 'person: -inf' ends with a word where a threshold is a number"),
        ("# my classes\nperson", "the class '# my classes' begins like a remark"),
        ("- [x] person\n- [ ] dog", r"the class '\[x\] person' begins with a box to tick"),
        ("[ ] person", r"the class '\[ \] person' begins with a box to tick"),
        ("Class;Threshold\nperson;0.4", "'class;threshold' is the heading of a table: leave it out"),
        ("| Label | Score |\n| person | 0.4 |", r"'\| label \| score \|' is the heading of a table"),
        ("person:0,4 dogs", "'person:0,4' has a comma where a threshold has a point: write it as person, forklift:0.4"),
        ("cat; person:0,4, dog", "'person:0,4' has a comma"),
        ("person : ,35", "'person : ,3' has a comma"),
        ("person：０，４", "'person:0,4' has a comma"),
        ("person:0", "threshold of the class 'person' is 0"),
        ("person:1,5", "'person:1,5' has a comma"),
        ("person:-0.4", "'person:-0.4' ends with a number that is no threshold"),
        ("person:1e-1", "'person:1e-1' ends with a number"),
        ("person 0.4", "'person 0.4' has a full stop"),
        ("1. person 2. dog", "'1' is only a number"),
        ("1,000 dollars", "'1' is only a number"),
        ("[person, dog", r"'\[person' has one half of \[\]"),
        ('"person, male", dog', "has one half of"),
        ("person\\ndog", "has a backslash in it"),
        ("gate,yard=person", "'yard=person' has a = in it"),
        ("my camera=person", "has a = in it"),
        ("person, per\x07son", r"U\+0007 at position 4"),
        ('"', "one half of"),
        ('""', "at least one class"),
        ("person)", r"one half of \(\)"),
        ("2. person\n1. dog", "full stop"),
        ("1. car no 5) big\n2. dog", r"one half of \(\)"),
        ("st. bernard, dog", "'st. bernard, dog' has a full stop that may end a class or belong to it"),
        ("dog; no. 5 sign", "has a full stop that may end a class"),
    ],
)
def test_a_question_that_cannot_be_asked_names_its_class(text: str, names: str) -> None:
    with pytest.raises(QuestionError, match=names):
        parse_question(text)


def test_three_hundred_classes_are_one_question() -> None:
    _, ask = parse_question(", ".join(f"class {number}" for number in range(300)))
    assert len(ask.classes) == 300


def test_what_is_asked_later_does_not_change_the_version_of_an_older_question() -> None:
    """Ids of answers are made from it: a field that came later counts only where it says something."""
    plain = Question.of("person", "dog")
    assert plain.model_copy(update={"nms_iou": None}).version == "0d27b5ad72c2ad7f"
    versions = {
        "0d27b5ad72c2ad7f",
        plain.version,
        Question.of("person", "dog", nms_across=True).version,
        Question.of("person", "dog", decoys=("shadow",)).version,
        Question.of("person", "dog", "shadow").version,
        Question.of("person", "dog", nms_iou=0.5).version,
        Question.of("person", "dog", max_objects=5).version,
        Question.of("person", "dog", class_scores=True).version,
    }
    assert len(versions) == 8


@pytest.mark.parametrize("decoys", [("dog",), ("cat", "cat")])
def test_a_decoy_is_no_class_and_there_once(decoys: tuple[str, ...]) -> None:
    with pytest.raises(QuestionError, match=f"the decoy '{decoys[0]}' is a class too, or listed twice"):
        parse_question("person, dog", decoys=decoys)


def test_decoys_are_written_as_classes_are() -> None:
    assert parse_decoys("Shadow; poster of a person\n") == ("shadow", "poster of a person")
    assert parse_decoys(" ") == ()
    with pytest.raises(QuestionError, match="the decoy 'shadow' has a threshold, and is never reported"):
        parse_decoys("shadow:0.4")


def test_a_question_may_be_for_one_camera() -> None:
    assert parse_question("gate=person, bicycle") == ("gate", Question.of("person", "bicycle"))
    for text in ("*=person, bicycle", " * = person, bicycle", "＊＝person, bicycle"):
        assert parse_question(text) == ("*", Question.of("person", "bicycle"))
    assert parse_question("person", box_threshold=0.5) == ("*", Question.of("person", box_threshold=0.5))


@pytest.mark.parametrize(
    ("value", "texts"),
    [
        ("person, dog", ("person, dog",)),
        (["person", "dog: 0.4"], ("person, dog: 0.4",)),
        (["person", {"dog": 0.4}], ("person, dog:0.4",)),
        ({"person": 0.4, "dog": 1}, ("person:0.4, dog:1",)),
        (["person . dog .", "cat", "gate=bicycle"], ("person . dog, cat", "gate=bicycle")),
        ({"*": ["person", "dog"], "gate": "bicycle"}, ("*=person, dog", "gate=bicycle")),
        (7, 7),
    ],
)
def test_a_question_in_a_file_may_be_a_list_or_a_map(value: object, texts: object) -> None:
    assert question_texts(value) == texts


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ([{"gate": "person, dog"}, {"yard": "cat"}], "'gate' stands in a list, with 'person, dog' as its threshold"),
        ([{"person": None}], "'person' stands in a list, with None as its threshold"),
        ([{"person": True}], "with True as its threshold"),
        (["person", {"dog": [0.4]}], "'dog' stands in a list"),
        ({"person": True}, "true is no class"),
        ({"gate": None}, "none is no class"),
        (["person", False], "false is no class"),
    ],
)
def test_what_is_neither_a_class_nor_a_threshold_in_a_file_is_named(value: object, names: str) -> None:
    with pytest.raises(QuestionError, match=re.escape(names)):
        question_texts(value)


@pytest.mark.parametrize(
    ("text", "phrases"),
    [
        ("'driver's license'", ("driver's license",)),
        ("\u2018driver\u2019s license\u2019, dog", ("driver\u2019s license", "dog")),
        ("'dog', 'cat'", ("dog", "cat")),
        ("dogs' bowl", ("dogs' bowl",)),
    ],
)
def test_an_apostrophe_within_a_word_is_no_quotation_mark(text: str, phrases: tuple[str, ...]) -> None:
    assert tuple(one.phrase for one in parse_question(text)[1].classes) == phrases


def test_the_strongest_question_holds() -> None:
    """A frame's own, then the camera's, then the default; Kafka beats the command line."""
    questions = Questions([("*", Question.of("a")), ("gate", Question.of("b"))])
    assert _labels(questions, "yard") == ("*", ("a",))
    assert _labels(questions, "gate") == ("gate", ("b",))
    assert _labels(questions, "gate", Question.of("own")) == ("frame", ("own",))
    questions.set(CameraQuestion(**dict(Question.of("c")), camera_id="*"))
    assert _labels(questions, "yard") == ("*", ("c",))
    assert _labels(questions, "gate") == ("gate", ("b",))
    questions.set(CameraQuestion(**dict(Question.of("d")), camera_id="gate"))
    assert _labels(questions, "gate") == ("gate", ("d",))
    questions.remove("gate")
    assert _labels(questions, "gate") == ("gate", ("b",))
    assert Questions().for_frame("gate", None) is None


def told(camera: str, *phrases: str) -> CameraQuestion:
    return CameraQuestion(**dict(Question.of(*phrases)), camera_id=camera)


def test_all_that_holds_is_what_frames_are_asked() -> None:
    """Of one camera's two questions the one from Kafka, and the other again when that is taken back."""
    questions = Questions([("*", Question.of("a")), ("gate", Question.of("b"))])
    assert questions.set(told("gate", "c"))
    assert questions.set(told("yard", "d"))
    assert {one.camera_id: (one.question.labels, one.from_kafka) for one in questions.all()} == {
        "*": (("a",), False), "gate": (("c",), True), "yard": (("d",), True),
    }  # fmt: skip
    for one in questions.all():
        assert questions.for_frame(one.camera_id, None) == (one.ref, one.question)
    questions.remove("gate")
    questions.remove("yard")
    questions.remove("nobody")
    assert {one.camera_id: one.question.labels for one in questions.all()} == {"*": ("a",), "gate": ("b",)}


def test_frames_of_one_question_share_its_reference() -> None:
    """Its version is a hash of everything in it, which is not made again for each frame."""
    questions = Questions([("*", Question.of("a"))])
    questions.set(told("gate", "b"))
    for camera in ("yard", "gate"):
        first, second = (questions.for_frame(camera, None) for _ in range(2))
        assert first is not None
        assert second is not None
        assert first[0] is second[0]


def test_cameras_that_somebody_invents_cost_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "MAX_CAMERAS", 3)
    questions = Questions([("gate", Question.of("a"))])
    assert all(questions.set(told(f"cam{number}", "b")) for number in range(3))
    assert not questions.set(told("cam3", "b"))
    assert _labels(questions, "gate") == ("gate", ("a",))
    assert questions.for_frame("cam3", None) is None

    assert questions.set(told("*", "c")), "the one for every camera always fits"
    assert questions.set(told("*", "d"))
    assert questions.set(told("cam2", "e")), "and another one of a camera that has one"
    assert _labels(questions, "cam2") == ("cam2", ("e",))
    assert not questions.set(told("cam3", "b"))
    questions.remove("cam0")
    assert questions.set(told("cam3", "b"))
    questions.remove("*")
    assert not questions.set(told("cam4", "b"))


def test_long_questions_cost_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "MAX_CLASSES_IN_ALL", 5)
    questions = Questions([("gate", Question.of(*"abcdefgh"))])
    assert questions.set(told("cam0", "a", "b", "c"))
    assert questions.set(told("*", *"abcdefgh"))
    assert not questions.set(told("cam1", "a", "b", "c"))
    assert questions.set(told("cam0", *"abcde")), "the one that it replaces makes room"
    assert questions.set(told("cam0", "a", "b", "c"))
    assert not questions.set(told("cam0", *"abcdef"))
    assert _labels(questions, "cam0") == ("cam0", ("a", "b", "c")), "what held before still holds"
    assert questions.set(told("cam0", "a"))
    assert questions.set(told("cam1", *"abcd"))
    assert not questions.set(told("cam2", "a"))
    questions.remove("cam0")
    assert questions.set(told("cam2", "a"))


def test_two_questions_for_one_camera_are_an_error() -> None:
    with pytest.raises(QuestionError, match="two questions for the camera gate"):
        Questions([("gate", Question.of("a")), ("gate", Question.of("b"))])


def test_a_question_holds_until_another_one_comes_or_it_is_taken_back() -> None:
    questions, one = Questions([("gate", Question.of("a"))]), told("gate", "a")
    assert not questions.has(one), "it came over Kafka or it did not"
    assert questions.set(one)
    assert (questions.has(one), questions.has(told("gate", "b")), questions.has(told("yard", "a"))) == (
        True,
        False,
        False,
    )
    assert (questions.remove("gate"), questions.remove("gate"), questions.remove("*")) == (True, False, False)
    assert not questions.has(one)
    questions.set(one)
    assert not any(questions.has(told("gate", phrase)) for phrase in "bcdefghij")


def test_two_questions_for_every_camera_are_an_error() -> None:
    with pytest.raises(QuestionError, match="two questions for every camera"):
        Questions([("*", Question.of("a")), ("*", Question.of("b"))])


def test_ten_thousand_cameras_and_fifty_thousand_classes_are_kept() -> None:
    questions, one = Questions(), told("cam", "a")
    names = [f"cam{number}" for number in range(10_000)]
    assert all(questions.set(one.model_copy(update={"camera_id": name})) for name in names)
    assert not questions.set(one.model_copy(update={"camera_id": "one more"}))
    long, five = Questions(), told("cam", "a", "b", "c", "d", "e")
    assert all(long.set(five.model_copy(update={"camera_id": name})) for name in names)
    assert not long.set(told("cam0", "a", "b", "c", "d", "e", "f"))
    assert long.set(told("cam0", "a", "b", "c", "d", "f"))


def _labels(questions: Questions, camera: str, own: Question | None = None) -> tuple[str, tuple[str, ...]]:
    found = questions.for_frame(camera, own)
    assert found is not None
    assert found[0].classes == found[1].labels
    assert found[0].version == found[1].version
    return found[0].id, found[1].labels
