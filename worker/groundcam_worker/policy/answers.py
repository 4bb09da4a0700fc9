"""From a detector's output to what is published: boxes in the source picture, inside it, in the regions asked for.

Pure. No output of a model may make an answer that the schema refuses, so everything odd is dropped here.
"""

import math
from collections.abc import Iterable, Sequence

from groundcam_schemas import Object, Question
from groundcam_schemas.questions import Region
from groundcam_worker.detectors.protocol import Detection

Box = tuple[float, float, float, float]


def objects_of(
    found: Iterable[Detection], question: Question, image_size: tuple[int, int], source_size: tuple[int, int]
) -> tuple[Object, ...]:
    """Return the objects, best first. Sizes are (width, height) of the picture given and of the camera's own."""
    scale = source_size[0] / image_size[0], source_size[1] / image_size[1]
    labels = question.labels
    usable = [one for one in found if 0.0 <= one.score <= 1.0 and 0 <= one.class_id < len(labels)]
    objects: list[Object] = []
    for detection in sorted(usable, key=lambda one: -one.score):
        if len(objects) == question.most_objects:
            break
        box = _clamped(detection.box, scale, source_size)
        if box is None or not _counts(box, question.regions, source_size):
            continue
        objects.append(
            Object(
                label=labels[detection.class_id],
                class_id=detection.class_id,
                score=detection.score,
                box=box,
                class_scores=detection.class_scores,
            )
        )
    return tuple(objects)


def _counts(box: Box, regions: Sequence[Region], size: tuple[int, int]) -> bool:
    """Whether a box's centre is in one of the regions; without any, each box counts."""
    centre = (box[0] + box[2]) / 2 / size[0], (box[1] + box[3]) / 2 / size[1]
    return not regions or any(contains(region, *centre) for region in regions)


def contains(region: Region, x: float, y: float) -> bool:
    """Whether a point lies in a polygon: an odd number of its edges is crossed by a ray to the right."""
    inside = False
    for (x1, y1), (x2, y2) in zip(region, (*region[1:], region[0]), strict=True):
        if (y1 > y) != (y2 > y) and x < (x2 - x1) * (y - y1) / (y2 - y1) + x1:
            inside = not inside
    return inside


def _clamped(box: Box, scale: tuple[float, float], size: tuple[int, int]) -> Box | None:
    """Return the part of a box that lies in the picture, or None where there is none."""
    if not all(math.isfinite(value) for value in box):
        return None
    x1, x2 = (min(max(value * scale[0], 0.0), float(size[0])) for value in (box[0], box[2]))
    y1, y2 = (min(max(value * scale[1], 0.0), float(size[1])) for value in (box[1], box[3]))
    return (x1, y1, x2, y2) if x1 < x2 and y1 < y2 else None
