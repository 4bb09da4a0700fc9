"""Training and evaluation scenes: shapes in named colours, with the box of each."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.outlines import outline
from training.paints import Picture, background, paint, through_a_camera
from training.phrases import Kind

SMALLEST, LARGEST = 0.115, 0.5
"""An object's longer side, as a part of the picture's shorter one."""
MOST_COVERED = 0.15
"""How much of the smaller of two boxes the other may cover."""
LEAST_CONTRAST, UNCLEAR = 75.0, 0.1
"""Distance in RGB between a colour and what is behind it, and the part that may be nearer: white on white is
nobody's mistake."""


@dataclass(frozen=True, slots=True)
class Thing:
    """An object in a scene."""

    kind: Kind
    box: tuple[float, float, float, float]
    """x1, y1, x2, y2 in pixels."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A picture and what is in it."""

    picture: Picture
    things: tuple[Thing, ...]


def draw_scene(rng: np.random.Generator, width: int, height: int, kinds: list[Kind]) -> Scene:
    """Draw the objects that find a place; a crowded scene may hold fewer than asked for."""
    picture = background(rng, width, height)
    things: list[Thing] = []
    crowd = 1.0 if len(kinds) <= 4 else 0.75
    for kind in kinds:
        for _ in range(12):
            size = min(width, height) * float(np.exp(rng.uniform(np.log(SMALLEST), np.log(LARGEST * crowd))))
            points = outline(kind.shape, rng) * size
            reach = np.ptp(points, axis=0) / 2
            if np.any(2 * reach > (width, height)):
                continue
            points = points + rng.uniform(reach, np.array([width, height]) - reach)
            x1, y1, x2, y2 = (float(v) for v in (*points.min(0), *points.max(0)))
            thing = Thing(kind, (x1, y1, x2, y2))
            if any(_covers(thing, other) for other in things):
                continue
            colour = paint(kind.colour, rng)
            behind = picture[int(y1) : int(y2) + 1, int(x1) : int(x2) + 1].reshape(-1, 3)
            contrast = np.linalg.norm(behind[:: max(1, len(behind) // 50)] - colour, axis=1)
            if np.mean(contrast < LEAST_CONTRAST) > UNCLEAR:
                continue
            _draw(picture, points, colour, rng)
            things.append(thing)
            break
    return Scene(through_a_camera(picture, rng), tuple(things))


def _covers(one: Thing, other: Thing) -> bool:
    a, b = one.box, other.box
    wide = min(a[2], b[2]) - max(a[0], b[0])
    high = min(a[3], b[3]) - max(a[1], b[1])
    if wide <= 0 or high <= 0:
        return False
    smaller = min((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    return wide * high > MOST_COVERED * smaller


def _draw(picture: Picture, points: NDArray[np.float64], colour: NDArray[np.float64], rng: np.random.Generator) -> None:
    """Fill a polygon, its edge hard, smooth or soft, its inside plain, shaded or grainy, perhaps with a rim."""
    low = np.maximum(np.floor(points.min(0)).astype(int) - 3, 0)
    high = np.minimum(np.ceil(points.max(0)).astype(int) + 4, picture.shape[1::-1])
    wide, tall = high - low
    mask = _coverage(points - low, int(wide), int(tall), rng)
    fill = np.broadcast_to(colour, (tall, wide, 3))
    if rng.random() < 0.25:
        ramp = np.linspace(rng.uniform(0.8, 1), rng.uniform(0.9, 1.1), wide if rng.random() < 0.5 else tall)
        fill = fill * (ramp[None, :, None] if len(ramp) == wide else ramp[:, None, None])
    if rng.random() < 0.2:
        fill = fill + rng.normal(0, rng.uniform(3, 16), (tall, wide, 1))
    patch = picture[low[1] : high[1], low[0] : high[0]]
    patch[:] = np.clip(patch + mask[..., None] * (fill - patch), 0, 255).astype(np.uint8)
    if rng.random() < 0.15:
        rim = (colour * rng.uniform(0.0, 0.6)).tolist()
        cv2.polylines(picture, [np.round(points * 16).astype(np.int32)], True, rim, 1, cv2.LINE_AA, 4)


def _coverage(points: NDArray[np.float64], wide: int, tall: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return how much of each pixel a polygon covers, 0..1, [tall, wide]."""
    fine = int(rng.choice([1, 1, 4]))
    mask = np.zeros((tall * fine, wide * fine), np.uint8)
    line = cv2.LINE_AA if fine == 1 and rng.random() < 0.5 else cv2.LINE_8
    # OpenCV puts a pixel's centre at whole numbers; the boxes here count from its edge.
    cv2.fillPoly(mask, [np.round((points * fine - 0.5) * 16).astype(np.int32)], 255, line, 4)
    if fine > 1:
        mask = cv2.resize(mask, (wide, tall), interpolation=cv2.INTER_AREA).astype(np.uint8)
    if rng.random() < 0.15:
        mask = cv2.GaussianBlur(mask, (0, 0), rng.uniform(0.5, 1.0)).astype(np.uint8)
    return mask.astype(np.float32) / np.float32(255)
