"""From what a detector says to the objects of an answer: sizes, regions, labels."""

import pytest

from groundcam_schemas import Question
from groundcam_schemas.questions import Region
from groundcam_worker.detectors.protocol import Detection
from groundcam_worker.policy.answers import contains, objects_of

IMAGE, SOURCE = (100, 50), (300, 100)
"""Three times as wide and twice as high, as no camera scales: a mixed-up side shows."""


def square(left: int, top: int, score: float = 0.5) -> Detection:
    """A box of ten pixels a side in the image."""
    return Detection(0, score, (float(left), float(top), left + 10.0, top + 10.0))


def rectangle(x1: float, y1: float, x2: float, y2: float) -> Region:
    return (x1, y1), (x2, y1), (x2, y2), (x1, y2)


def kept(question: Question, *found: Detection) -> list[tuple[float, ...]]:
    return [one.box for one in objects_of(found, question, IMAGE, SOURCE)]


def test_each_side_of_a_box_is_scaled_by_its_own_factor() -> None:
    assert kept(Question.of("a"), square(10, 20)) == [(30.0, 40.0, 60.0, 60.0)]


def test_each_side_of_a_box_is_clamped_to_its_own_length() -> None:
    assert kept(Question.of("a"), Detection(0, 0.5, (-10.0, -10.0, 900.0, 900.0))) == [(0.0, 0.0, 300.0, 100.0)]
    assert kept(Question.of("a"), Detection(0, 0.5, (60.0, 10.0, 90.0, 40.0))) == [(180.0, 20.0, 270.0, 80.0)]


def test_a_box_counts_that_is_in_any_of_the_regions() -> None:
    left, right = rectangle(0.0, 0.0, 0.2, 1.0), rectangle(0.8, 0.0, 1.0, 1.0)
    boxes = [square(5, 0), square(45, 0), square(85, 0)]
    asked = {regions: kept(Question.of("a", regions=regions), *boxes) for regions in ((left,), (right,), (left, right))}
    assert {regions: [box[0] for box in found] for regions, found in asked.items()} == {
        (left,): [15.0],
        (right,): [255.0],
        (left, right): [15.0, 255.0],
    }


@pytest.mark.parametrize(
    ("region", "left"),
    [
        (rectangle(0.0, 0.0, 0.5, 1.0), [0.0, 0.0]),
        (rectangle(0.5, 0.0, 1.0, 1.0), [240.0, 240.0]),
        (rectangle(0.0, 0.0, 1.0, 0.5), [0.0, 240.0]),
        (rectangle(0.0, 0.5, 1.0, 1.0), [0.0, 240.0]),
        (rectangle(0.8, 0.7, 0.9, 0.9), [240.0]),
    ],
)
def test_a_region_is_in_fractions_of_each_side(region: Region, left: list[float]) -> None:
    corners = [square(0, 0), square(0, 35), square(80, 0), square(80, 35)]
    assert sorted(box[0] for box in kept(Question.of("a", regions=(region,)), *corners)) == left


def test_what_lies_outside_of_the_regions_takes_no_place_of_the_best() -> None:
    question = Question.of("a", regions=(rectangle(0.0, 0.0, 0.5, 1.0),), max_objects=2)
    found = [square(80, 0, 0.9), square(0, 0, 0.3), square(10, 0, 0.8), square(20, 0, 0.5)]
    assert [box[0] for box in kept(question, *found)] == [30.0, 60.0]


def test_a_label_is_the_phrase_of_its_class() -> None:
    found = [Detection(class_id, score, (0.0, 0.0, 9.0, 9.0)) for class_id, score in ((1, 0.5), (2, 0.9), (0, 0.7))]
    objects = objects_of(found, Question.of("a", "b", "c"), IMAGE, SOURCE)
    assert [(one.class_id, one.label, one.score) for one in objects] == [(2, "c", 0.9), (0, "a", 0.7), (1, "b", 0.5)]


def test_a_long_question_makes_an_answer_no_slower() -> None:
    """Its labels are read once, not for each object."""

    class Counted(Question):
        reads: int = 0

        @property
        def labels(self) -> tuple[str, ...]:
            object.__setattr__(self, "reads", self.reads + 1)
            return super().labels

    question = Counted.of(*(f"class {number}" for number in range(500)))
    assert len(objects_of([square(0, 0)] * 100, question, IMAGE, SOURCE)) == 100
    assert question.reads == 1


def test_class_scores_are_published_as_they_are_found_and_bound_how_many_objects_are() -> None:
    found = Detection(0, 0.5, (0.0, 0.0, 9.0, 9.0), (0.5, None))
    question = Question.of("a", "b", class_scores=True)
    assert [one.class_scores for one in objects_of([found], question, IMAGE, SOURCE)] == [(0.5, None)]
    many = Question.of(*(f"class {number}" for number in range(500)), class_scores=True)
    assert len(objects_of([square(0, 0)] * 100, many, IMAGE, SOURCE)) == many.most_objects == 36


@pytest.mark.parametrize(("score", "is_kept"), [(0.0, True), (1.0, True), (-0.01, False), (-0.5, False), (1.01, False)])
def test_a_score_is_a_share_or_its_object_is_dropped(score: float, is_kept: bool) -> None:
    assert len(kept(Question.of("a"), square(0, 0, score))) == is_kept


SLANTED: Region = ((0.1, 0.2), (0.9, 0.3), (0.4, 0.9))
DIAMOND: Region = ((0.5, 0.0), (1.0, 0.5), (0.5, 1.0), (0.0, 0.5))


@pytest.mark.parametrize(
    ("region", "inside", "outside"),
    [
        (SLANTED, [(0.3, 0.3), (0.7, 0.35), (0.4, 0.8), (0.25, 0.5)], [(0.7, 0.2), (0.15, 0.5), (0.6, 0.8), (0.5, 0.15)]),
        (DIAMOND, [(0.25, 0.5), (0.75, 0.5), (0.5, 0.25), (0.3, 0.3)], [(-0.1, 0.5), (1.1, 0.5), (0.1, 0.1), (0.9, 0.8)]),
        ((*SLANTED[1:], SLANTED[0]), [(0.3, 0.3)], [(0.15, 0.5)]),
        (SLANTED[::-1], [(0.3, 0.3), (0.25, 0.5)], [(0.15, 0.5), (0.6, 0.8)]),
    ],
    ids=["slanted", "diamond", "begun elsewhere", "the other way round"],
)  # fmt: skip
def test_a_region_may_have_any_edges(
    region: Region, inside: list[tuple[float, float]], outside: list[tuple[float, float]]
) -> None:
    """Also where a point is as high as a corner."""
    assert [contains(region, *point) for point in inside] == [True] * len(inside)
    assert [contains(region, *point) for point in outside] == [False] * len(outside)


@pytest.mark.parametrize("turned", [False, True])
def test_a_point_on_the_border_of_two_regions_is_in_one_of_them(turned: bool) -> None:
    first, second = rectangle(0.0, 0.0, 0.5, 1.0), rectangle(0.5, 0.0, 1.0, 1.0)
    for along in (0.25, 0.5):
        point = (0.5, along)
        if turned:
            first, second = rectangle(0.0, 0.0, 1.0, 0.5), rectangle(0.0, 0.5, 1.0, 1.0)
            point = (along, 0.5)
        assert (contains(first, *point), contains(second, *point)) == (False, True)
