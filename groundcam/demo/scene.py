"""Moving scenes that films are made of: coloured shapes on closed paths, so that a film repeats without a jump.

Drawn with Pillow, unlike the pictures that the bundled model was trained on: what it finds here, it has learned.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from groundcam_schemas import Line, Zone

Point = tuple[float, float]
Box = tuple[float, float, float, float]
"""x1, y1, x2, y2 in pixels."""

RGB = {
    "red": (214, 40, 40),
    "orange": (247, 140, 20),
    "yellow": (250, 214, 30),
    "green": (40, 160, 70),
    "blue": (36, 92, 220),
    "purple": (140, 50, 180),
    "white": (248, 248, 248),
    "black": (18, 18, 20),
}
FINE = 2
"""Drawn so many times larger, then reduced: smooth edges."""


@dataclass(frozen=True, slots=True)
class Known:
    """An object of which it is known where it is."""

    colour: str
    shape: str
    box: Box

    def is_called(self, label: str) -> bool:
        """Whether "red circle", "circle" or "red shape" is true of it."""
        return set(label.split()) <= {self.colour, self.shape, "shape"}


@dataclass(frozen=True, slots=True)
class Actor:
    """A shape on its way: an ellipse around `home`, `rounds` times in each film."""

    colour: str
    shape: str
    size: float
    home: Point
    reach: Point
    rounds: int
    turns: int = 0
    phase: float = 0.0

    def outline(self, part: float) -> list[Point]:
        """Return the polygon at a part, 0..1, of the film, in pixels."""
        angle = 2 * math.pi * (self.rounds * part + self.phase)
        x = self.home[0] + self.reach[0] * math.cos(angle)
        y = self.home[1] + self.reach[1] * math.sin(angle)
        turn = 2 * math.pi * self.turns * part
        radius = self.size / 2
        return [
            (
                x + radius * (px * math.cos(turn) - py * math.sin(turn)),
                y + radius * (px * math.sin(turn) + py * math.cos(turn)),
            )
            for px, py in _unit(self.shape)
        ]


@dataclass(frozen=True)
class Scene:
    """What one camera of the demo sees, and what is asked about it."""

    camera_id: str
    question: str
    actors: tuple[Actor, ...]
    light: tuple[int, int, int]
    """The colour of the floor."""
    width: int = 640
    height: int = 360
    period_s: float = 24.0
    zones: tuple[Zone, ...] = ()
    lines: tuple[Line, ...] = ()

    def objects(self, time_s: float) -> list[Known]:
        """Return where everything is; times beyond the period begin again."""
        known = []
        for actor in self.actors:
            xs, ys = zip(*actor.outline(time_s / self.period_s % 1), strict=True)
            known.append(Known(actor.colour, actor.shape, (min(xs), min(ys), max(xs), max(ys))))
        return known

    def picture(self, time_s: float) -> NDArray[np.uint8]:
        """Return the picture of a moment, [height, width, 3], RGB."""
        image = self._floor.copy()
        draw = ImageDraw.Draw(image)
        for actor in self.actors:
            outline = [(x * FINE, y * FINE) for x, y in actor.outline(time_s / self.period_s % 1)]
            draw.polygon(outline, fill=RGB[actor.colour])
        return np.array(image.reduce(FINE))  # a copy: Pillow's own may not be written to

    @cached_property
    def _floor(self) -> Image.Image:
        """A lit floor with a few soft shadows on it."""
        width, height = self.width * FINE, self.height * FINE
        y, x = np.mgrid[0:height, 0:width] / height
        glow = np.exp(-((x - 0.9) ** 2 + (y - 0.35) ** 2) * 0.9)
        floor = np.array(self.light) * (0.72 + 0.28 * glow[..., None])
        image = Image.fromarray(floor.clip(0, 255).astype(np.uint8))
        shade = Image.new("L", image.size, 0)
        draw = ImageDraw.Draw(shade)
        for step in range(-2, 7):
            draw.line([(step * width // 5, height), (width // 2 + (step - 2) * width // 16, 0)], fill=26, width=3)
        for row in (0.18, 0.42, 0.72):
            draw.line([(0, row * height), (width, row * height)], fill=22, width=3)
        return Image.composite(Image.new("RGB", image.size), image, shade.filter(ImageFilter.GaussianBlur(1.5)))


def _unit(shape: str) -> Sequence[Point]:
    """Return a polygon that reaches from -1 to 1 on its longer side."""
    match shape:
        case "circle":
            return _ring(64)
        case "square":
            return [(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)]
        case "triangle":
            return _ring(3)
        case "star":
            return [(x * r, y * r) for (x, y), r in zip(_ring(10), (1.0, 0.42) * 5, strict=True)]
        case "cross":
            a = 0.33
            corner = [(-a, -1), (a, -1), (a, -a), (1, -a), (1, a), (a, a)]
            return corner + [(-x, -y) for x, y in corner]
    raise ValueError(f"no shape is called {shape!r}")


def _ring(count: int) -> list[Point]:
    angles = (2 * math.pi * index / count - math.pi / 2 for index in range(count))
    return [(math.cos(angle), math.sin(angle)) for angle in angles]


SCENES = (
    Scene(
        "gate",
        "red circle, blue square, green triangle",
        (
            Actor("red", "circle", 76, (110, 95), (48, 26), 2),
            Actor("blue", "square", 70, (320, 100), (52, 30), 1, turns=1, phase=0.3),
            Actor("green", "triangle", 84, (530, 105), (50, 24), 2, phase=0.6),
            Actor("red", "star", 78, (110, 265), (44, 26), 1, turns=1),
            Actor("blue", "circle", 58, (320, 270), (54, 28), 2, phase=0.5),
            Actor("red", "circle", 56, (530, 260), (50, 30), 1, phase=0.2),
        ),
        (196, 200, 206),
        zones=(Zone(name="left", polygon=((0.0, 0.0), (0.17, 0.0), (0.17, 1.0), (0.0, 1.0))),),
        lines=(Line(name="middle", start=(0.5, 0.0), end=(0.5, 1.0)),),
    ),
    Scene(
        "yard",
        "star, orange circle, black shape",
        (
            Actor("yellow", "star", 88, (115, 100), (46, 24), 1, turns=1),
            Actor("orange", "circle", 70, (320, 95), (54, 26), 2, phase=0.4),
            Actor("black", "square", 64, (530, 105), (48, 28), 1, phase=0.1),
            Actor("blue", "triangle", 80, (115, 260), (46, 26), 2, phase=0.7),
            Actor("red", "star", 76, (320, 265), (50, 26), 2, phase=0.2),
            Actor("black", "cross", 72, (530, 262), (46, 26), 1, turns=1, phase=0.5),
        ),
        (176, 164, 150),
        zones=(Zone(name="far left", polygon=((0.0, 0.0), (0.18, 0.0), (0.18, 1.0), (0.0, 1.0))),),
        lines=(Line(name="right", start=(0.83, 0.0), end=(0.83, 1.0), to_right="out", to_left="in"),),
    ),
)
