"""Draw answers into pictures."""

from collections.abc import Sequence
from pathlib import Path

import cv2

from groundcam_schemas import Object
from groundcam_worker.pictures import Image

# Okabe and Ito's colours, which people with any colour vision can tell apart (RGB).
COLOURS = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (0, 114, 178),
    (213, 94, 0),
    (204, 121, 167),
)
FONT = cv2.FONT_HERSHEY_SIMPLEX


def draw(image: Image, objects: Sequence[Object]) -> Image:
    """Return a copy with boxes, labels and scores, sized to the picture."""
    out = image.copy()
    scale = max(0.4, image.shape[0] / 900)
    thickness = max(1, round(image.shape[0] / 400))
    for found in reversed(objects):  # the best one on top
        colour = COLOURS[found.class_id % len(COLOURS)]
        x1, y1, x2, y2 = (round(value) for value in found.box)
        cv2.rectangle(out, (x1, y1), (x2, y2), colour, thickness)
        text = f"{found.label} {found.score:.2f}"
        (width, height), below = cv2.getTextSize(text, FONT, scale, thickness)
        top = max(y1, height + below)
        cv2.rectangle(out, (x1, top - height - below), (x1 + width, top), colour, cv2.FILLED)
        cv2.putText(out, text, (x1, top - below // 2), FONT, scale, (0, 0, 0), thickness, cv2.LINE_AA)
    return out


def write(path: Path, image: Image) -> None:
    """Write an RGB picture. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), cv2.cvtColor(image, cv2.COLOR_RGB2BGR)):
        raise OSError(f"{path} could not be written")


def read(path: Path) -> Image | None:
    """Return a picture of any usual format as RGB, or None where it is none."""
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION)
    return None if picture is None else picture.astype("uint8", copy=False)
