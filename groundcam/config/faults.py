"""What is wrong with settings, in sentences that say where it stands and never hold a value, which may be a secret."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from groundcam.config.file import at
from groundcam.config.layers import FileLayer, Layer, VariablesLayer, owner
from groundcam.config.names import MAPS, Path, dotted, has, meant
from groundcam_runtime.redaction import redact

_WORD = re.compile(r"[a-z][a-z0-9_]+")


def merged(layers: Sequence[Layer]) -> tuple[dict[str, Any], list[str]]:
    """Lay one over the other, weak to strong; return the whole and what is wrong with the layers themselves.

    A camera is replaced whole: half of one would send it another's password. So is a webhook.
    """
    whole: dict[str, Any] = {}
    faults: list[str] = []
    for layer in layers:
        if isinstance(layer, FileLayer):
            faults += [f"{at(layer.file.path, place)}: {sentence}" for place, sentence in layer.file.repeated]
        for section, given in layer.content.items():
            under = whole.setdefault(section, {})
            if not isinstance(given, Mapping | None):
                faults.append(
                    _sentence(layer.fault_at((section,), of_name=True), f"{section}: it is no map of settings")
                )
                continue
            for setting, content in (given or {}).items():
                value = {} if content is None and setting in MAPS else content  # all of it may be commented out
                if setting in MAPS and isinstance(value, Mapping) and isinstance(under.get(setting), Mapping):
                    under[setting] = {**under[setting], **value}
                else:
                    under[setting] = value
    return whole, faults


def sentences(model: type[BaseModel], invalid: ValidationError, layers: Sequence[Layer]) -> Iterable[str]:
    """Yield what is wrong, each fault once."""
    for error in invalid.errors(include_url=False, include_input=False):
        path: Path = tuple(str(part) for part in error["loc"] if part != "[key]")
        text = error["msg"].removeprefix("Value error, ")
        is_unknown = error["type"] == "extra_forbidden"
        where = path if is_unknown else _named(path, text, layers)
        layer = _nearest(layers, where)
        if is_unknown:
            text = "there is no such setting"
            if instead := meant(model, path):
                name = layer.spelled(instead) if isinstance(layer, VariablesLayer) else dotted(instead)
                text += f"; did you mean {name}?"
        of_name = is_unknown or error["loc"][-1:] == ("[key]",)
        yield _sentence(layer.fault_at(where, of_name=of_name) if layer else "", _about(path, text))


def _nearest(layers: Sequence[Layer], path: Path) -> Layer | None:
    """Return the layer that gives a setting, or else what is above it: a name may be missing, or be no text."""
    above = (path[:end] for end in range(len(path), 0, -1))
    return next((layer for one in above if (layer := owner(layers, one))), None)


def _named(path: Path, text: str, layers: Sequence[Layer]) -> Path:
    """Return the setting of a section that a sentence about the section begins with, where somebody gives it."""
    for word in _WORD.findall(text):
        longer = (*path, word)
        layer = owner(layers, longer)
        if layer is not None and has(layer.content, longer):
            return longer
    return path


def _about(path: Path, text: str) -> str:
    return f"{dotted(path)}: {text}" if path else text


def _sentence(where: str, text: str) -> str:
    return redact(f"{where}: {text}" if where else text)
