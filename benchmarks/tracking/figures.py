"""What a tracker's answers are worth: HOTA, MOTA, IDF1 and switches of identity by trackeval, and how many tracks.

Over films, counts are summed and shares made of the sums, as trackeval does it for the sequences of a benchmark.
"""

import importlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tracking.films import Film, iou
from tracking.ways import Numbers, Step


@dataclass(frozen=True)
class Tracked:
    """A film with a tracker's answers."""

    film: Film
    answers: Sequence[Numbers]
    """Of each frame, a number for each box of the look."""
    spent_s: float
    """Processor time of all calls, with making what the tracker takes of a look."""


def track(film: Film, step: Step) -> Tracked:
    """Show a film to a tracker. Raises ValueError where an answer is none."""
    answers, spent_s = [], 0.0
    for look in film.looks:
        began = time.process_time()
        numbers = step(look)
        spent_s += time.process_time() - began
        told = numbers[numbers >= 0]
        if len(numbers) != len(look.boxes) or len(set(told.tolist())) != len(told):
            raise ValueError(f"{film.name}, {look.at_s:.2f} s: {len(look.boxes)} boxes, answered with {numbers}")
        answers.append(numbers)
    return Tracked(film, answers, spent_s)


def compared(tracked: Tracked) -> dict[str, Any]:
    """Return a film's truth and answers in trackeval's form: numbers from 0 without holes, and overlaps."""
    truth = tracked.film.truth
    told = [numbers[numbers >= 0] for numbers in tracked.answers]
    boxes = [look.boxes[numbers >= 0] for look, numbers in zip(tracked.film.looks, tracked.answers, strict=True)]
    objects, true_numbers = _dense([one.numbers for one in truth])
    tracks, told_numbers = _dense(told)
    return {
        "num_gt_ids": objects, "gt_ids": true_numbers, "num_gt_dets": sum(map(len, true_numbers)),
        "num_tracker_ids": tracks, "tracker_ids": told_numbers, "num_tracker_dets": sum(map(len, told_numbers)),
        "num_timesteps": len(truth),
        "similarity_scores": [iou(one.boxes, some) for one, some in zip(truth, boxes, strict=True)],
    }  # fmt: skip


def _dense(frames: Sequence[Numbers]) -> tuple[int, list[Numbers]]:
    known = np.unique(np.concatenate(frames)) if frames else np.array([], dtype=int)
    return len(known), [np.searchsorted(known, numbers) for numbers in frames]


def figures(films: Sequence[Tracked]) -> dict[str, Any]:
    """Return what a table's row says of a tracker on some films; shares in hundredths."""
    metrics = importlib.import_module("trackeval.metrics")
    quiet = {"PRINT_CONFIG": False}
    kinds = (metrics.HOTA(), metrics.CLEAR(quiet), metrics.Identity(quiet))
    data = {one.film.name: compared(one) for one in films}
    each = [{name: kind.eval_sequence(one) for name, one in data.items()} for kind in kinds]
    hota, clear, identity = (kind.combine_sequences(found) for kind, found in zip(kinds, each, strict=True))
    frames = sum(len(one.answers) for one in films)
    return {
        "hota": _share(hota["HOTA"]), "idf1": _share(identity["IDF1"]), "mota": _share(clear["MOTA"]),
        "switches": int(clear["IDSW"]),
        "tracks": sum(one["num_tracker_ids"] for one in data.values()),
        "objects": sum(one["num_gt_ids"] for one in data.values()),
        "ms_a_frame": round(1000 * sum(one.spent_s for one in films) / frames, 3), "frames": frames,
        "hota_of_each": [_share(found["HOTA"]) for found in each[0].values()],
        "idf1_of_each": [_share(found["IDF1"]) for found in each[2].values()],
    }  # fmt: skip


def _share(value: Any) -> float:
    return round(100 * float(np.mean(value)), 2)
