"""From scores of tokens to objects of one class each, on numbers written by hand."""

import math
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from groundcam_schemas import Question
from groundcam_worker.detectors.grounding_dino.captions import Marks, captions_of
from groundcam_worker.detectors.grounding_dino.scoring import (
    best_classes,
    class_scores,
    objects,
    rows_of,
    scored_classes,
)
from groundcam_worker.detectors.grounding_dino.text import Row, marks_of
from groundcam_worker.detectors.rows import best_of, detections

(CAPTION,) = captions_of([(7, 8), (9,)], Marks(begin=1, stop=2, end=3), 16)
"""[CLS] open door . dog . [SEP]: the tokens 1 and 2 are those of class 0, the token 4 is that of class 1."""
TOKENS = 9
CENTRED = (0.5, 0.5, 0.5, 0.5)
NOTHING = {1: 0.01}


def scored(
    *queries: dict[int, float], thresholds: Sequence[float] = (0.3, 0.3), box: Sequence[float] = CENTRED
) -> Tensor:
    """What is read off one picture whose queries give these scores to these tokens, and next to none to others."""
    return batch([queries], [thresholds], box)[0]


def batch(
    pictures: Sequence[Sequence[dict[int, float]]],
    thresholds: Sequence[Sequence[float]],
    box: Sequence[float] = CENTRED,
) -> Tensor:
    scores = torch.full((len(pictures), len(pictures[0]), TOKENS), 1e-4)
    for picture, queries in enumerate(pictures):
        for query, tokens in enumerate(queries):
            for token, score in tokens.items():
                scores[picture, query, token] = score
    marks = [marks_of(Row(CAPTION, tuple(one)), TOKENS) for one in thresholds]
    classes, owed = (torch.stack(parts) for parts in zip(*marks, strict=True))
    boxes = torch.tensor(box).expand(*scores.shape[:2], 4)
    return best_classes(scores.logit(), boxes, classes, owed)


def picked(found: Tensor) -> list[tuple[float, int]]:
    """Score and class of each query."""
    return [(round(score, 4), int(class_id)) for score, class_id in found[:, :2].tolist()]


def test_a_class_scores_what_its_best_token_scores() -> None:
    assert picked(scored({1: 0.4, 2: 0.7, 4: 0.6}, {1: 0.4, 2: 0.5, 4: 0.6})) == [(0.7, 0), (0.6, 1)]


def test_a_box_belongs_to_the_best_class_among_those_that_pass_their_own_threshold() -> None:
    assert picked(scored({2: 0.7, 4: 0.6}, thresholds=(0.8, 0.5))) == [(0.6, 1)]
    assert picked(scored({2: 0.7, 4: 0.6}, thresholds=(0.65, 0.5))) == [(0.7, 0)]


def test_each_picture_of_a_batch_has_thresholds_of_its_own() -> None:
    queries = [{2: 0.7, 4: 0.6}, NOTHING, {4: 0.6}]
    first, second = batch([queries, queries], [(0.8, 0.5), (0.5, 0.9)])
    assert [score for score, _ in picked(first)] == [0.6, -1.0, 0.6]
    assert [score for score, _ in picked(second)] == [0.7, -1.0, -1.0]


def test_a_score_that_only_reaches_its_threshold_does_not_pass() -> None:
    assert picked(scored({1: 0.5}, thresholds=(0.5, 0.5)))[0][0] < 0
    assert picked(scored({1: 0.5}, thresholds=(0.4999, 0.5))) == [(0.5, 0)]


@pytest.mark.parametrize("token", [0, 3, 5, 6, 7, 8])
def test_tokens_of_no_class_give_no_score(token: int) -> None:
    """[CLS], full stops, [SEP] and padding."""
    assert picked(scored({token: 0.9999}))[0][0] < 0
    assert picked(scored({token: 0.9999, 4: 0.4})) == [(0.4, 1)]


