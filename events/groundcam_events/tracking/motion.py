"""Where a thing is and where it will be: a Kalman filter of constant velocity, in seconds and box sizes. Pure.

The filter of R. E. Kalman, "A New Approach to Linear Filtering and Prediction Problems" (1960), for a point whose
acceleration is white noise (Bar-Shalom, Li, Kirubarajan, "Estimation with Applications to Tracking and Navigation",
2001, section 6.2.2). Both axes have the same noise, so they share one covariance of three numbers. All noise is in
sizes of the box, so that what is near and what is far is treated alike.
"""

import math
from dataclasses import dataclass

Box = tuple[float, float, float, float]
"""x1, y1, x2, y2 in pixels."""

POSITION_NOISE = 0.08
"""Standard deviation of where a box is drawn."""
START_SPEED = 1.8
"""Standard deviation of the speed of what is first seen, in sizes a second: people walk one or two."""
ACCELERATION = 0.8
"""Spectral density's root: how fast a speed changes."""
SIZE_MEMORY = 0.8
"""Of a new size, so much is believed."""
STANDING = 0.1
"""Standard deviation of the speed of what stands still."""
LEAST_SIZE = 1.0
COAST_S = 3.0
"""So long something that is not seen is taken to go on as it went; then it may be anywhere near."""
MOST_SPREAD = 2.0
"""The largest standard deviation of a prediction, in sizes: what is further away is something else."""


@dataclass(slots=True)
class Motion:
    """The middle of a box's lower edge, how fast it moves, and the box's size; in pixels and seconds."""

    x: float
    y: float
    width: float
    height: float
    at_s: float
    vx: float = 0.0
    vy: float = 0.0
    place_var: float = 0.0
    shared_var: float = 0.0
    speed_var: float = 0.0

    @classmethod
    def of(cls, box: Box, at_s: float) -> "Motion":
        """Begin where something is seen."""
        x, y, width, height = bottom(box)
        size = size_of(width, height)
        return cls(
            x, y, width, height, at_s,
            place_var=(POSITION_NOISE * size) ** 2, speed_var=(START_SPEED * size) ** 2,
        )  # fmt: skip

    @property
    def size(self) -> float:
        """The side of a square as large as the box."""
        return size_of(self.width, self.height)

    def at(self, at_s: float) -> tuple[float, float, float]:
        """Return x, y and the variance of either at a later time."""
        step_s = max(0.0, at_s - self.at_s)
        noise = (ACCELERATION * self.size) ** 2
        variance = self.place_var + step_s * (2 * self.shared_var + step_s * (self.speed_var + noise * step_s / 3))
        coast_s = min(step_s, COAST_S)
        return self.x + self.vx * coast_s, self.y + self.vy * coast_s, variance

    def stand(self, at_s: float) -> None:
        """Expect it where it is: it stood still when nobody looked any more."""
        self.at_s, self.vx, self.vy, self.shared_var = at_s, 0.0, 0.0, 0.0
        self.speed_var = (STANDING * self.size) ** 2

    def scale(self, across: float, down: float) -> None:
        """Go on in pictures that are so many times as wide, and as high."""
        self.x, self.width, self.vx = self.x * across, self.width * across, self.vx * across
        self.y, self.height, self.vy = self.y * down, self.height * down, self.vy * down
        self.place_var, self.shared_var, self.speed_var = (
            one * across * down for one in (self.place_var, self.shared_var, self.speed_var)
        )

    def see(self, box: Box, at_s: float) -> None:
        """Take a look into account."""
        self.x, self.y, variance = self.at(at_s)
        step_s = max(0.0, at_s - self.at_s)
        noise = (ACCELERATION * self.size) ** 2
        self.shared_var += step_s * (self.speed_var + noise * step_s / 2)
        self.speed_var += step_s * noise
        self.at_s = at_s
        x, y, width, height = bottom(box)
        total = variance + (POSITION_NOISE * size_of(width, height)) ** 2
        gain, speed_gain = variance / total, self.shared_var / total
        dx, dy = x - self.x, y - self.y
        self.x, self.y = self.x + gain * dx, self.y + gain * dy
        self.vx, self.vy = self.vx + speed_gain * dx, self.vy + speed_gain * dy
        self.speed_var -= speed_gain * self.shared_var
        self.shared_var *= 1 - gain
        self.place_var = (1 - gain) * variance
        self.width += SIZE_MEMORY * (width - self.width)
        self.height += SIZE_MEMORY * (height - self.height)


def scaled(box: Box, across: float, down: float) -> Box:
    """Return a box in a picture that is so many times as wide, and as high."""
    x1, y1, x2, y2 = box
    return x1 * across, y1 * down, x2 * across, y2 * down


def bottom(box: Box) -> tuple[float, float, float, float]:
    """Return the middle of a box's lower edge, its width and its height."""
    x1, y1, x2, y2 = box
    return (x1 + x2) / 2, y2, x2 - x1, y2 - y1


def size_of(width: float, height: float) -> float:
    """Return the side of a square as large as a box."""
    return max(LEAST_SIZE, math.sqrt(max(0.0, width) * max(0.0, height)))
