"""Read, draw and write pictures."""

import math
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from groundcam_runtime.pictures.image import Image
from groundcam_schemas import Object

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
INK, PAPER, DIM = (245, 245, 245), (24, 26, 30), (170, 175, 182)


def draw(image: Image, objects: Sequence[Object], source_size: tuple[int, int] | None = None) -> Image:
    """Return a copy with boxes, labels and scores, sized to the picture.

    `source_size` is the (width, height) that the boxes refer to, where the picture was scaled since.
    """
    out = image.copy()
    height, width = image.shape[:2]
    across, down = (width / source_size[0], height / source_size[1]) if source_size else (1.0, 1.0)
    scale, thickness = max(0.4, height / 900), max(2, round(height / 270))
    for found in reversed(objects):  # the best one on top
        colour = COLOURS[found.class_id % len(COLOURS)]
        x1, y1, x2, y2 = (round(v * by) for v, by in zip(found.box, (across, down) * 2, strict=True))
        cv2.rectangle(out, (x1, y1), (x2, y2), PAPER, thickness + 2, cv2.LINE_AA)
        cv2.rectangle(out, (x1, y1), (x2, y2), colour, thickness, cv2.LINE_AA)
        text = f"{found.label} {found.score:.2f}"
        (wide, high), below = cv2.getTextSize(text, FONT, scale, 1)
        left, top = min(x1, max(0, width - wide - 6)), max(y1, high + below + 4)
        cv2.rectangle(out, (left, top - high - below - 4), (left + wide + 6, top), colour, cv2.FILLED)
        cv2.putText(out, text, (left + 3, top - below), FONT, scale, (0, 0, 0), max(1, thickness // 2), cv2.LINE_AA)
    return out


def draw_path(image: Image, points: Sequence[tuple[float, float]], colour: int) -> None:
    """Draw a path, given in fractions of the picture's width and height, into the picture; `colour` is a class id."""
    height, width = image.shape[:2]
    corners = np.array([(round(x * width), round(y * height)) for x, y in points], np.int32).reshape(-1, 1, 2)
    thickness = max(2, round(height / 270))
    for shade, thick in ((PAPER, thickness + 2), (COLOURS[colour % len(COLOURS)], thickness)):
        cv2.polylines(image, [corners], isClosed=False, color=shade, thickness=thick, lineType=cv2.LINE_AA)


def enlarge(image: Image, height: int) -> Image:
    """Return the picture at least this high, both sides even, so that text in it can be read."""
    scale = max(1.0, height / image.shape[0])
    size = tuple(max(2, round(side * scale / 2) * 2) for side in image.shape[1::-1])
    return cv2.resize(image, size, interpolation=cv2.INTER_CUBIC).astype(np.uint8, copy=False)


def stretched(image: Image, size: tuple[int, int]) -> Image:
    """Return the picture at a size (width, height) in pixels, whatever its shape."""
    return cv2.resize(image, size, interpolation=cv2.INTER_LINEAR).astype(np.uint8, copy=False)


def caption(image: Image, left: str, right: str = "") -> Image:
    """Return the picture with a line of text below it; what does not fit on the left is cut."""
    strip = np.full((max(28, image.shape[0] // 16 * 2), image.shape[1], 3), PAPER, np.uint8)
    scale = strip.shape[0] / 62
    baseline = round(strip.shape[0] * 0.66)
    (taken, _), _ = cv2.getTextSize(right, FONT, scale, 1)
    room = image.shape[1] - taken - 30
    while left and cv2.getTextSize(left, FONT, scale, 1)[0][0] > room:
        left = left[:-4] + "..." if len(left) > 4 else ""
    cv2.putText(strip, left, (10, baseline), FONT, scale, INK, 1, cv2.LINE_AA)
    cv2.putText(strip, right, (image.shape[1] - taken - 10, baseline), FONT, scale, DIM, 1, cv2.LINE_AA)
    return np.concatenate([image, strip])


def thumbnail(image: Image, width: int = 640) -> Image:
    """Return the picture scaled to a width in pixels."""
    size = width, max(1, round(image.shape[0] * width / image.shape[1]))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def sheet(pictures: Sequence[Image], columns: int, width: int = 640) -> Image:
    """Return a contact sheet: the pictures in rows, each scaled to `width` pixels."""
    small = [thumbnail(one, width) for one in pictures]
    gap, tallest = 8, max(one.shape[0] for one in small)
    rows = math.ceil(len(small) / columns)
    out = np.full((rows * (tallest + gap) + gap, columns * (width + gap) + gap, 3), PAPER, np.uint8)
    for index, one in enumerate(small):
        top, left = gap + index // columns * (tallest + gap), gap + index % columns * (width + gap)
        out[top : top + one.shape[0], left : left + width] = one
    return out


def write(path: Path, image: Image) -> None:
    """Write an RGB picture. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # OpenCV itself cannot open a file whose name is no UTF-8, and ends the process.
    is_made, data = cv2.imencode(path.suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    if not is_made:
        raise OSError(f"{path} could not be written: its picture is too large for that kind of file")
    path.write_bytes(data.tobytes())


def jpeg(image: Image, quality: int = 85) -> bytes:
    """Return an RGB picture as JPEG."""
    _, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return data.tobytes()
