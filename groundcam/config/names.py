"""The names of all settings, from their models, and the one that was meant by a name that is none. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from groundcam.did_you_mean import closest

Path = tuple[str, ...]
"""A setting's name, part by part: `work`, `batch_size`."""
ID = "ID"
"""Stands in a name for a camera's id, or a webhook's name."""
MAPS = ("cameras", "hooks")
"""Settings that are maps of parts by name, of which each comes from one layer as a whole."""


def dotted(path: Path) -> str:
    """Return the name as people write it."""
    return ".".join(path)


def part_of(annotation: Any) -> type[BaseModel] | None:
    """Return the model of a section, or of the values of a map of sections."""
    if get_origin(annotation) is dict:
        annotation = get_args(annotation)[1]
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def is_map_of_parts(annotation: Any) -> bool:
    """Whether this is a map from ids to sections, as that of the cameras."""
    return get_origin(annotation) is dict and part_of(annotation) is not None


def every_name(model: type[BaseModel], above: Path = ()) -> Iterator[Path]:
    """Yield the names of all settings, sections and maps of sections included, in their order."""
    for name, field in model.model_fields.items():
        path = (*above, name)
        yield path
        part = part_of(field.annotation)
        if part is not None:
            yield from every_name(part, (*path, ID) if is_map_of_parts(field.annotation) else path)


def meant(model: type[BaseModel], path: Path) -> Path | None:
    """Return which setting was probably meant by a name that is none, or None where none is like it.

    A setting of that name in another section comes first, then one of a similar name in the same section.
    """
    names = sorted(every_name(model), key=len)  # the camera's own after those of all cameras
    by_last: dict[str, Path] = {}
    for name in names:
        by_last.setdefault(name[-1], name)
    if path[-1] in by_last:
        return by_last[path[-1]]
    beside = {name[-1]: name for name in names if _fits(name[:-1], path[:-1])}
    for some in (beside, by_last):
        if word := closest(path[-1], some):
            found = some[word]
            return (*path[:-1], word) if some is beside else found
    return None


def _fits(name: Path, path: Path) -> bool:
    return len(name) == len(path) and all(one in (ID, other) for one, other in zip(name, path, strict=True))


def has(content: Any, path: Path) -> bool:
    """Whether something is given there."""
    for part in path:
        if not isinstance(content, Mapping) or part not in content:
            return False
        content = content[part]
    return True
