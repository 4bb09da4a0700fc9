"""Colours by name, backgrounds, and what a camera does to a picture. Everything varies, so that shapes are learned
and not the way they are drawn."""

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
"""[height, width, 3], RGB."""

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
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) / max(width, height)
    turn = rng.uniform(0, 2 * np.pi)
    along = x * np.cos(turn) + y * np.sin(turn)
    style = rng.choice(["flat", "shade", "cloud", "stripes", "checks"], p=[0.25, 0.25, 0.25, 0.125, 0.125])
    match style:
        case "flat":
            mix = np.zeros_like(x)
        case "shade":
            mix = (along - along.min()) / np.ptp(along)
        case "cloud":
            grid = int(rng.integers(3, 24))
            coarse = rng.random((max(2, grid * height // max(width, height)), grid)).astype(np.float32)
            mix = np.clip(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), 0, 1)
        case "stripes":
            mix = (np.sin(along * rng.uniform(10, 90)) > 0).astype(np.float32)
        case _:
            across = y * np.cos(turn) - x * np.sin(turn)
            many = rng.uniform(4, 20)
            mix = ((np.floor(along * many) + np.floor(across * many)) % 2).astype(np.float32)
    picture = (near + mix[..., None] * (far - near)).astype(np.uint8)
    if rng.random() < 0.3:
        for _ in range(int(rng.integers(1, 6))):
            ends = rng.uniform(-0.2, 1.2, (2, 2)) * (width, height)
            first, second = (tuple(int(v) for v in end) for end in ends)
            cv2.line(picture, first, second, _any_colour(rng).tolist(), int(rng.integers(1, 4)), cv2.LINE_AA)
    return picture


def through_a_camera(picture: Picture, rng: np.random.Generator) -> Picture:
    """Blur, light, noise and JPEG, each only sometimes."""
    if rng.random() < 0.3:
        picture = _u8(cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.3, 1.3)))
    if rng.random() < 0.4:
        picture = _u8(picture * rng.uniform(0.85, 1.12) + rng.uniform(-12, 12))
    if rng.random() < 0.4:
        noise = rng.standard_normal(picture.shape, np.float32) * np.float32(rng.uniform(1, 14))
        picture = _u8(picture + noise)
    if rng.random() < 0.6:
        quality = int(rng.integers(40, 96))
        _, data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
        picture = _u8(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1])
    return picture


def _u8(values: object) -> Picture:
    return np.clip(np.asarray(values), 0, 255).astype(np.uint8)
