"""Points, lines and polygons in fractions of a picture. Pure."""

import math
from collections.abc import Sequence

Point = tuple[float, float]
NEAR = 1e-6


def is_inside(point: Point, polygon: Sequence[Point]) -> bool:
    """Whether a point lies in a polygon, by the number of edges that a ray to the right crosses.

    What is at the picture's right or lower border lies in a polygon that reaches there: boxes are cut off by it.
    The rule is that of M. Shimrat, "Algorithm 112: Position of point relative to polygon" (1962).
    """
    x, y = (min(one, 1 - NEAR) for one in point)
    inside = False
    before_x, before_y = polygon[-1]
    for corner_x, corner_y in polygon:
        if (corner_y > y) != (before_y > y):
            crossing = corner_x + (y - corner_y) * (before_x - corner_x) / (before_y - corner_y)
            inside ^= x < crossing
        before_x, before_y = corner_x, corner_y
    return inside


def side(point: Point, start: Point, end: Point, aspect: float) -> float:
    """Return the distance of a point from the line through two others, in heights of the picture.

    Positive is to the right of somebody who stands at `start` and looks at `end`. `aspect` is width over height.
    """
    along_x, along_y = (end[0] - start[0]) * aspect, end[1] - start[1]
    x, y = (point[0] - start[0]) * aspect, point[1] - start[1]
    return (along_x * y - along_y * x) / max(1e-12, math.hypot(along_x, along_y))


def crossing(before: Point, after: Point, start: Point, end: Point) -> float | None:
    """Return at which part, 0..1, of the way from `before` to `after` it crosses the segment; None where it does not.

    The way's end belongs to it and its beginning does not, so that of two ways in a row one crosses.
    """
    way_x, way_y = after[0] - before[0], after[1] - before[1]
    line_x, line_y = end[0] - start[0], end[1] - start[1]
    across = way_x * line_y - way_y * line_x
    if across == 0:
        return None
    from_x, from_y = start[0] - before[0], start[1] - before[1]
    part = (from_x * line_y - from_y * line_x) / across
    along = (from_x * way_y - from_y * way_x) / across
    return part if 0 < part <= 1 and 0 <= along <= 1 else None


def border(before: Point, after: Point, polygon: Sequence[Point]) -> float:
    """Return at which part, 0..1, of the way a polygon's border is crossed first; 1 where none is."""
    parts = [
        part
        for corner, following in zip(polygon, [*polygon[1:], polygon[0]], strict=True)
        if (part := crossing(before, after, corner, following)) is not None
    ]
    return min(parts, default=1.0)


def distance(point: Point, polygon: Sequence[Point], aspect: float) -> float:
    """Return how far a point is from where one can cross a polygon's border, in heights of the picture.

    Nothing is seen to cross the picture's own border, so that a polygon's edges on it do not count.
    """
    x, y = point[0] * aspect, point[1]
    nearest = math.inf
    for (from_x, from_y), (to_x, to_y) in zip(polygon, [*polygon[1:], polygon[0]], strict=True):
        if from_x == to_x in {0.0, 1.0} or from_y == to_y in {0.0, 1.0}:
            continue
        start_x, end_x = from_x * aspect, to_x * aspect
        along_x, along_y = end_x - start_x, to_y - from_y
        length = max(1e-12, along_x**2 + along_y**2)
        part = max(0.0, min(1.0, ((x - start_x) * along_x + (y - from_y) * along_y) / length))
        nearest = min(nearest, math.hypot(x - start_x - part * along_x, y - from_y - part * along_y))
    return nearest
