"""Numbers as bars in a picture, and as the place of a box: what shows whether both are of one frame."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from groundcam_producers.films.writer import VideoWriter
from groundcam_runtime.pictures.image import Image

BITS = 10
WIDTH, HEIGHT = 640, 360
BAR, TOP = 60, 80
"""A bar's width, and the height of all, from the upper edge."""
COLUMNS, ACROSS = 32, 16
"""Boxes stand in so many columns, so many pixels apart."""
LEFT, UPPER, DOWN = 40, 120, 7
BOX = 40, 8


def picture(number: int) -> Image:
    """White bars are ones, the highest bit first."""
    image = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    for bit in range(BITS):
        one = number >> (BITS - 1 - bit) & 1
        image[:TOP, 20 + bit * BAR : 20 + (bit + 1) * BAR] = 255 if one else 0
    return image


def read_bars(image: Image) -> int:
    """The number in a picture of any size."""
    height, width = image.shape[:2]
    row = image[round(height * TOP / HEIGHT / 2)].mean(axis=1)
    bits = [row[round((20 + (bit + 0.5) * BAR) / WIDTH * width)] > 127 for bit in range(BITS)]
    return sum(int(bit) << (BITS - 1 - place) for place, bit in enumerate(bits))


def box_of(number: int) -> tuple[float, float, float, float]:
    """Where a number's box is, in fractions of the picture."""
    x, y = LEFT + number % COLUMNS * ACROSS, UPPER + number // COLUMNS * DOWN
    return x / WIDTH, y / HEIGHT, (x + BOX[0]) / WIDTH, (y + BOX[1]) / HEIGHT


def number_at(x: float, y: float) -> int:
    """The number of a box whose left upper corner lies there, in fractions of the picture."""
    return round((y * HEIGHT - UPPER) / DOWN) * COLUMNS + round((x * WIDTH - LEFT) / ACROSS)


def shoot(path: Path, pictures: int, fps: int = 16) -> Path:
    """Write a film of numbers."""
    with VideoWriter(path, (WIDTH, HEIGHT), fps=fps, crf=18) as film:
        for number, image in enumerate(_pictures(pictures)):
            film.write(image, number / fps)
    return path


def _pictures(count: int) -> Iterator[Image]:
    for number in range(count):
        yield picture(number)