@pytest.mark.parametrize("token", [0, 2, 8])
def test_a_query_without_numbers_has_no_score_and_its_neighbours_have_theirs(token: int) -> None:
    found = scored({4: 0.6}, {token: math.nan, 4: 0.6}, {2: 0.7})
    assert found[:, 0].isnan().tolist() == [False, True, False]
    assert picked(found[::2]) == [(0.6, 1), (0.7, 0)]


def test_the_score_of_a_class_is_that_of_its_best_token_whatever_the_thresholds() -> None:
    scores = torch.full((1, 2, TOKENS), 1e-4)
    for query, token, score in ((0, 1, 0.2), (0, 2, 0.7), (0, 4, 0.1), (0, 3, 0.9), (0, 8, 0.95), (1, 4, 0.6)):
        scores[0, query, token] = score
    owners, _ = marks_of(Row(CAPTION, (0.8, 0.8)), TOKENS)
    found = class_scores(scores.logit(), owners[None], 2)
    assert found.flatten().tolist() == pytest.approx([0.7, 0.1, 1e-4, 0.6])


def test_scores_of_classes_stand_behind_the_best_ones_where_a_question_asks_for_them() -> None:
    asking, other = Question.of("a", "b", decoys=("c",), class_scores=True), Question.of("d")
    assert [scored_classes(some) for some in ([], [other], [other, asking])] == [0, 0, 3]
    classes, owed = (one[None] for one in marks_of(Row(CAPTION, (0.3, 0.3)), TOKENS))
    logits, boxes = torch.zeros(1, 2, TOKENS), torch.tensor(CENTRED).expand(1, 2, 4)
    wide = rows_of(logits, boxes, classes, owed, 3)
    assert torch.equal(wide[..., :6], best_classes(logits, boxes, classes, owed))
    assert torch.equal(rows_of(logits, boxes, classes, owed, 0), wide[..., :6])
    assert wide[..., 6:8].flatten().tolist() == [0.5] * 4
    assert wide[..., 8].isnan().all()


def test_a_class_of_another_caption_has_no_score() -> None:
    """Its scores there are unknown, and not 0."""
    other, owed = marks_of(Row(CAPTION, (0.1, 0.1)), TOKENS)
    logits = torch.full((1, 1, TOKENS), 0.4).logit()
    found = class_scores(logits, torch.where(other == 1, 2, other)[None], 4)[0]
    assert found.isnan().tolist() == [[False, True, False, True]]
    assert owed.shape == other.shape


def test_an_object_has_the_scores_of_the_classes_that_were_asked_for_and_none_of_a_decoy() -> None:
    question = Question.of("a", "b", decoys=("c",), class_scores=True)
    wide = torch.tensor([[0.4, 1, *FIRST, math.nan, 0.4, 0.3], [0.9, 0, *ELSEWHERE, 0.9, 0.2, 0.1]])
    found = objects([wide], question, 200, 100)
    assert [one.class_scores for one in found] == [pytest.approx((0.9, 0.2)), (None, pytest.approx(0.4))]
    plain = objects([wide], Question.of("a", "b", decoys=("c",)), 200, 100)
    assert [one.class_scores for one in plain] == [None, None]


def test_centre_and_size_become_corners() -> None:
    found = scored({1: 0.5}, box=(0.5, 0.4, 0.2, 0.6))
    assert found[0, 2:].tolist() == pytest.approx([0.4, 0.1, 0.6, 0.7])


FIRST, SAME_PLACE, ELSEWHERE = (0.1, 0.2, 0.5, 0.6), (0.1, 0.2, 0.5, 0.62), (0.6, 0.6, 0.9, 0.9)


def rows(*found: tuple[float, int, tuple[float, float, float, float]]) -> Tensor:
    """What one caption gave: score, class and corners of each query."""
    return torch.tensor([[score, class_id, *box] for score, class_id, box in found])


