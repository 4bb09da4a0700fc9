"""The trackers, all behind one call: a look in, the track number of each of its boxes out, -1 where it has none.

SORT, ByteTrack and OC-SORT are those of `trackers` (Roboflow), for each film a new one, told the film's rate and each
frame's time. Their default thresholds are made for closed sets of classes, and lose half of the objects at the scores
of an open vocabulary; those here are the best of a few (0.2, 0.3, of OC-SORT 0.1; IoU 0.05, 0.1, 0.2) on seeds 0-3 of
both harnesses. groundcam's are its defaults. It alone makes use of labels, which are never wrong here; `--one-label`
hides them.

All of these tell of a track from its second look on. The first counts as missed, as it is for whoever listens.
"""

import importlib
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracking.films import Look

Numbers = NDArray[np.int64]
Step = Callable[[Look], Numbers]
BUFFER = {"lost_track_buffer": 150}
"""5 s: it counts 30 a second, whatever the rate."""
SETTINGS: dict[str, dict[str, Any]] = {
    "sort": BUFFER | {
        "track_activation_threshold": 0.2, "minimum_iou_threshold": 0.05, "minimum_consecutive_frames": 2,
    },
    "bytetrack": BUFFER | {
        "track_activation_threshold": 0.2, "high_conf_det_threshold": 0.2, "minimum_iou_threshold": 0.05,
        "minimum_consecutive_frames": 2,
    },
    # It counts from the look after the first, so that 1 is the second; with 2 it falls silent after every miss.
    "ocsort": BUFFER | {
        "high_conf_det_threshold": 0.1, "minimum_iou_threshold": 0.1, "minimum_consecutive_frames": 1,
    },
}  # fmt: skip
CLASSES = {"sort": "SORTTracker", "bytetrack": "ByteTrackTracker", "ocsort": "OCSORTTracker"}
OURS = "groundcam"
NAMES = (*SETTINGS, OURS)


class MissingError(Exception):
    """A tracker cannot be run; says why."""


def maker(name: str) -> Callable[[float], Step]:
    """Return what makes a new tracker for a film of some rate."""
    return _ours() if name == OURS else _theirs(name)


def _ours() -> Callable[[float], Step]:
    try:
        module = importlib.import_module("groundcam_events.tracking.tracker")
    except ModuleNotFoundError as error:
        if not str(error.name).startswith("groundcam_events"):
            raise
        raise MissingError("events/groundcam_events/tracking/tracker.py is not there (or not on PYTHONPATH)") from None

    def make(_rate: float) -> Step:
        tracker = module.Tracker()

        def step(look: Look) -> Numbers:
            found = [
                module.Detected(tuple(box), score, label)
                for box, score, label in zip(look.boxes.tolist(), look.scores.tolist(), look.labels, strict=True)
            ]
            return np.array(tracker.step(look.at_s, found), dtype=int)

        return step

    return make


def _theirs(name: str) -> Callable[[float], Step]:
    try:
        library, supervision = importlib.import_module("trackers"), importlib.import_module("supervision")
    except ModuleNotFoundError as error:
        raise MissingError(f"{error.name} is not installed: make benchmark-tracking") from None

    def make(rate: float) -> Step:
        tracker = getattr(library, CLASSES[name])(frame_rate=rate, **SETTINGS[name])
        return partial(_theirs_step, tracker, supervision.Detections)

    return make


def _theirs_step(tracker: Any, detections: Any, look: Look) -> Numbers:
    places = np.arange(len(look.boxes))  # they return boxes in an order of their own
    answer = tracker.update(
        detections(xyxy=look.boxes, confidence=look.scores, data={"place": places}), timestamp=look.at_s
    )
    numbers = np.full(len(look.boxes), -1)
    if len(answer):
        numbers[answer.data["place"]] = answer.tracker_id
    return numbers
