"""The outlines of shapes as polygons. Pure."""

import numpy as np
from numpy.typing import NDArray


def _ring(count: int, radii: NDArray[np.float64] | float = 1.0) -> NDArray[np.float64]:
    angles = np.arange(count) * 2 * np.pi / count - np.pi / 2
    return np.asarray(np.stack([np.cos(angles), np.sin(angles)], -1) * np.reshape(radii, (-1, 1)))


def _cross(arm: float) -> NDArray[np.float64]:
    corner = [(-arm, -1), (arm, -1), (arm, -arm), (1, -arm), (1, arm), (arm, arm)]
    return np.array(corner + [(-x, -y) for x, y in corner])


def outline(shape: str, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return a polygon, [points, 2], whose longer side is 1 and whose box is centred on nothing in particular.

    Proportions and turns vary as far as the name stays true: half of the squares, triangles, stars and crosses
    stand upright.
    """
    match shape:
        case "circle":
            points = _ring(40)
        case "square":
            points = np.array([(-1.0, -1), (1, -1), (1, 1), (-1, 1)])
        case "triangle":
            points = _ring(3)
        case "star":
            points = _ring(10, np.where(np.arange(10) % 2 == 0, 1.0, rng.uniform(0.36, 0.5)))
        case "cross":
            points = _cross(rng.uniform(0.25, 0.4))
        case _:
            raise ValueError(f"no shape is called {shape!r}")
    points = points * rng.uniform(0.88, 1.12, 2)
    turn = 0.0 if rng.random() < 0.5 else rng.uniform(0, 2 * np.pi)
    turning = np.array([(np.cos(turn), -np.sin(turn)), (np.sin(turn), np.cos(turn))])
    points = points @ turning.T
    extent = np.ptp(points, axis=0).max()
    return np.asarray((points - (points.min(0) + points.max(0)) / 2) / extent)
