"""What merging overlapping boxes and asking for decoys do: `python -m training.overlaps`.

Prints precision and recall of the model in the box by overlap, on scenes that it has not seen, and false boxes and
recall with and without decoys, on scenes without and with the class that is asked for.
"""

import argparse
from collections.abc import Iterator

import numpy as np
import torch

from groundcam.demo.score import Score, score
from groundcam_schemas import Question
from groundcam_worker.checkpoints.catalogue import resolve
from groundcam_worker.detectors.nms import kept
from groundcam_worker.detectors.opening import open_detector
from groundcam_worker.detectors.protocol import Detection, Detector
from groundcam_worker.policy.answers import objects_of
from training.evaluate import Case, make_case, other_drawing, seen_pairs
from training.phrases import SEEN, Kind, Phrase

OVERLAPS = (None, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3)
FIRST_SEED = 2_000_000
"""Other scenes than those of the model's card."""


def by_overlap(detector: Detector, cases: Iterator[Case]) -> dict[float | None, Score]:
    """Return the score of each overlap; the network runs once a picture."""
    scores = dict.fromkeys(OVERLAPS, Score())
    for case in cases:
        question = Question.of(*case.question).model_copy(update={"nms_iou": None})
        (found,) = detector.detect([case.picture], [question])
        for overlap in OVERLAPS:
            objects = _merged(found, question.model_copy(update={"nms_iou": overlap}))
            size = case.picture.shape[1], case.picture.shape[0]
            scores[overlap] += score(objects_of(objects, question, size, size), case.known, case.question)
    return scores


def _merged(found: tuple[Detection, ...], question: Question) -> list[Detection]:
    boxes = torch.tensor([one.box for one in found]).reshape(-1, 4)
    scores = torch.tensor([one.score for one in found])
    classes = torch.tensor([one.class_id for one in found], dtype=torch.long)
    return [found[index] for index in kept(boxes, scores, classes, question).tolist()]


def about_one_class(count: int, seed: int, *, has_it: bool) -> Iterator[tuple[Case, tuple[str, ...]]]:
    """Yield scenes with their question of one class, and decoys: those of its colour and those of its shape."""
    for number in range(count):
        rng = np.random.default_rng((seed, number))
        pairs = [SEEN[index] for index in rng.permutation(len(SEEN))]
        asked = pairs[0]
        others = [pair for pair in pairs[1:] if asked[0] == pair[0] or asked[1] == pair[1]]
        inside = [*others[:3], asked] if has_it else others[:4]
        kinds = [Kind(*pair) for pair in inside]
        yield make_case(rng, (Phrase(*asked),), kinds), tuple(str(Phrase(*pair)) for pair in others[:8])


def with_decoys(detector: Detector, count: int, seed: int, *, has_it: bool) -> dict[bool, Score]:
    """Return the scores without and with decoys."""
    scores = {False: Score(), True: Score()}
    for case, decoys in about_one_class(count, seed, has_it=has_it):
        size = case.picture.shape[1], case.picture.shape[0]
        for has_decoys in scores:
            question = Question.of(*case.question, decoys=decoys if has_decoys else None)
            (found,) = detector.detect([case.picture], [question])
            scores[has_decoys] += score(objects_of(found, question, size, size), case.known, case.question)
    return scores


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="demo")
    parser.add_argument("--pictures", type=int, default=300, help="of each kind")
    given = parser.parse_args()
    detector = open_detector(resolve(given.model), "cpu")
    seen = by_overlap(detector, seen_pairs(given.pictures, FIRST_SEED))
    other = by_overlap(detector, other_drawing(given.pictures, FIRST_SEED + 1))
    print("| overlap | precision | recall | precision, drawn by other code | recall |\n| --- | --- | --- | --- | --- |")
    for overlap in OVERLAPS:
        shown = (seen[overlap].precision, seen[overlap].recall, other[overlap].precision, other[overlap].recall)
        print(f"| {overlap or 'all are kept'} | " + " | ".join(f"{value or 0:.4f}" for value in shown) + " |")
    print("\n| scenes | objects asked for | decoys | boxes | false boxes | recall |")
    print("| --- | --- | --- | --- | --- | --- |")
    for has_it in (False, True):
        for has_decoys, one in with_decoys(detector, given.pictures, FIRST_SEED + 2, has_it=has_it).items():
            name, decoys = f"with{'' if has_it else 'out'} the class", 8 if has_decoys else 0
            recall, wrong = "" if one.recall is None else f"{one.recall:.3f}", one.found - one.right
            print(f"| {name} | {one.there} | {decoys} | {one.found} | {wrong} | {recall} |")


if __name__ == "__main__":
    main()
