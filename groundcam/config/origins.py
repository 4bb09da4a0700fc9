"""Every setting in force, and where its value comes from."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from groundcam.config.layers import Layer, owner
from groundcam.config.names import MAPS, Path, dotted, has, is_map_of_parts
from groundcam.config.written import shown

DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Setting:
    """One of them, as it may be shown."""

    name: str
    value: Any
    source: str


def in_force(settings: BaseModel, layers: Sequence[Layer]) -> Iterator[Setting]:
    """Yield all of them, in their order, section by section."""
    for section in type(settings).model_fields:
        yield from _part(getattr(settings, section), (section,), layers)


def _part(part: BaseModel, above: Path, layers: Sequence[Layer]) -> Iterator[Setting]:
    for name, field in type(part).model_fields.items():
        path, value = (*above, name), getattr(part, name)
        if is_map_of_parts(field.annotation) and value:
            for key, one in value.items():
                yield from _part(one, (*path, key), layers)
            continue
        # A camera's URL, or a webhook's, is shown as elsewhere, not hidden as a whole.
        value = part.public_url if name == "url" and hasattr(part, "public_url") else value
        yield Setting(dotted(path), shown(name, value), _source(path, layers))


def _source(path: Path, layers: Sequence[Layer]) -> str:
    layer = owner(layers, path)
    if layer is None:
        return DEFAULT
    if path[1] not in MAPS or has(layer.content, path):
        return layer.source(path)
    # A camera may be given as its URL alone.
    is_url = path[-1] == "url" and has(layer.content, path[:-1])
    return layer.source(path[:-1]) if is_url else DEFAULT
