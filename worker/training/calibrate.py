"""Move a trained model's scores so that the product's default threshold suits it, and write the bundled folder.

    python -m training.calibrate --model build/demo-model/model --out worker/groundcam_worker/checkpoints/demo_model

Focal loss leaves it open at which score an object is as likely there as not. Here it is found on scenes of their own
where precision equals recall, and moved to 0.3 by the bias of the class score. Every logit gets the same amount, but
the decoder reads the same text features and answers a little otherwise: so what was written is looked at again.
"""

import argparse
import math
from pathlib import Path

import numpy as np
import torch
from transformers import GroundingDinoForObjectDetection

from groundcam.demo.score import Score, score
from groundcam_schemas import Question
from groundcam_schemas.questions import BOX_THRESHOLD
from groundcam_worker.checkpoints.catalogue import resolve
from groundcam_worker.detectors.opening import open_detector
from groundcam_worker.detectors.protocol import Detector
from groundcam_worker.policy.answers import objects_of
from training.architecture import BIAS_CHANNEL, processor
from training.evaluate import Case, seen_pairs

SEED = 2_000_000
"""Neither training's nor evaluation's."""
LOWEST = 0.1
ROUNDS, NEAR = 4, 0.011
GRID = np.arange(0.15, 0.7, 0.01)


def balance(detector: Detector, cases: list[Case]) -> float:
    """Return the threshold at which precision and recall are nearest to each other."""
    totals = [Score() for _ in GRID]
    for case in cases:
        question = Question.of(*case.question, box_threshold=LOWEST, text_threshold=LOWEST)
        size = case.picture.shape[1], case.picture.shape[0]
        found = objects_of(detector.detect([case.picture], [question])[0], question, size, size)
        for index, threshold in enumerate(GRID):
            kept = [one for one in found if one.score > threshold]
            totals[index] = totals[index] + score(kept, case.known, case.question)
    apart = [
        abs(total.precision - total.recall) if total.precision is not None and total.recall else 1.0 for total in totals
    ]
    return float(GRID[int(np.argmin(apart))])


def shift(folder: Path, amount: float, out: Path) -> None:
    """Add an amount to every logit of a model and write it with its processor."""
    model = GroundingDinoForObjectDetection.from_pretrained(folder)
    inner = model.model
    with torch.no_grad():
        constant = float(inner.decoder.layer_norm.bias[BIAS_CHANNEL])  # 1 before training
        text_norm = inner.encoder.layers[-1].text_enhancer_layer.layer_norm_after
        text_norm.bias[BIAS_CHANNEL] += amount / constant
    model.save_pretrained(out)
    processor(out).save_pretrained(out)


def logit(probability: float) -> float:
    """Return the log odds."""
    return math.log(probability / (1 - probability))


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--pictures", type=int, default=300)
    given = parser.parse_args()
    cases = list(seen_pairs(given.pictures, SEED))
    amount = 0.0
    for _ in range(ROUNDS):
        shift(given.model, amount, given.out)
        found = balance(open_detector(resolve(str(given.out)), "cpu"), cases)
        print(f"logits moved by {amount:+.3f}: precision equals recall at {found:.2f}", flush=True)
        if abs(found - BOX_THRESHOLD) < NEAR:
            break
        amount += logit(BOX_THRESHOLD) - logit(found)


if __name__ == "__main__":
    main()
