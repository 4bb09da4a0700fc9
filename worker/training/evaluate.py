"""Evaluate a model on scenes that it has not seen: `python -m training.evaluate --model demo`.

Everything goes through the product's own detector with its default thresholds. Prints the model card's table.
"""

import argparse
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from groundcam.demo.scene import RGB, Actor, Known, Scene
from groundcam.demo.score import Score, score
from groundcam_schemas import Question
from groundcam_worker.checkpoints.catalogue import resolve
from groundcam_worker.detectors.opening import open_detector
from groundcam_worker.detectors.protocol import Detector
from groundcam_worker.policy.answers import objects_of
from training.paints import Picture
from training.phrases import COLOURS, HELD_OUT, SEEN, SHAPES, Kind, Phrase, draw_kinds, draw_question
from training.scenes import LEAST_CONTRAST, draw_scene

ASPECTS = (1.0, 4 / 3, 16 / 9)
SHORTEST, LONGEST = 128, 640
FIRST_SEED = 1_000_000
"""Training counts its seeds from elsewhere."""


@dataclass(frozen=True, slots=True)
class Case:
    """One picture with its question."""

    picture: Picture
    question: tuple[str, ...]
    known: tuple[Known, ...]


def seen_pairs(count: int, seed: int, objects: tuple[int, int] = (1, 8)) -> Iterator[Case]:
    """Yield scenes as in training, of 128 to 640 pixels: square, 4:3 and 16:9, one object to eight."""
    for number in range(count):
        rng = np.random.default_rng((seed, number))
        question = draw_question(rng)
        kinds = draw_kinds(rng, int(rng.integers(objects[0], objects[1] + 1)), question)
        yield make_case(rng, question, kinds)


def held_out_pairs(count: int, seed: int) -> Iterator[Case]:
    """Yield scenes of which the questions ask for pairs that training has neither drawn nor asked for."""
    pairs = tuple(sorted(HELD_OUT))
    for number in range(count):
        rng = np.random.default_rng((seed, number))
        many = int(rng.integers(1, len(pairs) + 1))
        chosen = rng.choice(len(pairs), many, replace=False)
        question = tuple(Phrase(*pairs[index]) for index in chosen)
        kinds = draw_kinds(rng, int(rng.integers(1, 9)), question, tuple(sorted({*SEEN, *HELD_OUT})))
        yield make_case(rng, question, kinds)


def other_drawing(count: int, seed: int) -> Iterator[Case]:
    """Yield scenes of the demo's kind: other code, other outlines, six objects on a lit floor."""
    for number in range(count):
        rng = np.random.default_rng((seed, number))
        question = draw_question(rng)
        kinds = draw_kinds(rng, 6, question)
        width, height = ((640, 360), (640, 480), (320, 240), (480, 480))[number % 4]
        actors = []
        for index, kind in enumerate(kinds):
            home = (width * (index % 3 + 0.5) / 3, height * (index // 3 + 0.5) / 2)
            size = min(width, height) * float(rng.uniform(0.13, 0.28))
            reach = (width / 6 - size * 0.6, height / 4 - size * 0.6)
            actors.append(
                Actor(kind.colour, kind.shape, size, home, (max(0, reach[0]), max(0, reach[1])), 1, 1, rng.random())
            )
        light = tuple(int(v) for v in rng.integers(110, 215, 3))
        scene = Scene(
            "any", ", ".join(map(str, question)), tuple(actors), (light[0], light[1], light[2]), width, height
        )
        moment = float(rng.uniform(0, scene.period_s))
        if all(_stands_out(actor.colour, light) for actor in actors):
            yield Case(scene.picture(moment), tuple(map(str, question)), tuple(scene.objects(moment)))


def evaluate(detector: Detector, cases: Iterator[Case]) -> tuple[Score, int]:
    """Return the score over all cases and how many there were."""
    total, count = Score(), 0
    for case in cases:
        question = Question.of(*case.question)
        size = case.picture.shape[1], case.picture.shape[0]
        found = objects_of(detector.detect([case.picture], [question])[0], question, size, size)
        total = total + score(found, case.known, case.question)
        count += 1
    return total, count


def make_case(rng: np.random.Generator, question: tuple[Phrase, ...], kinds: list[Kind]) -> Case:
    """Draw a scene of 128 to 640 pixels with these kinds in it."""
    aspect = float(rng.choice(ASPECTS))
    short = math.exp(rng.uniform(math.log(SHORTEST), math.log(LONGEST / aspect)))
    scene = draw_scene(rng, round(short * aspect), round(short), kinds)
    known = tuple(Known(thing.kind.colour, thing.kind.shape, thing.box) for thing in scene.things)
    return Case(scene.picture, tuple(map(str, question)), known)


def _stands_out(colour: str, light: tuple[int, ...]) -> bool:
    return math.dist(RGB[colour], light) > LEAST_CONTRAST


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="demo")
    parser.add_argument("--pictures", type=int, default=400, help="of each kind")
    parser.add_argument("--seed", type=int, default=FIRST_SEED)
    given = parser.parse_args()
    detector = open_detector(resolve(given.model), "cpu")
    many, seed = given.pictures, given.seed
    rows = {
        "seen pairs, one object to eight": seen_pairs(many, seed),
        "seen pairs, one object to four": seen_pairs(many // 2, seed + 1, (1, 4)),
        "seen pairs, five objects to eight": seen_pairs(many // 2, seed + 2, (5, 8)),
        f"held-out pairs ({len(HELD_OUT)} of {len(COLOURS) * len(SHAPES)})": held_out_pairs(many, seed + 3),
        "seen pairs, drawn by other code": other_drawing(many, seed + 4),
    }
    print("| scenes | pictures | objects asked for | precision | recall |")
    print("| --- | --- | --- | --- | --- |")
    for name, cases in rows.items():
        total, count = evaluate(detector, cases)
        precision, recall = (math.nan if value is None else value for value in (total.precision, total.recall))
        print(f"| {name} | {count} | {total.there} | {precision:.3f} | {recall:.3f} |", flush=True)


if __name__ == "__main__":
    main()