def test_objects_of_every_caption_come_best_first_in_pixels_of_the_picture() -> None:
    found = objects([rows((0.4, 1, FIRST)), rows((0.9, 2, ELSEWHERE))], Question.of("a", "b", "c"), 200, 100)
    assert [one.class_id for one in found] == [2, 1]
    assert [one.score for one in found] == pytest.approx([0.9, 0.4])
    assert found[0].box == pytest.approx((120, 60, 180, 90))
    assert found[1].box == pytest.approx((20, 20, 100, 60))


def test_what_passed_no_threshold_is_no_object() -> None:
    found = objects([rows((-1.0, 0, FIRST), (0.0, 1, ELSEWHERE), (0.5, 0, FIRST))], Question.of("a", "b"), 10, 10)
    assert [(one.score, one.class_id) for one in found] == [(0.5, 0), (0.0, 1)]
    assert objects([rows((-1.0, 0, FIRST))], Question.of("a"), 10, 10) == ()


def test_of_boxes_of_one_class_in_one_place_the_best_is_kept_where_the_question_wants_that() -> None:
    given = [rows((0.5, 0, FIRST), (0.9, 0, SAME_PLACE), (0.6, 1, FIRST), (0.3, 0, ELSEWHERE))]
    kept = objects(given, Question.of("a", "b", nms_iou=0.5), 100, 100)
    assert [(round(one.score, 1), one.class_id) for one in kept] == [(0.9, 0), (0.6, 1), (0.3, 0)]
    assert len(objects(given, Question.of("a", "b"), 100, 100)) == 3
    for off in ({"nms_iou": 1.0}, {"nms_iou": None}):
        assert len(objects(given, Question.of("a", "b").model_copy(update=off), 100, 100)) == 4
    across = objects(given, Question.of("a", "b", nms_across=True), 100, 100)
    assert [(round(one.score, 1), one.class_id) for one in across] == [(0.9, 0), (0.3, 0)]


def test_a_decoy_competes_and_is_never_reported() -> None:
    """It takes boxes of its own, and those of a class on which it has a better one."""
    given = [rows((0.5, 0, FIRST), (0.9, 1, SAME_PLACE), (0.6, 1, ELSEWHERE), (0.3, 0, ELSEWHERE))]
    assert objects(given, Question.of("a", decoys=("b",)), 100, 100) == ()
    weaker = [rows((0.5, 0, FIRST), (0.4, 1, SAME_PLACE), (0.6, 1, ELSEWHERE))]
    for overlap in (0.7, None):
        asked = Question.of("a", decoys=("b",)).model_copy(update={"nms_iou": overlap})
        assert [(round(one.score, 1), one.class_id) for one in objects(weaker, asked, 100, 100)] == [(0.5, 0)]


@pytest.mark.parametrize("at", [0, 1])
def test_a_model_that_gives_no_numbers_is_an_error_and_no_empty_picture(at: int) -> None:
    found = rows((0.5, 0, FIRST), (0.5, 0, FIRST))
    found[at, 0] = math.nan
    with pytest.raises(ArithmeticError, match=r"work\.precision"):
        objects([found], Question.of("a"), 10, 10)


def test_a_model_that_gives_no_number_for_a_class_that_was_asked_does_not_look_as_if_it_saw_nothing() -> None:
    """Of any model; what stands in the columns of a shorter question is nobody's."""
    nan = math.nan
    scores = torch.tensor(
        [[[0.6, 0.2, 0.1], [0.1, nan, 0.1], [0.6, nan, 0.1]], [[0.6, 0.1, nan], [0.1, 0.1, nan], [nan, nan, nan]]]
    )
    best, at = best_of(scores, torch.tensor([[0.3, 0.3, 0.3], [0.3, 0.3, 2.0]]))
    assert best.isnan().tolist() == [[False, True, True], [False, False, True]]
    assert best[0, 0] == pytest.approx(0.6)
    assert (int(at[0, 0]), float(best[1, 1])) == (0, -1.0)
    with pytest.raises(ArithmeticError, match="no numbers"):
        detections(rows((nan, 0, FIRST), (0.9, 0, ELSEWHERE)), Question.of("a"), (10, 10))
