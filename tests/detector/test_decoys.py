"""Decoys and overlaps on the bundled model: what competes, and what it costs."""

from groundcam_worker.checkpoints.catalogue import resolve
from groundcam_worker.detectors.opening import open_detector
from training.evaluate import other_drawing
from training.overlaps import by_overlap, with_decoys

SEED = 2_000_002


def test_decoys_take_most_false_boxes_and_few_true_ones() -> None:
    detector = open_detector(resolve("demo"), "cpu")
    absent = with_decoys(detector, 16, SEED, has_it=False)
    assert absent[False].found > 0, "the scenes do tempt it"
    assert absent[True].found <= absent[False].found // 2
    there = with_decoys(detector, 6, SEED, has_it=True)
    assert there[True].found - there[True].right <= there[False].found - there[False].right
    assert (there[True].recall or 0) >= 0.85


def test_merging_costs_no_object_and_some_false_boxes() -> None:
    scores = by_overlap(open_detector(resolve("demo"), "cpu"), other_drawing(24, SEED))
    assert (scores[0.7].precision or 0) >= (scores[None].precision or 0)
    assert scores[0.7].recall == scores[None].recall
    assert scores[0.7].found < scores[None].found
