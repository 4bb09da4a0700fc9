"""Clients of other systems: their requests as questions, our answers in their shapes, and what goes on in between."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack

import pytest

from groundcam_schemas import Detections, FrameRef, Model, Object, QuestionRef, TimingsNs
from groundcam_serve import body
from groundcam_serve.clients import roboflow
from groundcam_serve.clients import supervisely_shapes as shapes
from groundcam_serve.clients.background import Background
from groundcam_serve.clients.inferences import FullError, Inferences, Stage
from groundcam_serve.clients.roboflow import InferRequest
from groundcam_serve.problems import Problem


def answer(*objects: Object, classes: tuple[str, ...] = ("person", "hard hat")) -> Detections:
    return Detections(
        id="id", camera_id="http", frame=FrameRef(run_id="r", seq=0, topic="t", partition=0, offset=0), captured_at_ns=0,
        source_width=640, source_height=480, question=QuestionRef(id="frame", version="v", classes=classes),
        model=Model(name="m"), objects=objects, timings_ns=TimingsNs(**dict.fromkeys(TimingsNs.model_fields, 0)),
    )  # fmt: skip


PERSON = Object(label="person", class_id=0, score=0.87654, box=(10.4, 20.6, 110.4, 220.0))
HAT = Object(label="hard hat", class_id=1, score=0.5, box=(600.0, 400.0, 640.0, 480.0))


def test_roboflows_answer_has_centres_sizes_and_the_clients_own_spelling() -> None:
    names = roboflow.names_of(["Person", "Hard  Hat"], ("person", "hard hat"))
    found = roboflow.response_of(answer(PERSON, HAT), names, 0.25).model_dump(by_alias=True)
    assert found["image"] == {"width": 640, "height": 480}
    first, second = found["predictions"]
    assert (first["x"], first["y"], first["width"], first["height"]) == pytest.approx((60.4, 120.3, 100.0, 199.4))
    assert (first["class"], first["class_id"], first["confidence"]) == ("Person", 0, 0.87654)
    assert second["class"] == "Hard  Hat"
    assert first["detection_id"] != second["detection_id"]


def test_a_text_of_several_classes_is_answered_with_the_names_of_each() -> None:
    asked = InferRequest.model_validate({"image": {"type": "base64", "value": ""}, "text": ["Person, dog", "cat"]})
    labels = roboflow.wanted(asked).labels
    assert labels == ("person", "dog", "cat")
    assert roboflow.names_of(asked.text, labels) == labels


def test_roboflows_request_has_their_thresholds_and_fields_that_change_nothing() -> None:
    given = {
        "image": {"type": "url", "value": "https://a/b.jpg"},
        "text": ["dog"],
        "id": "7",
        "source": "x",
        "confidence": 1,
    }
    question = roboflow.wanted(InferRequest.model_validate(given))
    assert (question.box_threshold, question.text_threshold, question.nms_across) == (0.5, 0.5, False)
    more = given | {"box_threshold": 0.1, "text_threshold": 0.2, "class_agnostic_nms": True}
    question = roboflow.wanted(InferRequest.model_validate(more))
    assert (question.box_threshold, question.text_threshold, question.nms_across) == (0.1, 0.2, True)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ('{"image": {"type": "numpy", "value": ""}, "text": ["a"]}', "unpickled"),
        ('{"image": [{"type": "file", "value": ""}], "text": ["a"]}', "'base64' or 'url'"),
        ('{"image": [], "text": ["a"]}', "at least 1 item"),
        ('{"image": {"type": "url", "value": ""}, "text": []}', "text: "),
        ('{"image": {"type": "url", "value": ""}, "text": ["a"], "box_threshold": 2}', "box_threshold: "),
    ],
)
def test_what_roboflows_request_may_not_be_is_refused_with_its_field(changed: str, why: str) -> None:
    with pytest.raises(Problem, match=why) as refused:
        body.json_of(changed.encode(), InferRequest)
    assert refused.value.status == 422


def test_superviselys_settings_are_a_question_with_their_defaults() -> None:
    asked = shapes.wanted({}).question
    assert (asked.labels, asked.box_threshold, asked.text_threshold) == (("all objects",), 0.3, 0.3)
    settings = {"text_prompt": "person . Hard Hat .", "box_threshold": 0.4, "text_threshold": 0.1, "recursive": False}
    asked = shapes.wanted({"settings": settings, "batch_size": 8}).question
    assert (asked.labels, asked.box_threshold, asked.text_threshold) == (("person", "hard hat"), 0.4, 0.1)
    assert shapes.wanted({"text_prompt": "dog"}).labels == ("dog",), "older clients send the settings themselves"


def test_superviselys_classes_are_the_question_where_there_is_no_prompt_and_else_a_choice() -> None:
    alone = shapes.wanted({"settings": {"classes": ["Person", "dog"], "conf": 0.6}})
    assert (alone.labels, alone.question.box_threshold) == (("person", "dog"), 0.6)
    chosen = shapes.wanted({"settings": {"text_prompt": "person, hard hat", "classes": ["Hard Hat"]}})
    assert (chosen.question.labels, chosen.labels) == (("person", "hard hat"), ("hard hat",))
    found = shapes.annotation_of(answer(PERSON, HAT), chosen)
    assert [one["classTitle"] for one in found["objects"]] == ["hard hat"]


def test_superviselys_annotation_has_whole_pixels_inside_the_picture() -> None:
    found = shapes.annotation_of(answer(PERSON, HAT), shapes.wanted({"settings": {"text_prompt": "person, hard hat"}}))
    assert found["size"] == {"width": 640, "height": 480}
    person, hat = found["objects"]
    assert person["points"] == {"exterior": [[10, 21], [110, 220]], "interior": []}
    assert person["tags"] == [{"name": "confidence", "value": 0.8765}]
    assert hat["points"]["exterior"] == [[600, 400], [639, 479]]


@pytest.mark.parametrize(
    ("state", "why"),
    [
        ({"settings": {"text_prompt": "dog, dog"}}, "listed twice"),
        ({"settings": {"box_threshold": 3}}, "box_threshold: "),
        ({"settings": "text_prompt: dog"}, "body: "),
    ],
)
def test_what_superviselys_settings_may_not_be_is_refused(state: dict[str, object], why: str) -> None:
    with pytest.raises(Problem, match=why) as refused:
        shapes.wanted(state)
    assert refused.value.status == 422


@pytest.mark.parametrize(("text", "status"), [("{", 400), ("[" * 100_000, 400), ("[]", 422), ("1", 422)])
def test_a_state_that_is_no_map_is_refused(text: str, status: int) -> None:
    with pytest.raises(Problem) as refused:
        shapes.state_in(text)
    assert refused.value.status == status


def test_a_class_has_the_same_colour_each_time_and_others_have_others() -> None:
    classes = shapes.meta_of(["person", "dog"])["classes"]
    assert classes == shapes.meta_of(["person", "dog"])["classes"]
    assert classes[0]["color"] != classes[1]["color"]


def test_results_are_taken_once_and_by_their_owner_alone() -> None:
    known = Inferences()
    one = known.begin("u", "anna", 3, 0)
    known.add(one, ["1", "22"], 1)
    assert (one.done, known.bytes) == (2, 3)
    assert known.find("u", "bert", 1) is None
    assert known.find("u", "anna", 1) is one
    assert known.take(one, 1) == ["1", "22"]
    assert (known.take(one, 1), known.bytes, one.done) == ([], 0, 2)


def test_one_that_is_through_makes_room_and_one_that_runs_does_not() -> None:
    known = Inferences(most=2)
    first, second = known.begin("1", "a", 1, 0), known.begin("2", "a", 1, 0)
    with pytest.raises(FullError, match="2 inferences"):
        known.begin("3", "a", 1, 1)
    known.end(second, Stage.FINISHED, 2)
    known.begin("3", "a", 1, 3)
    assert known.find("2", "a", 3) is None
    assert known.find("1", "a", 3) is first


def test_results_of_clients_that_do_not_come_make_room_and_then_there_is_an_end() -> None:
    known = Inferences(most_bytes=10)
    gone, running = known.begin("1", "a", 1, 0), known.begin("2", "a", 9, 0)
    known.add(gone, ["123456"], 1)
    known.end(gone, Stage.FINISHED, 1)
    known.add(running, ["12345678"], 2)
    assert (len(known), known.bytes) == (1, 8)
    with pytest.raises(FullError, match="results of 8 bytes"):
        known.add(running, ["123"], 3)
    assert (known.bytes, running.done) == (8, 1)


def test_one_that_is_through_is_kept_for_a_while_and_one_that_runs_for_as_long_as_it_does() -> None:
    known = Inferences(keep_s=60)
    through, running = known.begin("1", "a", 1, 0), known.begin("2", "a", 1, 0)
    known.add(through, ["1"], 0)
    known.end(through, Stage.FINISHED, 10)
    assert known.find("1", "a", 70) is through
    assert known.find("1", "a", 70.1) is None
    assert known.bytes == 0
    assert known.find("2", "a", 10_000) is running


def test_what_is_forgotten_takes_no_room_and_no_more_results() -> None:
    known = Inferences()
    one = known.begin("1", "a", 2, 0)
    known.add(one, ["1"], 0)
    known.forget(one)
    known.add(one, ["2"], 0)
    known.forget(one)
    assert (known.bytes, len(known)) == (0, 0)


def test_a_client_waits_for_results_and_gets_them_as_they_come() -> None:
    async def story() -> None:
        background, step, held = Background(), asyncio.Event(), AsyncExitStack()
        let_go: list[str] = []
        held.callback(let_go.append, "memory")

        async def work() -> AsyncGenerator[list[str], None]:
            await step.wait()
            yield ["1"]
            yield ["2"]

        async with held:
            one = background.start("a", 2, work, held)
        assert await background.take(one, 0.01) == []
        assert (let_go, one.stage) == ([], Stage.RUNNING)
        taking = asyncio.create_task(background.take(one, 30))
        step.set()
        texts = await taking
        while one.stage is Stage.RUNNING:
            texts += await background.take(one, 30)
        assert texts + await background.take(one, 30) == ["1", "2"]
        assert (one.stage, let_go) == (Stage.FINISHED, ["memory"])

    asyncio.run(story())


@pytest.mark.parametrize(
    ("raised", "reason"),
    [
        (Problem(504, "deadline", "too late"), "too late"),
        (KeyError("x"), "it has failed; the log of the service says why"),
    ],
)
def test_one_that_fails_says_why_and_a_defect_only_in_the_log(raised: Exception, reason: str) -> None:
    async def story() -> None:
        async def work() -> AsyncGenerator[list[str], None]:
            yield ["1"]
            raise raised

        background = Background()
        one = background.start("a", 2, work, AsyncExitStack())
        while one.stage is Stage.RUNNING:
            await background.take(one, 30)
        assert (one.stage, one.reason) == (Stage.ERROR, reason)
        assert shapes.report_of(one)["exception"]["message"] == reason

    asyncio.run(story())


def test_one_that_is_stopped_ends_and_what_it_held_is_let_go() -> None:
    async def story() -> None:
        async def work() -> AsyncGenerator[list[str], None]:
            yield ["1"]
            await asyncio.Event().wait()

        background, held = Background(), AsyncExitStack()
        let_go: list[str] = []
        held.callback(let_go.append, "memory")
        one = background.start("a", 2, work, held)
        assert await background.take(one, 30) == ["1"]
        background.stop(one)
        assert await background.take(one, 30) == []
        assert (one.stage, let_go) == (Stage.CANCELLED, ["memory"])
        report = shapes.report_of(one)
        assert (report["stopped"], report["finished"], report["progress"]["current"]) == (True, True, 1)

    asyncio.run(story())
