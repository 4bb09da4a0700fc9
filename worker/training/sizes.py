"""What smaller inputs cost: `python -m training.sizes`.

Prints precision, recall and time of the model in the box by input size, on scenes that it has not seen. Sizes are parts
of its own, since no real checkpoint can be judged by drawn scenes: 0.72 is what 544 is of the 750 pixels that Grounding
DINO's own processor gives a picture of 16:9.
"""

import argparse
import statistics
import time

from groundcam.demo.score import Score, score
from groundcam_schemas import Question
from groundcam_worker.checkpoints.catalogue import resolve
from groundcam_worker.detectors.opening import open_detector
from groundcam_worker.policy.answers import objects_of
from training.evaluate import Case, other_drawing, seen_pairs

SHORTEST, LONGEST = 128, 256
"""Of the model in the box, in pixels."""
PARTS = (1.5, 1.25, 1.0, 0.85, 0.72, 0.6, 0.5)
FIRST_SEED = 3_000_000
"""Other scenes than those of the model's card, and of overlaps."""


def by_part(model: str, cases: list[list[Case]]) -> dict[float, tuple[list[Score], float]]:
    """Return of each part of the model's size the score of each kind of scenes, and milliseconds a picture."""
    results: dict[float, tuple[list[Score], float]] = {}
    for part in PARTS:
        size = round(LONGEST * part), round(SHORTEST * part)
        detector = open_detector(resolve(model), "cpu", input_size=size)
        scores, took = [Score() for _ in cases], []
        for number, kind in enumerate(cases):
            for case in kind:
                question, began = Question.of(*case.question), time.perf_counter()
                (found,) = detector.detect([case.picture], [question])
                took.append(time.perf_counter() - began)
                sides = case.picture.shape[1], case.picture.shape[0]
                scores[number] += score(objects_of(found, question, sides, sides), case.known, case.question)
        results[part] = scores, 1e3 * statistics.median(took)
    return results


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="demo")
    parser.add_argument("--pictures", type=int, default=300, help="of each kind")
    given = parser.parse_args()
    cases = [list(some(given.pictures, FIRST_SEED)) for some in (seen_pairs, other_drawing)]
    print("| part of its size | precision | recall | precision, drawn by other code | recall | ms a picture |")
    print("| --- | --- | --- | --- | --- | --- |")
    for part, (scores, took_ms) in by_part(given.model, cases).items():
        shown = [f"{value or 0:.3f}" for one in scores for value in (one.precision, one.recall)]
        print(f"| {part:g} | {' | '.join(shown)} | {took_ms:.1f} |", flush=True)


if __name__ == "__main__":
    main()
