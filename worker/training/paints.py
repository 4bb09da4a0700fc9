"""Colours by name, backgrounds, and what a camera does to a picture. Everything varies, so that shapes are learned
and not the way they are drawn."""

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
"""[height, width, 3], RGB."""

GRAIN_SIGMA = 1000.0
GRAIN: NDArray[np.int16] = np.random.default_rng(7).normal(0, GRAIN_SIGMA, (700, 700, 3)).astype(np.int16)
"""Noise to cut pieces out of: drawing it anew for each picture took a third of the time."""

# Hue in degrees, saturation and value in 0..1, wide enough to hold what CSS, HTML and OpenCV examples call so.
RANGES = {
    "red": ((-9, 9), (0.75, 1.0), (0.65, 1.0)),
    "orange": ((22, 40), (0.8, 1.0), (0.85, 1.0)),
    "yellow": ((51, 64), (0.7, 1.0), (0.82, 1.0)),
    "green": ((95, 150), (0.6, 1.0), (0.4, 1.0)),
    "blue": ((205, 245), (0.65, 1.0), (0.55, 1.0)),
    "purple": ((266, 302), (0.55, 1.0), (0.4, 0.95)),
    "white": ((0, 360), (0.0, 0.05), (0.92, 1.0)),
    "black": ((0, 360), (0.0, 0.3), (0.0, 0.12)),
}


def paint(colour: str, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return an RGB colour, 0..255, that goes by this name."""
    return _rgb(*(rng.uniform(low, high) for low, high in RANGES[colour]))


def _rgb(hue: float, saturation: float, value: float) -> NDArray[np.float64]:
    k = (np.array([5, 3, 1]) + hue / 60) % 6  # the usual closed form of HSV to RGB
    return np.asarray(255 * value * (1 - saturation * np.clip(np.minimum(k, 4 - k), 0, 1)))


def _any_colour(rng: np.random.Generator) -> NDArray[np.float64]:
    saturation = rng.choice([rng.uniform(0, 0.1), rng.uniform(0.1, 0.45), rng.uniform(0.45, 1)], p=[0.4, 0.4, 0.2])
    return _rgb(rng.uniform(0, 360), float(saturation), rng.uniform(0.05, 1))


def background(rng: np.random.Generator, width: int, height: int) -> Picture:
    """Return a flat, shaded, cloudy, striped or checked surface, perhaps with lines across it."""
    near, far = _any_colour(rng), _any_colour(rng)
    far = near + (far - near) * rng.uniform(0.1, 0.7)
    shades = np.linspace(near, far, 256).astype(np.uint8)
    picture: Picture = shades[_pattern(rng, width, height)]
    if rng.random() < 0.3:
        for _ in range(int(rng.integers(1, 6))):
            ends = rng.uniform(-0.2, 1.2, (2, 2)) * (width, height)
            first, second = (tuple(int(v) for v in end) for end in ends)
            cv2.line(picture, first, second, _any_colour(rng).tolist(), int(rng.integers(1, 4)), cv2.LINE_AA)
    return picture


def _pattern(rng: np.random.Generator, width: int, height: int) -> NDArray[np.uint8]:
    """Return how far between two colours each pixel is, 0..255, [height, width]."""
    style = rng.choice(["flat", "shade", "cloud", "stripes", "checks"], p=[0.25, 0.25, 0.25, 0.125, 0.125])
    if style == "flat":
        return np.zeros((height, width), np.uint8)
    longer = max(width, height)
    if style == "cloud":
        grid = int(rng.integers(3, 24))
        coarse = rng.integers(0, 256, (max(2, grid * height // longer), grid), np.uint8)
        return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.uint8, copy=False)
    turn = rng.uniform(0, 2 * np.pi)
    x, y = np.arange(width, dtype=np.float32)[None] / longer, np.arange(height, dtype=np.float32)[:, None] / longer
    along = x * np.float32(np.cos(turn)) + y * np.float32(np.sin(turn))
    if style == "shade":
        return np.asarray((along - along.min()) * np.float32(255 / np.ptp(along)), np.uint8)
    if style == "stripes":
        many = np.float32(rng.uniform(3, 29))
        return np.asarray(np.floor(along * many).astype(np.int16) % 2 * 255, np.uint8)
    across = y * np.float32(np.cos(turn)) - x * np.float32(np.sin(turn))
    many = np.float32(rng.uniform(4, 20))
    cells = np.floor(along * many).astype(np.int16) + np.floor(across * many).astype(np.int16)
    return np.asarray(cells % 2 * 255, np.uint8)


def through_a_camera(picture: Picture, rng: np.random.Generator) -> Picture:
    """Blur, light, noise and JPEG, each only sometimes."""
    if rng.random() < 0.3:
        picture = _u8(cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.3, 1.3)))
    if rng.random() < 0.4:
        levels = np.arange(256) * rng.uniform(0.85, 1.12) + rng.uniform(-12, 12)
        picture = _u8(cv2.LUT(picture, _u8(levels)))
    if rng.random() < 0.4:
        top, left = rng.integers(0, GRAIN.shape[0] - np.array(picture.shape[:2]))
        grain = GRAIN[top : top + picture.shape[0], left : left + picture.shape[1]]
        picture = _u8(cv2.addWeighted(picture, 1, grain, rng.uniform(1, 14) / GRAIN_SIGMA, 0, dtype=cv2.CV_8U))
    if rng.random() < 0.6:
        quality = int(rng.integers(40, 96))
        _, data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
        picture = _u8(cv2.imdecode(data, cv2.IMREAD_COLOR_RGB))
    return picture


def _u8(values: object) -> Picture:
    given = np.asarray(values)
    return given if given.dtype == np.uint8 else np.clip(given, 0, 255).astype(np.uint8)
