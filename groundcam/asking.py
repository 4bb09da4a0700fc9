"""What `ask` was given: cameras that there are, and regions; and how a question is shown. Pure."""

from collections.abc import Sequence
from difflib import get_close_matches

from groundcam.did_you_mean import did_you_mean
from groundcam_runtime.printable import printable
from groundcam_runtime.settings import SettingError
from groundcam_schemas import Question
from groundcam_schemas.questions import EVERY_CAMERA

RECTANGLE, CORNER, LEAST_CORNERS = 4, 2, 3


def require_camera(camera_id: str, known: Sequence[str], force: str = "asks one that is to come") -> None:
    """Raise SettingError for a camera that nobody knows; `force` says what --force does."""
    if camera_id == EVERY_CAMERA or camera_id in known:
        return
    near = get_close_matches(camera_id, known, 1)
    hint = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(sorted(known)[:10]) or 'none'}"
    raise SettingError(f"there is no camera {printable(camera_id)}{hint} (--force {force})")


def region(text: str) -> tuple[str | None, tuple[tuple[float, float], ...]]:
    """Read `gate=0.1,0.5,0.9,0.5,0.5,1` (x,y of each corner), or a rectangle's four sides, x1,y1,x2,y2.

    Returns the camera, None where there is none, and the polygon in fractions of the picture. Raises SettingError.
    """
    camera_id, separator, rest = text.rpartition("=")
    return (camera_id.strip() or None) if separator else None, _polygon(rest, f"--region: {printable(text)!r}")


def _polygon(text: str, where: str) -> tuple[tuple[float, float], ...]:
    try:
        numbers = [float(one) for one in text.replace(";", ",").replace(" ", ",").split(",") if one]
    except ValueError:
        numbers = []
    if len(numbers) == RECTANGLE:
        x1, y1, x2, y2 = numbers
        numbers = [x1, y1, x2, y1, x2, y2, x1, y2]
    corners = tuple(zip(numbers[::2], numbers[1::2], strict=False))
    inside = all(0 <= one <= 1 for one in numbers)
    if len(numbers) % 2 or len(corners) < LEAST_CORNERS or not inside:
        raise SettingError(
            f"{where} is not like gate=0.1,0.5,0.9,0.5,0.5,1: x and y of three corners or more, or x1,y1,x2,y2 of a"
            " rectangle, in fractions of the picture"
        )
    return corners


def regions_in(content: object, camera_id: str) -> list[tuple[tuple[float, float], ...]]:
    """Return a camera's regions of a YAML file: a list of them, or a map of camera (or `*`) to such lists.

    A region is a list of [x, y], or of numbers as `region` has them; one alone needs no list around it. Raises
    SettingError, also for a map in which nothing is said of the camera.
    """
    if isinstance(content, dict):
        named = {str(name): regions for name, regions in content.items()}
        if camera_id not in named and EVERY_CAMERA not in named:
            there = f"there is nothing for {camera_id} in it{did_you_mean(camera_id, sorted(named))}"
            raise SettingError(f"--regions: {printable(there)}")
        content = named.get(camera_id, named.get(EVERY_CAMERA))
    if not isinstance(content, list) or not content:
        raise SettingError(f"--regions: there is no list of regions for {camera_id} in it")
    if all(map(_is_corner, content)) or all(isinstance(one, int | float) for one in content):
        content = [content]
    return [_region_in(one, f"--regions: region {number}") for number, one in enumerate(content, 1)]


def _region_in(one: object, where: str) -> tuple[tuple[float, float], ...]:
    corners = one if isinstance(one, list) else [one]
    flat = [number for corner in corners for number in (corner if isinstance(corner, list) else [corner])]
    return _polygon(",".join(map(str, flat)), where)


def _is_corner(one: object) -> bool:
    """Whether it is x and y: no region has so few numbers."""
    return isinstance(one, list) and len(one) == CORNER and not any(isinstance(number, list) for number in one)


def brief(question: Question) -> str:
    """Return a question as it is written."""
    classes = ", ".join(
        one.phrase if one.box_threshold is None else f"{one.phrase}:{one.box_threshold:g}" for one in question.classes
    )
    besides = f", not {', '.join(question.decoys)}" if question.decoys else ""
    regions = (
        f", in {len(question.regions)} region{'' if len(question.regions) == 1 else 's'}" if question.regions else ""
    )
    return printable(f"{classes}{besides}{regions}")
